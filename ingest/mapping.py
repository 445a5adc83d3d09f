"""From a source's columns to the contract's fields, still as text."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ingest.configuration import PLACEHOLDER, TableMapping
from ingest.connectors.delivery import Delivery
from ingest.contract import Entity
from ingest.errors import SourceError

_TEXT_NULL = pa.scalar(None, pa.string())


def map_delivery(delivery: Delivery, mapping: TableMapping, entity: Entity) -> tuple[pa.Table, pa.Array]:
    """The selected rows as a table of the entity's fields (text, trimmed, empty is NULL) and their row numbers.

    Raises :class:`SourceError` where columns that the mapping or the contract needs are missing.
    """
    rows, numbers = delivery.rows, delivery.row_numbers
    if not rows.num_columns:  # an empty file
        return _empty(entity), pa.array([], pa.int64())
    lookup = _lookup(rows.column_names)
    _check_columns(delivery, mapping, entity, lookup)
    rows = pa.Table.from_arrays([_trimmed(column) for column in rows.columns], names=rows.column_names)
    for name, wanted in mapping.where.items():
        accepted = [wanted] if isinstance(wanted, str) else wanted
        column = _source_column(rows, lookup, name)
        keep = pc.is_in(pc.fill_null(column, ""), pa.array(accepted, pa.string()))
        rows, numbers = (
            rows.filter(keep),
            numbers.filter(keep.combine_chunks() if isinstance(keep, pa.ChunkedArray) else keep),
        )
    columns = [_field_column(field.name, rows, mapping, lookup) for field in entity.fields]
    return pa.Table.from_arrays(columns, names=[field.name for field in entity.fields]), numbers


def _empty(entity: Entity) -> pa.Table:
    return pa.table({field.name: pa.array([], pa.string()) for field in entity.fields})


def _lookup(names: list[str]) -> dict[str, str]:
    """Source columns by their name, and by their name in lower case where that is unambiguous."""
    lower = [name.casefold() for name in names]
    by_name = {folded: name for folded, name in zip(lower, names, strict=True) if lower.count(folded) == 1}
    return by_name | {name: name for name in names}


def _find(lookup: dict[str, str], name: str) -> str | None:
    return lookup.get(name) or lookup.get(name.casefold())


def _check_columns(delivery: Delivery, mapping: TableMapping, entity: Entity, lookup: dict[str, str]) -> None:
    needed = {name for name in mapping.columns.values() if name} | set(mapping.where)
    needed |= {name for template in mapping.templates.values() for name in PLACEHOLDER.findall(template)}
    missing = sorted(name for name in needed if _find(lookup, name) is None)
    given = (
        set(mapping.constants) | set(mapping.templates) | {name for name, column in mapping.columns.items() if column}
    )
    unmapped = [
        field.name
        for field in entity.fields
        if field.required and field.name not in given and _find(lookup, field.name) is None
    ]
    if not delivery.fixed_columns:
        # A line of JSON leaves out what is empty: only a file without any key is a wrong file.
        missing = []
        unmapped = [name for name in unmapped if name in entity.key]
    if not missing and not unmapped:
        return
    faults = []
    if missing:
        faults.append(f"columns missing: {', '.join(missing)}")
    if unmapped:
        faults.append(f"no column for the required field(s) {', '.join(unmapped)} of {entity.name}")
    found = ", ".join(delivery.rows.column_names[:40])
    raise SourceError(
        f"{delivery.origin} has the wrong columns: {'; '.join(faults)}; found: {found};"
        " name them under `columns`, or have the file delivered as agreed"
    )


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
