"""Load one table of files: what changed since the last load.

One transaction, or one for each million rows. What a load that was killed has committed by then is found unchanged by
the next, which does all of it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from huiyin.interval import Interval
from ingest.calendar import is_workday
from ingest.connectors.delivery import Delivery
from ingest.connectors.files import reader as files
from ingest.connectors.files.config import FilesSource, FileTable
from ingest.errors import SourceError
from ingest.loading.account import read_state, write_state
from ingest.loading.plan import TablePlan
from ingest.loading.report import LoadReport
from ingest.loading.stage import Portion, Stage
from ingest.loading.writer import TableWriter
from warehouse.connection import Warehouse

_BAD_FILES_NAMED = 3
_NAMED = 5
# DuckDB holds what a transaction writes in memory: about 70 MB a million rows.
ROWS_PER_TRANSACTION = 1_000_000
# Seconds that a file's time of change may count; it then fits into the day of its name.
_SECONDS_OF_CHANGE = 2**32


def load_file_table(warehouse: Warehouse, plan: TablePlan) -> LoadReport:
    """Load the table's files; a bad one leaves nothing of its transaction. Raises :class:`SourceError`."""
    return _FileLoad(warehouse, plan).run()


class _FileLoad:
    def __init__(self, warehouse: Warehouse, plan: TablePlan) -> None:
        assert isinstance(plan.table, FileTable) and isinstance(plan.load.source, FilesSource)
        self._table = plan.table
        self._storage = plan.load.source.storage
        self._warehouse = warehouse
        self._plan = plan
        self._stage = Stage(plan)
        self._writer = TableWriter(plan)
        self._started = time.monotonic()
        self._state: list[dict[str, object]] = []
        self._skipped = 0
        self._without_header: list[str] = []

    def run(self) -> LoadReport:
        portions, is_done = self._all_portions(), False
        while not is_done:
            with self._warehouse.transaction():
                self._warehouse.lock(f"huiyin.raw.{self._plan.batch.source}.{self._plan.batch.entity.name}")
                is_done = self._write_some(portions)
        return self._writer.report(time.monotonic() - self._started, self._skipped)

    def _write_some(self, portions: Iterator[Portion]) -> bool:
        """Write what fits into a transaction; whether that was the end, then with the account of all."""
        rows = 0
        for portion in portions:
            self._writer.write(self._warehouse, portion)
            rows += portion.prepared.rows.num_rows
            if rows >= ROWS_PER_TRANSACTION:
                return False
        self._warn_of_files_without_header()
        self._writer.finish(self._warehouse, is_complete=True)
        write_state(self._warehouse, self._state)
        return True

    def _all_portions(self) -> Iterator[Portion]:
        """Portions of all changed files; once a file is bad the others are only read to name their faults too."""
        self._plan.watch.recall(self._warehouse)
        faults: list[str] = []
        for file in self._changed_files():
            try:
                for portion in self._portions(file):
                    if not faults:
                        yield portion
            except SourceError as error:
                faults.append(str(error))
                if len(faults) == _BAD_FILES_NAMED:
                    break
        if faults:
            raise SourceError("\n".join(faults))
        yield from self._stage.flush()

    def _portions(self, file: files.FoundFile) -> Iterator[Portion]:
        for delivery in files.read_file(file, self._table, file.origin):
            if delivery.fixed_columns and not delivery.rows.num_columns:
                self._without_header.append(file.origin)
            yield from self._stage.add(self._ordered(delivery, file))

    def _ordered(self, delivery: Delivery, file: files.FoundFile) -> Delivery:
        """Of two snapshots of one day the one that was written later is the newer."""
        if not self._table.snapshot or file.day is None:
            return delivery
        part_of_day = timedelta(days=file.modified_ns / 1e9 / _SECONDS_OF_CHANGE)
        return replace(delivery, delivered_at=delivery.delivered_at + part_of_day)

    def _changed_files(self) -> Iterator[files.FoundFile]:
        load = self._plan.load
        found = files.find_files(load.sources.folder, self._table.path, load.interval, self._storage)
        self._warn_of_missing_days({file.day for file in found if file.day is not None})
        known = read_state(self._warehouse, self._plan)
        for file in found:
            origin = file.origin + self._plan.suffix
            before = known.get(origin)
            if before is not None and before["mapping"] != self._plan.fingerprint:
                before = None
            if before and (before["size_bytes"], before["modified_ns"]) == (file.size, file.modified_ns):
                self._skipped += 1
                continue
            content_hash = files.content_hash(file)
            self._state.append(
                {
                    "source": self._plan.batch.source, "entity": self._plan.batch.entity.name, "origin": origin,
                    "mapping": self._plan.fingerprint, "size_bytes": file.size, "modified_ns": file.modified_ns,
                    "content_hash": content_hash, "loaded_at": self._plan.batch.loaded_at,
                }
            )  # fmt: skip
            if before and before["content_hash"] == content_hash:
                self._skipped += 1
                continue
            yield file

    def _warn_of_files_without_header(self) -> None:
        """A day on which nothing happened still has a header; a file without one is rather a delivery that broke."""
        if self._without_header:
            self._writer.warnings.append(
                f"{len(self._without_header)} file(s) hold nothing, not even a header: {_some(self._without_header)};"
                " have them delivered again if rows were expected"
            )

    def _warn_of_missing_days(self, found: set[date]) -> None:
        interval = self._plan.load.interval
        if "{date}" not in self._table.path or interval.from_on is None or interval.to_on is None:
            return
        unit, missing = missing_days(self._table.expected_days, found, interval)
        if missing:
            self._writer.warnings.append(
                f"no file for {len(missing)} {unit}(s) of {self._plan.origin}: {_some(missing)}"
            )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")


def missing_days(expected: str, found: set[date], interval: Interval) -> tuple[str, list[str]]:
    """The days (``all``, ``workdays``: of China's calendar) or whole months (``monthly``) without a file; and which."""
    days = list(interval.days())
    if expected == "any":
        return "day", []
    if expected == "monthly":
        months = {(day.year, day.month) for day in found}
        whole = [day for day in days if day.day == 1 and (_next_month(day) - timedelta(days=1)) in interval]
        return "month", [f"{day:%Y-%m}" for day in whole if (day.year, day.month) not in months]
    wanted = days if expected == "all" else [day for day in days if is_workday(day)]
    return "day", [str(day) for day in wanted if day not in found]


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)
