"""How far the mart is built: what an incremental build begins from, and when everything must be built anew.

The dbt project reads these tables (macros/incremental.sql); only a build that ended well moves them on, so a killed one
is repaired by the next.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from huiyin.config import Settings
from warehouse.connection import Warehouse

BUILD_TABLES: dict[str, tuple[pa.Schema, tuple[str, ...]]] = {
    "state": (
        pa.schema(
            [
                pa.field("fingerprint", pa.string(), nullable=False),
                pa.field("is_finished", pa.bool_()),
                pa.field("carries_over", pa.bool_()),
                pa.field("as_of_at", pa.timestamp("us")),
            ]
        ),
        ("fingerprint",),
    ),
    "loads": (
        pa.schema(
            [
                pa.field("entity", pa.string(), nullable=False),
                pa.field("source", pa.string(), nullable=False),
                pa.field("batch_id", pa.string(), nullable=False),
                pa.field("loaded_at", pa.timestamp("us"), nullable=False),
                pa.field("row_count", pa.int64()),
            ]
        ),
        ("entity", "source", "batch_id", "loaded_at"),
    ),
    "removed": (
        pa.schema(
            [
                pa.field("entity", pa.string(), nullable=False),
                pa.field("source", pa.string(), nullable=False),
                pa.field("row_key", pa.string(), nullable=False),
                pa.field("ticket_id", pa.string()),
                pa.field("feedback_id", pa.string()),
                pa.field("removed_at", pa.timestamp("us")),
            ]
        ),
        ("entity", "source", "row_key"),
    ),
}
# Rows of these leave the mart one by one; anything else that is removed from raw makes the next build a full refresh.
_OF_TICKETS = {"tickets": "ticket_id", "ticket_events": "event_id", "messages": "message_id", "feedback": "feedback_id"}
# Few rows on which every business clock depends.
CALENDAR_TABLES = ("calendar_days", "schedules", "schedule_holidays")
_RULES_OF_NOW = "as_of"


def create_build_tables(warehouse: Warehouse) -> None:
    """Create schema ``build`` and its tables unless they exist."""
    for table, (schema, key) in BUILD_TABLES.items():
        warehouse.create_table("build", table, schema, key)


def fingerprint(settings: Settings, warehouse: Warehouse, variables: Mapping[str, Any]) -> str:
    """Of all that shapes every row of the mart: SQL, seeds, variables (without 'now'), time zone, calendar, hours."""
    digest = hashlib.blake2b(digest_size=16)
    files = {file for suffix in ("sql", "yml") for file in settings.dbt_dir.rglob(f"*.{suffix}")}
    for folder, found in ((settings.dbt_dir, files), (settings.rules_dir, set(settings.rules_dir.glob("*.csv")))):
        for file in sorted(found):
            digest.update(_entry(str(file.relative_to(folder)), file))
    stated = {name: value for name, value in variables.items() if name != _RULES_OF_NOW}
    digest.update(json.dumps([settings.timezone, stated], sort_keys=True, default=str).encode())
    for table in CALENDAR_TABLES:
        # An empty table is as good as none. When a row came, and in which order they are read, doesn't matter.
        rows = warehouse.rows(f"select * from raw.{table}") if warehouse.has_table("raw", table) else []
        said = sorted(str({k: v for k, v in row.items() if k not in _LOAD_COLUMNS}) for row in rows)
        digest.update(json.dumps([table, said]).encode())
    return digest.hexdigest()


_LOAD_COLUMNS = frozenset({"_loaded_at", "_batch_id", "_row_hash", "_delivered_at"})


def _entry(name: str, file: Path) -> bytes:
    content = file.read_bytes()
    return f"{name}\x1f{len(content)}\x1f".encode() + content


def built_fingerprint(warehouse: Warehouse) -> str | None:
    """The fingerprint of the last build of everything; None where the next one must be a full refresh."""
    found = warehouse.rows("select fingerprint from build.state")
    return str(found[0]["fingerprint"]) if found else None


def forget_build(warehouse: Warehouse) -> None:
    """Make the next build a full refresh: of texts that were emptied, of rows changed other than by a load."""
    create_build_tables(warehouse)
    warehouse.execute("delete from build.state")


def announce_removed(warehouse: Warehouse, entity: str, rows: pa.Table, at: datetime) -> None:
    """Tell the next build that these rows leave ``raw`` other than by a delivery, such as for the quarantine."""
    if not rows.num_rows:
        return
    create_build_tables(warehouse)
    key = _OF_TICKETS.get(entity)
    if key is None:
        forget_build(warehouse)
        return
    told = [
        {
            "entity": entity,
            "source": row["_source"],
            "row_key": row[key],
            "ticket_id": row["ticket_id"],
            "feedback_id": row.get("feedback_id"),
            "removed_at": at,
        }
        for row in rows.select(sorted({"_source", key, "ticket_id"})).to_pylist()
    ]
    schema, keys = BUILD_TABLES["removed"]
    warehouse.merge("build", "removed", pa.Table.from_pylist(told, schema), keys, compare="removed_at")


def finish_build(warehouse: Warehouse, built: str, began_at: datetime) -> None:
    """Everything was built: the next build begins from here. ``began_at``: before it began to read (UTC)."""
    with warehouse.transaction():
        warehouse.execute("delete from build.state")
        warehouse.execute(
            f"insert into build.state select '{built}', true, false, as_of_at from intermediate.int_as_of"
        )
        _move_on(warehouse, "int_loads")
        _move_on(warehouse, "int_meaning_loads")
        warehouse.execute(f"delete from build.removed where removed_at < timestamp '{began_at:%Y-%m-%d %H:%M:%S.%f}'")


def finish_meaning(warehouse: Warehouse) -> None:
    """What depends on scores and topics was built."""
    with warehouse.transaction():
        _move_on(warehouse, "int_meaning_loads")


def _move_on(warehouse: Warehouse, reached: str) -> None:
    # All that this build saw: a load may be older than the look-back of the next one and is then passed over there.
    warehouse.execute(f"delete from build.loads where entity in (select entity from intermediate.{reached})")
    warehouse.execute(
        "insert into build.loads select entity, source, batch_id, loaded_at, row_count from intermediate." + reached
    )
