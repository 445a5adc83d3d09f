"""How fast a year of the demo company is loaded, and free text masked; each beside a plain baseline.

    OMP_NUM_THREADS=1 python benchmarks/ingest_throughput.py [--scale 1.0]

Loads into a fresh DuckDB in a temporary folder. The baseline of the load reads the same ticket files with the csv
module and inserts row by row (on a sample, as it is slow); that of the masking runs every rule on every text.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow as pa

from huiyin.config import Settings
from huiyin.demo import generate
from huiyin.interval import Interval
from ingest.load import ingest_source
from ingest.masking import mask_texts
from ingest.personal import mask_text
from ingest.sources import load_sources
from warehouse.connection import open_warehouse

BASELINE_FILES = 15


def main() -> None:
    """Run and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="size of the demo company (default: 1.0)")
    scale = parser.parse_args().scale
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(var=Path(folder), sources=Path(folder) / "demo/sources.yml", mask_key="benchmark")
        generate(settings.demo_dir, scale=scale)
        _load(settings, "first load")
        _load(settings, "second load, nothing new")
        _baseline_load(settings)
        _masking(settings)


def _load(settings: Settings, title: str) -> None:
    print(f"{title}:")
    total_rows, total_cpu, total_wall = 0, 0.0, 0.0
    for source in load_sources(settings).sources:
        wall, cpu = time.perf_counter(), time.process_time()
        reports = ingest_source(settings, source.name, Interval(), title)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rows = sum(report.fetched for report in reports)
        read = sum(report.read for report in reports)
        print(f"  {source.name:20} {rows:>9,} rows {read:>5} files or tables {wall:7.2f} s wall {cpu:7.2f} s CPU")
        total_rows, total_cpu, total_wall = total_rows + rows, total_cpu + cpu, total_wall + wall
    print(f"  {'all':20} {total_rows:>9,} rows {'':22} {total_wall:7.2f} s wall {total_cpu:7.2f} s CPU")


def _baseline_load(settings: Settings) -> None:
    connection = duckdb.connect()
    rows, started = 0, time.process_time()
    for file in sorted(settings.demo_dir.glob("tickets/*/messages.csv"))[:BASELINE_FILES]:
        records = list(csv.reader(file.read_text(encoding="utf-8", errors="replace").splitlines()))
        width = len(records[0])
        connection.execute(f"create table if not exists t ({', '.join(f'c{n} varchar' for n in range(width))})")
        good = [record for record in records[1:] if len(record) == width]
        connection.executemany(f"insert into t values ({', '.join('?' * width)})", good)
        rows += len(good)
    elapsed = time.process_time() - started
    print(f"baseline, row by row without typing or masking: {rows:,} rows, {rows / elapsed:,.0f} rows/s CPU")


def _masking(settings: Settings) -> None:
    with open_warehouse(settings) as warehouse:
        texts = warehouse.query(
            "select body as text from raw.messages where author_role = 'customer' and body is not null limit 50000"
        ).column("text")
    # The loaded texts are masked already; every tenth gets an invented number, as in the wild.
    given = [text + " 电话13800013800" if n % 10 == 0 else text for n, text in enumerate(texts.to_pylist())]
    column = pa.chunked_array([given])
    started = time.process_time()
    masked = mask_texts(column)
    fast = time.process_time() - started
    started = time.process_time()
    plain = [mask_text(text) for text in given]
    slow = time.process_time() - started
    assert masked.to_pylist() == plain
    length = sum(map(len, given)) / len(given)
    print(f"masking {len(given):,} texts of {length:.0f} characters: {len(given) / fast:,.0f} texts/s a core")
    print(f"baseline, every text through every rule: {len(given) / slow:,.0f} texts/s a core")


if __name__ == "__main__":
    main()
