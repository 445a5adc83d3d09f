"""A column that is no longer delivered empties nothing: its fields keep what ``raw`` holds."""

from __future__ import annotations

from collections.abc import Set

import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import Entity
from ingest.prepare import content_hashes, joined
from warehouse.connection import Warehouse


def keep_stored(warehouse: Warehouse, rows: pa.Table, entity: Entity, absent_fields: Set[str]) -> pa.Table:
    """``rows`` (columns of ``raw.<entity>``, each key once) with the stored values of the absent fields put in."""
    key = ["_source", *entity.key]
    stored = warehouse.select_matching("raw", entity.name, rows.select(key))
    if not stored.num_rows:
        return rows
    place = pc.index_in(joined(rows.select(key)), joined(stored.select(key)).combine_chunks()).combine_chunks()
    for name in sorted(absent_fields):
        kept = stored.column(name).combine_chunks().cast(rows.schema.field(name).type).take(place)
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), kept)
    return rows.set_column(rows.schema.get_field_index("_row_hash"), "_row_hash", content_hashes(rows, entity))
