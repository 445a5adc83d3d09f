"""Run dbt in this process: the connection comes from the settings, failures name their nodes."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.artifacts.schemas.freshness import SourceFreshnessResult
from dbt.artifacts.schemas.results import NodeResult
from dbt.cli.main import dbtRunner
from psycopg.conninfo import conninfo_to_dict

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from warehouse.builds import (
    built_fingerprint,
    create_build_tables,
    fingerprint,
    finish_build,
    finish_meaning,
    forget_build,
)
from warehouse.connection import Warehouse, open_warehouse
from warehouse.handover import create_nlp_tables
from warehouse.rules import check_rules

Command = Literal["build", "run", "test", "seed", "compile", "parse", "source freshness", "docs generate"]

# What to build when: `service_mart` builds everything, since new tickets change what depends on meaning, too;
# afterwards only what new scores or new decisions change.
SELECT_CORE = "fqn:*"
SELECT_MEANING = "tag:meaning"
SELECT_DECISIONS = "tag:decisions"
SELECT_UNIT_TESTS = "test_type:unit"

log = logging.getLogger(__name__)

_FAILED = ("error", "fail", "runtime error")
_SHOWN_ROWS = 10


class DbtFailedError(HuiyinError):
    """dbt didn't succeed; the message names each failing node, why, and what to do."""


@dataclass(frozen=True)
class NodeOutcome:
    """What became of one model, seed or test."""

    name: str
    kind: str
    status: str
    seconds: float
    message: str


@dataclass(frozen=True)
class DbtReport:
    """What a dbt command did."""

    command: str
    nodes: list[NodeOutcome]

    @property
    def counts(self) -> dict[str, int]:
        """Nodes by status: success, pass, warn, skipped …"""
        return dict(Counter(node.status for node in self.nodes))

    @property
    def warnings(self) -> list[NodeOutcome]:
        """Nodes that warn, such as tests of severity warn and stale sources."""
        return [node for node in self.nodes if node.status == "warn"]

    @property
    def seconds(self) -> float:
        """Time spent in the nodes, over all threads."""
        return sum(node.seconds for node in self.nodes)


def run_dbt(
    settings: Settings,
    command: Command,
    select: str | Sequence[str] | None = None,
    variables: Mapping[str, Any] | None = None,
    full_refresh: bool = False,
) -> DbtReport:
    """Run a dbt command on the configured warehouse and wait for it.

    A build writes only what changed since the last build of everything, unless ``full_refresh`` is set or the rules of
    the mart changed (SQL, seeds, variables, time zone, calendar, service hours): then it writes all of it anew.

    ``select`` takes dbt's selection syntax (see the ``SELECT_…`` constants); ``variables`` override the project's, such
    as ``as_of``, the UTC instant that running clocks are measured at. ``build`` leaves out unit tests: they prove the
    SQL, not the data. ``source freshness`` reports stale sources (status warn or error) without failing.
    Raises :class:`DbtFailedError`, ``warehouse.rules.RulesError`` and ``WarehouseError``.
    """
    check_rules(settings)
    began_at = datetime.now(UTC).replace(tzinfo=None)
    is_build = command in ("build", "run")
    # Waits for another process to leave the file, with the one error that everybody knows; dbt itself wouldn't wait.
    with open_warehouse(settings) as warehouse:
        create_build_tables(warehouse)
        create_nlp_tables(warehouse)
        rules = fingerprint(settings, warehouse, variables or {})
        if is_build:
            full_refresh = _is_full_refresh(warehouse, rules, full_refresh)
    state_dir = settings.var_dir / "dbt" / settings.dialect
    state_dir.mkdir(parents=True, exist_ok=True)
    arguments = [
        *command.split(),
        *("--project-dir", str(settings.dbt_dir), "--profiles-dir", str(settings.dbt_dir)),
        *("--target-path", str(state_dir / "target")),
        *("--vars", json.dumps({"timezone": settings.timezone, **(variables or {})}, default=str)),
    ]
    if command == "build":
        # Of the tests that look at several tables, those whose tables are all there after this build.
        arguments += ["--exclude-resource-type", "unit_test", "exposure", "--indirect-selection", "buildable"]
    if is_build and full_refresh:
        arguments.append("--full-refresh")
    if command == "docs generate":
        arguments.append("--static")
    if select:
        arguments += ["--select", *([select] if isinstance(select, str) else select)]
    # Options of dbt itself stand before the command.
    options = ["--quiet", "--no-use-colors", "--no-send-anonymous-usage-stats", "--log-path", str(state_dir / "logs")]
    options += ["--log-level", "none", "--log-level-file", "info", "--no-version-check"]
    try:
        with _environment(_connection_variables(settings)):
            outcome = dbtRunner().invoke(options + arguments)
    finally:
        # dbt keeps the DuckDB file open for the life of the process, and nobody else could write.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    results: list[NodeResult] = list(getattr(outcome.result, "results", None) or [])
    # Hooks are dbt's own business unless they fail.
    nodes = [_outcome(result) for result in results if str(getattr(result.node, "resource_type", "")) != "operation"]
    failing = ("runtime error",) if command == "source freshness" else _FAILED
    failed = [result for result in results if str(result.status) in failing]
    if failed:
        raise DbtFailedError(_explained(settings, command, failed, state_dir / "logs"))
    # What is stale isn't this command's failure.
    succeeded = outcome.success or command == "source freshness"
    if outcome.exception is not None or not succeeded:
        raise DbtFailedError(f"dbt {command} could not start: {outcome.exception or 'unknown reason'}") from (
            outcome.exception
        )
    if select and not nodes:
        raise DbtFailedError(f"dbt {command} did nothing: no model, seed or test is called {select!r}")
    if is_build and select in (None, SELECT_CORE, SELECT_MEANING):
        with open_warehouse(settings) as warehouse:
            if select == SELECT_MEANING:
                finish_meaning(warehouse)
            else:
                finish_build(warehouse, rules, began_at)
    return DbtReport(command, nodes)


