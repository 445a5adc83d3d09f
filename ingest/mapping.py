"""From a source's columns to the contract's fields, still as text."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from ingest.configuration import PLACEHOLDER, TableMapping
from ingest.connectors.delivery import Delivery
from ingest.contract import Entity
from ingest.drift import Seen
from ingest.errors import SourceError
from ingest.recognition import with_usual_event_values

_TEXT_NULL = pa.scalar(None, pa.string())
_ALL_THERE = Seen()


@dataclass(frozen=True)
class Mapped:
    """The selected rows of a delivery; everything runs parallel to ``table`` (text, trimmed, empty is NULL).

    ``versions``: text of ``changed_at``; ``tombstones``: which rows say that they were deleted; both None where the
    mapping doesn't ask. ``keyless`` says why no row can have a key (records that leave out what is empty). ``extra``:
    columns beyond the contract, as they came; None where none are kept.
    """

    table: pa.Table
    row_numbers: pa.Array
    versions: pa.Array | None = None
    tombstones: pa.Array | None = None
    keyless: str | None = None
    extra: pa.Table | None = None


def map_delivery(delivery: Delivery, mapping: TableMapping, entity: Entity, seen: Seen = _ALL_THERE) -> Mapped:
    """The rows that ``where`` selects, as the entity's fields; those that ``seen`` calls absent are NULL.

    Raises :class:`SourceError` where columns that the mapping or the contract needs are missing.
    """
    rows, numbers = delivery.rows, delivery.row_numbers
    if not rows.num_columns:  # an empty file
        empty = pa.table({field.name: pa.array([], pa.string()) for field in entity.fields})
        return _with_signs(empty, pa.array([], pa.int64()), empty, {}, mapping, None)
    lookup = _lookup(rows.column_names)
    keyless = _check_columns(delivery, mapping, entity, lookup, seen.missing_columns)
    rows = pa.Table.from_arrays([_trimmed(column) for column in rows.columns], names=rows.column_names)
    for name, wanted in mapping.where.items():
        keep = _is_one_of(_source_column(rows, lookup, name), wanted)
        rows, numbers = rows.filter(keep), numbers.filter(keep)
    columns = [
        _nulls(rows.num_rows) if field.name in seen.absent_fields else _field_column(field.name, rows, mapping, lookup)
        for field in entity.fields
    ]
    table = pa.Table.from_arrays(columns, names=[field.name for field in entity.fields])
    if entity.name == "ticket_events":
        table = with_usual_event_values(table)
    mapped = _with_signs(table, numbers, rows, lookup, mapping, keyless if rows.num_rows else None)
    return replace(mapped, extra=rows.select(list(seen.extra_columns))) if seen.extra_columns else mapped


def _with_signs(
    table: pa.Table,
    numbers: pa.Array,
    rows: pa.Table,
    lookup: dict[str, str],
    mapping: TableMapping,
    keyless: str | None,
) -> Mapped:
    """The mapped rows with what tells their versions and deletions."""
    versions = tombstones = None
    if mapping.changed_at is not None:
        versions = _combined(_source_column(rows, lookup, mapping.changed_at))
    for name, wanted in mapping.deleted_when.items():
        found = _is_one_of(_source_column(rows, lookup, name), wanted)
        tombstones = found if tombstones is None else pc.and_(tombstones, found)
    return Mapped(table, numbers, versions, tombstones, keyless)


def _is_one_of(column: pa.ChunkedArray, wanted: str | list[str]) -> pa.Array:
    """Which values are one of those wanted; an empty value counts as the empty text."""
    accepted = [wanted] if isinstance(wanted, str) else wanted
    return pc.is_in(_combined(pc.fill_null(column, "")), pa.array(accepted, pa.string()))


def _combined(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _lookup(names: list[str]) -> dict[str, str]:
    """Source columns by their name, and by their name in lower case where that is unambiguous."""
    lower = [name.casefold() for name in names]
    by_name = {folded: name for folded, name in zip(lower, names, strict=True) if lower.count(folded) == 1}
    return by_name | {name: name for name in names}


def _find(lookup: dict[str, str], name: str) -> str | None:
    return lookup.get(name) or lookup.get(name.casefold())


def _check_columns(
    delivery: Delivery, mapping: TableMapping, entity: Entity, lookup: dict[str, str], lost: frozenset[str]
) -> str | None:
    """Why no row of records that leave out what is empty can have a key; raises where a whole file is wrong."""
    needed = {name for name in mapping.columns.values() if name} | set(mapping.where) | set(mapping.deleted_when)
    needed |= {mapping.changed_at} if mapping.changed_at else set()
    needed |= {name for template in mapping.templates.values() for name in PLACEHOLDER.findall(template)}
    missing = sorted(name for name in needed - lost if _find(lookup, name) is None)
    given = (
        set(mapping.constants) | set(mapping.templates) | {name for name, column in mapping.columns.items() if column}
    )
    unmapped = [
        field.name
        for field in entity.fields
        if field.required and field.name not in given and _find(lookup, field.name) is None
    ]
    if not delivery.fixed_columns:
        # A record leaves out what is empty: without any key its rows are bad, but only those.
        missing = []
        unmapped = [name for name in unmapped if name in entity.key]
    if not missing and not unmapped:
        return None
    faults = []
    if missing:
        faults.append(f"columns missing: {', '.join(missing)}")
    if unmapped:
        faults.append(f"no column for the required field(s) {', '.join(unmapped)} of {entity.name}")
    found = ", ".join(delivery.rows.column_names[:40])
    message = (
        f"{delivery.origin} has the wrong columns: {'; '.join(faults)}; found: {found};"
        " name them under `columns`, or have the file delivered as agreed"
    )
    if delivery.fixed_columns:
        raise SourceError(message)
    return message


def _trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(trimmed, ""), _TEXT_NULL, trimmed)


def _source_column(rows: pa.Table, lookup: dict[str, str], name: str) -> pa.ChunkedArray:
    found = _find(lookup, name)
    return _nulls(rows.num_rows) if found is None else rows.column(found)


def _nulls(count: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(count, pa.string())])


def _field_column(name: str, rows: pa.Table, mapping: TableMapping, lookup: dict[str, str]) -> pa.ChunkedArray:
    if name in mapping.constants:
        column = pa.chunked_array([pa.repeat(pa.scalar(mapping.constants[name], pa.string()), rows.num_rows)])
    elif name in mapping.templates:
        column = _filled(mapping.templates[name], rows, lookup)
    else:
        source = mapping.columns.get(name, name)
        column = _source_column(rows, lookup, source) if source else _nulls(rows.num_rows)
    translations = mapping.values.get(name)
    if translations:
        position = pc.index_in(column, pa.array(list(translations), pa.string()))
        column = pc.coalesce(pc.take(pa.array(list(translations.values()), pa.string()), position), column)
        column = _trimmed(column)
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def _filled(template: str, rows: pa.Table, lookup: dict[str, str]) -> pa.ChunkedArray:
    """The template with its columns filled in; an empty column counts as '' unless all of them are empty."""
    pieces: list[pa.Scalar | pa.ChunkedArray] = []
    all_empty: pa.ChunkedArray | None = None
    for index, piece in enumerate(PLACEHOLDER.split(template)):
        if index % 2 == 0:
            pieces.append(pa.scalar(piece, pa.string()))
            continue
        column = _source_column(rows, lookup, piece)
        empty = pc.is_null(column)
        all_empty = empty if all_empty is None else pc.and_(all_empty, empty)
        pieces.append(pc.fill_null(column, ""))
    joined = pc.binary_join_element_wise(*pieces, "")
    return _trimmed(pc.if_else(all_empty, _TEXT_NULL, joined))
