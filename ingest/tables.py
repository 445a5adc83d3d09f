"""The tables that ingest owns: ``raw.*`` and ``quarantine.*``. They exist even where no source fills them."""

from __future__ import annotations

import pyarrow as pa

from huiyin.config import Settings
from ingest.contract import ENTITIES
from warehouse.connection import Warehouse, open_warehouse

_INSTANT = pa.timestamp("us")

LOAD_AUDIT = pa.schema(
    [
        pa.field("batch_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("entity", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("interval_from_on", pa.date32()),
        pa.field("interval_to_on", pa.date32()),
        pa.field("fetched", pa.int64(), nullable=False),
        pa.field("loaded", pa.int64(), nullable=False),
        pa.field("merged", pa.int64(), nullable=False),
        pa.field("unchanged", pa.int64(), nullable=False),
        pa.field("quarantined", pa.int64(), nullable=False),
        pa.field("started_at", _INSTANT, nullable=False),
        pa.field("finished_at", _INSTANT),
        pa.field("error", pa.string()),
    ]
)
LOAD_AUDIT_KEY = ("batch_id", "source", "entity", "origin")

# What was loaded from which file, so that an unchanged file isn't read again.
LOAD_STATE = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("entity", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("mapping", pa.string(), nullable=False),
        pa.field("size_bytes", pa.int64(), nullable=False),
        pa.field("modified_ns", pa.int64(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("loaded_at", _INSTANT, nullable=False),
    ]
)
LOAD_STATE_KEY = ("source", "entity", "origin")

QUARANTINE = pa.schema(
    [
        pa.field("quarantine_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("entity", pa.string(), nullable=False),
        pa.field("batch_id", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("row_number", pa.int64()),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("field", pa.string()),
        pa.field("value", pa.string()),
        pa.field("remedy", pa.string()),
        pa.field("payload", pa.string()),
        pa.field("quarantined_at", _INSTANT, nullable=False),
        pa.field("replayed_at", _INSTANT),
    ]
)

CALENDAR_DAYS = pa.schema(
    [
        pa.field("date_day", pa.date32(), nullable=False),
        pa.field("day_kind", pa.string(), nullable=False),
        pa.field("is_workday", pa.bool_(), nullable=False),
        pa.field("holiday_name", pa.string()),
    ]
)


def ensure_tables(warehouse: Warehouse) -> None:
    """Create what is missing: schemas, tables, and columns that a later release added."""
    tables: list[tuple[str, str, pa.Schema, tuple[str, ...]]] = [
        ("raw", "load_audit", LOAD_AUDIT, LOAD_AUDIT_KEY),
        ("raw", "load_state", LOAD_STATE, LOAD_STATE_KEY),
        ("raw", "calendar_days", CALENDAR_DAYS, ("date_day",)),
    ]
    for entity in ENTITIES.values():
        tables.append(("raw", entity.name, entity.arrow_schema, ("_source", *entity.key)))
        tables.append(("quarantine", entity.name, QUARANTINE, ("quarantine_id",)))
    existing = _existing_columns(warehouse)
    if all(set(columns.names) <= existing.get((schema, name), set()) for schema, name, columns, _ in tables):
        return
    with warehouse.transaction():
        warehouse.lock("huiyin.raw")
        existing = _existing_columns(warehouse)
        for schema, name, columns, key in tables:
            known = existing.get((schema, name))
            if known is None:
                warehouse.create_table(schema, name, columns, key)
            elif missing := [column for column in columns if column.name not in known]:
                warehouse.add_missing_columns(schema, name, pa.schema(missing))


def _existing_columns(warehouse: Warehouse) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for row in warehouse.rows(
        "select table_schema, table_name, column_name from information_schema.columns"
        " where table_schema in ('raw', 'quarantine')"
    ):
        found.setdefault((row["table_schema"], row["table_name"]), set()).add(row["column_name"])
    return found


def ensure_raw_schema(settings: Settings) -> None:
    """Create all raw and quarantine tables that don't exist yet. Raises ``WarehouseError``."""
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
