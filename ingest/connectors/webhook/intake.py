"""From the body of an event to what may be kept: rows of the contract's fields, masked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest.configuration import StreamTable
from ingest.connectors.delivery import Delivery, delivery_of_records, utc_now
from ingest.connectors.webhook.config import CHANGED_AT, DELETED, TABLE, WebhookSource
from ingest.contract import ENTITIES
from ingest.convert import convert
from ingest.drift import uses_of
from ingest.extra import extra_values
from ingest.mapping import map_delivery
from ingest.masking import Masker
from ingest.personal import mask_text
from ingest.prepare import shape


@dataclass(frozen=True)
class Arrival:
    """An event as it came. ``headers`` have lower-case names; ``received_at`` is naive UTC."""

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True)
class Intake:
    """What is kept of an event: see :class:`ingest.connectors.webhook.inbox.Event`."""

    event_key: str
    state: str
    content: str
    received_at: datetime


def take_in(source: WebhookSource, zone: str, masker: Masker, arrivals: Sequence[Arrival]) -> list[Intake]:
    """Map and mask events, all at once, for that costs little more than one.

    What is no JSON is broken: of it only the shape is kept, for nobody knows which part is personal.
    """
    records: list[Mapping[str, Any]] = []
    event_of_record: list[int] = []
    keys: list[str] = []
    broken: dict[int, str] = {}
    for position, arrival in enumerate(arrivals):
        content: Any = None
        try:
            content = json.loads(arrival.body)
            found = _records(content, source)
        except (ValueError, RecursionError):  # also what isn't UTF-8
            broken[position] = shape(arrival.body.decode("utf-8", "replace"))
        else:
            columns = {name: arrival.headers.get(header.lower()) for name, header in source.header_columns.items()}
            records += [{**record, **columns} for record in found]
            event_of_record += [position] * len(found)
        keys.append(_key(source, masker, arrival, content))
    rows: list[list[dict[str, str]]] = [[] for _ in arrivals]
    delivery = delivery_of_records("events", records, utc_now())
    arrived = [f"{arrivals[position].received_at.isoformat(' ')}Z" for position in event_of_record]
    extras = _extras(delivery, source, masker) if source.drift == "evolve" else None
    for index, table in enumerate(source.incoming):
        for number, row in _rows(delivery, index, table, table.timezone or zone, masker, arrived):
            rows[event_of_record[number - 1]].append(row if extras is None else extras[number - 1] | row)
    taken = []
    for position, (arrival, key) in enumerate(zip(arrivals, keys, strict=True)):
        kept: dict[str, Any] = {"shape": broken[position]} if position in broken else {"rows": rows[position]}
        state = "broken" if position in broken else "accepted" if rows[position] else "ignored"
        taken.append(Intake(key, state, json.dumps(kept, ensure_ascii=False), arrival.received_at))
    return taken


def _records(content: Any, source: WebhookSource) -> list[Mapping[str, Any]]:
    found = _at(content, source.records)
    records = found if isinstance(found, list) else [] if found is None else [found]
    if not all(isinstance(record, Mapping) for record in records):
        raise ValueError("records are no objects")
    return records


def _at(node: Any, path: str) -> Any:
    for part in path.split(".") if path else ():
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _key(source: WebhookSource, masker: Masker, arrival: Arrival, content: Any) -> str:
    """The same for retries of one event. An id that comes again with another content is another event."""
    header = source.scheme.id_header
    given = arrival.headers.get(header.lower()) if header else None
    if not given and source.event_id:
        found = _at(content, source.event_id)
        given = None if found is None else str(found)
    # Hashed under the masker's key: of a short body a plain hash could be tried out.
    return masker.pseudonym(f"event {source.name} {given or ''} {sha256(arrival.body).hexdigest()}")


def _extras(delivery: Delivery, source: WebhookSource, masker: Masker) -> list[dict[str, str]]:
    """Of each record the columns that no table reads, masked; none that is called like a field or a sign of ours."""
    taken = {TABLE, CHANGED_AT, DELETED}
    for table in source.incoming:
        entity = ENTITIES[table.entity]
        taken |= uses_of(table, entity).columns | {field.name for field in entity.fields}
    unread = delivery.rows.select([name for name in delivery.rows.column_names if name not in taken])
    if not unread.num_columns:
        return [{} for _ in range(delivery.rows.num_rows)]
    return [json.loads(kept) if kept else {} for kept in extra_values(unread, masker).to_pylist()]


def _rows(
    delivery: Delivery, index: int, table: StreamTable, zone: str, masker: Masker, arrived: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows that a table makes of the records, each with its record's number; ``arrived``: instants by record."""
    entity = ENTITIES[table.entity]
    mapped = map_delivery(delivery, table, entity)
    if not mapped.table.num_rows:
        return
    masked = masker.mask(mapped.table, entity)
    # A value that slipped into the wrong field can be anything.
    for fault in convert(masked, entity, zone, table.formats).faults:
        position = masked.column_names.index(fault.field)
        column = masked.column(position).to_pylist()
        values = [
            mask_text(value) if value is not None and is_bad else value
            for value, is_bad in zip(column, fault.rows, strict=True)
        ]
        masked = masked.set_column(position, fault.field, pa.array(values, pa.string()))
    numbers = mapped.row_numbers.to_pylist()
    versions = [arrived[number - 1] for number in numbers]
    if mapped.versions is not None:
        told = mapped.versions.to_pylist()
        versions = [mask_text(own) if own else came for own, came in zip(told, versions, strict=True)]
    deleted = [False] * len(numbers)
    if mapped.tombstones is not None:
        deleted = pc.fill_null(mapped.tombstones, False).to_pylist()
    for number, row, version, is_deleted in zip(numbers, masked.to_pylist(), versions, deleted, strict=True):
        yield number, {
            **{name: value for name, value in row.items() if value is not None},
            TABLE: str(index), CHANGED_AT: version, DELETED: "true" if is_deleted else "false",
        }  # fmt: skip
