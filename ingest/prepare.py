"""Turn mapped text rows into rows for ``raw`` and rows for the quarantine."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingest.connectors.delivery import BrokenLine
from ingest.contract import Entity
from ingest.convert import Fault, Mask, convert, instants
from ingest.masking import Masker
from ingest.personal import mask_text
from ingest.tables import QUARANTINE

ORIGIN = "_origin"
COMPLETE = "_complete"
DELETED_HASH = "deleted:"
# What a quarantined row's payload holds besides its fields.
DELIVERED_AT = "_delivered_at"
DELETION = "_deletion"
FORMATS = "_formats"
MASKED = "_masked"
SHAPE = "_shape"
ZONE = "_timezone"
_TOMBSTONE = "_tombstone"
_NEVER = pa.scalar(0, pa.timestamp("us"))
_CHANGED_AT_REMEDY = "write YYYY-MM-DD HH:MM:SS, with +08:00 where the zone differs; or remove `changed_at`"
_SEPARATOR = "\x1f"
_ABSENT = "\x00"


@dataclass(frozen=True)
class Batch:
    """What the rows of one load have in common."""

    source: str
    entity: Entity
    batch_id: str
    loaded_at: datetime
    zone: str
    formats: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TextRows:
    """Rows mapped to the entity's fields, still text; the arrays run parallel to ``table``.

    ``versions`` (text of the row's own instant of change) stands in for ``delivered_at`` where the source has one;
    ``tombstones`` says which rows report a deletion; ``extra`` is ``_extra``, masked.
    """

    table: pa.Table
    origins: pa.Array
    row_numbers: pa.Array
    delivered_at: pa.Array
    versions: pa.Array | None = None
    tombstones: pa.Array | None = None
    extra: pa.Array | None = None


@dataclass(frozen=True)
class Prepared:
    """``rows``: the columns of ``raw.<entity>`` plus ``_origin``, each key once. ``quarantined``: see ``QUARANTINE``.

    ``tombstones``: rows deleted upstream, columns as in ``rows`` plus ``_complete`` (may stand in ``raw`` by itself),
    no key of them in ``rows``. ``unreadable``: keys of quarantined rows; ``keyless`` counts those without. ``doubled``
    counts the rows, by origin, that lost to a later row of the same key; ``unregistered`` counts values outside the
    contract's lists, by field; ``readings`` the values that can't be read as the field's type, and all that were there.
    """

    rows: pa.Table
    tombstones: pa.Table
    quarantined: pa.Table
    unreadable: pa.Table
    keyless: int
    doubled: Counter[str]
    unregistered: dict[str, Counter[str]]
    readings: dict[str, tuple[int, int]]


def prepare(given: TextRows, batch: Batch, masker: Masker) -> Prepared:
    """Mask, type and check the rows; of several with one key the newest survives, of equally new ones the last."""
    entity = batch.entity
    masked = masker.mask(given.table, entity)
    converted = convert(masked, entity, batch.zone, batch.formats)
    tombstones = None if given.tombstones is None else given.tombstones.to_numpy(zero_copy_only=False)
    faults = converted.faults if tombstones is None else _of_living(converted.faults, entity, tombstones)
    delivered_at, unreadable = _versions(given, batch.zone)
    faults = [*faults, *unreadable]
    fault_of_row = _first_fault(faults, masked.num_rows)
    good = fault_of_row < 0
    rows = converted.table.append_column(ORIGIN, given.origins).append_column("_delivered_at", delivered_at)
    extra = pa.nulls(rows.num_rows, pa.string()) if given.extra is None else given.extra
    rows = rows.append_column("_extra", extra)
    if tombstones is not None:
        rows = rows.append_column(_TOMBSTONE, pa.array(tombstones))
    bad = rows if not good.any() else rows.filter(pa.array(~good))
    bad_keys, keyless = _keys_of(bad, entity)
    rows = rows if good.all() else rows.filter(pa.array(good))
    rows, doubled = _newest_of_each_key(rows, entity)
    living, dead = rows, rows.slice(0, 0)
    if tombstones is not None:
        is_dead = rows.column(_TOMBSTONE)
        rows = rows.drop_columns([_TOMBSTONE])
        living, dead = rows.filter(pc.invert(is_dead)), rows.filter(is_dead)
    quarantined = _quarantine_rows(given, masked, bad, faults, fault_of_row, batch)
    unregistered = {
        name: Counter({mask_text(value): number for value, number in values.items()})
        for name, values in converted.unregistered.items()
    }
    return Prepared(
        _stamped(living, batch), _buried(_stamped(dead, batch), entity), quarantined, bad_keys, keyless, doubled,
        unregistered, _readings(masked, converted.faults, entity),
    )  # fmt: skip


def _readings(masked: pa.Table, faults: Sequence[Fault], entity: Entity) -> dict[str, tuple[int, int]]:
    unreadable = {fault.field: int(fault.rows.sum()) for fault in faults if fault.rule == "type"}
    return {
        f.name: (unreadable.get(f.name, 0), masked.num_rows - masked.column(f.name).null_count)
        for f in entity.fields
        if f.kind != "text"
    }


def _of_living(faults: Sequence[Fault], entity: Entity, tombstones: Mask) -> list[Fault]:
    """The faults that count: a row that reports a deletion needs nothing but its key."""
    counted = (
        fault if fault.field in entity.key else replace(fault, rows=fault.rows & ~tombstones) for fault in faults
    )
    return [fault for fault in counted if fault.rows.any()]


def _versions(given: TextRows, zone: str) -> tuple[pa.Array, list[Fault]]:
    """Which of two versions of a row is the newer: by its own instant of change, else by the delivery's.

    A row without an instant of its own counts as never changed: it is older than every row with one.
    """
    if given.versions is None:
        return given.delivered_at, []
    versions, unreadable = instants(given.versions, zone)
    faults = [Fault("type", "changed_at", unreadable, _CHANGED_AT_REMEDY)] if unreadable.any() else []
    return pc.fill_null(versions, _NEVER), faults


def _stamped(rows: pa.Table, batch: Batch) -> pa.Table:
    """The columns of ``raw`` in their order, and the origin."""
    count = rows.num_rows
    for name, value in (("_source", batch.source), ("_batch_id", batch.batch_id)):
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, pa.string()), count))
    rows = rows.append_column("_loaded_at", pa.repeat(pa.scalar(batch.loaded_at, pa.timestamp("us")), count))
    rows = rows.append_column("_deleted_at", pa.nulls(count, pa.timestamp("us")))
    rows = rows.append_column("_row_hash", content_hashes(rows, batch.entity))
    return rows.select([*batch.entity.arrow_schema.names, ORIGIN])


def _buried(rows: pa.Table, entity: Entity) -> pa.Table:
    """Rows as they stand in ``raw`` once deleted; their hash differs from that of the living row."""
    hashes = pc.binary_join_element_wise(DELETED_HASH, rows.column("_row_hash"), "")
    rows = rows.set_column(rows.schema.get_field_index("_row_hash"), "_row_hash", hashes)
    rows = rows.set_column(rows.schema.get_field_index("_deleted_at"), "_deleted_at", rows.column("_delivered_at"))
    complete = pa.chunked_array([pa.repeat(pa.scalar(True), rows.num_rows)])
    for required in (f.name for f in entity.fields if f.required):
        complete = pc.and_(complete, pc.is_valid(rows.column(required)))
    return rows.append_column(COMPLETE, complete)


def _first_fault(faults: Sequence[Fault], count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    first = np.full(count, -1, dtype=np.int64)
    for index in reversed(range(len(faults))):
        first[faults[index].rows] = index
    return first


def _keys_of(bad: pa.Table, entity: Entity) -> tuple[pa.Table, int]:
    """The keys of bad rows, each once, and how many have none that can be read."""
    keys = bad.select(list(entity.key))
    whole = keys.drop_null()
    return whole.group_by(list(entity.key)).aggregate([]), keys.num_rows - whole.num_rows


def _newest_of_each_key(rows: pa.Table, entity: Entity) -> tuple[pa.Table, Counter[str]]:
    """Each key once: its newest row; a deleted one keeps the content of its newest living version."""
    codes, different = pd.factorize(joined(rows.select(list(entity.key))).to_pandas())
    if len(different) == rows.num_rows:
        return rows, Counter()
    versions = rows.column("_delivered_at").to_numpy().astype(np.int64)
    order = np.lexsort((np.arange(rows.num_rows), versions))
    newest = np.empty(len(different), dtype=np.int64)
    newest[codes[order]] = order  # of several assignments the last stays
    winners = np.sort(newest)
    lost = np.ones(rows.num_rows, dtype=bool)
    lost[winners] = False
    doubled = Counter(rows.column(ORIGIN).filter(pa.array(lost)).to_pylist())
    chosen = rows.take(pa.array(winners))
    if _TOMBSTONE in rows.column_names:
        living = order[~rows.column(_TOMBSTONE).to_numpy()[order]]
        newest[codes[living]] = living
        contents = rows.take(pa.array(newest[codes[winners]]))
        for name in (ORIGIN, "_delivered_at", _TOMBSTONE):
            contents = contents.set_column(contents.schema.get_field_index(name), name, chosen.column(name))
        chosen = contents
    return chosen, doubled


def joined(rows: pa.Table) -> pa.ChunkedArray:
    """All columns of each row as one text, NULL told apart from empty."""
    texts = [pc.cast(column, pa.string()) for column in rows.columns]
    return pc.binary_join_element_wise(*texts, _SEPARATOR, null_handling="replace", null_replacement=_ABSENT)


def content_hashes(rows: pa.Table, entity: Entity) -> pa.Array:
    """``_row_hash``: of the fields, and of ``_extra`` where there is one."""
    fields = rows.select([field.name for field in entity.fields])
    hashes, extra = row_hashes(fields), rows.column("_extra")
    if extra.null_count == rows.num_rows:
        return hashes
    with_extra = row_hashes(fields.append_column("_extra", extra))
    return pc.if_else(pc.is_null(extra).combine_chunks(), hashes, with_extra)


def row_hashes(rows: pa.Table) -> pa.Array:
    """A 128-bit fingerprint of each row's content, the same on every run and machine."""
    return pa.array(
        [blake2b(text.encode(), digest_size=16).hexdigest() for text in joined(rows).to_pylist()], pa.string()
    )


def _quarantine_rows(
    given: TextRows,
    masked: pa.Table,
    bad: pa.Table,
    faults: Sequence[Fault],
    fault_of_row: np.ndarray[Any, Any],
    batch: Batch,
) -> pa.Table:
    """``bad``: the typed rows of those that have a fault, in their order."""
    positions = np.flatnonzero(fault_of_row >= 0)
    chosen = pa.array(positions)
    signs = bad.select([ORIGIN, "_delivered_at", "_extra"]).to_pylist()
    is_deletion = bad.column(_TOMBSTONE).to_pylist() if _TOMBSTONE in bad.column_names else [False] * len(signs)
    details = zip(
        masked.take(chosen).to_pylist(),
        signs,
        is_deletion,
        row_keys(bad, batch.entity).to_pylist(),
        given.row_numbers.take(chosen).to_pylist(),
        fault_of_row[positions].tolist(),
        strict=True,
    )
    rows = []
    for values, sign, deletes, key, number, index in details:
        fault = faults[index]
        payload = payload_of(values, batch.entity, batch.zone, sign["_delivered_at"], batch.formats)
        if deletes:
            payload[DELETION] = "true"
        if sign["_extra"] is not None:
            payload["_extra"] = sign["_extra"]
        value = payload.get(fault.field)
        row = _row(batch, sign[ORIGIN], number, fault.rule, fault.field, value, fault.remedy, _json(payload))
        rows.append(row | {"row_key": key, "delivered_at": sign["_delivered_at"]})
    return quarantine_table(rows)


def row_keys(rows: pa.Table, entity: Entity) -> pa.ChunkedArray:
    """The key of each row within its source as one text; NULL where a part of it is."""
    texts = [pc.cast(rows.column(name), pa.string()) for name in entity.key]
    return pc.binary_join_element_wise(*texts, _SEPARATOR, null_handling="emit_null")


def payload_of(
    values: Mapping[str, str | None],
    entity: Entity,
    zone: str,
    delivered_at: datetime | None,
    formats: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What is kept of a rejected row. A value that slipped into the wrong column is searched for personal data too;
    ``_masked`` names the fields that such a find has changed, which must not be loaded like that."""
    payload = {}
    changed = []
    for name, value in values.items():
        if value is not None:
            payload[name] = value if entity.field(name).personal else mask_text(value)
            if payload[name] != value:
                changed.append(name)
    payload[ZONE] = zone
    if formats:
        payload[FORMATS] = _json(formats)
    if changed:
        payload[MASKED] = ",".join(changed)
    if delivered_at is not None:
        payload[DELIVERED_AT] = delivered_at.isoformat()
    return payload


def broken_line_rows(broken: Sequence[BrokenLine], origin: str, batch: Batch) -> pa.Table:
    """Lines that are no rows. Nobody knows which part of them is personal, so only their shape is kept."""
    return quarantine_table(
        [
            _row(batch, origin, line.row_number, line.rule, None, None, line.remedy, _json({SHAPE: shape(line.text)}))
            for line in broken
        ]
    )


def shape(text: str) -> str:
    """Digits as 9, letters as a, other scripts as 文; separators stay."""
    text = re.sub(r"[0-9]", "9", text[:500])
    text = re.sub(r"[A-Za-z]", "a", text)
    return re.sub(r"[^\W\da-z_]", "文", text)


def _row(
    batch: Batch,
    origin: str,
    number: int | None,
    rule: str,
    field_name: str | None,
    value: str | None,
    remedy: str,
    payload: str,
) -> dict[str, Any]:
    return {
        "source": batch.source,
        "entity": batch.entity.name,
        "batch_id": batch.batch_id,
        "origin": origin,
        "row_number": number,
        "rule": rule,
        "field": field_name,
        "value": value,
        "remedy": remedy,
        "payload": payload,
        "quarantined_at": batch.loaded_at,
    }


def _json(payload: Mapping[str, str]) -> str:
    return json.dumps(payload, ensure_ascii=False, sort_keys=True)


def quarantine_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows with their permanent ids: the same bad row of the same origin has the same id in every load, whenever it is
    delivered."""
    seen: Counter[str] = Counter()
    for row in rows:
        payload = _json({name: value for name, value in json.loads(row["payload"]).items() if name != DELIVERED_AT})
        parts = [str(row[name]) for name in ("source", "entity", "origin", "rule", "field")]
        content = _SEPARATOR.join([*parts, payload])
        seen[content] += 1
        row["quarantine_id"] = blake2b(f"{content}{_SEPARATOR}{seen[content]}".encode(), digest_size=12).hexdigest()
    return pa.Table.from_pylist(rows, schema=QUARANTINE)
