"""Databases as sources: real SQLite and real PostgreSQL."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime

import psycopg
import pytest
from ingest_company import Company

from huiyin.interval import Interval
from ingest.errors import SourceError

CUSTOMERS = {
    "entity": "customers",
    "table": "kunden",
    "cursor": "updated_at",
    "columns": {"customer_ref": "id", "valid_from_at": "updated_at", "annual_revenue": "revenue"},
}


def _declare(company: Company, url: str, *tables: dict[str, object]) -> None:
    company.declare({"name": "crm", "domain": "crm", "kind": "sql", "url": url, "tables": list(tables)})


def _fill_sqlite(company: Company) -> None:
    with sqlite3.connect(company.folder / "crm.db") as database:
        database.execute("create table kunden (id text, updated_at text, tier text, revenue real, name text)")
        database.executemany(
            "insert into kunden values (?, ?, ?, ?, ?)",
            [
                ("C1", "2025-01-01 08:00:00", "VIP", 1200.5, "张伟"),
                ("C1", "2025-03-01T00:00:00", "regular", None, "张伟"),
                ("C2", "2025-03-02 00:00:00", "regular", -3, "李静"),
            ],
        )


def test_a_sqlite_table_is_read_by_interval_and_its_bad_rows_stay_in_quarantine(company: Company) -> None:
    _fill_sqlite(company)
    _declare(company, "sqlite:///crm.db", CUSTOMERS)
    (march,) = company.load("crm", Interval(date(2025, 3, 1), date(2025, 3, 2)))
    assert (march.fetched, march.loaded) == (1, 1)
    (report,) = company.load("crm", batch_id="b2")
    assert (report.fetched, report.loaded, report.unchanged, report.quarantined) == (3, 1, 1, 1)
    (again,) = company.load("crm", Interval(date(2025, 1, 1), date(2025, 1, 2)), batch_id="b3")
    assert (again.unchanged, again.quarantined) == (1, 0)
    found = company.rows("select valid_from_at, tier, annual_revenue, name from raw.customers order by 1")
    assert [(row["valid_from_at"], row["tier"], row["annual_revenue"]) for row in found] == [
        (datetime.fromisoformat("2025-01-01 00:00:00"), "vip", 1200.5),
        (datetime.fromisoformat("2025-02-28 16:00:00"), "regular", None),
    ]
    assert all(row["name"].startswith("n_") for row in found)
    assert [row["rule"] for row in company.rows("select rule from quarantine.customers")] == ["range"]
    company.assert_balanced()


def test_a_postgres_query_is_read_with_its_types(duckdb_company: Company, postgres_url: str) -> None:
    company = duckdb_company
    with psycopg.connect(postgres_url) as database:
        database.execute("create table agents (no int, team text, changed timestamptz, hired date, skills jsonb)")
        database.execute(
            "insert into agents values (7, '一线', '2025-01-01 08:00+08', '2024-05-06', '[\"空调\"]'),"
            " (8, '二线', now(), null, null)"
        )
    _declare(
        company,
        postgres_url.replace("postgresql:", "postgresql+psycopg:"),
        {
            "entity": "agents",
            "query": "select no as agent_ref, team, changed as valid_from_at, hired as hired_on, skills from agents;",
            "cursor": "valid_from_at",
        },
    )
    (report,) = company.load("crm", Interval(date(2024, 12, 31), date(2025, 1, 3)))
    assert (report.fetched, report.loaded) == (1, 1)
    (agent,) = company.rows("select team, valid_from_at, hired_on, skills from raw.agents")
    assert agent == {
        "team": "一线",
        "valid_from_at": datetime.fromisoformat("2025-01-01 00:00:00"),
        "hired_on": date(2024, 5, 6),
        "skills": '["空调"]',
    }


def test_what_is_wrong_with_a_database_is_said_with_its_remedy(
    duckdb_company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = duckdb_company
    _fill_sqlite(company)

    def error(url: str, **change: object) -> str:
        _declare(company, url, {key: value for key, value in (CUSTOMERS | change).items() if value is not None})
        with pytest.raises(SourceError) as raised:
            company.load("crm")
        return str(raised.value)

    assert "has no table kundin; it has: kunden" in error("sqlite:///crm.db", table="kundin").replace(
        "the database ", ""
    )
    assert "there is no database file" in error("sqlite:///none.db")
    assert not (company.folder / "none.db").exists()
    assert "has no column 'changed' for `cursor`; it has: id, updated_at" in error("sqlite:///crm.db", cursor="changed")
    assert "columns missing: umsatz" in error(
        "sqlite:///crm.db", columns={"customer_ref": "id", "valid_from_at": "updated_at", "annual_revenue": "umsatz"}
    )
    assert "no such column: nope" in error("sqlite:///crm.db", table=None, cursor=None, query="select nope from kunden")
    assert "set the environment variable CRM_URL" in error("${CRM_URL}")
    unreachable = error("postgresql+psycopg://me:secret@127.0.0.1:1/crm")
    assert "can't be read" in unreachable
    assert "secret" not in unreachable
    assert "write dialect://user:password@host/database" in error("nodialect://x")
    (company.folder / "text.db").write_text("no database" * 200)
    assert "file is not a database" in error("sqlite:///text.db")
