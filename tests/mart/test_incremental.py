# ruff: noqa: DTZ001 (instants of the warehouse are naive UTC)
"""A build of what changed leaves the same mart as a build of everything, whatever came late, changed or went."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import mart_company as company
import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from mart_company import Built

from huiyin.config import PROJECT_ROOT, Settings
from ingest.contract import ENTITIES
from ingest.quarantine import reject
from warehouse.connection import Warehouse, open_warehouse
from warehouse.dbt import SELECT_CORE, SELECT_MEANING, DbtFailedError, DbtReport, run_dbt

pytestmark = pytest.mark.slow
FIRST = datetime(2024, 6, 20, 2)


class Growing:
    """A company whose sources go on delivering, day by day."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings, self.chance, self.day = settings, random.Random(seed), 0
        self.built = Built(settings, _mostly_solved(company.random_company(seed, tickets=300)))
        rows = dict(self.built.rows)
        self.known = {name: [dict(row) for row in rows[name]] for name in ENTITIES if name in rows}
        company.load(settings, rows | company.decisions())

    @property
    def now(self) -> datetime:
        """When this day's loads begin."""
        return FIRST + timedelta(days=self.day)

    def build(self, select: str = SELECT_CORE, full_refresh: bool = False) -> DbtReport:
        """Build as of the day."""
        return run_dbt(
            self.settings, "build", select, {"as_of": company.AS_OF + timedelta(days=self.day)}, full_refresh
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table of the mart, its rows in an order of their own."""
        with open_warehouse(self.settings) as warehouse:
            names = warehouse.query(
                "select table_name as name from information_schema.tables"
                f" where table_schema = '{self.built.schema}' order by 1"
            ).to_pydict()["name"]
            return {name: _ordered(warehouse.query(f"select * from {self.built.schema}.{name}")) for name in names}

    def deliver(self, entity: str, rows: list[dict[str, Any]], hours: int = 0) -> None:
        """Merge rows as a loader would; a load that began earlier may end later than another one (`hours`)."""
        stamped = [
            row
            | {
                "_source": row.get("_source", "desk"),
                "_loaded_at": self.now - timedelta(hours=hours),
                "_batch_id": f"b{self.day}-{hours}",
                "_row_hash": uuid4().hex,
            }
            for row in rows
        ]
        schema = ENTITIES[entity].arrow_schema
        table = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in stamped], schema)
        with open_warehouse(self.settings) as warehouse:
            warehouse.merge("raw", entity, table, ("_source", *ENTITIES[entity].key))
        keys = ("_source", *ENTITIES[entity].key)
        fresh = {tuple(row.get(k, "desk") for k in keys): row for row in stamped}
        self.known[entity] = [r for r in self.known[entity] if tuple(r.get(k, "desk") for k in keys) not in fresh]
        self.known[entity] += fresh.values()

    def some(self, entity: str, count: int) -> list[dict[str, Any]]:
        """Copies of some living rows."""
        living = [row for row in self.known[entity] if not row.get("_deleted_at")]
        return [dict(row) for row in self.chance.sample(living, count)]

    def next_day(self) -> None:
        """One day's new, late, corrected, moved and deleted records, and what people decided on identities."""
        self.day += 1
        chance = self.chance
        fresh = [
            row | {
                "ticket_id": f"d{self.day}-{number}",
                "created_at": self.now - timedelta(seconds=chance.uniform(0, 90_000)),
                "customer_ref": chance.choice([row.get("customer_ref"), f"new{self.day}", "c1"]),
            }
            for number, row in enumerate(self.some("tickets", 12))
        ]  # fmt: skip
        late = [
            row | {"ticket_id": f"late{self.day}-{n}", "created_at": row["created_at"] - timedelta(days=40)}
            for n, row in enumerate(self.some("tickets", 3))
        ]
        corrected = [
            row | {
                "created_at": row["created_at"] + timedelta(days=chance.choice([-3, 0, 0, 2])),
                "customer_ref": chance.choice([row.get("customer_ref"), "c2", "openid of c3", None]),
                "priority": chance.choice(["urgent", "low"]),
                "is_test": chance.random() < 0.2,
                "merged_into_ticket_id": chance.choice([None, None, "1"]),
            }
            for row in self.some("tickets", 8)
        ]  # fmt: skip
        self.deliver("tickets", fresh + late + corrected)
        self.deliver("tickets", [row | {"_deleted_at": self.now} for row in self.some("tickets", 4)])
        targets = self.some("tickets", 12)
        events = [
            row | {
                "event_id": f"new{self.day}-{number}",
                "_source": target.get("_source", "desk"), "ticket_id": target["ticket_id"],
                "event_at": self.now - timedelta(hours=chance.choice([1, 5, 700])),
            }
            for number, (row, target) in enumerate(zip(self.some("ticket_events", 12), targets, strict=True))
        ]  # fmt: skip
        moved = [
            row | {"ticket_id": target["ticket_id"], "new_value": row["new_value"]}
            for row, target in zip(self.some("ticket_events", 4), self.some("tickets", 4), strict=True)
        ]
        gone = [row | {"_deleted_at": self.now} for row in self.some("ticket_events", 4)]
        # It began before the day's other loads and ends after the next day's first build.
        self.deliver("ticket_events", events + moved, hours=chance.choice([0, 3]))
        self.deliver("ticket_events", gone)
        messages = self.some("messages", 9)
        for row, target in zip(messages[:3], self.some("tickets", 3), strict=True):
            row["ticket_id"], row["_source"] = target["ticket_id"], target.get("_source", "desk")
        for row in messages[3:6]:
            row["sent_at"] += timedelta(hours=30)
        for row in messages[6:]:
            row["_deleted_at"] = self.now
        self.deliver("messages", messages)
        answers = self.some("feedback", 9)
        for number, row in enumerate(answers):
            if number < 4:
                row |= {"feedback_id": f"f-d{self.day}-{number}", "created_at": self.now - timedelta(hours=number)}
            row["ticket_id"] = self.some("tickets", 1)[0]["ticket_id"]
            row["score"] = float(chance.randrange(1, 6))
        answers[-1]["_deleted_at"] = self.now
        self.deliver("feedback", answers)
        self.deliver(
            "customers",
            [
                row | {"valid_from_at": chance.choice([row["valid_from_at"], self.now - timedelta(days=20)]),
                       "tier": chance.choice(["vip", "regular"]), "region": chance.choice(["西南", None])}
                for row in self.some("customers", 2)
            ],
        )  # fmt: skip
        if self.day % 2:
            self.deliver("agents", [row | {"team": "新组", "valid_from_at": self.now - timedelta(days=9)}
                                    for row in self.some("agents", 1)])  # fmt: skip
        with open_warehouse(self.settings) as warehouse:
            self._decide(warehouse)
        wrong = self.some("ticket_events", 2) + self.some("ticket_events", 1)
        keys = pa.Table.from_pylist(
            [{"_source": row.get("_source", "desk"), "event_id": row["event_id"]} for row in wrong]
        )
        reject(self.settings, "ticket_events", keys, "a_rule", f"gate{self.day}")
        bad = self.some("tickets", 1)[0]
        key = {"_source": bad.get("_source", "desk"), "ticket_id": bad["ticket_id"]}
        reject(self.settings, "tickets", pa.Table.from_pylist([key]), "a_rule", f"gate{self.day}")
        out = [
            ("ticket_events", {row["event_id"] for row in wrong}, "event_id"),
            ("tickets", {bad["ticket_id"]}, "ticket_id"),
        ]
        for entity, ids, column in out:
            self.known[entity] = [row for row in self.known[entity] if row[column] not in ids]

    def _decide(self, warehouse: Warehouse) -> None:
        """Two persons turn out to be one, another one turns out to be two."""
        one, other = self.chance.sample(range(50), 2)
        warehouse.execute(f"update raw.identity set person_ref = 'c{other}' where ref = 'openid of c{one}'")
        warehouse.execute(f"delete from raw.identity where ref = 'openid of c{other}'")
        warehouse.execute(f"delete from raw.identity where ref = 'c{one}'")
        warehouse.execute(
            f"insert into raw.identity (ref, person_ref, method, score, since)"
            f" values ('c{one}', 'c{other}', 'decided', 1.0, timestamp '{self.now}')"
        )

    def score(self) -> None:
        """Scores of the voices that have none, and a better model's of some that do."""
        voices = set(self.built.frame("intermediate.int_voices")["voice_id"])
        with open_warehouse(self.settings) as warehouse:
            warehouse.execute("create schema if not exists nlp")
            scored = set()
            if warehouse.has_table("nlp", "sentiment"):
                scored = set(warehouse.query("select voice_id from nlp.sentiment").to_pydict()["voice_id"])
        at = self.now + timedelta(hours=1)
        again = self.chance.sample(sorted(scored), min(len(scored), 5))
        rows = company.meaning(voices - scored)
        for row in rows["sentiment"] + rows["topic_assignment"] + rows["copies"]:
            row[next(name for name in ("scored_at", "assigned_at", "found_at") if name in row)] = at
        if scored:
            # Late copies join groups of days ago, and one of those turns out to say something else.
            firsts = self.built.frame("nlp.copies")["first_voice_id"]
            for row in rows["copies"][:3]:
                row["first_voice_id"] = self.chance.choice(firsts)
            with open_warehouse(self.settings) as warehouse:
                warehouse.execute(
                    f"update nlp.copies set first_voice_id = voice_id, found_at = timestamp '{at}'"
                    f" where voice_id = '{again[0]}'"
                )
        rows["sentiment"] = [row for row in rows["sentiment"] if row["model_version"] == "s1"] + [
            {"voice_id": voice, "text_hash": "x", "model_version": f"s{self.day + 2}", "score": 0.1,
             "label": "negative", "scored_at": at}
            for voice in again
        ]  # fmt: skip
        if self.day:
            for name in ("topics", "drivers", "customer_insights", "knowledge_gaps", "model_watch"):
                rows[name] = []
        company.load(self.settings, rows)


def _mostly_solved(rows: company.Rows) -> company.Rows:
    """The company with most tickets solved in the end: open ones are written anew each day anyway."""
    for number, ticket in enumerate(rows["tickets"]):
        if number % 8:
            rows["ticket_events"].append(
                {
                    "_source": ticket["_source"],
                    "event_id": f"solved-{number}",
                    "ticket_id": ticket["ticket_id"],
                    "event_at": max(ticket["created_at"] + timedelta(days=10), datetime(2024, 6, 1)),
                    "field": "status",
                    "new_value": "solved",
                    "actor_role": "agent",
                }
            )
    return rows


def _ordered(rows: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = rows.to_pandas()
    texts = frame.astype(object).where(frame.notna(), None)
    return texts.sort_values(list(frame.columns), key=lambda c: c.map(str)).reset_index(drop=True)


def assert_same(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    """Table by table, row by row; sums of fractions may differ in their last digit."""
    assert set(one) == set(other)
    problems = []
    for name, frame in one.items():
        try:
            pd.testing.assert_frame_equal(frame, other[name], check_exact=False, rtol=1e-9, check_dtype=False)
        except AssertionError as error:
            problems.append(f"{name}: {len(frame)} rows, {len(other[name])} expected: {error}")
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def on_file(tmp_path_factory: pytest.TempPathFactory, rules: Path) -> Growing:
    """On DuckDB, first built in full."""
    growing = Growing(Settings(var=tmp_path_factory.mktemp("growing"), rules=rules), seed=11)
    growing.build()
    growing.score()
    growing.build(SELECT_MEANING)
    return growing


def days(growing: Growing, count: int) -> None:
    """Days of increments, each with new scores at its end, as the DAGs do it."""
    for _ in range(count):
        growing.next_day()
        growing.build()
        growing.score()
        growing.build(SELECT_MEANING)


def test_days_of_increments_leave_the_mart_of_a_full_build(on_file: Growing) -> None:
    days(on_file, 2)
    increment = on_file.tables()
    touched = on_file.built.frame("intermediate.int_touched_tickets")
    assert 0 < len(touched) < 0.9 * len(on_file.known["tickets"]), "an increment does less than everything"
    on_file.build(full_refresh=True)
    assert_same(increment, on_file.tables())


def test_a_build_without_news_changes_nothing(on_file: Growing) -> None:
    before = on_file.tables()
    on_file.build()
    assert_same(on_file.tables(), before)


_CHILD = """
import sys, pathlib
from huiyin.config import Settings
from warehouse.dbt import run_dbt
var, rules, as_of = sys.argv[1:]
run_dbt(Settings(var=pathlib.Path(var), rules=pathlib.Path(rules)), "build", "fqn:*", {"as_of": as_of})
"""


def test_a_build_that_is_killed_is_repaired_by_the_next_one(on_file: Growing) -> None:
    on_file.next_day()
    settings = on_file.settings
    as_of = str(company.AS_OF + timedelta(days=on_file.day))
    log = settings.var_dir / "dbt" / "duckdb" / "logs" / "dbt.log"
    size = log.stat().st_size
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(settings.var_dir), str(settings.rules_dir), as_of], cwd=PROJECT_ROOT
    )
    # The tickets are written anew, their sums by day are not.
    _wait_until(lambda: "OK created sql incremental model intermediate.int_tickets " in _since(log, size), child)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    # The correction that the killed build had read is corrected again, before the next one.
    on_file.deliver("tickets", [row | {"created_at": row["created_at"] - timedelta(days=2)}
                                for row in on_file.some("tickets", 4)])  # fmt: skip
    on_file.build()
    increment = on_file.tables()
    on_file.build(full_refresh=True)
    assert_same(increment, on_file.tables())


def _since(log: Path, size: int) -> str:
    with log.open(encoding="utf-8") as file:
        file.seek(size if log.stat().st_size >= size else 0)
        return file.read()


def _wait_until(is_so: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert child.poll() is None, "the build ended before it could be killed"
        assert time.monotonic() < deadline, "the build never came so far"
        time.sleep(0.01)


def test_changed_hours_and_rules_make_a_full_build(on_file: Growing, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="warehouse.dbt")
    with open_warehouse(on_file.settings) as warehouse:
        warehouse.execute("update raw.calendar_days set is_workday = false, day_kind = 'holiday'"
                          " where date_day = date '2024-06-19'")  # fmt: skip
    on_file.build()
    assert "calendar or service hours changed" in caplog.text
    increment = on_file.tables()
    on_file.build(full_refresh=True)
    assert_same(increment, on_file.tables())


def test_an_increment_leaves_out_what_cannot_have_changed(on_file: Growing) -> None:
    nodes = on_file.build().nodes
    names = {node.name for node in nodes}
    assert "seed" not in {node.kind for node in nodes}
    assert not names & {"stg_tickets", "int_schedule_hours", "bi_captions"}
    assert {"int_tickets", "fct_tickets", "int_service_segments", "fct_tickets_is_sound"} <= names


def test_an_increment_tests_the_rows_it_wrote_and_their_keys_everywhere_and_a_dropped_view_heals_all(
    on_file: Growing, caplog: pytest.LogCaptureFixture
) -> None:
    on_file.build()
    with open_warehouse(on_file.settings) as warehouse:
        warehouse.execute(
            "update mart.fct_tickets set status = 'odd' where ticket_key = ("
            " select min(ticket_key) from mart.fct_tickets where ticket_key not in ("
            " select ticket_key from intermediate.int_touched_tickets))"
        )
    on_file.build()
    with pytest.raises(DbtFailedError, match="status is known"):
        run_dbt(on_file.settings, "test", "fct_tickets_is_sound")
    with open_warehouse(on_file.settings) as warehouse:
        warehouse.execute(
            "insert into mart.fct_demand_hourly by name select * replace (date '1999-01-01' as month_start_on)"
            " from mart.fct_demand_hourly where month_start_on in ("
            " select date_trunc('month', date_day) from intermediate.int_touched_days) limit 1"
        )
    with pytest.raises(DbtFailedError, match=r"fct_demand_hourly_is_sound.*is not unique"):
        on_file.build()
    with open_warehouse(on_file.settings) as warehouse:
        warehouse.execute("drop view staging.stg_schedules")
    caplog.set_level("INFO", logger="warehouse.dbt")
    on_file.build()
    assert "staging.stg_schedules isn't there any more" in caplog.text


def test_a_source_of_another_type_than_stated_is_named_and_nothing_is_cast(on_file: Growing) -> None:
    with open_warehouse(on_file.settings) as warehouse:
        assert not warehouse.rows("select * from raw.rosters")
        warehouse.execute("drop table raw.rosters")
        warehouse.execute("create table raw.rosters (starts_at text)")
    with pytest.raises(DbtFailedError, match=r"raw\.rosters\.starts_at is of type VARCHAR and should be timestamp"):
        on_file.build()
    with open_warehouse(on_file.settings) as warehouse:
        warehouse.execute("drop table raw.rosters")


@pytest.fixture
def on_server(tmp_path: Path, rules: Path, postgres_server: str) -> Iterator[Growing]:
    """On PostgreSQL."""
    name = f"growing_{uuid4().hex[:12]}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    yield Growing(Settings(var=tmp_path, rules=rules, warehouse=f"{postgres_server}/{name}"), seed=5)
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def test_increments_leave_the_same_mart_on_postgresql(on_server: Growing) -> None:
    on_server.build()
    on_server.score()
    on_server.build(SELECT_MEANING)
    days(on_server, 1)
    increment = on_server.tables()
    on_server.build(full_refresh=True)
    assert_same(increment, on_server.tables())
