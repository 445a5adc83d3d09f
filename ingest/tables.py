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
        # Rows that were found deleted upstream, by a tombstone (counted above too) or by their absence.
        pa.field("deleted", pa.int64()),
        pa.field("started_at", _INSTANT, nullable=False),
        pa.field("finished_at", _INSTANT),
        pa.field("error", pa.string()),
    ]
)
# The origin of rows that were replayed from the quarantine: each replay is a batch of its own.
REPLAY_ORIGIN = "quarantine"
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

# Where the next load of a stream goes on. Stored together with the rows that it stands for.
CURSORS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("stream", pa.string(), nullable=False),
        pa.field("cursor", pa.string(), nullable=False),
        pa.field("mapping", pa.string(), nullable=False),
        pa.field("batch_id", pa.string(), nullable=False),
        pa.field("updated_at", _INSTANT, nullable=False),
    ]
)
CURSORS_KEY = ("source", "stream")

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
        # The batch that loaded it after all.
        pa.field("replay_batch_id", pa.string()),
        # The row's key in raw (NULL where it can't be read), and of a row that was in raw its hash there.
        pa.field("row_key", pa.string()),
        pa.field("row_hash", pa.string()),
        # The version by which it competes with other rows of its key, as raw's _delivered_at.
        pa.field("delivered_at", _INSTANT),
    ]
)

# What people put right in quarantined rows; append-only, of one field the last fix holds.
QUARANTINE_FIXES = pa.schema(
    [
        pa.field("fix_id", pa.string(), nullable=False),
        pa.field("quarantine_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("entity", pa.string(), nullable=False),
        pa.field("field", pa.string(), nullable=False),
        pa.field("value", pa.string()),
        pa.field("fixed_by", pa.string(), nullable=False),
        pa.field("fixed_at", _INSTANT, nullable=False),
    ]
)
QUARANTINE_FIXES_KEY = ("fix_id",)

# Which columns the sources deliver; ``origin`` is the pattern of the files, the table or the stream.
SOURCE_COLUMNS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("entity", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("column_name", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),  # mapped, unmapped, missing
        pa.field("rows_seen", pa.int64(), nullable=False),
        pa.field("rows_filled", pa.int64(), nullable=False),
        pa.field("first_seen_at", _INSTANT, nullable=False),
        pa.field("last_seen_at", _INSTANT, nullable=False),
    ]
)
SOURCE_COLUMNS_KEY = ("source", "entity", "origin", "column_name")

