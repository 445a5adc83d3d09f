"""Publish the mart: readers see the old one until the new one is complete, then the new one, never anything between."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from warehouse.connection import DuckDBWarehouse, PostgresWarehouse, Warehouse, open_warehouse

PUBLIC_MARTS = (
    "dim_date",
    "dim_customer",
    "dim_agent",
    "dim_channel",
    "dim_topic",
    "dim_service_window",
    "dim_indicator",
    "fct_tickets",
    "fct_ticket_events",
    "fct_ticket_links",
    "fct_ticket_stages",
    "fct_handovers",
    "fct_sla",
    "fct_replies",
    "fct_feedback",
    "fct_sentiment",
    "fct_voice_opinions",
    "fct_topic_daily",
    "agg_drivers",
    "agg_knowledge_gaps",
    "fct_customer_risk",
    "agg_model_watch",
    "fct_alerts",
    "fct_cards",
    "fct_actions",
    "fct_action_effects",
    "agg_indicator_daily",
    "agg_indicator_period",
    "agg_indicator_summary",
    "agg_duration_distribution",
    "agg_composite_index",
    "agg_composite_contribution",
    "agg_problem_response",
    "agg_flow",
    "agg_flow_stages",
    "agg_flow_transitions",
    "agg_knowledge_use",
    "agg_repeat_contacts",
    "agg_bot_performance",
    "agg_action_tracking",
    "agg_ticket_reconciliation",
    "fct_demand_hourly",
    "fct_demand_forecast",
    "fct_demand_forecast_types",
    "agg_forecast_accuracy",
    "fct_staffing_groups",
    "fct_staffing",
    "agg_reconciliation",
    "bi_captions",
)
# BI tools on DuckDB before 2.0 can read this.
STORAGE_VERSION = "v1.4.0"
_DROP_WAIT = "5s"


class PublishError(HuiyinError):
    """The mart can't be published; readers keep the old one. The message says why and what to do."""


@dataclass(frozen=True)
class PublishReport:
    """What was published where."""

    target: str
    published_at: datetime
    row_counts: dict[str, int]


def publish(settings: Settings) -> PublishReport:
    """Replace what readers see by the mart that dbt built.

    DuckDB: a new file beside ``settings.published_file`` is filled, checked and renamed over it; who has the old file
    open keeps reading it. PostgreSQL: the tables are copied to a new schema that takes the name ``mart`` in one
    transaction; who may read the old one may read the new one, and so may ``settings.bi_role``. Raises
    :class:`PublishError` and ``WarehouseError``.
    """
    with open_warehouse(settings) as warehouse:
        if isinstance(warehouse, DuckDBWarehouse):
            _require_marts(warehouse, "mart")
            counts = _publish_file(warehouse, settings.published_file)
            return PublishReport(str(settings.published_file), _now(), counts)
        assert isinstance(warehouse, PostgresWarehouse)
        _require_marts(warehouse, "mart_build")
        if settings.bi_role:
            _ensure_role(warehouse, settings.bi_role)
        with open_warehouse(settings) as built:
            assert isinstance(built, PostgresWarehouse)
            counts = _publish_schema(warehouse, built, settings.bi_role)
        return PublishReport("schema mart", _now(), counts)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _require_marts(warehouse: Warehouse, schema: str) -> None:
    missing = [name for name in PUBLIC_MARTS if not warehouse.has_table(schema, name)]
    if missing:
        raise PublishError(
            f"the mart is incomplete, {schema} lacks {', '.join(missing)}; readers keep the old one."
            " Build all of it first: run the DAG service_mart, or `huiyin run`"
        )


def _publish_file(warehouse: DuckDBWarehouse, file: Path) -> dict[str, int]:
    file.parent.mkdir(parents=True, exist_ok=True)
    # The warehouse is locked here, so nobody else publishes: what lies there was left by a process that was killed.
    for leftover in file.parent.glob(f".{file.name}.*"):
        leftover.unlink()
    new_file = file.parent / f".{file.name}.{uuid4().hex}"
    try:
        counts = _copy_marts(warehouse, new_file)
        with new_file.open("rb+") as written:
            os.fsync(written.fileno())
        new_file.replace(file)
    finally:
        for leftover in file.parent.glob(f"{new_file.name}*"):
            leftover.unlink()
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return counts


def _copy_marts(warehouse: DuckDBWarehouse, new_file: Path) -> dict[str, int]:
    path = str(new_file).replace("'", "''")
    warehouse.execute(f"ATTACH '{path}' AS published (STORAGE_VERSION '{STORAGE_VERSION}')")
    counts: dict[str, int] = {}
    try:
        warehouse.execute("CREATE SCHEMA published.mart")
        for name in PUBLIC_MARTS:
            warehouse.execute(f"CREATE TABLE published.mart.{name} AS FROM mart.{name}")
            built, copied = (_fingerprint(warehouse, f"{schema}.{name}") for schema in ("mart", "published.mart"))
            if built != copied:
                raise PublishError(f"the copy of {name} differs from the mart ({copied} for {built}); publish again")
            counts[name] = built[0]
        for statement in _comments(warehouse):
            warehouse.execute(statement)
    finally:
        # Detaching writes everything into the file and removes its log.
        warehouse.execute("DETACH published")
    return counts


