"""The books of loading: audit, cursors, and what was read from which file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pyarrow as pa

from ingest.connectors.delivery import utc_now
from ingest.loading.plan import Load, TablePlan
from ingest.loading.report import Counts
from ingest.tables import CURSORS, CURSORS_KEY, LOAD_AUDIT, LOAD_AUDIT_KEY, LOAD_STATE, LOAD_STATE_KEY
from warehouse.connection import Warehouse


def write_audit(warehouse: Warehouse, plan: TablePlan, counts: Mapping[str, Counts], error: str | None) -> None:
    """One row an origin in place of what an earlier try of this batch wrote."""
    batch, interval = plan.batch, plan.load.interval
    audit = pa.Table.from_pylist(
        [
            {
                "batch_id": batch.batch_id, "source": batch.source, "entity": batch.entity.name, "origin": origin,
                "interval_from_on": interval.from_on, "interval_to_on": interval.to_on,
                "started_at": batch.loaded_at, "finished_at": utc_now(), "error": error, **vars(each),
            }
            for origin, each in counts.items()
        ],
        schema=LOAD_AUDIT,
    )  # fmt: skip
    keys = audit.select(list(LOAD_AUDIT_KEY))
    warehouse.delete_matching("raw", "load_audit", keys)
    # The failure of an earlier try of this batch is settled.
    failed = pa.table({name: keys.column(name)[:1] for name in keys.column_names[:3]} | {"origin": [plan.origin]})
    warehouse.delete_matching("raw", "load_audit", failed, "t.error IS NOT NULL")
    warehouse.append("raw", "load_audit", audit)


def audited(warehouse: Warehouse, plan: TablePlan) -> dict[str, Counts]:
    """What earlier tries of this batch loaded, by origin."""
    keys = pa.table(
        {"batch_id": [plan.batch.batch_id], "source": [plan.batch.source], "entity": [plan.batch.entity.name]}
    )
    return {
        row["origin"]: Counts(*(row[field.name] or 0 for field in fields(Counts)))
        for row in warehouse.select_matching("raw", "load_audit", keys).to_pylist()
    }


def write_state(warehouse: Warehouse, rows: list[dict[str, object]]) -> None:
    """Remember what was read from files."""
    if rows:
        state = pa.Table.from_pylist(rows, schema=LOAD_STATE)
        warehouse.delete_matching("raw", "load_state", state.select(list(LOAD_STATE_KEY)))
        warehouse.append("raw", "load_state", state)


def read_state(warehouse: Warehouse, plan: TablePlan) -> dict[str, dict[str, Any]]:
    """What was read from the table's files, by origin."""
    rows = warehouse.rows(
        "select origin, mapping, size_bytes, modified_ns, content_hash from raw.load_state"
        f" where source = '{plan.batch.source}' and entity = '{plan.batch.entity.name}'"
    )
    return {row["origin"]: row for row in rows}


Cursor = Mapping[str, Any]


def read_cursors(warehouse: Warehouse, source: str) -> dict[str, tuple[Cursor, str]]:
    """Where the last load of each stream stopped, and the mapping that it used."""
    rows = warehouse.rows(f"select stream, cursor, mapping from raw.cursors where source = '{source}'")
    return {row["stream"]: (json.loads(row["cursor"]), row["mapping"]) for row in rows}


def write_cursor(
    warehouse: Warehouse, load: Load, stream: str, before: Cursor | None, cursor: Cursor, mapping: str
) -> bool:
    """Move the stream's cursor, unless another load has moved it since it was ``before``; whether it did.

    Both cursors stand for rows that are in the warehouse; leaving the other's only reads some rows again.
    """
    found = read_cursors(warehouse, load.source.name).get(stream)
    if found is not None and found[1] == mapping and found[0] != before:
        return False
    row = {
        "source": load.source.name, "stream": stream, "cursor": json.dumps(cursor, ensure_ascii=False),
        "mapping": mapping, "batch_id": load.batch_id, "updated_at": utc_now(),
    }  # fmt: skip
    table = pa.Table.from_pylist([row], schema=CURSORS)
    warehouse.delete_matching("raw", "cursors", table.select(list(CURSORS_KEY)))
    warehouse.append("raw", "cursors", table)
    return True
