"""Load one stream of a database or of a system that is asked over a network.

The warehouse is open only to read the cursors and to write: what is fetched waits on disk, masked. A cursor is stored
in the transaction of the rows that it stands for, so a load that was killed goes on where the last one was stored.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from huiyin.interval import Interval
from ingest.configuration import StreamTable
from ingest.connectors.base import Request, reader_of
from ingest.connectors.delivery import Delivery
from ingest.connectors.sql.config import SqlTable
from ingest.errors import SourceError
from ingest.loading.account import Cursor, audited, read_cursors, write_cursor
from ingest.loading.plan import Load, TablePlan, fingerprint
from ingest.loading.report import LoadReport
from ingest.loading.spool import Spool, open_spool
from ingest.loading.stage import Stage
from ingest.loading.writer import TableWriter
from ingest.rotation import check_key
from ingest.tables import ensure_tables
from warehouse.connection import Warehouse, open_warehouse

log = logging.getLogger(__name__)

RECORDS_PER_CHECKPOINT = 100_000
SECONDS_PER_CHECKPOINT = 600.0
# Loading waits for a build that has the warehouse open; what was fetched is worth it.
LOCK_WAIT_SECONDS = 3600.0


@contextmanager
def open_for_loading(load: Load) -> Iterator[Warehouse]:
    """The warehouse, when whoever has it open leaves it; with all tables."""
    with open_warehouse(
        load.settings, lock_wait_seconds=LOCK_WAIT_SECONDS, memory=load.settings.load_memory
    ) as warehouse:
        ensure_tables(warehouse)
        check_key(warehouse, load.masker)
        yield warehouse


def recall(load: Load, plans: Sequence[TablePlan]) -> dict[str, tuple[Cursor, str]]:
    """Where each stream of the source stopped, and by which mapping; the watches recall their columns."""
    with open_for_loading(load) as warehouse:
        for plan in plans:
            plan.watch.recall(warehouse)
        return read_cursors(warehouse, load.source.name)


def load_stream(load: Load, plans: list[TablePlan], stored: tuple[Cursor, str] | None) -> list[LoadReport]:
    """Fetch a stream once and load it into its tables; one report a table.

    What was fetched before an error is loaded as far as a cursor reaches. Raises :class:`SourceError`.
    """
    return _StreamLoad(load, plans, stored).run()


class _StreamLoad:
    def __init__(self, load: Load, plans: list[TablePlan], stored: tuple[Cursor, str] | None) -> None:
        self._load = load
        self._plans = plans
        self._stages = [Stage(plan) for plan in plans]
        self._writers = [TableWriter(plan) for plan in plans]
        self._started = self._checkpoint_at = time.monotonic()
        self._mapping = fingerprint([plan.fingerprint for plan in plans])
        self._stored: Cursor | None = None
        if stored is not None and stored[1] == self._mapping:
            self._stored = stored[0]
        elif stored is not None and load.resume:
            log.warning(
                "source %s, %s: its mapping or the masking changed, so it is read again from the beginning",
                load.source.name,
                plans[0].stream,
            )
        # The same batch goes on after a checkpoint: what it audited before stays counted.
        self._has_read_audit = False
        self._cursor: Cursor | None = None

    def run(self) -> list[LoadReport]:
        load, stream = self._load, self._plans[0].stream
        request = Request(
            interval=Interval(None, load.interval.to_on) if load.resume else load.interval,
            resume=load.resume,
            cursor=self._stored if load.resume else None,
            folder=load.sources.folder,
            zone=self._plans[0].batch.zone,
        )
        with open_spool(load.settings, load.source.name, stream) as spool:
            broken_off: SourceError | None = None
            deliveries = reader_of(load.source).read_stream(load.source, stream, request)
            while True:
                try:
                    delivery = next(deliveries, None)
                except SourceError as error:
                    broken_off = error
                    break
                if delivery is None:
                    break
                self._take(delivery, spool)
            # The cursor stands for the rows that are still staged, too.
            self._flush(spool)
            if broken_off is not None:
                if self._cursor is not None:
                    self._checkpoint(spool, is_end=False)
                raise broken_off
            self._checkpoint(spool, is_end=True)
        seconds = time.monotonic() - self._started
        # Nothing new since the last time is no news.
        return [writer.report(seconds, expects_rows=request.cursor is None) for writer in self._writers]

    def _take(self, delivery: Delivery, spool: Spool) -> None:
        self._writers[0].warnings += delivery.notes
        for index, stage in enumerate(self._stages):
            for portion in stage.add(delivery):
                spool.add(index, portion)
        if delivery.cursor is not None and self._load.resume:
            self._cursor = json.loads(json.dumps(delivery.cursor))
        is_due = time.monotonic() - self._checkpoint_at >= SECONDS_PER_CHECKPOINT
        if self._cursor is not None and (is_due or spool.rows >= RECORDS_PER_CHECKPOINT):
            self._flush(spool)
            self._checkpoint(spool, is_end=False)

    def _flush(self, spool: Spool) -> None:
        for index, stage in enumerate(self._stages):
            for portion in stage.flush():
                spool.add(index, portion)

    def _checkpoint(self, spool: Spool, is_end: bool) -> None:
        """Load what is in the spool and store the cursor, in one transaction."""
        load = self._load
        with open_for_loading(load) as warehouse, warehouse.transaction():
            for name in sorted({plan.batch.entity.name for plan in self._plans}):
                warehouse.lock(f"huiyin.raw.{load.source.name}.{name}")
            if not self._has_read_audit and load.resume:
                for writer in self._writers:
                    writer.earlier = audited(warehouse, writer.plan)
            for index, portion in spool.portions():
                self._writers[index].write(warehouse, portion)
            for writer in self._writers:
                writer.finish(warehouse, is_complete=is_end and self._is_full(writer.plan))
            if self._cursor is not None:
                write_cursor(warehouse, load, self._plans[0].stream, self._stored, self._cursor, self._mapping)
        self._has_read_audit = True
        spool.clear()
        self._checkpoint_at = time.monotonic()
        self._stored = self._cursor or self._stored

    def _is_full(self, plan: TablePlan) -> bool:
        """Whether what was read is all that the source holds: nothing asked for less, no cursor came."""
        if self._cursor is not None or self._stored is not None:
            return False
        if isinstance(plan.table, SqlTable):
            return plan.table.cursor is None
        assert isinstance(plan.table, StreamTable)
        interval = self._load.interval
        return self._load.resume or (interval.from_on is None and interval.to_on is None)
