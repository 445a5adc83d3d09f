"""Text becomes typed values; what can't become one is found, never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingest.contract import Entity, Field, Kind
from ingest.convert import Converted, convert

BAD = "bad"


def converted(field: Field, values: list[str | None], zone: str = "Asia/Shanghai", **formats: str) -> Converted:
    entity = Entity("things", "", (), (field,))
    return convert(pa.table({field.name: pa.array(values, pa.string())}), entity, zone, formats)


def outcome(kind: Kind, *values: str | None, zone: str = "Asia/Shanghai", name: str = "x", **formats: str) -> list[Any]:
    result = converted(Field(name, kind), list(values), zone, **formats)
    bad = [any(fault.rows[n] for fault in result.faults) for n in range(len(values))]
    return [BAD if is_bad else value for value, is_bad in zip(result.table.column(name).to_pylist(), bad, strict=True)]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2025-01-03 10:00:00", "2025-01-03 02:00:00"),
        ("2025/1/3 9:05", "2025-01-03 01:05:00"),
        ("2025.01.03 08:00", "2025-01-03 00:00:00"),
        ("2025年1月3日", "2025-01-02 16:00:00"),
        ("2025年1月3日 下午3点5分", "2025-01-03 07:05:00"),
        ("2025年1月3日12时30分15秒", "2025-01-03 04:30:15"),
        ("2025-01-03T10:00:00.123456Z", "2025-01-03 10:00:00.123456"),
        ("2025-01-03T10:00:00+0800", "2025-01-03 02:00:00"),
        ("2025-01-03 10:00:00-05:30", "2025-01-03 15:30:00"),
        ("2025-01-03 12:05:00 AM", "2025-01-02 16:05:00"),
        ("20250103", "2025-01-02 16:00:00"),
        ("20250103101112", "2025-01-03 02:11:12"),
        ("1735869600", "2025-01-03 02:00:00"),
        ("1735869600.5", "2025-01-03 02:00:00.5"),
        ("1735869600123", "2025-01-03 02:00:00.123"),
        ("２０２５－０１－０３", "2025-01-02 16:00:00"),
        ("1991-09-15 01:30:00", "1991-09-14 16:30:00"),  # comes twice (daylight saving): the first
        ("1991-04-14 02:30:00", "1991-04-13 18:00:00"),  # doesn't exist: the instant of the jump
    ],
)
def test_instants_are_read_in_all_common_spellings(text: str, utc: str) -> None:
    assert outcome("instant", text) == [datetime.fromisoformat(utc)]


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-30",
        "2025-13-01",
        "2025-01-03 25:00",
        "昨天",
        "#VALUE!",
        "3025-01-01",
        "45658",
        "01/03/2025",
        "0000-00-00",
        "2025-01-03 10:00 xyz",
    ],
)
def test_an_impossible_or_ambiguous_instant_is_a_fault(text: str) -> None:
    assert outcome("instant", text) == [BAD]


@given(
    st.lists(
        st.datetimes(datetime.fromisoformat("1975-01-01"), datetime.fromisoformat("2099-12-30")),
        min_size=1,
        max_size=50,
    ),
    st.sampled_from(["Asia/Shanghai", "America/New_York", "UTC"]),
)
@hypothesis_settings(max_examples=30, deadline=None)
def test_any_local_time_becomes_the_utc_that_the_standard_library_says(times: list[datetime], zone: str) -> None:
    pairs = [(local, local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)) for local in times]
    # Local times that a clock change skips have no UTC.
    real = [(local, utc) for local, utc in pairs if utc.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local]
    expected = [utc.replace(tzinfo=None) for _, utc in real]
    assert outcome("instant", *[local.isoformat(" ") for local, _ in real], zone=zone) == expected
    assert outcome("instant", *[utc.isoformat() for _, utc in real], zone=zone) == expected
    assert outcome("date", *[local.isoformat() for local, _ in real], zone=zone) == [local.date() for local, _ in real]


@given(st.lists(st.text(max_size=30) | st.from_regex(r"[-+0-9,.:/年月日万%eTZ ]{1,25}", fullmatch=True), max_size=30))
@hypothesis_settings(max_examples=40, deadline=None)
def test_no_text_whatsoever_makes_the_conversion_fail(texts: list[str]) -> None:
    for kind in ("instant", "date", "number", "integer", "boolean", "text"):
        assert len(outcome(kind, *texts)) == len(texts)  # type: ignore[arg-type]


def test_dates_are_the_day_as_written_and_epochs_the_day_in_the_zone() -> None:
    assert outcome("date", "2025-01-03 23:59:59", "2025年12月31日", "1735862400") == [
        date(2025, 1, 3), date(2025, 12, 31), date(2025, 1, 3),
    ]  # fmt: skip
    assert outcome("date", "03/01/2025", "x", x="%d/%m/%Y") == [date(2025, 1, 3), BAD]


def test_numbers_are_read_as_people_write_them() -> None:
    assert outcome("number", "1,234.5", "¥3.5万", "-2", "1e5", "１２", "35%", "2亿元", "无", "", "NaN") == [
        1234.5, 35_000, -2, 100_000, 12, 0.35, 200_000_000, None, BAD, None,
    ]  # fmt: skip
    assert outcome("number", "35%", name="progress_percent") == [35]
    assert outcome("number", "1,2,3", "12abc", "--5", "inf", "1.2.3") == [BAD] * 5
    assert outcome("integer", "3", "3.0", "3.5", "9007199254740993", "1,000", "9" * 20) == [
        3, 3, BAD, 9007199254740993, 1000, BAD,
    ]  # fmt: skip


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)))
@hypothesis_settings(max_examples=30, deadline=None)
def test_any_number_survives_its_shortest_text(numbers: list[float]) -> None:
    assert outcome("number", *map(repr, numbers)) == numbers


def test_yes_and_no_are_understood_in_both_languages() -> None:
    yes, no = ["是", "Y", "TRUE", "1", "yes", "√"], ["否", "n", "False", "0", "无"]
    assert outcome("boolean", *yes) == [True] * len(yes)
    assert outcome("boolean", *no) == [False] * len(no)
    assert outcome("boolean", "也许", None, "-") == [BAD, None, None]


def test_an_unregistered_value_is_kept_and_counted_unless_nothing_works_without_it() -> None:
    optional = converted(Field("tier", values=("vip", "regular")), ["VIP", "gold", "gold", None])
    assert optional.table.column("tier").to_pylist() == ["vip", "gold", "gold", None]
    assert not optional.faults
    assert optional.unregistered == {"tier": {"gold": 2}}
    open_list = converted(Field("channel", required=True, values=("phone",), open_values=True), ["传真", None])
    assert [(fault.rule, list(fault.rows)) for fault in open_list.faults] == [("required", [False, True])]
    closed = converted(Field("kind", required=True, values=("csat", "nps")), ["csat", "star"])
    assert [(fault.rule, list(fault.rows)) for fault in closed.faults] == [("values", [False, True])]


def test_values_out_of_range_are_faults() -> None:
    result = converted(Field("p", "number", minimum=0, maximum=100), ["-1", "0", "100", "100.5", None])
    assert [(fault.rule, list(fault.rows)) for fault in result.faults] == [("range", [True, False, False, True, False])]
    assert "0…100" in result.faults[0].remedy


def test_a_whole_column_of_instants_is_read_at_once() -> None:
    start = datetime.fromisoformat("2025-01-01")
    texts: list[str | None] = [(start + timedelta(seconds=7 * n)).isoformat(" ") for n in range(100_000)]
    result = converted(Field("at", "instant"), texts)
    assert not result.faults
    assert result.table.column("at")[99_999].as_py() == start + timedelta(seconds=7 * 99_999) - timedelta(hours=8)
