"""Look at what a file or database table holds and propose how to map it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from ingest.configuration import TableMapping
from ingest.connectors.delivery import Delivery
from ingest.contract import ENTITIES, Entity
from ingest.convert import convert
from ingest.errors import SourceError
from ingest.mapping import map_delivery
from ingest.personal import mask_text
from ingest.prepare import shape
from ingest.recognition import Aliases, recognised_columns, with_usual_values
from ingest.usual_names import COLUMNS

_SAMPLES = 3
_VALUES_SHOWN = 10


@dataclass(frozen=True)
class Suggestion:
    """How a source's columns may become an entity's fields.

    ``columns``: field to column. ``missing``: required fields for which no column was found. ``unused``: columns
    without a field. ``samples``: some values of each column; of columns that are or may be personal only their shape.
    ``strange``: values outside the contract's lists, by field. ``unreadable``: how many values of a field can't be,
    and the remedy.
    """

    entity: str
    columns: Mapping[str, str]
    missing: Sequence[str]
    unused: Sequence[str]
    samples: Mapping[str, Sequence[str]]
    strange: Mapping[str, Sequence[str]]
    unreadable: Mapping[str, tuple[int, str]]
    rows: int


def suggest(delivery: Delivery, entity: str | None, zone: str, own: Aliases) -> Suggestion:
    """A mapping of the delivery to ``entity``, by default the one whose fields it has most of.

    Raises :class:`SourceError` where it has no column, or none that could be recognised.
    """
    if not delivery.rows.num_columns:
        raise SourceError(f"{delivery.origin} is empty; give a file with a header and some rows")
    chosen = ENTITIES[entity or _likeliest(delivery, own)]
    columns = _columns(delivery, chosen, own)
    found = TableMapping(entity=chosen.name, columns=columns)
    text = map_delivery(replace(delivery, fixed_columns=False), with_usual_values(found), chosen).table
    converted = convert(text, chosen, zone)
    unreadable = {
        fault.field: (int(fault.rows.sum()), fault.remedy)
        for fault in converted.faults
        if fault.field in columns and fault.rule in ("type", "range")
    }
    strange: dict[str, list[str]] = {
        name: [mask_text(value) for value in list(values)[:_VALUES_SHOWN]]
        for name, values in converted.unregistered.items()
    }
    for fault in converted.faults:
        if fault.rule == "values":
            strange[fault.field] = _different(text.column(fault.field).filter(pa.array(fault.rows)), _VALUES_SHOWN)
    public = {columns[field.name] for field in chosen.fields if not field.personal and field.name in columns}
    return Suggestion(
        entity=chosen.name,
        columns=columns,
        missing=[field.name for field in chosen.fields if field.required and field.name not in columns],
        unused=[name for name in delivery.rows.column_names if name not in columns.values()],
        samples={name: _samples(delivery.rows.column(name), name in public) for name in delivery.rows.column_names},
        strange=strange,
        unreadable=unreadable,
        rows=delivery.rows.num_rows,
    )


def _columns(delivery: Delivery, entity: Entity, own: Aliases) -> dict[str, str]:
    """Field: column, in the order of the contract; columns that have a field's own name too."""
    names = delivery.rows.column_names
    exact = {name.casefold(): name for name in names}
    found = {field.name: exact[field.name] for field in entity.fields if field.name in exact}
    found |= recognised_columns(names, TableMapping(entity=entity.name), own)
    return {field.name: found[field.name] for field in entity.fields if field.name in found}


def _likeliest(delivery: Delivery, own: Aliases) -> str:
    def score(name: str) -> tuple[int, int]:
        columns = _columns(delivery, ENTITIES[name], own)
        missing = sum(field.required and field.name not in columns for field in ENTITIES[name].fields)
        return len(columns) - 2 * missing, len(columns)

    best = max(COLUMNS, key=score)
    if score(best)[1] < 2:
        shown = ", ".join(delivery.rows.column_names[:20])
        raise SourceError(
            f"{delivery.origin}: its columns ({shown}) look like no entity; name one by --entity ({', '.join(COLUMNS)})"
        )
    return best


def _samples(column: pa.ChunkedArray, is_public: bool) -> list[str]:
    """Some different values; nobody knows what is in a column that has no field, so of it only the shape is told."""
    values = _different(column, _SAMPLES)
    return [mask_text(value)[:30] for value in values] if is_public else sorted({shape(value[:20]) for value in values})


def _different(column: pa.ChunkedArray, number: int) -> list[str]:
    values: list[str] = [value for value in pc.unique(column).to_pylist() if value and value.strip()]
    return values[:number]
