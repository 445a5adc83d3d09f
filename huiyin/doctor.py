"""Checks what a run needs and says what to do about what is missing."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Literal

import chinese_calendar
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from ingest.connectors.base import reader_of
from ingest.errors import SourceError
from ingest.rotation import key_fault
from ingest.sources import DECISIONS, AnySource, SourcesFile, load_sources
from warehouse import open_warehouse

MINIMUM_FREE_BYTES = 3 * 1024**3
CALENDAR_WARNING_DAYS = 60
RULES = (
    "alert_rules", "campaigns", "captions", "channels", "composite_weights", "indicators", "priority_weights",
    "problem_types", "routing", "service_schedules", "sla_policies",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One check: ``ok``, ``warning`` (a run works) or ``error`` (it won't), and the remedy where there is one."""

    check: str
    level: Literal["ok", "warning", "error"]
    detail: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Run all checks, each independent of the others."""
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _folders,
        _rules,
        _warehouse,
        _ops_database,
        _sources,
        _alerts,
        _calendar,
    )
    for check in checks:
        yield from check(settings)


def _python(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] == (3, 11):
        yield Finding("Python", "ok", version)
    else:
        yield Finding("Python", "error", version, "the lock is for Python 3.11; make .venv with python3.11")


def locked_versions(lock_file: Path) -> dict[str, str]:
    """Package → version as the lock file pins them (packages for other platforms are left out)."""
    pinned = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)\s*(;[^\\]*)?", re.MULTILINE)
    return {match[1]: match[2] for match in pinned.finditer(lock_file.read_text(encoding="utf-8")) if not match[3]}


def _packages(settings: Settings) -> Iterator[Finding]:
    expected = locked_versions(settings.home / "requirements" / "lock.txt")
    wrong = []
    for name, version in expected.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != version:
            wrong.append(f"{name} is {found}, locked {version}")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        yield Finding(
            "packages", "error", "; ".join(wrong[:3]) + more, "rm .venv/installed && make demo installs the lock"
        )
    else:
        yield Finding("packages", "ok", f"{len(expected)} as locked")


def _folders(settings: Settings) -> Iterator[Finding]:
    try:
        settings.var_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        yield Finding("run-time folder", "error", str(error), "set HUIYIN_VAR to a folder that you may write")
        return
    free = shutil.disk_usage(settings.var_dir).free
    if not os.access(settings.var_dir, os.W_OK):
        yield Finding(
            "run-time folder", "error", f"{settings.var_dir} is read-only", "chown it, or set HUIYIN_VAR elsewhere"
        )
    elif free < MINIMUM_FREE_BYTES:
        yield Finding(
            "run-time folder",
            "warning",
            f"{free / 1024**3:.1f} GiB free at {settings.var_dir}",
            "make room (3 GiB), or set HUIYIN_VAR to a larger disk",
        )
    else:
        yield Finding("run-time folder", "ok", f"{settings.var_dir}, {free / 1024**3:.0f} GiB free")


def _rules(settings: Settings) -> Iterator[Finding]:
    missing = [f"{name}.csv" for name in RULES if not (settings.rules_dir / f"{name}.csv").exists()]
    if missing:
        yield Finding(
            "business rules",
            "error",
            f"{settings.rules_dir} lacks {', '.join(missing)}",
            "copy the missing files from dbt_project/seeds and edit them",
        )
    else:
        yield Finding("business rules", "ok", str(settings.rules_dir))


def _warehouse(settings: Settings) -> Iterator[Finding]:
    if settings.dialect == "duckdb" and not settings.duckdb_file.exists():
        yield Finding("warehouse", "ok", "not made yet; the first run makes it")
        return
    try:
        with open_warehouse(settings, read_only=True, lock_wait_seconds=2) as warehouse:
            tables = warehouse.rows("select count(*) as n from information_schema.tables")[0]["n"]
            fault = key_fault(warehouse, settings)
        yield Finding("warehouse", "ok", f"{settings.dialect}, {tables} tables and views")
        if fault:
            yield Finding("mask key", "error", *fault)
    except HuiyinError as error:
        yield Finding("warehouse", "error", str(error), "stop what holds it, or check HUIYIN_WAREHOUSE")


def _ops_database(settings: Settings) -> Iterator[Finding]:
    yield _reachable("ops database", settings.ops_db_url, "check HUIYIN_OPS_DB")


def _reachable(check: str, url: str, remedy: str) -> Finding:
    """Whether a SQLAlchemy URL answers; a SQLite file that isn't there yet is fine (and is not made)."""
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return Finding(check, "ok", "not made yet")
    try:
        engine = create_engine(url)
        with engine.connect() as connection:
            connection.execute(text("select 1"))
        engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        return Finding(check, "error", str(error).splitlines()[0], remedy)
    return Finding(check, "ok", engine.dialect.name)


def _sources(settings: Settings) -> Iterator[Finding]:
    file = settings.sources_file
    if not file.exists():
        yield Finding(
            "sources", "warning", f"{file} is not there", "make demo makes one; or start from examples/own_files.yml"
        )
        return
    try:
        sources = load_sources(settings)
    except HuiyinError as error:
        yield Finding("sources", "error", str(error), "see docs/sources.md")
        return
    yield from _each_source(sources)


def _each_source(sources: SourcesFile) -> Iterator[Finding]:
    for source in sources.sources:
        if source.name != DECISIONS:
            yield _signed_in(source, sources)


def _signed_in(source: AnySource, sources: SourcesFile) -> Finding:
    """Whether its files are there, or the system answers and lets us in, as its own reader finds out."""
    try:
        return Finding(f"source {source.name}", "ok", reader_of(source).check(source, sources.folder))
    except SourceError as error:
        return Finding(
            f"source {source.name}", "error", str(error), "mend the source, or its entry in the sources file"
        )


def _alerts(settings: Settings) -> Iterator[Finding]:
    """What the last runs left for a person to do."""
    if settings.dialect == "duckdb" and not settings.duckdb_file.exists():
        return
    try:
        with open_warehouse(settings, read_only=True, lock_wait_seconds=2) as warehouse:
            if not warehouse.has_table("raw", "operator_alerts"):
                return
            found = warehouse.rows(
                "select alert_key, message, remedy from raw.operator_alerts where closed_at is null order by opened_at"
            )
    except HuiyinError:
        return  # the check of the warehouse says why
    for alert in found:
        yield Finding(f"alert {alert['alert_key']}", "warning", alert["message"], alert["remedy"])


def _calendar(settings: Settings) -> Iterator[Finding]:
    last_year = max(day.year for day in chinese_calendar.holidays)
    left = (date(last_year, 12, 31) - date.today()).days  # noqa: DTZ011
    if left < CALENDAR_WARNING_DAYS:
        yield Finding(
            "holiday calendar",
            "warning",
            f"covers up to {last_year}",
            "upgrade chinese-calendar (make lock); later days fall back to weekly hours",
        )
    else:
        yield Finding("holiday calendar", "ok", f"up to {last_year}")
