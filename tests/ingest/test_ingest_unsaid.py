"""What libraries quote in their errors, and what is logged, says nothing personal."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pydantic
import pytest
import sqlalchemy

from huiyin.config import PROJECT_ROOT
from huiyin.errors import HuiyinError
from ingest.unsaid import MaskedError, masked_errors

PHONE = "13800013800"


def test_an_error_of_our_own_stays_what_it_is_with_its_message_masked() -> None:
    with pytest.raises(HuiyinError, match=r"row 3: '\[手机号1\]' is no date"), masked_errors():
        raise HuiyinError(f"row 3: '{PHONE}' is no date")


def test_causes_are_masked_with_it() -> None:
    with pytest.raises(HuiyinError) as raised, masked_errors():
        try:
            int(f"我叫张伟，电话{PHONE}")
        except ValueError as error:
            raise HuiyinError("row 3 can't be read") from error
    cause = raised.value.__cause__
    assert isinstance(cause, ValueError)
    assert "张伟" not in str(cause) and PHONE not in str(cause)


def test_errors_that_compose_their_message_are_stood_in_for() -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    with (
        pytest.raises(MaskedError, match="OperationalError") as raised,
        masked_errors(),
        engine.connect() as connection,
    ):
        connection.execute(sqlalchemy.text("insert into nowhere values (:phone)"), {"phone": PHONE})
    assert PHONE not in str(raised.value)

    class Age(pydantic.BaseModel):
        age: int

    with pytest.raises(MaskedError) as raised, masked_errors():
        Age(age=f"手机{PHONE}")  # type: ignore[arg-type]
    assert PHONE not in str(raised.value)


def test_what_postgresql_quotes_is_masked(postgres_url: str) -> None:
    quoting = pytest.raises(psycopg.errors.InvalidTextRepresentation)
    with quoting as raised, masked_errors(), psycopg.connect(postgres_url) as connection:
        connection.execute("select %s::int", [f"身份证11010519491231002X {PHONE}"])
    assert "[身份证1]" in str(raised.value) and PHONE not in str(raised.value)


def test_logs_hold_neither_values_in_messages_nor_in_tracebacks() -> None:
    code = (
        "import logging; from ingest.unsaid import mask_log_records\n"
        "mask_log_records(); mask_log_records(); logging.basicConfig()\n"
        "logging.getLogger('some.library').warning('value %s of row %d', '我叫张伟 13800013800', 7)\n"
        "logging.getLogger('some.library').warning('broken %d', '13800013800')\n"
        "try:\n    int('13800013800x')\n"
        "except ValueError:\n    logging.getLogger('other').exception('bad')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT_ROOT, check=True)
    assert "WARNING:some.library:value 我叫[姓名1] [手机号1] of row 7" in ended.stderr
    assert "WARNING:some.library:broken %d" in ended.stderr
    assert "ValueError: invalid literal for int()" in ended.stderr
    # The line of the program that raised it is code; the value there is the test's own.
    said = [line for line in ended.stderr.splitlines() if PHONE in line]
    assert said == []
