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
from dbt.artifacts.resources.types import NodeType
from dbt.artifacts.schemas.freshness import SourceFreshnessResult
from dbt.artifacts.schemas.results import NodeResult
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from psycopg.conninfo import conninfo_to_dict

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from warehouse.builds import (
    CALENDAR_TABLES,
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
    given = {"timezone": settings.timezone, **(variables or {})}
    # Waits for another process to leave the file, with the one error that everybody knows; dbt itself wouldn't wait.
    with open_warehouse(settings) as warehouse:
        create_build_tables(warehouse)
        create_nlp_tables(warehouse)
        rules = fingerprint(settings, warehouse, variables or {})
    manifest, left_out = None, list[str]()
    if is_build:
        manifest = _parsed(settings, given)
        with open_warehouse(settings) as warehouse:
            full_refresh = _is_full_refresh(warehouse, rules, manifest, full_refresh)
        left_out = [] if full_refresh else unchanged(manifest)
    arguments = _arguments(settings, command, given)
    if command == "build":
        # Of the tests that look at several tables, those whose tables are all there after this build.
        arguments += ["--exclude-resource-type", "unit_test", "exposure", "--indirect-selection", "buildable"]
    if is_build and full_refresh:
        arguments.append("--full-refresh")
    if left_out:
        arguments += ["--exclude", *left_out]
    if command == "docs generate":
        arguments.append("--static")
    if select:
        arguments += ["--select", *([select] if isinstance(select, str) else select)]
    outcome = _invoke(settings, arguments, manifest)
    results: list[NodeResult] = list(getattr(outcome.result, "results", None) or [])
    # Hooks are dbt's own business unless they fail.
    nodes = [_outcome(result) for result in results if str(getattr(result.node, "resource_type", "")) != "operation"]
    failing = ("runtime error",) if command == "source freshness" else _FAILED
    failed = [result for result in results if str(result.status) in failing]
    if failed:
        raise DbtFailedError(_explained(settings, command, failed, _state_dir(settings) / "logs"))
    # What is stale isn't this command's failure.
    succeeded = outcome.success or command == "source freshness"
    if outcome.exception is not None or not succeeded:
        raise DbtFailedError(f"dbt {command} could not start: {outcome.exception or 'unknown reason'}") from (
            outcome.exception
        )
    if select and not nodes and not left_out:
        raise DbtFailedError(f"dbt {command} did nothing: no model, seed or test is called {select!r}")
    if is_build and select in (None, SELECT_CORE, SELECT_MEANING):
        with open_warehouse(settings) as warehouse:
            if select == SELECT_MEANING:
                finish_meaning(warehouse)
            else:
                finish_build(warehouse, rules, began_at)
    return DbtReport(command, nodes)


def _state_dir(settings: Settings) -> Path:
    return settings.var_dir / "dbt" / settings.dialect


def _arguments(settings: Settings, command: str, variables: Mapping[str, Any]) -> list[str]:
    return [
        *command.split(),
        *("--project-dir", str(settings.dbt_dir), "--profiles-dir", str(settings.dbt_dir)),
        *("--target-path", str(_state_dir(settings) / "target")),
        *("--vars", json.dumps(variables, default=str)),
    ]


def _invoke(settings: Settings, arguments: list[str], manifest: Manifest | None) -> dbtRunnerResult:
    state_dir = _state_dir(settings)
    state_dir.mkdir(parents=True, exist_ok=True)
    # Options of dbt itself stand before the command.
    options = ["--quiet", "--no-use-colors", "--no-send-anonymous-usage-stats", "--log-path", str(state_dir / "logs")]
    options += ["--log-level", "none", "--log-level-file", "info", "--no-version-check"]
    try:
        with _environment(_connection_variables(settings)):
            return dbtRunner(manifest).invoke(options + arguments)
    finally:
        # dbt keeps the DuckDB file open for the life of the process, and nobody else could write.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


def _parsed(settings: Settings, variables: Mapping[str, Any]) -> Manifest:
    """The project as dbt understands it; what didn't change since the last time isn't parsed again."""
    outcome = _invoke(settings, _arguments(settings, "parse", variables), None)
    if not isinstance(outcome.result, Manifest):
        raise DbtFailedError(f"dbt can't read its project: {outcome.exception or 'unknown reason'}")
    return outcome.result


def unchanged(manifest: Manifest) -> list[str]:
    """What an increment leaves as the last full refresh made it, as dbt selects it: seeds, views that no test looks at,
    and tables of nothing but seeds and the calendar. Their fingerprint would have changed otherwise.
    """
    nodes = manifest.nodes.values()
    fixed = {
        source.unique_id
        for source in manifest.sources.values()
        if source.source_name == "raw" and source.identifier in CALENDAR_TABLES
    }
    fixed |= {node.unique_id for node in nodes if node.resource_type == NodeType.Seed}
    models = [node for node in nodes if node.resource_type == NodeType.Model]
    found = True
    while found:
        fresh = {
            model.unique_id
            for model in models
            if model.depends_on_nodes and fixed.issuperset(model.depends_on_nodes) and model.unique_id not in fixed
        }
        fixed |= fresh
        found = bool(fresh)
    # dbt leaves out with a view the tests of it, and what they say is of the rows below it.
    tested = {name for node in nodes if node.resource_type == NodeType.Test for name in node.depends_on_nodes}
    left_out = [
        ".".join(model.fqn)
        for model in models
        if model.unique_id in fixed or (model.config.materialized == "view" and model.unique_id not in tested)
    ]
    return ["resource_type:seed", *sorted(left_out)]


def _missing(warehouse: Warehouse, manifest: Manifest) -> list[str]:
    """Tables and views of the project that aren't there, such as one dropped by hand."""
    rows = warehouse.rows("select table_schema, table_name from information_schema.tables")
    there = {(row["table_schema"], row["table_name"]) for row in rows}
    kinds = (NodeType.Model, NodeType.Seed, NodeType.Snapshot)
    wanted = [(node.schema, node.alias) for node in manifest.nodes.values() if node.resource_type in kinds]
    return [f"{schema}.{name}" for schema, name in wanted if (schema, name) not in there]


def _is_full_refresh(warehouse: Warehouse, rules: str, manifest: Manifest, is_wanted: bool) -> bool:
    """Whether everything is written anew. If so, that stays due until a build of everything ends well."""
    before = built_fingerprint(warehouse)
    missing = _missing(warehouse, manifest) if before == rules else []
    if before == rules and not missing and not is_wanted:
        return False
    if before is None:
        log.info("full build: no build of everything has ended well yet, or it was forgotten")
    elif before != rules:
        log.info("full build: SQL, rules, variables, time zone, calendar or service hours changed since the last one")
    elif missing:
        log.info("full build: %s isn't there any more", ", ".join(missing))
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
