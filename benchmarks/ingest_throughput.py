"""How fast files and databases are loaded, in how much memory, each beside plain ways to do less.

    OMP_NUM_THREADS=1 python benchmarks/ingest_throughput.py [--rows 1000000] [--large 10000000] [--postgres URL]

Every load runs in a process of its own: its peak memory is that of the whole process. Loaded are ticket events (8
columns; agents become pseudonyms) from CSV and from SQLite, and tickets whose subjects and bodies are searched for
personal data. ``--large`` loads so many events (0.7 GB for 10 million) and then a day of 100,000 on top of them.
``--postgres`` does the loads of ``--rows`` once more into that database, which must be empty.

Baselines, without typing, masking, keys or account: csv module and executemany, pandas to_sql, and DuckDB's own reader
(the upper bound: it only copies).
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import resource
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import yaml

from huiyin.config import Settings
from huiyin.demo import generate
from huiyin.interval import Interval
from ingest.load import ingest_source

BASELINE_ROWS = 100_000
DAY_ROWS = 100_000
_EVENTS = """
    select 'E' || lpad(i::varchar, 10, '0') as event_id, 'T' || lpad((i // 7)::varchar, 9, '0') as ticket_id,
           strftime(timestamp '2025-01-01' + interval (i * 2) second, '%Y-%m-%d %H:%M:%S') as event_at,
           ['status', 'assignee', 'team', 'priority', 'tag'][i % 5 + 1] as field,
           ['open', 'A' || (hash(i) % 500), '一线', 'low', null][i % 5 + 1] as old_value,
           ['solved', 'A' || (hash(i + 1) % 500), '二线', 'high', 'vip'][i % 5 + 1] as new_value,
           'A' || (hash(i + 2) % 500) as actor_ref, 'agent' as actor_role
    from range({first}, {last}) r(i)
"""


@dataclass(frozen=True)
class Measured:
    """What one load took; ``memory`` is the highest resident size in each fifth of its time, in MB."""

    rows: int
    wall: float
    cpu: float
    peak: int
    memory: list[int]


def main() -> None:
    """Run and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="events of the ordinary loads")
    parser.add_argument("--large", type=int, default=0, help="events of the large load (default: none)")
    parser.add_argument("--postgres", default="", help="URL of an empty PostgreSQL database")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make(folder, arguments.rows)
        for warehouse in filter(None, ("duckdb", arguments.postgres)):
            url = "" if warehouse == "duckdb" else warehouse
            print(f"into {'PostgreSQL' if url else 'DuckDB'}:")
            for source, title in (
                ("events", "events from CSV"),
                ("events", "the same again, changed file, unchanged rows"),
                ("database", "events from SQLite"),
                ("tickets", "tickets with free text from CSV"),
            ):
                if "again" in title:
                    with (folder / "events.csv").open("a") as stream:
                        stream.write("\n")
                _show(title, _apart(_load, folder, source, url, "first"))
        _baselines(folder)
        if arguments.large:
            _large(folder, arguments.large)


def _make(folder: Path, rows: int) -> None:
    """The sources and the file that names them."""
    _write_events(folder / "events.csv", 0, rows)
    _write_events(folder / "day.csv", 10**9, 10**9 + DAY_ROWS)
    events = pd.read_csv(folder / "events.csv", dtype=str)
    with sqlite3.connect(folder / "events.db") as database:
        events.to_sql("events", database, index=False)
    _write_tickets(folder, min(rows, 100_000))
    files = ("events", "large", "day", "tickets")
    sources: list[dict[str, Any]] = [
        {
            "name": name,
            "domain": "tickets",
            "kind": "files",
            "tables": [{"entity": "tickets" if name == "tickets" else "ticket_events", "path": f"{name}.csv"}],
        }
        for name in files
    ]
    table = {"entity": "ticket_events", "table": "events"}
    sources.append(
        {"name": "database", "domain": "tickets", "kind": "sql", "url": "sqlite:///events.db", "tables": [table]}
    )
    (folder / "sources.yml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")


def _write_events(file: Path, first: int, last: int) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"copy ({_EVENTS.format(first=first, last=last)}) to '{file}' (header, delimiter ',')")


