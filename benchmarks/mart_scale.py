"""How long the mart takes at a large company: everything, a day more, nothing new, publishing; and beside a week spine.

    python benchmarks/mart_scale.py [--tickets 100000 300000 1000000] [--postgres URL] [--postgres-tickets 50000]

The raw data is made by benchmarks/scale_company.py: 2,740 tickets a day with 11 events and 5 messages each; the day
after the history brings as much again, and corrections. A day's increment should take as long after a long history as
after a short one. Targets: 1M tickets and 10M events on DuckDB in 90 s, a day in 8 s (docs/operations.md has what was
measured).

On PostgreSQL (the database must be empty) the same, smaller, and the business minutes of first replies, resolutions
and statuses by weeks joined to spans, as dbt_zendesk finds them (benchmarks/spine_baseline.py), beside the same spans
by the clock method on the same server.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scale_company import ScaleCompany
from spine_baseline import statements

from huiyin.config import Settings
from ingest.calendar import load_calendar
from warehouse.connection import Warehouse, open_warehouse
from warehouse.dbt import SELECT_CORE, SELECT_MEANING, DbtReport, run_dbt
from warehouse.publish import publish

# The same spans by the clock method: each end is looked up once in the segments of its UTC day.
_CLOCK = """
    create table spine.clock_{name} as
    select spans.ticket_key, spans.span,
           (ends.business_seconds_before + case when ends.is_open then
                extract(epoch from spans.to_at - ends.segment_start_at) else 0 end
            - starts.business_seconds_before - case when starts.is_open then
                extract(epoch from spans.from_at - starts.segment_start_at) else 0 end) / 60 as business_minutes
    from ({spans}) as spans
    join intermediate.int_service_segments starts
        on starts.schedule_id = '{schedule}' and starts.utc_date = cast(spans.from_at as date)
        and starts.segment_start_at <= spans.from_at and starts.segment_end_at > spans.from_at
    join intermediate.int_service_segments ends
        on ends.schedule_id = '{schedule}' and ends.utc_date = cast(spans.to_at as date)
        and ends.segment_start_at <= spans.to_at and ends.segment_end_at > spans.to_at
    where spans.to_at > spans.from_at
"""


def main() -> int:
    """Print one line a measurement."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tickets", type=int, nargs="*", default=[100_000, 300_000, 1_000_000])
    options.add_argument("--postgres", default="")
    options.add_argument("--postgres-tickets", type=int, default=50_000)
    given = options.parse_args()
    for tickets in given.tickets:
        with tempfile.TemporaryDirectory() as folder:
            _measure(Settings(var=Path(folder)), tickets)
    if given.postgres:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(var=Path(folder), warehouse=given.postgres)
            _measure(settings, given.postgres_tickets)
            _compare_with_spine(settings)
    return 0


def _measure(settings: Settings, tickets: int) -> None:
    made = ScaleCompany(tickets)
    with open_warehouse(settings) as warehouse:
        counts = made.load_history(warehouse)
    load_calendar(settings)
    print(f"\n{settings.dialect}, {counts['tickets']:,} tickets, {counts['ticket_events']:,} events")
    _timed("everything", lambda: run_dbt(settings, "build", SELECT_CORE))
    with open_warehouse(settings) as warehouse:
        made.load_meaning(warehouse)
    _timed("its meaning", lambda: run_dbt(settings, "build", SELECT_MEANING))
    _timed("publishing", lambda: publish(settings))
    with open_warehouse(settings) as warehouse:
        counts = made.load_day(warehouse)
    print(
        f"  a day: {counts['tickets']:,} tickets, {counts['ticket_events']:,} events, {counts['corrected']} corrected"
    )
    _timed("the day", lambda: run_dbt(settings, "build", SELECT_CORE))
    with open_warehouse(settings) as warehouse:
        touched = warehouse.rows("select count(*) as touched from intermediate.int_touched_tickets")[0]["touched"]
        made.load_meaning(warehouse)
    print(f"    {touched:,} tickets written anew")
    _timed("its meaning", lambda: run_dbt(settings, "build", SELECT_MEANING))
    _timed("nothing new", lambda: run_dbt(settings, "build", SELECT_CORE))


def _timed(what: str, run: Callable[[], Any]) -> float:
    """Wall and processor seconds; of a build without and with its data tests, and its longest nodes."""
    began, used = time.perf_counter(), time.process_time()
    found = run()
    wall, processor = time.perf_counter() - began, time.process_time() - used
    line = f"  {what:14} {wall:7.1f} s wall, {processor:7.1f} s processor of this process"
    if isinstance(found, DbtReport):
        tests = sum(node.seconds for node in found.nodes if node.kind == "test")
        longest = sorted(found.nodes, key=lambda node: -node.seconds)[:6]
        line += f"; data tests {tests:.1f} s of {found.seconds:.1f} s in nodes; longest: "
        line += ", ".join(f"{node.name} {node.seconds:.1f}" for node in longest)
    print(line, flush=True)
    return wall


def _compare_with_spine(settings: Settings) -> None:
    prepare, create, *spines = statements()
    with open_warehouse(settings) as warehouse:
        warehouse.execute(prepare)
        warehouse.execute(create)
        default = "select schedule_id as schedule from rules.service_schedules where is_default limit 1"
        schedule = warehouse.rows(default)[0]
        spine_seconds = sum(_seconds(warehouse, statement) for statement in spines)
        clock_seconds = sum(
            _seconds(warehouse, _CLOCK.format(name=name, spans=spans, **schedule)) for name, spans in _utc_spans()
        )
        agree = warehouse.rows(
            "select count(*) as spans,"
            " count(*) filter (where abs(s.business_minutes - c.business_minutes) < 1.5) as same"
            " from spine.resolution s join spine.clock_resolution c using (ticket_key)"
        )[0]
    print(
        f"\nbusiness minutes of the same spans on the same server: spine {spine_seconds:.1f} s,"
        f" clock {clock_seconds:.1f} s: {spine_seconds / clock_seconds:.0f} times as fast;"
        f" {agree['same']:,} of {agree['spans']:,} resolutions agree within 1.5 minutes"
    )


def _utc_spans() -> list[tuple[str, str]]:
    return [
        (
            "first_reply",
            "select t._source || ':' || t.ticket_id as ticket_key, 'reply' as span, t.created_at as from_at,"
            " min(m.sent_at) as to_at from raw.tickets t join raw.messages m"
            " on t._source = m._source and t.ticket_id = m.ticket_id"
            " where m.author_role = 'agent' and m.sent_at >= t.created_at group by 1, 2, 3",
        ),
        (
            "resolution",
            "select t._source || ':' || t.ticket_id as ticket_key, 'resolution' as span, t.created_at as from_at,"
            " max(e.event_at) as to_at from raw.tickets t join raw.ticket_events e"
            " on t._source = e._source and t.ticket_id = e.ticket_id"
            " where e.field = 'status' and e.new_value = 'solved' group by 1, 2, 3",
        ),
        (
            "statuses",
            "select ticket_key, status || n as span, from_at, to_at from (select _source || ':' || ticket_id as"
            " ticket_key, new_value as status, row_number() over w as n, event_at as from_at, lead(event_at) over w as"
            " to_at from raw.ticket_events where field = 'status' window w as (partition by _source, ticket_id"
            " order by event_at)) changes where to_at is not null",
        ),
    ]


def _seconds(warehouse: Warehouse, statement: str) -> float:
    began = time.perf_counter()
    warehouse.execute(statement)
    return time.perf_counter() - began


if __name__ == "__main__":
    raise SystemExit(main())
