"""The gate: nothing flows on unless what is expected of the tables holds."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from expectations.suites import Stage, load_suites
from expectations.tables import absent_references, read_frame
from huiyin.config import Settings
from huiyin.errors import HuiyinError
from ingest import quarantine
from ingest.contract import ENTITIES
from warehouse.connection import Warehouse, open_warehouse

if TYPE_CHECKING:
    from expectations.validation import ExpectationResult

log = logging.getLogger(__name__)

RESULTS_SCHEMA = pa.schema(
    [
        pa.field("run_at", pa.timestamp("us"), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("expectation", pa.string(), nullable=False),
        pa.field("severity", pa.string(), nullable=False),
        pa.field("success", pa.bool_(), nullable=False),
        pa.field("unexpected_count", pa.int64()),
        pa.field("element_count", pa.int64()),
    ]
)

# Columns whose newest instant says up to when the raw data reach.
_NEWEST = {"tickets": "created_at", "messages": "sent_at", "feedback": "created_at"}
# How far a table may lag behind the newest raw data before its suite warns.
_FRESHNESS = timedelta(days=7)
RESULTS_KEPT = timedelta(days=400)


@dataclass(frozen=True)
class GateReport:
    """What the gate found in one stage.

    ``quarantined`` counts the rows sent to quarantine by table, ``absent`` names the raw tables that don't exist
    (no source delivers them), ``docs`` is the index page of the Data Docs.
    """

    stage: Stage
    run_at: datetime
    results: tuple[ExpectationResult, ...]
    quarantined: Mapping[str, int]
    absent: tuple[str, ...]
    docs: Path

    @property
    def blocking(self) -> list[ExpectationResult]:
        """Failed critical expectations, except those whose rows go to quarantine."""
        return [result for result in self.results if _blocks(result)]

    @property
    def warnings(self) -> list[ExpectationResult]:
        """Failed expectations that don't block, largest share of rows first."""
        failed = [result for result in self.results if not result.success and result.severity != "critical"]
        return sorted(failed, key=lambda result: -result.unexpected_share)

    def by_table(self) -> dict[str, list[ExpectationResult]]:
        """The results of each suite."""
        tables: dict[str, list[ExpectationResult]] = {}
        for result in self.results:
            tables.setdefault(result.table, []).append(result)
        return tables


class GateFailedError(HuiyinError):
    """A blocking expectation failed, or a table of the mart is missing; ``report`` has all results."""

    def __init__(self, report: GateReport, absent: Iterable[str] = ()) -> None:
        self.report = report
        problems = [f"  {report.stage}.{table} is missing; build it with dbt first" for table in absent]
        problems += [f"  {describe(report.stage, result)}" for result in report.blocking]
        super().__init__(
            f"the {report.stage} gate stopped the run, nothing was published:\n"
            + "\n".join(problems)
            + f"\n  all results: {report.docs}"
        )


def check(settings: Settings, stage: Stage, tables: Iterable[str] | None = None) -> GateReport:
    """Run the suites of a stage (or of some of its ``tables``), write Data Docs, keep the results.

    Rows that break a raw expectation marked ``quarantine`` move to quarantine and the run goes on. Warnings are
    logged. Results are appended to ``raw.gate_results``.

    Raises :class:`GateFailedError` when a critical expectation fails otherwise or a mart is missing, ``ValueError``
    for a table without a suite.
    """
    # Great Expectations takes seconds to import; callers that only name this module shouldn't wait.
    from expectations.validation import Validator

    suites = load_suites(stage, tables)
    schema = "mart_build" if stage == "mart" and settings.dialect == "postgres" else stage
    run_at = datetime.now(UTC)
    now = run_at.replace(tzinfo=None)
    tomorrow = now + timedelta(days=1)
    results: list[ExpectationResult] = []
    with open_warehouse(settings, read_only=True) as warehouse:
        parameters = {"tomorrow": tomorrow, "fresh_since": _newest_raw(warehouse, now) - _FRESHNESS}
        validator = Validator(settings.var_dir / "gate", settings.data_docs_dir, run_at, parameters)
        present = [suite for suite in suites if warehouse.has_table(schema, suite.table)]
        for suite in present:
            answerable = suite.without(absent_references(warehouse, schema, suite))
            results += validator.run(answerable, read_frame(warehouse, schema, answerable, tomorrow))
    docs = validator.write_docs()
    absent = tuple(suite.table for suite in suites if suite not in present)
    report = GateReport(stage, run_at, tuple(results), _quarantine(settings, results, run_at), absent, docs)
    _store(settings, report)
    for result in report.warnings:
        log.warning("gate: %s", describe(stage, result))
    if report.blocking or (stage == "mart" and absent):
        raise GateFailedError(report, absent if stage == "mart" else ())
    return report


