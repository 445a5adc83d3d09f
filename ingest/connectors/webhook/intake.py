"""From the body of an event to what may be kept: rows of the contract's fields, masked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest.configuration import StreamTable
from ingest.connectors.delivery import Delivery, delivery_of_records
from ingest.connectors.webhook.config import CHANGED_AT, DELETED, TABLE, WebhookSource
from ingest.contract import ENTITIES
from ingest.convert import convert
from ingest.mapping import map_delivery
from ingest.masking import Masker
from ingest.personal import mask_text
from ingest.prepare import shape


@dataclass(frozen=True)
class Intake:
    """What is kept of an event: see :class:`ingest.connectors.webhook.inbox.Event`."""

    event_key: str
    state: str
    content: str


def take_in(
    source: WebhookSource, zone: str, masker: Masker, headers: Mapping[str, str], body: bytes, received_at: datetime
) -> Intake:
    """Map and mask an event. ``headers`` have lower-case names; ``received_at`` is naive UTC. Never raises for content.

    What is no JSON is broken: of it only the shape is kept, for nobody knows which part is personal.
    """
    try:
        content = json.loads(body)
        records = _records(content, source)
    except (ValueError, RecursionError):  # also what isn't UTF-8
        text = body.decode("utf-8", "replace")
        return Intake(_key(source, masker, headers, None, body), "broken", json.dumps({"shape": shape(text)}))
    columns = {name: headers.get(header.lower()) for name, header in source.header_columns.items()}
    delivery = delivery_of_records("events", [{**record, **columns} for record in records], received_at)
    rows: list[dict[str, str]] = []
    for index, table in enumerate(source.incoming):
        rows += _rows(delivery, index, table, table.timezone or zone, masker, received_at)
    return Intake(
        _key(source, masker, headers, content, body),
        "accepted" if rows else "ignored",
        json.dumps({"rows": rows}, ensure_ascii=False),
    )


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


def _key(source: WebhookSource, masker: Masker, headers: Mapping[str, str], content: Any, body: bytes) -> str:
    """The same for retries of one event. An id that comes again with another content is another event."""
    header = source.scheme.id_header
    given = headers.get(header.lower()) if header else None
    if not given and source.event_id:
        found = _at(content, source.event_id)
        given = None if found is None else str(found)
    # Hashed under the masker's key: of a short body a plain hash could be tried out.
    return masker.pseudonym(f"event {source.name} {given or ''} {sha256(body).hexdigest()}")


def _rows(
    delivery: Delivery, index: int, table: StreamTable, zone: str, masker: Masker, received_at: datetime
) -> list[dict[str, str]]:
    entity = ENTITIES[table.entity]
    mapped = map_delivery(delivery, table, entity)
    if not mapped.table.num_rows:
        return []
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
    count = masked.num_rows
    arrived = f"{received_at.isoformat(' ')}Z"
    versions = [arrived] * count
    if mapped.versions is not None:
        versions = [mask_text(value) if value else arrived for value in mapped.versions.to_pylist()]
    deleted = [False] * count if mapped.tombstones is None else pc.fill_null(mapped.tombstones, False).to_pylist()
    return [
        {name: value for name, value in row.items() if value is not None}
        | {TABLE: str(index), CHANGED_AT: version, DELETED: "true" if is_deleted else "false"}
        for row, version, is_deleted in zip(masked.to_pylist(), versions, deleted, strict=True)
    ]
