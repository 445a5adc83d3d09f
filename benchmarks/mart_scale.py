"""How long the mart takes at a large company: everything, a day more, nothing new, publishing.

    python benchmarks/mart_scale.py [--tickets 100000 300000 1000000] [--postgres URL] [--postgres-tickets 50000]

The raw data is made by benchmarks/scale_company.py: 2,740 tickets a day with 11 events and 5 messages each; the day
after the history brings as much again, and corrections. A day's increment should take as long after a long history as
after a short one. Targets: 1M tickets and 10M events on DuckDB in 90 s, a day in 8 s (docs/operations.md has what was
measured).

On PostgreSQL (the database must be empty) the same, smaller; its server's own processor time isn't in the figures.
Business time beside a week spine: benchmarks/business_time.py.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scale_company import ScaleCompany

from huiyin.config import Settings
from ingest.calendar import load_calendar
from warehouse.connection import open_warehouse
from warehouse.dbt import SELECT_CORE, SELECT_MEANING, DbtReport, run_dbt
from warehouse.publish import publish


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
            _measure(Settings(var=Path(folder), warehouse=given.postgres), given.postgres_tickets)
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


if __name__ == "__main__":
    raise SystemExit(main())
