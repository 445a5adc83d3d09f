"""What a connector hands over, and how any value becomes text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class BrokenLine:
    """A line that is no row: ``text`` is as it came, so it must be masked before it is kept."""

    row_number: int
    rule: str
    text: str
    remedy: str


@dataclass(frozen=True)
class Delivery:
    """Rows of one file, or some rows of one table.

    ``rows`` holds every source column as text, ``row_numbers`` (int64) the position of each row in its origin,
    counted from 1 without the header. ``delivered_at`` orders deliveries: of two, the later wins. ``fixed_columns``
    tells that each row has each column, so that a missing column is a fault of the whole origin. ``cursor`` (JSON
    types) is where the next load goes on once this delivery and those before it are in the warehouse. ``notes`` are
    told as the load's warnings.
    """

    origin: str
    rows: pa.Table
    row_numbers: pa.Array
    delivered_at: datetime
    broken: Sequence[BrokenLine] = field(default_factory=tuple)
    fixed_columns: bool = True
    cursor: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()


def delivery_of_records(
    origin: str,
    records: Sequence[Mapping[str, Any]],
    delivered_at: datetime,
    *,
    first_number: int = 1,
    broken: Sequence[BrokenLine] = (),
    cursor: Mapping[str, Any] | None = None,
) -> Delivery:
    """A delivery of JSON objects: nested objects become dotted columns, lists JSON text, numbers as they read."""
    flattened = [dict(flat(record)) for record in records]
    names = list(dict.fromkeys(name for record in flattened for name in record))
    rows = pa.table({name: text_array([record.get(name) for record in flattened]) for name in names})
    numbers = pa.array(range(first_number, first_number + len(flattened)), pa.int64())
    return Delivery(origin, rows, numbers, delivered_at, broken, fixed_columns=False, cursor=cursor)


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested objects as dotted names: ``{"user": {"id": 1}}`` gives ``user.id``."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def text_of(value: Any) -> str | None:
    """One Python value as text; None stays None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return None if value != value else repr(value)
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def text_array(values: Sequence[Any]) -> pa.Array:
    """Python values as one Arrow text column."""
    try:
        return pa.array(values, type=pa.string())  # most columns are text already
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.array([text_of(value) for value in values], type=pa.string())


def text_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A typed Arrow column as text; instants with a zone become UTC and say so by a final Z."""
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_dictionary(kind):
        return text_column(column.cast(kind.value_type))
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        naive = column.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit))
        return pc.binary_join_element_wise(naive.cast(pa.string()), "Z", "")
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
        return column.cast(pa.string())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.chunked_array([text_array(column.to_pylist())])
    return column.cast(pa.string())


def utc_now() -> datetime:
    """This instant, naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)
