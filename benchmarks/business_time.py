"""How fast business time is found: our clock beside dbt_zendesk's week spine, the same spans on the same PostgreSQL.

    python benchmarks/business_time.py --postgres URL [--tickets 3000] [--history "chat desk"]

The server runs on this machine, the database is empty. Histories: a chat desk (solved within hours, 11 days), a service
desk (days, three years), a repair desk (weeks, three years), each of random tickets, and two real event logs where they
lie beside the checkout. A ticket's spans are those that the package measures: first reply, first and last solution,
each status. Each history has its spans twice: those that ended, and with the last status as well, which the package
counts on PostgreSQL until 1,000 hours after now (``least`` takes no notice of NULL there; elsewhere the row drops out).
Schedules: office (Monday to Friday 9-18, with holidays) and front_desk (every day 8-22, without).

Both sides read one table of spans and write one of minutes; their calendars (int_service_clock, the versions of the
schedule) are made before. Seconds are processor seconds of the server's process (parallel workers are off), the
least of two runs in turn; they grow with the number of tickets. Every span is then counted by brute force
(tests/mart/business_hours.py marks each minute open or closed); what differs from it by a minute or more is sorted by
cause.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from spine_baseline import SCHEDULE_SPINE, SPINE, WEEKS

from huiyin.config import Settings
from ingest.calendar import load_calendar
from ingest.contract import ENTITIES
from warehouse.connection import Warehouse, open_warehouse
from warehouse.dbt import run_dbt

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "mart"))
from business_hours import OpenMinutes, windows_of
from mart_company import day_kind

REAL = Path(__file__).parents[2] / "shared" / "data"
SCHEDULES = ("office", "front_desk")
BEIJING = pd.Timedelta(hours=8)
AFTER_NOW = pd.Timedelta(hours=1000)  # the package's end of a schedule that is still in force

# Each end of a span is looked up once, in the segments of its UTC day; the business time is their difference. These are
# the macros in_segment and business_clock.
_CLOCK_AT = """
    {segment}.business_seconds_before
    + cast(floor(date_part('epoch', least({at}, {segment}.closes_at))) as bigint)
    - cast(floor(date_part('epoch', {segment}.segment_start_at)) as bigint)
"""
CLOCK = f"""
    select
        spans.span_id,
        ({_CLOCK_AT.format(segment="ends", at="spans.to_at")})
        - ({_CLOCK_AT.format(segment="starts", at="spans.from_at")}) as business_seconds
    from spine.spans
    join intermediate.int_service_clock as starts
        on starts.schedule_id = spans.schedule_id and starts.utc_date = cast(spans.from_at as date)
        and starts.segment_start_at <= spans.from_at and starts.segment_end_at > spans.from_at
    join intermediate.int_service_clock as ends
        on ends.schedule_id = spans.schedule_id and ends.utc_date = cast(spans.to_at as date)
        and ends.segment_start_at <= spans.to_at and ends.segment_end_at > spans.to_at
    where spans.to_at > spans.from_at
"""


@dataclass(frozen=True)
class History:
    """Spans of tickets: kind, from_at, to_at (naive UTC; none: still lasts), and the instant that is now."""

    name: str
    spans: pd.DataFrame
    now: pd.Timestamp


def main() -> int:
    """Print a block for each history and schedule."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--postgres", required=True)
    options.add_argument("--tickets", type=int, default=3_000)
    options.add_argument("--history", default="", help="only those whose name contains this")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(var=Path(folder), warehouse=given.postgres)
        load_calendar(settings)
        for history in (found for found in _histories(given.tickets) if given.history in found.name):
            _make_calendars(settings, history)
            rules = (settings.dbt_dir / "seeds" / "service_schedules.csv").read_text()
            first, last = history.spans["from_at"].min().date(), (history.now + AFTER_NOW).date()
            for schedule in SCHEDULES:
                _compare(settings, history, schedule, OpenMinutes(windows_of(rules)[schedule], first, last))
    return 0


def _histories(tickets: int) -> Iterator[History]:
    yield _random("chat desk", tickets, date(2024, 12, 16), days=11, median_hours=2, spread=1.2)
    yield _random("service desk", tickets, date(2022, 1, 3), days=1092, median_hours=48, spread=1.3)
    yield _random("repair desk", tickets, date(2022, 1, 3), days=1092, median_hours=336, spread=1.0)
    if REAL.is_dir():
        events = pd.read_csv(REAL / "servicedesk_events.csv.gz", parse_dates=["sys_updated_at", "opened_at"])
        events = events.rename(columns={"number": "ticket", "incident_state": "status", "sys_updated_at": "at"})
        yield _logged("real service desk", events, tickets)
        events = pd.read_csv(REAL / "helpdesk_events.csv.gz", parse_dates=["timestamp"])
        events["timestamp"] = events["timestamp"].dt.tz_localize(None)
        events = events.rename(columns={"case_id": "ticket", "activity": "status", "timestamp": "at"})
        yield _logged("real help desk", events, tickets)


