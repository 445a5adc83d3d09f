"""Load a source into ``raw``: read, map, mask, type, part good from bad, merge by key, and keep account.

Everything of one table happens in one transaction: a killed load leaves no trace, and the next one does it again.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import pyarrow as pa

from huiyin.config import Settings
from huiyin.interval import Interval
from ingest.configuration import StreamTable, TableMapping
from ingest.connectors.delivery import Delivery, utc_now
from ingest.connectors.files import reader as files
from ingest.connectors.files.config import FileTable
from ingest.connectors.sql import reader as sql
from ingest.connectors.sql.config import SqlSource, SqlTable
from ingest.contract import ENTITIES
from ingest.errors import SourceError
from ingest.mapping import map_delivery
from ingest.masking import Masker, load_masker
from ingest.prepare import ORIGIN, Batch, TextRows, broken_line_rows, prepare
from ingest.sources import AnySource, SourcesFile, load_sources
from ingest.tables import LOAD_AUDIT, LOAD_AUDIT_KEY, LOAD_STATE, LOAD_STATE_KEY, ensure_raw_schema, ensure_tables
from warehouse.connection import Warehouse, WarehouseError, open_warehouse

__all__ = ["LoadReport", "ensure_raw_schema", "ingest_source"]

log = logging.getLogger(__name__)

# Raise this when mapping or typing change their results: unchanged files are then read again.
LOADER_VERSION = "1"
ROWS_PER_MERGE = 100_000
_DAYS_NAMED = 5


@dataclass(frozen=True)
class LoadReport:
    """What one table of a source brought: fetched = loaded + merged + unchanged + quarantined.

    ``merged`` counts rows that replaced an older version of their key and rows that lost to a later one of the same
    delivery; ``skipped`` the files that were loaded before and haven't changed since.
    """

    source: str
    entity: str
    origin: str
    fetched: int
    loaded: int
    merged: int
    unchanged: int
    quarantined: int
    read: int
    skipped: int
    seconds: float
    warnings: tuple[str, ...] = ()


@dataclass
class _Counts:
    fetched: int = 0
    loaded: int = 0
    merged: int = 0
    unchanged: int = 0
    quarantined: int = 0


def ingest_source(settings: Settings, name: str, interval: Interval, batch_id: str) -> list[LoadReport]:
    """Load what a source delivers for the interval; one report a table.

    Of ``{date}`` paths only the interval's days are read, of tables with a ``cursor`` only its rows; files that were
    loaded before and haven't changed are skipped. A table that fails doesn't keep the source's others from loading;
    after them :class:`SourceError` is raised, with one line per failed table.
    """
    sources = load_sources(settings)
    source = sources.source(name)
    masker = load_masker(settings)
    reports: list[LoadReport] = []
    failures: list[str] = []
    try:
        with open_warehouse(settings) as warehouse:
            ensure_tables(warehouse)
            for index in range(len(source.tables)):
                load = _TableLoad(warehouse, sources, source, index, masker, interval, batch_id)
                try:
                    reports.append(load.run())
                except SourceError as error:
                    failures.append(f"source {name}, {source.tables[index].entity}: {error}")
                    load.record_failure(str(error))
    except WarehouseError as error:
        raise SourceError(f"source {name} could not be loaded: {error}") from error
    for report in reports:
        for warning in report.warnings:
            log.warning("source %s, %s: %s", name, report.entity, warning)
    if failures:
        raise SourceError("\n".join(failures))
    return reports


class _TableLoad:
    """One table of a source on its way into the warehouse."""

    def __init__(
        self,
        warehouse: Warehouse,
        sources: SourcesFile,
        source: AnySource,
        index: int,
        masker: Masker,
        interval: Interval,
        batch_id: str,
    ) -> None:
        self._warehouse = warehouse
        self._folder = sources.folder
        self._source = source
        table = source.tables[index]
        assert isinstance(table, FileTable | SqlTable)
        self._table: FileTable | SqlTable = table
        self._masker = masker
        self._interval = interval
        self._started = time.monotonic()
        zone = sources.zone_of(source, self._table)
        self._batch = Batch(source.name, ENTITIES[self._table.entity], batch_id, utc_now(), zone, self._table.formats)
        self._suffix = _suffix(source, index)
        self._pending: list[tuple[Delivery, pa.Table, pa.Array]] = []
        self._pending_rows = 0
        self._cleared: set[str] = set()
        self._counts: dict[str, _Counts] = {}
        self._state: list[dict[str, object]] = []
        self._unregistered: dict[str, Counter[str]] = {}
        self._warnings: list[str] = []
        self._skipped = 0

    @property
    def _origin(self) -> str:
        table = self._table
        return (table.path if isinstance(table, FileTable) else table.origin) + self._suffix

    def run(self) -> LoadReport:
        """Load the table in one transaction."""
        entity = self._batch.entity
        with self._warehouse.transaction():
            for delivery in self._deliveries():
                mapped, numbers = map_delivery(delivery, self._table, entity)
                self._pending.append((delivery, mapped, numbers))
                self._pending_rows += mapped.num_rows
                if self._pending_rows >= ROWS_PER_MERGE:
                    self._flush()
            self._flush()
            self._keep_account()
        total = {
            name: sum(getattr(counts, name) for counts in self._counts.values())
            for name in ("fetched", "loaded", "merged", "unchanged", "quarantined")
        }
        read = sum(origin != self._origin or bool(counts.fetched) for origin, counts in self._counts.items())
        return LoadReport(
            self._source.name, entity.name, self._origin, read=read, skipped=self._skipped,
            seconds=time.monotonic() - self._started, warnings=tuple(self._all_warnings(total["fetched"])), **total,
        )  # fmt: skip

    def record_failure(self, error: str) -> None:
        """Keep in the audit that this table was tried and why it failed."""
        self._counts = {self._origin: _Counts()}
        with self._warehouse.transaction():
            self._write_audit(error)

    def _deliveries(self) -> Iterator[Delivery]:
        if isinstance(self._table, SqlTable):
            assert isinstance(self._source, SqlSource)
            yield from sql.read_table(self._source, self._table, self._interval, self._origin)
            return
        found = files.find_files(self._folder, self._table.path, self._interval)
        self._warn_of_missing_days({file.day for file in found})
        known = self._known_files()
        mapping = self._mapping_fingerprint()
        for file in found:
            origin = file.origin + self._suffix
            before = known.get(origin)
            is_same_mapping = before is not None and before["mapping"] == mapping
            if (
                before
                and is_same_mapping
                and (before["size_bytes"], before["modified_ns"]) == (file.size, file.modified_ns)
            ):
                self._skipped += 1
                continue
            content_hash = files.content_hash(file)
            self._state.append(
                {
                    "source": self._source.name, "entity": self._batch.entity.name, "origin": origin,
                    "mapping": mapping, "size_bytes": file.size, "modified_ns": file.modified_ns,
                    "content_hash": content_hash, "loaded_at": self._batch.loaded_at,
                }
            )  # fmt: skip
            if before and is_same_mapping and before["content_hash"] == content_hash:
                self._skipped += 1
                continue
            yield from files.read_file(file, self._table, origin)

    def _warn_of_missing_days(self, found: set[object]) -> None:
        if "{date}" not in self._origin or self._interval.from_on is None or self._interval.to_on is None:
            return
        missing = [str(day) for day in self._interval.days() if day not in found]
        if missing:
            named = ", ".join(missing[:_DAYS_NAMED]) + (" …" if len(missing) > _DAYS_NAMED else "")
            self._warnings.append(f"no file for {len(missing)} day(s) of {self._origin}: {named}")

    def _known_files(self) -> dict[str, dict[str, object]]:
        rows = self._warehouse.rows(
            "select origin, mapping, size_bytes, modified_ns, content_hash from raw.load_state"
            f" where source = '{self._source.name}' and entity = '{self._batch.entity.name}'"
        )
        return {row["origin"]: row for row in rows}

    def _mapping_fingerprint(self) -> str:
        content = [
            LOADER_VERSION, self._masker.version, self._batch.zone, repr(self._batch.entity),
            self._table.model_dump(exclude={"path"}),
        ]  # fmt: skip
        return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=12).hexdigest()

    def _flush(self) -> None:
        """Merge the pending deliveries, in their order."""
        pending, self._pending, self._pending_rows = self._pending, [], 0
        if not pending:
            return
        self._clear_quarantine([delivery.origin for delivery, _, _ in pending])
        for delivery, mapped, _ in pending:
            counts = self._counts.setdefault(delivery.origin, _Counts())
            counts.fetched += mapped.num_rows + len(delivery.broken)
            counts.quarantined += len(delivery.broken)
            if delivery.broken:
                self._quarantine(broken_line_rows(delivery.broken, delivery.origin, self._batch))
        table = pa.concat_tables([mapped for _, mapped, _ in pending])
        sizes = [mapped.num_rows for _, mapped, _ in pending]
        given = TextRows(
            table,
            _repeated([delivery.origin for delivery, _, _ in pending], sizes, pa.string()),
            pa.concat_arrays([numbers for _, _, numbers in pending]),
            _repeated([delivery.delivered_at for delivery, _, _ in pending], sizes, pa.timestamp("us")),
        )
        for start in range(0, table.num_rows, ROWS_PER_MERGE):
            self._merge(
                TextRows(
                    given.table.slice(start, ROWS_PER_MERGE),
                    given.origins.slice(start, ROWS_PER_MERGE),
                    given.row_numbers.slice(start, ROWS_PER_MERGE),
                    given.delivered_at.slice(start, ROWS_PER_MERGE),
                )
            )

    def _merge(self, given: TextRows) -> None:
        entity = self._batch.entity
        prepared = prepare(given, self._batch, self._masker)
        merged = self._warehouse.merge_labelled(
            "raw", entity.name, prepared.rows, ("_source", *entity.key), ORIGIN, version="_delivered_at"
        )
        for origin, outcome in merged.items():
            counts = self._counts[str(origin)]
            counts.loaded += outcome.inserted
            counts.merged += outcome.updated
            counts.unchanged += outcome.unchanged
        for origin, number in prepared.doubled.items():
            self._counts[origin].merged += number
        for origin, number in Counter(prepared.quarantined.column("origin").to_pylist()).items():
            self._counts[origin].quarantined += number
        self._quarantine(prepared.quarantined)
        for name, values in prepared.unregistered.items():
            self._unregistered.setdefault(name, Counter()).update(values)

    def _quarantine(self, rows: pa.Table) -> None:
        if rows.num_rows:
            self._warehouse.merge(
                "quarantine", self._batch.entity.name, rows, ("quarantine_id",), compare="quarantine_id"
            )

    def _clear_quarantine(self, origins: list[str]) -> None:
        """What was wrong with an origin is found anew when all of it is read again."""
        if isinstance(self._table, SqlTable) and self._table.cursor is not None:
            return
        new = sorted(set(origins) - self._cleared)
        self._cleared.update(new)
        if new:
            keys = pa.table({"source": [self._source.name] * len(new), "origin": new})
            self._warehouse.delete_matching("quarantine", self._batch.entity.name, keys, "t.replayed_at IS NULL")

    def _keep_account(self) -> None:
        if not self._counts:
            self._counts[self._origin] = _Counts()
        self._write_audit(None)
        if self._state:
            state = pa.Table.from_pylist(self._state, schema=LOAD_STATE)
            self._warehouse.delete_matching("raw", "load_state", state.select(list(LOAD_STATE_KEY)))
            self._warehouse.append("raw", "load_state", state)

    def _write_audit(self, error: str | None) -> None:
        finished_at: datetime = utc_now()
        audit = pa.Table.from_pylist(
            [
                {
                    "batch_id": self._batch.batch_id, "source": self._source.name, "entity": self._batch.entity.name,
                    "origin": origin, "interval_from_on": self._interval.from_on,
                    "interval_to_on": self._interval.to_on,
                    "started_at": self._batch.loaded_at, "finished_at": finished_at, "error": error, **vars(counts),
                }
                for origin, counts in self._counts.items()
            ],
            schema=LOAD_AUDIT,
        )  # fmt: skip
        keys = audit.select(list(LOAD_AUDIT_KEY))
        self._warehouse.delete_matching("raw", "load_audit", keys)
        # The failure of an earlier try of this batch is settled.
        failed = pa.table({name: keys.column(name)[:1] for name in keys.column_names[:3]} | {"origin": [self._origin]})
        self._warehouse.delete_matching("raw", "load_audit", failed, "t.error IS NOT NULL")
        self._warehouse.append("raw", "load_audit", audit)

    def _all_warnings(self, fetched: int) -> Iterator[str]:
        yield from self._warnings
        is_optional = isinstance(self._table, SqlTable) and self._table.optional
        if not fetched and not self._skipped and not self._warnings and not is_optional:
            yield f"{self._origin} brought no rows for this interval"
        for name, values in self._unregistered.items():
            shown = ", ".join(f"{value} ({number})" for value, number in values.most_common(_DAYS_NAMED))
            yield (
                f"{name}: {values.total()} value(s) outside the registered ones, kept as they came: {shown};"
                " translate them under `values`"
            )


def _suffix(source: AnySource, index: int) -> str:
    """Tells apart tables that fill one entity from the same file or table: '' for the first, then #2, #3 …"""
    table = source.tables[index]

    def place(other: TableMapping) -> tuple[str, str]:
        if isinstance(other, FileTable):
            return other.entity, other.path
        return other.entity, other.stream if isinstance(other, StreamTable) else getattr(other, "origin", "")

    number = 1 + sum(place(other) == place(table) for other in source.tables[:index])
    return "" if number == 1 else f"#{number}"


def _repeated(values: list[object], sizes: list[int], kind: pa.DataType) -> pa.Array:
    positions = [index for index, size in enumerate(sizes) for _ in range(size)]
    return pa.array(values, kind).take(pa.array(positions, pa.int64()))
