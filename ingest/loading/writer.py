"""Portions of one table into ``raw`` and the quarantine, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ingest.configuration import StreamTable
from ingest.connectors.delivery import utc_now
from ingest.connectors.sql.config import SqlTable
from ingest.erasure import Erased, anonymise, load_erased
from ingest.loading.account import audited, write_audit
from ingest.loading.deletions import bury, end_snapshot
from ingest.loading.kept import keep_stored
from ingest.loading.plan import TablePlan
from ingest.loading.report import Counts, LoadReport
from ingest.loading.stage import Portion
from ingest.loading.standing import Standing
from ingest.prepare import ORIGIN
from warehouse.connection import Warehouse


class TableWriter:
    """Writes portions of one table, in the caller's transactions, and keeps count.

    ``earlier``: what the audit of this batch holds already, for loads that go on at a cursor.
    """

    def __init__(self, plan: TablePlan) -> None:
        self.plan = plan
        self.earlier: Mapping[str, Counts] = {}
        self.warnings: list[str] = []
        self._counts: dict[str, Counts] = {}
        self._cleared: set[str] = set()
        self._newest: datetime | None = None
        self._not_merged: list[pa.Table] = []
        self._keyless = 0
        self._erased: Erased | None = None
        self._standing: Standing | None = None
        self._unknown_tombstones = 0
        self._rows_before: int | None = None
        self._loaded_before = 0
        self._unexplained: list[str] = []

    def write(self, warehouse: Warehouse, portion: Portion) -> None:
        """Merge a portion; an older version never replaces a newer one."""
        entity, prepared = self.plan.batch.entity, portion.prepared
        if self._rows_before is None:
            self._rows_before, self._loaded_before = self._rows_in_raw(warehouse), self._loaded()
        self._clear_quarantine(warehouse, list(portion.fetched))
        for origin, number in portion.fetched.items():
            self._of(origin).fetched += number
        rows = prepared.rows
        if portion.absent_fields:
            rows = keep_stored(warehouse, rows, entity, portion.absent_fields)
        rows = self._without_erased(warehouse, rows)
        standing = self._standing = self._standing or Standing(warehouse, self.plan.batch.source, entity)
        given = rows
        rows, rejected, corrected = standing.part(given)
        if self.plan.table.snapshot and corrected:
            left = pc.invert(pc.is_in(given.column("_row_hash"), rows.column("_row_hash").combine_chunks()))
            self._not_merged.append(given.filter(left).select(list(entity.key)))
        for origin, number in rejected.items():
            self._of(origin).quarantined += number
        for origin, number in corrected.items():
            self._of(origin).unchanged += number
        merged = warehouse.merge_labelled(
            "raw", entity.name, rows, ("_source", *entity.key), ORIGIN, version="_delivered_at"
        )
        for label, outcome in merged.items():
            counts = self._of(str(label))
            counts.loaded += outcome.inserted
            counts.merged += outcome.updated
            counts.unchanged += outcome.unchanged
        for origin, number in prepared.doubled.items():
            self._of(origin).merged += number
        if prepared.tombstones.num_rows:
            buried, unknown = bury(warehouse, self.plan, prepared.tombstones)
            self._unknown_tombstones += unknown
            for origin, each in buried.items():
                self._counts[origin] = self._of(origin) + each
        for bad in (portion.broken, prepared.quarantined):
            self._quarantine(warehouse, bad)
        standing.add(prepared.quarantined)
        standing.settle(warehouse, rows)
        self._newest = max(filter(None, (self._newest, portion.delivered_at)))
        self._keyless += prepared.keyless + portion.broken.num_rows
        if self.plan.table.snapshot:
            self._not_merged.append(prepared.unreadable)

    def finish(self, warehouse: Warehouse, is_complete: bool) -> None:
        """Close the books of all portions so far. ``is_complete``: they are all that the source holds.

        Raises :class:`SourceError` where a snapshot would delete too much.
        """
        if self.plan.table.snapshot and is_complete and self._newest is not None:
            if self._keyless:
                self.warnings.append(
                    f"{self._keyless} row(s) have no readable key, so nothing was taken for deleted; correct them"
                )
            else:
                deleted = end_snapshot(warehouse, self.plan, self._newest, self._not_merged)
                self._of(self.plan.origin).deleted += deleted
        if not self._counts:
            self._of(self.plan.origin)
        names = {**self.earlier, **self._counts}
        total = {name: self.earlier.get(name, Counts()) + self._counts.get(name, Counts()) for name in names}
        write_audit(warehouse, self.plan, total, None)
        self._compare_with_raw(warehouse)
        batch = self.plan.batch
        self.warnings += self.plan.watch.finish(warehouse, batch.batch_id, batch.loaded_at)

    def report(self, seconds: float, skipped: int = 0, *, expects_rows: bool = True) -> LoadReport:
        """What this call loaded."""
        total = Counts()
        for counts in self._counts.values():
            total += counts
        read = sum(origin != self.plan.origin or bool(counts.fetched) for origin, counts in self._counts.items())
        warnings = tuple(self._all_warnings(expects_rows and not total.fetched and not skipped))
        batch = self.plan.batch
        return LoadReport(
            batch.source, batch.entity.name, self.plan.origin, read=read, skipped=skipped, seconds=seconds,
            warnings=warnings, unexplained=tuple(self._unexplained), recognised=self.plan.recogniser.told(),
            **vars(total),
        )  # fmt: skip

    def _without_erased(self, warehouse: Warehouse, rows: pa.Table) -> pa.Table:
        """Persons that were forgotten don't come back with an old file; their rows that are dropped change nothing."""
        load = self.plan.load
        if self._erased is None:
            self._erased = load_erased(warehouse, load.sources.retention, utc_now())
        kept = anonymise(rows, self.plan.batch.entity, self._erased, load.masker)
        if kept.num_rows < rows.num_rows:
            dropped = Counter(rows.column(ORIGIN).to_pylist())
            dropped.subtract(kept.column(ORIGIN).to_pylist())
            for origin, number in dropped.items():
                self._of(origin).unchanged += number
        return kept

    def _compare_with_raw(self, warehouse: Warehouse) -> None:
        """``raw`` itself must have grown by what was counted as loaded."""
        if self._rows_before is None:
            return
        grown, loaded = self._rows_in_raw(warehouse) - self._rows_before, self._loaded() - self._loaded_before
        if grown != loaded:
            entity = self.plan.batch.entity.name
            self._unexplained.append(f"raw.{entity} grew by {grown:,} rows where {loaded:,} were counted as loaded")
        self._rows_before = None

    def _rows_in_raw(self, warehouse: Warehouse) -> int:
        batch = self.plan.batch
        counted = warehouse.rows(f"select count(*) as n from raw.{batch.entity.name} where _source = '{batch.source}'")
        return int(counted[0]["n"])

    def _loaded(self) -> int:
        return sum(counts.loaded for counts in self._counts.values())

    def _of(self, origin: str) -> Counts:
        return self._counts.setdefault(origin, Counts())

    def _quarantine(self, warehouse: Warehouse, rows: pa.Table) -> None:
        for origin, number in Counter(rows.column("origin").to_pylist()).items():
            self._of(origin).quarantined += number
        if rows.num_rows:
            warehouse.merge(
                "quarantine", self.plan.batch.entity.name, rows, ("quarantine_id",), compare="quarantine_id"
            )

    def _clear_quarantine(self, warehouse: Warehouse, origins: list[str]) -> None:
        """What was wrong with an origin is found anew when all of it is read again."""
        table = self.plan.table
        if isinstance(table, StreamTable) or (isinstance(table, SqlTable) and table.cursor is not None):
            return
        new = sorted(set(origins) - self._cleared)
        self._cleared.update(new)
        if new:
            keys = pa.table({"source": [self.plan.batch.source] * len(new), "origin": new})
            warehouse.delete_matching("quarantine", self.plan.batch.entity.name, keys, "t.replayed_at IS NULL")

    def _all_warnings(self, is_empty: bool) -> Iterator[str]:
        yield from self.warnings
        is_optional = isinstance(self.plan.table, SqlTable) and self.plan.table.optional
        if is_empty and not self.warnings and not is_optional:
            yield f"{self.plan.origin} brought no rows for this interval"
        if self._unknown_tombstones:
            yield (
                f"{self._unknown_tombstones} deletion(s) of rows that were never delivered, and that say nothing but"
                " their key, are counted as unchanged"
            )


def failed(plan: TablePlan, warehouse: Warehouse, error: str) -> None:
    """Keep in the audit that this table was tried and why it failed, beside what had been loaded up to a cursor."""
    with warehouse.transaction():
        write_audit(warehouse, plan, {plan.origin: audited(warehouse, plan).get(plan.origin, Counts())}, error)
        plan.watch.finish(warehouse, plan.batch.batch_id, plan.batch.loaded_at, has_failed=True)