def _random(name: str, tickets: int, first: date, days: int, median_hours: float, spread: float) -> History:
    """Tickets that go from new to open, pending, open, solved and, after four days, closed; 3 in 1,000 stay open."""
    chance = np.random.default_rng(20241231)
    local_seconds = chance.integers(0, days, tickets) * 86_400 + chance.integers(7 * 3600, 23 * 3600, tickets)
    created = np.datetime64(first, "s") + local_seconds.astype("timedelta64[s]") - BEIJING.to_numpy()
    lasts = median_hours * 3600 * np.exp(spread * chance.standard_normal(tickets))
    is_open = chance.random(tickets) < 0.003
    steps = np.array([0.0, 0.1, 0.3, 0.5, 1.0])
    at = created[:, None] + (lasts[:, None] * steps).astype("timedelta64[s]")
    at = np.concatenate([at, at[:, -1:] + np.timedelta64(4, "D")], axis=1)
    at[is_open, 4:] = np.datetime64("NaT")
    now = np.datetime64(first, "s") + np.timedelta64(days, "D")
    at[at > now] = np.datetime64("NaT")
    spans = [
        pd.DataFrame({"kind": "reply", "from_at": at[:, 0], "to_at": at[:, 1]}),
        pd.DataFrame({"kind": "first solution", "from_at": at[:, 0], "to_at": at[:, 4]}),
        pd.DataFrame({"kind": "last solution", "from_at": at[:, 0], "to_at": at[:, 4]}),
    ]
    spans = [frame[frame["to_at"].notna()] for frame in spans]
    ends = np.concatenate([at[:, 1:], np.full((tickets, 1), np.datetime64("NaT"))], axis=1)
    spans += [pd.DataFrame({"kind": "status", "from_at": at[:, n], "to_at": ends[:, n]}) for n in range(at.shape[1])]
    return History(name, _cleaned(spans), pd.Timestamp(now))


def _logged(name: str, events: pd.DataFrame, tickets: int) -> History:
    """Changes of status in a log whose times are taken for Beijing's."""
    chosen = np.random.default_rng(1).permutation(events["ticket"].unique())[:tickets]
    events = events[events["ticket"].isin(chosen)].sort_values(["ticket", "at"], kind="stable")
    events["at"] = events["at"] - BEIJING
    changes = events[(events["ticket"] != events["ticket"].shift()) | (events["status"] != events["status"].shift())]
    statuses = pd.DataFrame(
        {"kind": "status", "from_at": changes["at"], "to_at": changes.groupby("ticket")["at"].shift(-1)}
    )
    began = changes.groupby("ticket")["at"].min()
    solved = changes[changes["status"].isin(["Resolved", "Resolve ticket", "Closed"])].groupby("ticket")["at"]
    solutions = [
        pd.DataFrame({"kind": f"{which} solution", "from_at": began, "to_at": at}).dropna()
        for which, at in (("first", solved.min()), ("last", solved.max()))
    ]
    return History(name, _cleaned([*solutions, statuses]), changes["at"].max() + pd.Timedelta(days=1))


def _cleaned(spans: list[pd.DataFrame]) -> pd.DataFrame:
    found = pd.concat(spans, ignore_index=True)
    found = found[found["from_at"].notna() & ~(found["to_at"] <= found["from_at"])].reset_index(drop=True)
    return found.assign(span_id=np.arange(len(found)))


def _make_calendars(settings: Settings, history: History) -> None:
    """What both sides look up, for the years of the history."""
    with open_warehouse(settings) as warehouse:
        warehouse.execute("drop schema if exists spine cascade")
        warehouse.create_table(
            "raw", "tickets", ENTITIES["tickets"].arrow_schema, ("_source", *ENTITIES["tickets"].key)
        )
        warehouse.execute("delete from raw.tickets")
        for number, at in enumerate((history.spans["from_at"].min(), history.now)):
            warehouse.execute(
                "insert into raw.tickets (_source, ticket_id, channel, created_at, _loaded_at, _batch_id, _row_hash,"
                f" _delivered_at) select 'desk', '{number}', 'phone', t, t, 'b', '{number}', t"
                f" from (select timestamp '{at}' as t) as one"
            )
    for command in ("seed", "run"):
        run_dbt(settings, command, "+int_service_clock", full_refresh=True)
    with open_warehouse(settings) as warehouse:
        warehouse.execute("create schema spine")
        warehouse.execute(SCHEDULE_SPINE)
        warehouse.execute("analyze spine.schedule_spine")