# What changed in the sources' columns and values; ``row_count`` is that of the last load that saw it.
DRIFT = pa.schema(
    [
        pa.field("drift_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("entity", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # new_column, missing_column, retyped_column, new_value
        pa.field("name", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("policy", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("remedy", pa.string(), nullable=False),
        pa.field("row_count", pa.int64(), nullable=False),
        pa.field("batch_id", pa.string(), nullable=False),
        pa.field("first_seen_at", _INSTANT, nullable=False),
        pa.field("last_seen_at", _INSTANT, nullable=False),
        pa.field("ended_at", _INSTANT),
    ]
)
DRIFT_KEY = ("drift_id",)

SOURCE_HEALTH = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("entity", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),  # ok, late, down, failing, low_volume, high_volume
        pa.field("since_at", _INSTANT, nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("last_success_at", _INSTANT),
        pa.field("last_error_at", _INSTANT),
        pa.field("last_error", pa.string()),
        pa.field("newest_row_at", _INSTANT),
        pa.field("hours_since_new", pa.float64()),
        pa.field("expected_every_hours", pa.float64(), nullable=False),
        pa.field("last_day_on", pa.date32()),
        pa.field("rows_last_day", pa.int64()),
        pa.field("rows_expected", pa.float64()),
        pa.field("assessed_at", _INSTANT, nullable=False),
    ]
)
SOURCE_HEALTH_KEY = ("source", "entity")

# One row a condition and spell, however many tasks, retries or days see it.
OPERATOR_ALERTS = pa.schema(
    [
        pa.field("alert_key", pa.string(), nullable=False),
        pa.field("opened_at", _INSTANT, nullable=False),
        pa.field("source", pa.string()),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("severity", pa.string(), nullable=False),  # warning, critical
        pa.field("last_seen_at", _INSTANT, nullable=False),
        pa.field("closed_at", _INSTANT),
        pa.field("occurrences", pa.int64(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("remedy", pa.string(), nullable=False),
    ]
)
OPERATOR_ALERTS_KEY = ("alert_key", "opened_at")

CALENDAR_DAYS = pa.schema(
    [
        pa.field("date_day", pa.date32(), nullable=False),
        pa.field("day_kind", pa.string(), nullable=False),
        pa.field("is_workday", pa.bool_(), nullable=False),
        pa.field("holiday_name", pa.string()),
    ]
)

# What a dashboard reads: does the account of each batch, source, entity and origin come out even?
LOAD_BALANCE = """
CREATE OR REPLACE VIEW raw.load_balance AS
SELECT batch_id, source, entity, origin, fetched, loaded, merged, unchanged, quarantined,
       fetched - (loaded + merged + unchanged + quarantined) AS unaccounted,
       fetched = loaded + merged + unchanged + quarantined AS is_balanced,
       finished_at
FROM raw.load_audit
WHERE error IS NULL
"""


# Persons that were forgotten: how many rows, and one-way marks by which their old rows are known when they come again.
ERASURES = pa.schema(
    [
        pa.field("erasure_id", pa.string(), nullable=False),
        pa.field("erased_at", _INSTANT, nullable=False),
        pa.field("reason", pa.string()),
        pa.field("voices", pa.int64(), nullable=False),
        pa.field("row_counts", pa.string(), nullable=False),
        # What the other stores still have to do, as JSON without anything personal; NULL once all is done.
        pa.field("pending", pa.string()),
    ]
)
ERASURE_MARKS = pa.schema(
    [
        pa.field("mark", pa.string(), nullable=False),
        pa.field("surrogate", pa.string()),
        pa.field("erasure_id", pa.string(), nullable=False),
        pa.field("erased_at", _INSTANT, nullable=False),
    ]
)

# What the keys of the pseudonyms are known by, one row.
MASK_KEY = pa.schema([pa.field("fingerprint", pa.string(), nullable=False)])


def ensure_tables(warehouse: Warehouse) -> None:
    """Create what is missing: schemas, tables, and columns that a later release added."""
    tables: list[tuple[str, str, pa.Schema, tuple[str, ...]]] = [
        ("raw", "load_audit", LOAD_AUDIT, LOAD_AUDIT_KEY),
        ("raw", "load_state", LOAD_STATE, LOAD_STATE_KEY),
        ("raw", "cursors", CURSORS, CURSORS_KEY),
        ("raw", "mask_key", MASK_KEY, ()),
        ("raw", "calendar_days", CALENDAR_DAYS, ("date_day",)),
        ("raw", "erasures", ERASURES, ("erasure_id",)),
        ("raw", "erasure_marks", ERASURE_MARKS, ("mark", "erasure_id")),
        ("raw", "quarantine_fixes", QUARANTINE_FIXES, QUARANTINE_FIXES_KEY),
        ("raw", "source_columns", SOURCE_COLUMNS, SOURCE_COLUMNS_KEY),
        ("raw", "drift", DRIFT, DRIFT_KEY),
        ("raw", "source_health", SOURCE_HEALTH, SOURCE_HEALTH_KEY),
        ("raw", "operator_alerts", OPERATOR_ALERTS, OPERATOR_ALERTS_KEY),
    ]
    for entity in ENTITIES.values():
        # DuckDB would hold the whole index in memory, and its one writer merges by key anyway; the gate checks it.
        key = ("_source", *entity.key) if warehouse.dialect == "postgres" else ()
        tables.append(("raw", entity.name, entity.arrow_schema, key))
        tables.append(("quarantine", entity.name, QUARANTINE, ("quarantine_id",)))
    existing = _existing_columns(warehouse)
    if ("raw", "load_balance") in existing and all(
        set(columns.names) <= existing.get((schema, name), set()) for schema, name, columns, _ in tables
    ):
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
        warehouse.execute(LOAD_BALANCE)


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
