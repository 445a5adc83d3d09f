"""What people see of drift and do about it; :mod:`ingest.drift` finds it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from ingest.connectors.delivery import utc_now
from ingest.tables import DRIFT, DRIFT_KEY, SOURCE_COLUMNS, SOURCE_COLUMNS_KEY, ensure_tables
from warehouse.connection import Warehouse, open_warehouse


class DriftError(HuiyinError):
    """There is nothing to accept; the message says what is open."""


def list_drift(settings: Settings, source: str | None = None, every: bool = False) -> list[dict[str, Any]]:
    """The columns of ``raw.drift``, newest first; ``every``: also what has ended."""
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        rows = warehouse.rows("select * from raw.drift order by first_seen_at desc, source, entity, kind, name, detail")
    return [row for row in rows if source in (None, row["source"]) and (every or row["ended_at"] is None)]


def accept(settings: Settings, source: str, column: str | None = None) -> list[str]:
    """Take a source's new columns (all, or one) for known ones that are left out; returns their names.

    Raises :class:`DriftError` where there is no such column.
    """
    now = utc_now()
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        with warehouse.transaction():
            warehouse.lock(f"huiyin.drift.{source}")
            new = [
                row
                for row in warehouse.rows("select * from raw.drift where ended_at is null and kind = 'new_column'")
                if row["source"] == source
            ]
            chosen = [row for row in new if column in (None, row["name"])]
            if not chosen:
                known = ", ".join(sorted({row["name"] for row in new})) or "none"
                raise DriftError(
                    f"source {source} has no new column{f' {column}' if column else ''} to accept; new ones: {known}"
                )
            _replace(warehouse, "drift", DRIFT, DRIFT_KEY, [row | {"ended_at": now} for row in chosen])
            columns = [
                {
                    "source": row["source"], "entity": row["entity"], "origin": row["origin"],
                    "column_name": row["name"], "state": "unmapped", "rows_seen": 0, "rows_filled": 0,
                    "first_seen_at": row["first_seen_at"], "last_seen_at": now,
                }
                for row in chosen
            ]  # fmt: skip
            _replace(warehouse, "source_columns", SOURCE_COLUMNS, SOURCE_COLUMNS_KEY, columns)
    return sorted({row["name"] for row in chosen})


def _replace(
    warehouse: Warehouse, table: str, schema: pa.Schema, key: tuple[str, ...], rows: list[dict[str, Any]]
) -> None:
    data = pa.Table.from_pylist(rows, schema=schema)
    warehouse.delete_matching("raw", table, data.select(list(key)))
    warehouse.append("raw", table, data)