def _compare(settings: Settings, history: History, schedule: str, hours: OpenMinutes) -> None:
    ended = history.spans[history.spans["to_at"].notna()]
    lasting = history.spans.fillna({"to_at": history.now + AFTER_NOW})
    print(f"\n{history.name}, {schedule}")
    for title, spans in (("spans that ended", ended), ("with the last status", lasting)):
        spans = spans.set_index("span_id")
        with open_warehouse(settings) as warehouse:
            _write_spans(warehouse, spans, schedule)
            warehouse.execute("set max_parallel_workers_per_gather = 0")
            runs = [
                (_processor_seconds(warehouse, "spine", SPINE), _processor_seconds(warehouse, "clock", CLOCK))
                for _ in range(2)
            ]
            found = warehouse.query(
                "select spans.span_id, cast(spine.business_minutes as double precision) as spine,"
                " clock.business_seconds / 60.0 as clock from spine.spans left join spine.spine using (span_id)"
                " left join spine.clock using (span_id)"
            ).to_pandas()
        spine, clock = (min(seconds) for seconds in zip(*runs, strict=True))
        days = (spans["to_at"] - spans["from_at"]).dt.total_seconds() / 86_400
        print(
            f"  {title}: {len(spans):,}, mean {days.mean():.1f} days, median {days.median():.2f};"
            f" spine {spine:.2f} s, clock {clock:.2f} s: {spine / clock:.0f} times as fast"
        )
        _judge(spans, found.set_index("span_id"), hours, schedule)


def _write_spans(warehouse: Warehouse, spans: pd.DataFrame, schedule: str) -> None:
    schema = pa.schema(
        {
            "span_id": pa.int64(), "schedule_id": pa.string(),
            "from_at": pa.timestamp("us"), "to_at": pa.timestamp("us"),
        }
    )  # fmt: skip
    rows = spans.reset_index()[["span_id", "from_at", "to_at"]].assign(schedule_id=schedule)
    warehouse.execute("drop table if exists spine.spans")
    warehouse.create_table("spine", "spans", schema, ())
    warehouse.append(
        "spine", "spans", pa.Table.from_pandas(rows, preserve_index=False).select(schema.names).cast(schema)
    )
    warehouse.execute("analyze spine.spans")


def _processor_seconds(warehouse: Warehouse, table: str, query: str) -> float:
    """Processor seconds that the server's process takes to fill a new table by a query."""
    warehouse.execute(f"drop table if exists spine.{table}")
    pid = warehouse.rows("select pg_backend_pid() as pid")[0]["pid"]
    before = _used(pid)
    warehouse.execute(f"create table spine.{table} as {query}")
    return _used(pid) - before


def _used(pid: int) -> float:
    process = Path(f"/proc/{pid}")
    if not process.is_dir() or "postgres" not in (process / "comm").read_text():
        raise SystemExit("the PostgreSQL server must run on this machine, so that its processor time can be read")
    return int((process / "schedstat").read_text().split()[0]) / 1e9


def _judge(spans: pd.DataFrame, found: pd.DataFrame, hours: OpenMinutes, schedule: str) -> None:
    """Count every span by brute force; print how many agree, and why the others don't."""
    true = pd.Series(
        [
            hours.between(from_at.to_pydatetime(), to_at.to_pydatetime()) / 60
            for from_at, to_at in zip(spans["from_at"], spans["to_at"], strict=True)
        ],
        index=spans.index,
    )
    for name, tolerance, minutes in (("clock", "a second", 1 / 60), ("spine", "a minute", 1)):
        # A span that touches no hours has no row in the spine: none is right where the count is none.
        missing = 0 if name == "spine" else np.inf
        right = (found[name].reindex(spans.index).fillna(missing) - true).abs() < minutes
        causes = Counter(_cause(row.from_at, row.to_at, schedule) for row in spans[~right].itertuples())
        line = f"    {name}: {right.sum():,} of {len(spans):,} within {tolerance} of the count by brute force"
        print(line + "".join(f"; {count:,} {cause}" for cause, count in causes.most_common()), flush=True)


def _cause(from_at: pd.Timestamp, to_at: pd.Timestamp, schedule: str) -> str:
    """Why a span's minutes can differ: the first of these that is true of it."""
    sunday = (from_at.normalize() - pd.Timedelta(days=(from_at.dayofweek + 1) % 7)).to_pydatetime()
    if to_at >= sunday + timedelta(weeks=WEEKS):
        return f"beyond {WEEKS} weeks"
    days = pd.date_range((from_at + BEIJING).normalize(), (to_at + BEIJING).normalize())
    kinds = {day_kind(day.date()) for day in days}
    if schedule == "office" and "makeup_workday" in kinds:
        return "with a make-up workday"
    if schedule == "office" and "holiday" in kinds:
        return "with a holiday"
    return "for another reason"


if __name__ == "__main__":
    raise SystemExit(main())
