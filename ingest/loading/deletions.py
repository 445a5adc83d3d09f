"""Rows that were deleted upstream: they stay in ``raw``, marked, and come back to life when delivered again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest.errors import SourceError
from ingest.loading.account import read_cursors, write_cursor
from ingest.loading.plan import TablePlan
from ingest.loading.report import Counts
from ingest.prepare import COMPLETE, DELETED_HASH, ORIGIN
from warehouse.connection import Warehouse

# A full delivery that lacks more than this share of many rows is more likely broken than true.
GUARDED_ROWS = 100
GUARDED_SHARE = 0.5


def bury(warehouse: Warehouse, plan: TablePlan, tombstones: pa.Table) -> tuple[dict[str, Counts], int]:
    """Mark the rows that the tombstones name; outcomes by origin, and how many named nothing that can be kept.

    The marked row keeps its last content. A tombstone of an unknown row becomes a deleted row itself where it is
    complete, so that an older version that arrives later stays deleted. Of a row that is deleted already only the
    version moves on.
    """
    entity = plan.batch.entity
    key = ["_source", *entity.key]
    stored = warehouse.select_matching("raw", entity.name, tombstones.select(key))
    stored = stored.select(entity.arrow_schema.names)
    place = {tuple(row.values()): index for index, row in enumerate(stored.select(key).to_pylist())}
    versions = stored.column("_delivered_at").to_pylist()
    deleted = stored.column("_deleted_at").to_pylist()
    outcomes: dict[str, Counts] = {}
    moved: list[tuple[int, int]] = []
    new: list[int] = []
    unknown = 0
    signs = tombstones.select([*key, "_delivered_at", COMPLETE, ORIGIN]).to_pylist()
    for index, sign in enumerate(signs):
        counts = outcomes.setdefault(sign[ORIGIN], Counts())
        found = place.get(tuple(sign[name] for name in key))
        if found is None:
            is_new = sign[COMPLETE]
            counts.loaded += is_new
            counts.deleted += is_new
            counts.unchanged += not is_new
            unknown += not is_new
            new += [index] if is_new else []
            continue
        is_older = versions[found] is not None and versions[found] > sign["_delivered_at"]
        is_known = deleted[found] is not None
        counts.unchanged += is_older or is_known
        counts.merged += not (is_older or is_known)
        counts.deleted += not (is_older or is_known)
        if not is_older and not (is_known and versions[found] == sign["_delivered_at"]):
            moved.append((found, index))
    _replace(warehouse, plan, stored, tombstones, moved)
    if new:
        warehouse.append("raw", entity.name, tombstones.take(new).drop_columns([ORIGIN, COMPLETE]))
    return outcomes, unknown


def _replace(
    warehouse: Warehouse, plan: TablePlan, stored: pa.Table, tombstones: pa.Table, moved: Sequence[tuple[int, int]]
) -> None:
    """Stored rows (first of each pair) marked by tombstones (second)."""
    if not moved:
        return
    rows = stored.take([row for row, _ in moved])
    signs = tombstones.take([sign for _, sign in moved])
    since = signs.column("_deleted_at")
    if plan.table.changed_at is None:
        # Its instant is that of the delivery, which repeats the same deletion each time: the first one stays.
        since = pc.coalesce(rows.column("_deleted_at"), since)
    hashes = rows.column("_row_hash")
    hashes = pc.if_else(
        pc.starts_with(hashes, DELETED_HASH), hashes, pc.binary_join_element_wise(DELETED_HASH, hashes, "")
    )
    changed: dict[str, Any] = {"_deleted_at": since, "_row_hash": hashes}
    changed |= {name: signs.column(name) for name in ("_delivered_at", "_loaded_at", "_batch_id")}
    for name, column in changed.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    entity = plan.batch.entity
    warehouse.delete_matching("raw", entity.name, rows.select(["_source", *entity.key]))
    warehouse.append("raw", entity.name, rows)


def end_snapshot(warehouse: Warehouse, plan: TablePlan, at: datetime, not_merged: Sequence[pa.Table]) -> int:
    """Mark what the newest full delivery no longer holds; returns how many rows.

    Every row of a full delivery got its instant as version, also where nothing else changed, so the rows with an older
    version are those that it lacks. ``not_merged`` are keys that it held in rows that didn't get there. Raises
    :class:`SourceError` where more than half of the living rows (and over 100) would go.
    """
    entity, source = plan.batch.entity, plan.batch.source
    newest = _newest_snapshot(warehouse, plan, at)
    if at == newest:
        _touch(warehouse, plan, at, not_merged)
    gone = (
        f"_source = '{source}' and _deleted_at is null"
        f" and (_delivered_at is null or _delivered_at < timestamp '{newest:%Y-%m-%d %H:%M:%S.%f}')"
    )
    counted = warehouse.rows(
        f"select count(*) as living, count(*) filter (where {gone}) as gone from raw.{entity.name}"
        f" where _source = '{source}' and _deleted_at is null"
    )[0]
    if counted["gone"] > max(GUARDED_ROWS, GUARDED_SHARE * counted["living"]) and plan.table.snapshot != "force":
        raise SourceError(
            f"{plan.origin} lacks {counted['gone']} of {counted['living']} rows that it held before; nothing was"
            " changed. Have it delivered in full, or set `snapshot: force` for one load if they were really deleted"
        )
    if counted["gone"]:
        instant = f"timestamp '{newest:%Y-%m-%d %H:%M:%S.%f}'"
        loaded = f"timestamp '{plan.batch.loaded_at:%Y-%m-%d %H:%M:%S.%f}'"
        batch_id = plan.batch.batch_id.replace("'", "''")
        warehouse.execute(
            f"update raw.{entity.name} set _deleted_at = {instant}, _delivered_at = {instant}, _loaded_at = {loaded},"
            f" _batch_id = '{batch_id}', _row_hash = '{DELETED_HASH}' || _row_hash where {gone}"
        )
    return int(counted["gone"])


def _newest_snapshot(warehouse: Warehouse, plan: TablePlan, at: datetime) -> datetime:
    """The instant of the newest full delivery, remembered also where it was empty; an older one may come later."""
    name = f"{plan.stream} (snapshot)"
    stored = read_cursors(warehouse, plan.batch.source).get(name)
    before = None if stored is None else stored[0]
    if before is not None and datetime.fromisoformat(before["at"]) >= at:
        return datetime.fromisoformat(before["at"])
    write_cursor(warehouse, plan.load, name, before, {"at": at.isoformat()}, "")
    return at


def _touch(warehouse: Warehouse, plan: TablePlan, at: datetime, not_merged: Sequence[pa.Table]) -> None:
    """Rows whose newest version broke the contract, or stands corrected, were delivered all the same."""
    keys = pa.concat_tables(not_merged)
    if not keys.num_rows:
        return
    entity = plan.batch.entity
    keys = keys.group_by(list(entity.key)).aggregate([])
    keys = keys.append_column("_source", pa.repeat(pa.scalar(plan.batch.source, pa.string()), keys.num_rows))
    rows = warehouse.select_matching("raw", entity.name, keys).select(entity.arrow_schema.names)
    if rows.num_rows:
        instants = pa.repeat(pa.scalar(at, pa.timestamp("us")), rows.num_rows)
        rows = rows.set_column(rows.schema.get_field_index("_delivered_at"), "_delivered_at", instants)
        warehouse.delete_matching("raw", entity.name, rows.select(["_source", *entity.key]))
        warehouse.append("raw", entity.name, rows)