def _write_tickets(folder: Path, rows: int) -> None:
    """Tickets with the demo company's texts; each text is made different, so that none is masked twice."""
    generate(folder / "demo", scale=0.05)
    given: list[dict[str, str]] = []
    for file in sorted((folder / "demo").glob("tickets/*/tickets.csv")):
        with file.open(encoding="utf-8", errors="replace", newline="") as stream:
            given += csv.DictReader(stream)
    texts = [[value for value in record.values() if value] for record in given]
    bodies = [max(values, key=len) for values in texts if values]
    with (folder / "tickets.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["ticket_id", "customer_ref", "channel", "subject", "body", "created_at", "priority"])
        for number in range(rows):
            body = f"{bodies[number % len(bodies)]} 第{number}次反馈" + (" 电话13800138000" if number % 10 == 0 else "")
            at = f"2025-{number % 12 + 1:02d}-{number % 28 + 1:02d} {number % 24:02d}:{number % 60:02d}:00"
            writer.writerow([number, f"C{number // 3}", "phone", body[:12], body, at, "high"])


def _load(folder: Path, source: str, warehouse: str, var: str) -> Measured:
    settings = Settings(var=folder / var, sources=folder / "sources.yml", mask_key="benchmark", warehouse=warehouse)
    memory: list[int] = []
    done = threading.Event()
    sampler = threading.Thread(target=_sample, args=(memory, done))
    sampler.start()
    wall, cpu = time.perf_counter(), time.process_time()
    reports = ingest_source(settings, source, Interval(), f"benchmark-{time.time_ns()}")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    done.set()
    sampler.join()
    peak = max(_highest(), max(memory, default=0))
    fifths = [max(memory[len(memory) * n // 5 : max(len(memory) * (n + 1) // 5, 1)], default=0) for n in range(5)]
    return Measured(sum(report.fetched for report in reports), wall, cpu, peak, fifths)


def _highest() -> int:
    """Highest resident size in MB; getrusage would count what the parent had when it started this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


def _sample(memory: list[int], done: threading.Event) -> None:
    while not done.wait(0.2):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        memory.append(pages * resource.getpagesize() >> 20)


def _apart(function: Callable[..., Measured], *arguments: object) -> Measured:
    """Call it in a new process, whose memory is only its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _show(title: str, measured: Measured) -> None:
    print(
        f"  {title:46} {measured.rows:>11,} rows {measured.wall:7.1f} s {measured.rows / measured.wall:>9,.0f} rows/s"
        f" ({measured.rows / measured.cpu:,.0f} a second of processor time), peak {measured.peak:,.0f} MB"
        f" (over time: {', '.join(map(str, measured.memory))})",
        flush=True,
    )


def _baselines(folder: Path) -> None:
    print("baselines, without typing, masking, keys or account:")
    file = folder / "events.csv"
    started = time.process_time()
    with (
        file.open(encoding="utf-8", newline="") as stream,
        duckdb.connect(str(folder / "executemany.duckdb")) as target,
    ):
        reader = csv.reader(stream)
        header = next(reader)
        target.execute(f"create table t ({', '.join(f'{name} varchar' for name in header)})")
        sample = [row for row, _ in zip(reader, range(BASELINE_ROWS // 10), strict=False)]
        target.executemany(f"insert into t values ({', '.join('?' * len(header))})", sample)
    _show_baseline("csv module and executemany into DuckDB", len(sample), time.process_time() - started)
    started = time.process_time()
    with sqlite3.connect(folder / "pandas.db") as database:
        frame = pd.read_csv(file, dtype=str, nrows=BASELINE_ROWS)
        frame.to_sql("t", database, index=False)
    _show_baseline("pandas.read_csv and to_sql into SQLite", len(frame), time.process_time() - started)
    started = time.process_time()
    with duckdb.connect(str(folder / "copy.duckdb")) as target:
        target.execute("set threads = 2")
        target.execute(f"create table t as select * from read_csv('{file}', all_varchar = true)")
        rows = target.sql("select count(*) from t").fetchall()[0][0]
    _show_baseline("DuckDB's read_csv into DuckDB (upper bound)", rows, time.process_time() - started)


def _show_baseline(title: str, rows: int, cpu: float) -> None:
    print(f"  {title:46} {rows:>11,} rows {'':9} {rows / cpu:>9,.0f} rows a second of processor time", flush=True)


def _large(folder: Path, rows: int) -> None:
    print("large:")
    _write_events(folder / "large.csv", 0, rows)
    size = (folder / "large.csv").stat().st_size / 1e9
    _show(f"{rows:,} events, {size:.1f} GB", _apart(_load, folder, "large", "", "large"))
    _show("a day on top of them", _apart(_load, folder, "day", "", "large"))
    _show("the same day into an empty warehouse", _apart(_load, folder, "day", "", "empty"))


if __name__ == "__main__":
    main()
