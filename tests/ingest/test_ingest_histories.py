"""Whatever happens upstream, told in whatever order: late, corrected, deleted, brought back. Raw ends the same."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from ingest_company import Company

from huiyin.interval import Interval
from ingest.configuration import SourcesFileError
from ingest.errors import SourceError
from warehouse.connection import open_warehouse

# Without shrinking: each example loads several times.
WILD = hypothesis_settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
KEYS = ("T1", "T2", "T3")
BEGIN = datetime.fromisoformat("2025-03-01 00:00:00")
NUMBERS = iter(range(10_000))


def ticket(key: str, version: int, state: str) -> dict[str, Any]:
    """What the source says of a ticket at a version; a bare tombstone says nothing but that it is gone."""
    said = {"id": key, "changed": f"{BEGIN + timedelta(minutes=version)}+00:00", "state": state}
    if state == "bare":
        return said | {"state": "gone"}
    return said | {"channel": "phone", "created_at": "2025-01-01 09:00:00", "subject": f"{key} v{version}"}


@st.composite
def histories(draw: st.DrawFn) -> list[list[list[dict[str, Any]]]]:
    """Loads of files of records: every version of every key at least once, in any order, some again."""
    records = []
    for key in KEYS:
        states = draw(st.lists(st.sampled_from(["alive", "gone", "bare"]), min_size=1, max_size=5))
        records += [ticket(key, version, state) for version, state in enumerate(states, 1)]
    records = draw(st.permutations(records + draw(st.lists(st.sampled_from(records), max_size=5))))
    # A bare tombstone can't stand alone (next test), so each key is known from the first load on.
    loads: list[list[list[dict[str, Any]]]] = [[[ticket(key, 0, "alive") for key in KEYS]]]
    while records:
        size = draw(st.integers(1, len(records)))
        cut = draw(st.integers(0, size))
        loads.append([part for part in (records[:cut], records[cut:size]) if part])
        records = records[size:]
    return loads


@WILD
@given(histories())
def test_the_newest_version_wins_however_versions_and_deletions_arrive(
    company: Company, loads: list[list[list[dict[str, Any]]]]
) -> None:
    name = f"desk{next(NUMBERS)}"
    company.declare_files(
        {
            "entity": "tickets",
            "path": f"{name}/*.jsonl",
            "columns": {"ticket_id": "id"},
            "changed_at": "changed",
            "deleted_when": {"state": ["gone", "removed"]},
        },
        name=name,
    )
    numbers = iter(range(1000))
    for batch, files in enumerate(loads):
        for records in files:
            lines = "\n".join(json.dumps(record) for record in records)
            # Times of change that say nothing about which is newer.
            file = company.write(f"{name}/{next(numbers)}.jsonl", lines + "\n")
            os.utime(file, (1_750_000_000 - batch * 1000, 1_750_000_000 - batch * 1000))
        company.load(name, batch_id=f"b{batch}")
    told = [record for files in loads for records in files for record in records]
    newest = {key: max((r for r in told if r["id"] == key), key=lambda r: str(r["changed"])) for key in KEYS}
    expected = {
        key: (None, said["subject"])
        if said["state"] == "alive"
        else (datetime.fromisoformat(said["changed"]).replace(tzinfo=None), None)
        for key, said in newest.items()
    }
    rows = company.rows(f"select * from raw.tickets where _source = '{name}'")
    found = {r["ticket_id"]: (r["_deleted_at"], None if r["_deleted_at"] else r["subject"]) for r in rows}
    assert found == expected
    company.assert_balanced()
    once = company.everything()
    # The same deliveries once more, though nobody remembers that they were read.
    with open_warehouse(company.settings) as warehouse:
        warehouse.execute("delete from raw.load_state")
    (again,) = company.load(name, batch_id="again")
    assert (again.loaded, again.deleted) == (0, 0)
    assert company.everything() == once


def test_tombstones_are_counted_kept_where_they_can_be_and_otherwise_told(company: Company) -> None:
    company.declare_files(
        {
            "entity": "tickets",
            "path": "*.jsonl",
            "columns": {"ticket_id": "id"},
            "changed_at": "changed",
            "deleted_when": {"state": "gone"},
        }
    )

    def deliver(file: str, *records: dict[str, Any]) -> Any:
        company.write(file, "\n".join(json.dumps(record) for record in records))
        (report,) = company.load(batch_id=file)
        return report

    first = deliver(
        "1.jsonl", ticket("T1", 1, "alive"), ticket("T2", 3, "gone"), ticket("T9", 3, "bare"),
        ticket("T3", 1, "alive"), ticket("T3", 2, "bare"), {"state": "gone", "changed": "2025-03-01"},
        ticket("T4", 1, "alive") | {"changed": "vorgestern"},
    )  # fmt: skip
    # Complete: kept as a deleted row. Bare: marks a row, be it of the same delivery; of none: counted. No key: bad.
    assert (first.fetched, first.loaded, first.merged, first.unchanged, first.quarantined, first.deleted) == (
        7, 3, 1, 1, 2, 2,
    )  # fmt: skip
    assert "1 deletion(s) of rows that were never delivered" in " ".join(first.warnings)
    late = deliver("2.jsonl", ticket("T2", 2, "alive"), ticket("T1", 4, "bare"))
    assert (late.unchanged, late.merged, late.deleted) == (1, 1, 1)
    rows = {row["ticket_id"]: row for row in company.rows("select * from raw.tickets")}
    assert {key for key, row in rows.items() if row["_deleted_at"]} == {"T1", "T2", "T3"}
    assert rows["T1"]["subject"] == "T1 v1"  # its last content stays
    back = deliver("3.jsonl", ticket("T1", 5, "alive") | {"subject": "T1 v1"})
    assert (back.merged, back.unchanged) == (1, 0)
    assert company.rows("select _deleted_at from raw.tickets where ticket_id = 'T1'") == [{"_deleted_at": None}]
    audit = company.rows("select sum(deleted) as n from raw.load_audit")
    assert audit == [{"n": 3}]
    company.assert_balanced()


def customers(names: list[str]) -> str:
    return "customer_ref,valid_from_at,segment\n" + "".join(f"{name},2025-01-01,{name}\n" for name in names)


@WILD
@given(st.data())
def test_of_full_deliveries_the_newest_alone_says_who_is_there(duckdb_company: Company, data: st.DataObject) -> None:
    company = duckdb_company
    name = f"crm{next(NUMBERS)}"
    table = {"entity": "customers", "path": f"{name}/{{date}}.csv", "snapshot": "true"}
    company.declare_files(table, name=name)
    states = data.draw(st.lists(st.lists(st.sampled_from("ABCDE"), unique=True), min_size=1, max_size=4))
    deliveries = list(enumerate(states, 1))
    # Some days are corrected later; the days come in any order, several at once.
    corrections = [(day, data.draw(st.lists(st.sampled_from("ABCDE"), unique=True))) for day, _ in deliveries[::2]]
    order = data.draw(st.permutations(deliveries)) + corrections
    truth: dict[int, list[str]] = {}
    for moment, (day, names) in enumerate(order):
        file = company.write(f"{name}/2025-04-0{day}.csv", customers(names))
        os.utime(file, (1_750_000_000 + 60 * moment, 1_750_000_000 + 60 * moment))
        truth[day] = names
        if data.draw(st.booleans()) or moment == len(order) - 1:
            company.load(name, batch_id=f"b{moment}")
            rows = company.rows(f"select segment, _deleted_at from raw.customers where _source = '{name}'")
            assert sorted(r["segment"] for r in rows if r["_deleted_at"] is None) == sorted(truth[max(truth)])
    company.assert_balanced()


def test_rows_missing_from_a_full_read_are_marked_and_come_back_and_a_broken_source_deletes_nothing(
    company: Company,
) -> None:
    table = {"entity": "customers", "table": "people", "snapshot": "true"}
    source = {"name": "crm", "domain": "crm", "kind": "sql", "url": "sqlite:///crm.db", "tables": [table]}
    company.declare(source)

    def state(*rows: tuple[str, str]) -> Any:
        with sqlite3.connect(company.folder / "crm.db") as database:
            database.execute("drop table if exists people")
            database.execute("create table people (customer_ref, valid_from_at, segment)")
            database.executemany("insert into people values (?, ?, ?)", [(row[0], row[1], row[0]) for row in rows])
        (report,) = company.load("crm", batch_id=f"b{next(NUMBERS)}")
        alive = company.rows("select segment from raw.customers where _deleted_at is null order by 1")
        return report, [row["segment"] for row in alive]

    day, bad = "2025-01-01", "irgendwann"
    state(("A", day), ("B", day), ("C", day))
    report, alive = state(("A", day), ("C", day))
    assert (alive, report.deleted, report.unchanged) == (["A", "C"], 1, 2)
    report, alive = state(("A", day), ("B", day), ("C", day))
    assert (alive, report.deleted, report.merged) == (["A", "B", "C"], 0, 1)
    # A row without a key that can be read may be any of them.
    report, alive = state(("A", day), ("B", bad))
    assert (alive, report.deleted, report.quarantined) == (["A", "B", "C"], 0, 1)
    assert "nothing was taken for deleted" in " ".join(report.warnings)
    crowd = [(f"N{number}", day) for number in range(300)]
    state(*crowd)
    with pytest.raises(SourceError, match=r"people lacks 200 of 300 rows .* set `snapshot: force`"):
        state(*crowd[:100])
    assert company.rows("select count(*) as n from raw.customers where _deleted_at is null") == [{"n": 300}]
    company.declare(source | {"tables": [table | {"snapshot": "force"}]})
    report, alive = state(*crowd[:100])
    assert (len(alive), report.deleted) == (100, 200)
    company.assert_balanced()


@hypothesis_settings(WILD, max_examples=3)
@given(
    days=st.lists(st.tuples(st.sampled_from(KEYS), st.integers(1, 4), st.booleans()), min_size=1, max_size=12),
    split=st.integers(2, 3),
    order=st.permutations(range(1, 5)),
)
def test_a_backfill_of_any_interval_ends_where_day_by_day_does(
    duckdb_company: Company, days: list[tuple[str, int, bool]], split: int, order: list[int]
) -> None:
    company, number = duckdb_company, next(NUMBERS)
    folder = company.folder / str(number)
    folder.mkdir()
    with sqlite3.connect(folder / "crm.db") as database:
        database.execute("create table tickets (ticket_id, channel, created_at, subject, changed, gone)")
        for index, (key, day, gone) in enumerate(days):
            row = (key, "phone", "2025-01-01", f"{key} {index}", f"2025-03-0{day} 10:{index:02d}:00", gone)
            database.execute("insert into tickets values (?, ?, ?, ?, ?, ?)", row)
            with (folder / f"2025-03-0{day}.jsonl").open("a") as file:
                file.write(json.dumps(dict(zip(("ticket_id", "channel", "created_at", "subject"), row, strict=False))))
                file.write("\n")
    url = f"sqlite:///{folder / 'crm.db'}"
    table = {"entity": "tickets", "changed_at": "changed", "deleted_when": {"gone": "1"}, "cursor": "changed"}
    kinds: dict[str, dict[str, Any]] = {
        "sql": {"kind": "sql", "url": url, "tables": [table | {"table": "tickets"}]},
        "files": {"kind": "files", "tables": [{"entity": "tickets", "path": f"{number}/{{date}}.jsonl"}]},
    }
    ways = {
        "daily": [(day, day + 1) for day in range(1, 5)],
        "shuffled": [(day, day + 1) for day in order],
        "whole": [(1, 5)],
        "overlapping": [(split, 5), (1, split + 1)],
    }
    for kind, source in kinds.items():
        company.declare(*({"name": f"{kind}_{way}_{number}", "domain": "tickets"} | source for way in ways))
        found = {}
        for way, intervals in ways.items():
            name = f"{kind}_{way}_{number}"
            for first, last in intervals:
                interval = Interval(date(2025, 3, first), date(2025, 3, last))
                company.load(name, interval, batch_id=f"{name} {first}")
            rows = company.rows(f"select * from raw.tickets where _source = '{name}' order by ticket_id")
            found[way] = [
                (row["ticket_id"], row["_delivered_at"], row["_deleted_at"], row["_deleted_at"] or row["_row_hash"])
                for row in rows
            ]
        assert found["daily"] == found["shuffled"] == found["whole"] == found["overlapping"], kind
        assert found["daily"]


def test_a_snapshot_must_be_the_only_full_file_of_its_entity(duckdb_company: Company) -> None:
    full = {"entity": "agents", "path": "a.csv", "snapshot": "true"}
    for tables, message in (
        ([full, {"entity": "agents", "path": "b.csv"}], "agents is filled by several tables"),
        ([full | {"path": "a*.csv"}], r"a\*\.csv may match several files"),
        ([full | {"changed_at": "x"}], "remove `changed_at`"),
    ):
        duckdb_company.declare_files(*tables)
        with pytest.raises(SourcesFileError, match=message):
            duckdb_company.load()