def _is_full_refresh(warehouse: Warehouse, rules: str, is_wanted: bool) -> bool:
    """Whether everything is written anew. If so, that stays due until a build of everything ends well."""
    before = built_fingerprint(warehouse)
    if before == rules and not is_wanted:
        return False
    if before is None:
        log.info("full build: no build of everything has ended well yet, or it was forgotten")
    elif before != rules:
        log.info("full build: SQL, rules, variables, time zone, calendar or service hours changed since the last one")
    else:
        log.info("full build: as wanted")
    forget_build(warehouse)
    return True


def _connection_variables(settings: Settings) -> dict[str, str]:
    """What profiles.yml and dbt_project.yml read from the environment."""
    values = {
        "DO_NOT_TRACK": "1",
        "HUIYIN_DBT_TARGET": settings.dialect,
        # dbt wants paths relative to the project.
        "HUIYIN_DBT_RULES": os.path.relpath(settings.rules_dir, settings.dbt_dir),
    }
    if settings.dialect == "duckdb":
        return values | {"HUIYIN_DBT_DUCKDB_FILE": str(settings.duckdb_file)}
    url = {key: str(value) for key, value in conninfo_to_dict(settings.warehouse_url).items() if value is not None}
    return values | {
        "HUIYIN_DBT_PG_HOST": url.get("host", "localhost"),
        "HUIYIN_DBT_PG_PORT": url.get("port", "5432"),
        "HUIYIN_DBT_PG_USER": url.get("user", ""),
        "DBT_ENV_SECRET_HUIYIN_PG_PASSWORD": url.get("password", ""),
        "HUIYIN_DBT_PG_DATABASE": url.get("dbname", ""),
        "HUIYIN_DBT_PG_SSLMODE": url.get("sslmode", "prefer"),
    }


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _outcome(result: NodeResult) -> NodeOutcome:
    node: Any = result.node
    message = result.message or ""
    if isinstance(result, SourceFreshnessResult):
        message = f"last loaded {result.age / 3600:.1f} hours ago"
    return NodeOutcome(node.name, str(node.resource_type), str(result.status), result.execution_time, message)


def _explained(settings: Settings, command: str, failed: Sequence[NodeResult], logs: Path) -> str:
    lines = [f"dbt {command} failed:"]
    with open_warehouse(settings) as warehouse:
        for result in failed:
            node: Any = result.node
            reason = " ".join((result.message or "no reason given").split()).split(" > in macro ")[0]
            if str(node.resource_type) == "test" and str(result.status) == "fail":
                reason = "; ".join(_broken_rules(warehouse, node.compiled_code)) or reason
            lines.append(f"  {node.resource_type} {node.name} ({node.original_file_path}): {reason}")
    lines.append(f"nothing is published; mend the data or the rules and run again. dbt's own log: {logs / 'dbt.log'}")
    return "\n".join(lines)


def _broken_rules(warehouse: Warehouse, query: str | None) -> list[str]:
    """What a data test found: its rows say what is wrong and how often (tests/generic/sound.sql)."""
    if not query:
        return []
    found = warehouse.query(f"select * from ({query}) as found limit {_SHOWN_ROWS}").to_pylist()
    return [", ".join(f"{name}: {value}" for name, value in row.items()) for row in found]