def _fingerprint(warehouse: Warehouse, table: str) -> tuple[int, int]:
    """Number of rows and a checksum over them that doesn't depend on their order."""
    found = warehouse.rows(f"SELECT count(*) AS row_count, bit_xor(hash(t)) AS checksum FROM {table} t")[0]
    return found["row_count"], found["checksum"]


def _comments(warehouse: Warehouse) -> list[str]:
    """Statements that repeat the descriptions of tables and columns in the published file."""
    own = "database_name = current_database() AND schema_name = 'mart' AND comment IS NOT NULL"
    tables = warehouse.rows(
        f"SELECT table_name, comment FROM duckdb_tables() WHERE {own}"
        f" UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE {own}"
    )
    columns = warehouse.rows(f"SELECT table_name, column_name, comment FROM duckdb_columns() WHERE {own}")
    return [
        f"COMMENT ON TABLE published.mart.{row['table_name']} IS {_literal(row['comment'])}"
        for row in tables
        if row["table_name"] in PUBLIC_MARTS
    ] + [
        f"COMMENT ON COLUMN published.mart.{row['table_name']}.{row['column_name']} IS {_literal(row['comment'])}"
        for row in columns
        if row["table_name"] in PUBLIC_MARTS
    ]


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _ensure_role(warehouse: PostgresWarehouse, role: str) -> None:
    """Make the role unless it exists. It can't log in: people's and tools' own logins become members of it."""
    if warehouse.rows(f"SELECT 1 AS found FROM pg_roles WHERE rolname = {_literal(role)}"):
        return
    try:
        warehouse.connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise PublishError(
            f"bi_role: there is no role {role} and this login may not create it; readers keep the old mart."
            f" Have an administrator run: CREATE ROLE {role} NOLOGIN"
        ) from error


def _publish_schema(warehouse: PostgresWarehouse, built: PostgresWarehouse, bi_role: str) -> dict[str, int]:
    """Copy the marts to a new schema and give it the name ``mart``; ``built``: another connection, to read by."""
    connection = warehouse.connection
    counts: dict[str, int] = {}
    with warehouse.transaction():
        warehouse.lock("huiyin.publish")
        warehouse.execute("DROP SCHEMA IF EXISTS mart_next CASCADE")
        warehouse.execute("CREATE SCHEMA mart_next")
        for name in PUBLIC_MARTS:
            # LIKE carries the descriptions of the columns over.
            warehouse.execute(f"CREATE TABLE mart_next.{name} (LIKE mart_build.{name} INCLUDING COMMENTS)")
            counts[name] = _copy_frozen(built, warehouse, name)
            comment = warehouse.rows(f"SELECT obj_description('mart_build.{name}'::regclass) AS comment")[0]["comment"]
            if comment:
                warehouse.execute(f"COMMENT ON TABLE mart_next.{name} IS {_literal(comment)}")
    for name in PUBLIC_MARTS:
        warehouse.execute(f"ANALYZE mart_next.{name}")
    granted = warehouse.rows(
        "SELECT DISTINCT r.rolname AS role FROM pg_namespace n, aclexplode(n.nspacl) a"
        " JOIN pg_roles r ON r.oid = a.grantee"
        " WHERE n.nspname = 'mart' AND a.privilege_type = 'USAGE' AND a.grantee <> n.nspowner"
    )
    retired = f"mart_retired_{time.time_ns()}"
    with warehouse.transaction():
        for name in sorted({row["role"] for row in granted} | ({bi_role} if bi_role else set())):
            role = sql.Identifier(name)
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA mart_next TO {}").format(role))
            connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA mart_next TO {}").format(role))
        if warehouse.rows("SELECT 1 AS found FROM pg_namespace WHERE nspname = 'mart'"):
            warehouse.execute(f"ALTER SCHEMA mart RENAME TO {retired}")
        warehouse.execute("ALTER SCHEMA mart_next RENAME TO mart")
    _drop_retired(warehouse)
    return counts


def _copy_frozen(built: PostgresWarehouse, warehouse: PostgresWarehouse, name: str) -> int:
    """Copy a table that this transaction made; the number of rows.

    Frozen rows are seen by every transaction, also by one of level REPEATABLE READ that began before the publication
    (a backup, a report of several queries): it would find the new tables empty otherwise.
    """
    read = f"COPY (SELECT * FROM mart_build.{name}) TO STDOUT (FORMAT binary)"
    write = f"COPY mart_next.{name} FROM STDIN (FORMAT binary, FREEZE)"
    with built.connection.cursor() as source, warehouse.connection.cursor() as target:
        with source.copy(read.encode()) as rows, target.copy(write.encode()) as copy:
            for data in rows:
                copy.write(data)
        return target.rowcount


def _drop_retired(warehouse: PostgresWarehouse) -> None:
    """Drop old marts. One that is being read stays until the next publication: readers are never cut off."""
    retired = warehouse.rows("SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'mart\\_retired\\_%'")
    warehouse.execute(f"SET lock_timeout = '{_DROP_WAIT}'")
    for row in retired:
        try:
            warehouse.execute(f"DROP SCHEMA {row['name']} CASCADE")
        except psycopg.errors.LockNotAvailable:
            continue
    warehouse.execute("RESET lock_timeout")