def describe(stage: Stage, result: ExpectationResult) -> str:
    """One line: table, expectation, rows, sample keys, remedy. Keys are ids and pseudonyms, never personal data."""
    found = result.finding or "failed"
    if result.unexpected_count is not None:
        found = f"{result.unexpected_count:,} of {result.element_count:,} rows"
    sample = "; ".join(" ".join(f"{name}={value}" for name, value in key.items()) for key in result.keys[:3])
    return (
        f"{stage}.{result.table}: {result.expectation}: {found}"
        + (f", such as {sample}" if sample else "")
        + f". {result.why} Remedy: {result.remedy}"
    )


def _blocks(result: ExpectationResult) -> bool:
    return not result.success and result.severity == "critical" and not _quarantines(result)


def _quarantines(result: ExpectationResult) -> bool:
    return (
        not result.success
        and result.may_quarantine
        and bool(result.keys)
        and result.unexpected_share <= result.max_quarantined_share
    )


def _newest_raw(warehouse: Warehouse, now: datetime) -> datetime:
    """Up to when the raw data reach, naive UTC; ``now`` where there are none."""
    newest = [
        row["newest"]
        for table, column in _NEWEST.items()
        if warehouse.has_table("raw", table)
        # Instants of the future are errors of their own and would make everything else look stale.
        for row in warehouse.rows(f"select max({column}) as newest from raw.{table} where {column} <= '{now}'")
        if row["newest"] is not None
    ]
    return max(newest, default=now)


def _quarantine(settings: Settings, results: Iterable[ExpectationResult], run_at: datetime) -> dict[str, int]:
    """Move failing rows out of raw; returns how many by table."""
    moved: dict[str, int] = {}
    for result in results:
        if not _quarantines(result):
            continue
        columns = ENTITIES[result.table].arrow_schema
        keys = pa.table(
            {name: pa.array([key[name] for key in result.keys], columns.field(name).type) for name in result.keys[0]}
        )
        count = quarantine.reject(
            settings,
            result.table,
            keys,
            rule=result.expectation,
            batch_id=f"gate-{run_at:%Y%m%dT%H%M%SZ}",
            field=result.column if result.column in columns.names else None,
            remedy=result.remedy,
        )
        moved[result.table] = moved.get(result.table, 0) + count
        log.warning("gate: %s rows of raw.%s went to quarantine: %s", count, result.table, result.expectation)
    return moved


def _store(settings: Settings, report: GateReport) -> None:
    """Append the results to ``raw.gate_results``, for operators; those of over 400 days ago go."""
    run_at = report.run_at.replace(tzinfo=None)
    rows = [
        {
            "run_at": run_at,
            "stage": report.stage,
            "table_name": result.table,
            "expectation": result.expectation,
            "severity": result.severity,
            "success": result.success,
            "unexpected_count": result.unexpected_count,
            "element_count": result.element_count,
        }
        for result in report.results
    ]
    with open_warehouse(settings) as warehouse:
        warehouse.create_table("raw", "gate_results", RESULTS_SCHEMA)
        warehouse.append("raw", "gate_results", pa.Table.from_pylist(rows, schema=RESULTS_SCHEMA))
        warehouse.execute(f"delete from raw.gate_results where run_at < timestamp '{run_at - RESULTS_KEPT}'")
