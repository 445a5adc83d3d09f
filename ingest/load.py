"""Load a source into ``raw``: read, map, mask, type, part good from bad, merge by key, and keep account.

Files of one table are loaded in one transaction, a stream of another system up to a cursor in one: a killed load leaves
nothing half-done, and the next one does it again.
"""

from __future__ import annotations

import logging

from huiyin.config import Settings
from huiyin.interval import Interval
from ingest.balance import check_balance
from ingest.connectors.files.config import FileTable
from ingest.errors import PartlyLoadedError, SourceError
from ingest.loading.files import load_file_table
from ingest.loading.plan import Load, TablePlan, plan_load, plan_tables
from ingest.loading.report import LoadReport
from ingest.loading.streams import load_stream, open_for_loading, recall
from ingest.loading.writer import failed
from ingest.personal import mask_text
from ingest.rotation import check_key
from ingest.tables import ensure_raw_schema, ensure_tables
from ingest.unsaid import mask_log_records, masked_errors
from warehouse.connection import WarehouseError, open_warehouse

__all__ = ["LoadReport", "ensure_raw_schema", "ingest_source"]

log = logging.getLogger(__name__)


def ingest_source(
    settings: Settings, name: str, interval: Interval, batch_id: str, resume: bool | None = None
) -> list[LoadReport]:
    """Load what a source delivers for the interval; one report a table.

    Of ``{date}`` paths only the interval's days are read; files that were loaded before and haven't changed are
    skipped. Databases and systems that are asked over a network go on where the last load stopped (``resume``: True),
    or deliver exactly the interval's days again (False: a backfill, which leaves the cursor where it is). None: resume
    where the interval is open on both sides.

    A table that fails doesn't keep the source's others from loading; after them :class:`PartlyLoadedError` is raised
    where some loaded, else :class:`SourceError`, with one line a fault.
    """
    mask_log_records()
    with masked_errors():
        return _ingest(settings, name, interval, batch_id, resume)


def _ingest(settings: Settings, name: str, interval: Interval, batch_id: str, resume: bool | None) -> list[LoadReport]:
    if resume is None:
        resume = interval.from_on is None and interval.to_on is None
    load = plan_load(settings, name, interval, batch_id, resume)
    try:
        loader = _Loader(load)
        reports, failures = loader.run()
    except WarehouseError as error:
        raise SourceError(f"source {name} could not be loaded: {error}") from error
    for report in reports:
        if report.recognised:
            log.info("source %s, %s: columns recognised: %s", name, report.entity, report.recognised)
        for warning in report.warnings:
            log.warning("source %s, %s: %s", name, report.entity, warning)
    if failures and reports:
        raise PartlyLoadedError("\n".join(failures), reports, mends_itself=loader.mends_itself)
    if failures:
        raise SourceError("\n".join(failures), mends_itself=loader.mends_itself)
    return reports


class _Loader:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._reports: list[LoadReport] = []
        self._failures: list[str] = []
        self.mends_itself = False

    def run(self) -> tuple[list[LoadReport], list[str]]:
        """Reports of the tables that loaded, and a line for each fault of the others."""
        plans = plan_tables(self._load)
        if isinstance(plans[0].table, FileTable):
            self._load_files(plans)
        else:
            self._load_streams(plans)
        unexplained = [line for report in self._reports for line in report.unexplained]
        with open_for_loading(self._load) as warehouse:
            check_balance(warehouse, self._load.source.name, self._load.batch_id, unexplained)
        return self._reports, self._failures

    def _load_files(self, plans: list[TablePlan]) -> None:
        with open_warehouse(self._load.settings, memory=self._load.settings.load_memory) as warehouse:
            ensure_tables(warehouse)
            check_key(warehouse, self._load.masker)
            for plan in plans:
                try:
                    self._reports.append(load_file_table(warehouse, plan))
                except SourceError as error:
                    failed(plan, warehouse, self._note(plan, error))

    def _load_streams(self, plans: list[TablePlan]) -> None:
        cursors = recall(self._load, plans)
        for stream in dict.fromkeys(plan.stream for plan in plans):
            its_plans = [plan for plan in plans if plan.stream == stream]
            try:
                self._reports += load_stream(self._load, its_plans, cursors.get(stream))
            except SourceError as error:
                message = self._note(its_plans[0], error)
                with open_for_loading(self._load) as warehouse:
                    for plan in its_plans:
                        failed(plan, warehouse, message)

    def _note(self, plan: TablePlan, error: SourceError) -> str:
        """Keep a failure for the end; its message."""
        self.mends_itself |= error.mends_itself
        name = plan.batch.source
        lines = [line.removeprefix(f"source {name}: ") for line in str(error).splitlines()]
        self._failures += [f"source {name}, {plan.batch.entity.name}: {line}" for line in lines]
        return mask_text(str(error))
