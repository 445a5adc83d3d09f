"""Databases are read on from the position that they delivered: nothing is lost, whatever kind the cursor is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
import sqlalchemy
from ingest_company import Company
from mariadb_server import USER, mariadb

from huiyin.config import PROJECT_ROOT, Settings
from huiyin.interval import Interval
from ingest.connectors.sql import reader
from ingest.connectors.sql.config import SqlSource
from ingest.errors import SourceError
from ingest.sources import load_sources


@pytest.fixture(scope="module")
def mariadb_port() -> Iterator[int]:
    with mariadb() as port:
        yield port


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request: pytest.FixtureRequest, duckdb_company: Company) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{duckdb_company.folder / 'crm.db'}"
    elif request.param == "postgres":
        yield request.getfixturevalue("postgres_url").replace("postgresql:", "postgresql+psycopg:")
    else:
        port = request.getfixturevalue("mariadb_port")
        with pymysql.connect(host="127.0.0.1", port=port, user=USER) as connection:
            connection.cursor().execute("drop database if exists crm")
            connection.cursor().execute("create database crm character set utf8mb4")
        yield f"mysql+pymysql://{USER}@127.0.0.1:{port}/crm"


def run(url: str, *statements: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sqlalchemy.text(statement))
    engine.dispose()


def declare(company: Company, url: str, name: str = "crm", **table: Any) -> None:
    columns = {"agent_ref": "no", "valid_from_at": "since", "team": "team"}
    agents = {"entity": "agents", "table": name, "cursor": "changed", "columns": columns}
    company.declare({"name": name, "domain": "crm", "kind": "sql", "url": url, "tables": [agents | table]})


def make(url: str, kind: str, name: str = "crm") -> Callable[[int | None], str]:
    """Make the table; returns how it writes a minute after the begin."""
    sql_type, at = KINDS[kind]
    sql_type = sql_type.format(timestamp="datetime" if "mysql" in url else "timestamp")
    run(url, f"create table {name} (no varchar(9), since varchar(20), team varchar(9), changed {sql_type} null)")
    return lambda minute: "null" if minute is None else at(minute)


def teams(company: Company, name: str = "crm") -> list[str]:
    return sorted(row["team"] for row in company.rows(f"select team from raw.agents where _source = '{name}'"))


# What the column is, and how the minute n of 10 May 2025 is written in it.
BEGIN = datetime.fromisoformat("2025-05-10 00:00:00")
KINDS = {
    "instant": ("{timestamp}", lambda n: f"'{BEGIN + timedelta(minutes=n)}'"),
    "text": ("varchar(40)", lambda n: f"'{BEGIN + timedelta(minutes=n)}'"),
    "text_with_zone": ("varchar(40)", lambda n: f"'{(BEGIN + timedelta(minutes=n)).isoformat()}+08:00'"),
    "compact_text": ("varchar(40)", lambda n: f"'{BEGIN + timedelta(minutes=n):%Y%m%d%H%M%S}'"),
    "seconds": ("bigint", lambda n: str(1746806400 + 60 * n)),
    "milliseconds": ("bigint", lambda n: str(1746806400000 + 60000 * n)),
    "id": ("bigint", lambda n: str(n)),
    "exact_number": ("decimal(20, 2)", lambda n: f"{n}.50"),
}


def test_only_what_is_new_is_read_and_neither_equal_nor_late_nor_missing_values_are_lost(
    duckdb_company: Company, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = duckdb_company
    # So small that the rows come in several deliveries, each with its own position.
    monkeypatch.setattr(reader, "ROWS_PER_DELIVERY", 2)
    for kind in KINDS if "sqlite" in url else ("instant", "text", "seconds", "id"):
        at = make(url, kind, kind)

        def put(minutes: dict[str, int | None], table: str = kind, at: Any = at) -> None:
            rows = (f"('{name}', '2025-01-01', '{name}', {at(minute)})" for name, minute in minutes.items())
            run(url, f"insert into {table} values {', '.join(rows)}")

        put({"A": 0, "B": 5000, "C": 5000, "none": None})
        declare(company, url, kind, overlap_minutes=30, overlap_rows=30)
        (first,) = company.load(kind)
        assert (first.fetched, first.loaded) == (4, 4), kind
        # One with the very value of the position, one that was committed late, one that nobody dated, one new.
        put({"equal": 5000, "late": 4980, "none2": None, "new": 5001})
        (second,) = company.load(kind, batch_id="b2")
        assert teams(company, kind) == ["A", "B", "C", "equal", "late", "new", "none", "none2"], kind
        # A is too old to be read again.
        assert (second.loaded, second.unchanged) == (4, 3), kind
        (third,) = company.load(kind, batch_id="b3")
        assert (third.loaded, third.merged) == (0, 0), kind
    company.assert_balanced()


def test_a_backfill_reads_exactly_its_days_and_leaves_the_position(duckdb_company: Company, url: str) -> None:
    company = duckdb_company
    middle = Interval(date(2025, 5, 11), date(2025, 5, 13))
    every = ("instant", "text", "text_with_zone", "compact_text", "seconds", "milliseconds")
    for kind in every if "sqlite" in url else ("instant", "seconds"):
        at = make(url, kind, kind)
        days = [f"('d{day}{part}', '2025-01-01', 'd{day}{part}', {at(day * 1440 + minute)})"
                for day in range(4) for part, minute in (("a", 0), ("z", 1439))]  # fmt: skip
        run(url, f"insert into {kind} values {', '.join(days)}")
        declare(company, url, kind)
        company.load(kind, middle)
        expected = ["d1a", "d1z", "d2a", "d2z"]
        if kind == "text_with_zone":  # nobody knows the zones of all rows: a day more on both sides
            assert set(teams(company, kind)) >= set(expected)
        else:
            assert teams(company, kind) == expected, kind
        position = f"select cursor from raw.cursors where source = '{kind}'"
        assert company.rows(position) == []
        company.load(kind, batch_id="b2")
        stored = company.rows(position)
        assert len(teams(company, kind)) == 8 and stored, kind
        company.load(kind, middle, batch_id="b3")
        assert company.rows(position) == stored, kind


def test_a_date_from_the_far_future_does_not_swallow_what_comes_before_it(duckdb_company: Company, url: str) -> None:
    company = duckdb_company
    make(url, "instant")
    run(url, "insert into crm values ('1', '2025-01-01', 'now', '2025-05-10 08:00'), ('2', '2025-01-01', 'wrong', "
        "'2099-12-31 00:00')")  # fmt: skip
    declare(company, url)
    company.load("crm")
    run(url, "insert into crm values ('3', '2025-01-01', 'later', '2025-05-11 08:00')")
    company.load("crm", batch_id="b2")
    assert teams(company) == ["later", "now", "wrong"]


def test_instants_with_a_zone_are_compared_as_instants(duckdb_company: Company, postgres_url: str) -> None:
    company = duckdb_company
    with psycopg.connect(postgres_url, autocommit=True) as database:
        database.execute("create table crm (no text, since date, team text, changed timestamptz)")
        # A session zone of the source that is neither ours nor that of the sources file.
        database.execute(
            f"alter database \"{postgres_url.rpartition('/')[2]}\" set timezone to 'America/New_York'".encode()
        )
        database.execute(
            "insert into crm values ('1', '2025-01-01', 'before', '2025-05-10 23:59:59+08'),"
            " ('2', '2025-01-01', 'first', '2025-05-11 00:00:00+08'),"
            " ('3', '2025-01-01', 'last', '2025-05-11 23:59+08'),"
            " ('4', '2025-01-01', 'after', '2025-05-12 00:00:00+08')"
        )
    declare(company, postgres_url.replace("postgresql:", "postgresql+psycopg:"), overlap_minutes=0)
    company.load("crm", Interval(date(2025, 5, 11), date(2025, 5, 12)))
    assert teams(company) == ["first", "last"]
    company.load("crm", batch_id="b2")
    with psycopg.connect(postgres_url, autocommit=True) as database:
        database.execute(
            "insert into crm values ('5', '2025-01-01', 'equal', '2025-05-11 12:00:00-04'),"
            " ('6', '2025-01-01', 'older', '2025-05-11 11:59:59-04')"
        )
    (report,) = company.load("crm", batch_id="b3")
    assert (report.loaded, report.unchanged) == (1, 1)


def test_a_changed_mapping_starts_from_the_beginning(duckdb_company: Company) -> None:
    company = duckdb_company
    with sqlite3.connect(company.folder / "crm.db") as database:
        database.execute("create table crm (no, since, team, changed, role)")
        database.executemany(
            "insert into crm values (?, '2025-01-01', 'x', ?, 'boss')", [("1", "2025-01-01"), ("2", "2025-05-01")]
        )
    declare(company, "sqlite:///crm.db", columns={"agent_ref": "no", "valid_from_at": "since", "role": ""})
    company.load("crm")
    assert company.load("crm", batch_id="b2")[0].fetched == 1
    declare(company, "sqlite:///crm.db")
    (report,) = company.load("crm", batch_id="b3")
    assert (report.fetched, report.merged) == (2, 2)


def test_the_example_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_PASSWORD", "s3cret@/%41")
    settings = Settings(var=tmp_path, sources=PROJECT_ROOT / "examples/sql.yml", mask_key="k")
    source = load_sources(settings).source("crm")
    assert isinstance(source, SqlSource)
    assert [(table.entity, table.cursor, table.snapshot) for table in source.tables] == [
        ("customers", "updated_at", False), ("agents", None, True), ("feedback", "id", False),
    ]  # fmt: skip
    # Nobody is at that address: the message says so without the password, and that trying again makes sense.
    source.url = source.url.replace("crm.example.com:3306", "127.0.0.1:1")
    with pytest.raises(SourceError, match="can't be read") as raised:
        reader.check(source, tmp_path)
    assert sqlalchemy.make_url(source.url).password == "s3cret@/%41"
    assert "s3cret" not in str(raised.value) and raised.value.mends_itself
