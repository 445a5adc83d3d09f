"""Rows that broke the contract: see them, put them right, load them after all; and take rows out of ``raw``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from ingest.connectors.delivery import text_column, utc_now
from ingest.contract import ENTITIES, Entity
from ingest.masking import load_masker
from ingest.prepare import ORIGIN, Batch, TextRows, payload_of, prepare, quarantine_table
from ingest.tables import ensure_tables
from warehouse.connection import Warehouse, open_warehouse

GATE = "gate"
_SHAPE = "_shape"


class QuarantineError(HuiyinError):
    """The call names an entity or field that doesn't exist; the message says which do."""


@dataclass(frozen=True)
class ReplayReport:
    """``replayed`` rows are in ``raw`` now; ``still_bad`` break the contract as before; ``unreadable`` are broken
    lines, which only a corrected file can bring back."""

    replayed: int
    still_bad: int
    unreadable: int


def list_rows(
    settings: Settings, entity: str | None = None, source: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """The rows waiting in quarantine, newest first (columns of ``quarantine.<entity>``; values are masked)."""
    names = [_entity(entity).name] if entity else list(ENTITIES)
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        found = warehouse.rows(
            "\nunion all\n".join(f"select * from quarantine.{name} where replayed_at is null" for name in names)
        )
    chosen = [row for row in found if source is None or row["source"] == source]
    return sorted(chosen, key=lambda row: (row["quarantined_at"], row["quarantine_id"]), reverse=True)[:limit]


def count_waiting(settings: Settings) -> dict[tuple[str, str, str], int]:
    """How many rows wait, by source, entity and rule."""
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        found = warehouse.rows(
            "\nunion all\n".join(
                f"select source, entity, rule, count(*) as waiting from quarantine.{name} where replayed_at is null"
                " group by 1, 2, 3"
                for name in ENTITIES
            )
        )
    return {(row["source"], row["entity"], row["rule"]): row["waiting"] for row in found}


def replay(
    settings: Settings,
    entity: str,
    batch_id: str,
    quarantine_ids: Sequence[str] | None = None,
    corrections: Mapping[str, str] | None = None,
) -> ReplayReport:
    """Try quarantined rows again, all that wait or those named, with ``corrections`` (field: value) put in first.

    A row that meets the contract now goes to ``raw`` unless a later delivery of its key is there already. One
    transaction; running it twice changes nothing. Raises :class:`QuarantineError`.
    """
    definition = _entity(entity)
    for name in corrections or {}:
        if name not in [field.name for field in definition.fields]:
            raise QuarantineError(f"{entity} has no field {name!r}; its fields: {_names(definition)}")
    masker = load_masker(settings)
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        with warehouse.transaction():
            waiting = warehouse.rows(
                f"select * from quarantine.{entity} where replayed_at is null order by quarantined_at, row_number"
            )
            if quarantine_ids is not None:
                waiting = [row for row in waiting if row["quarantine_id"] in set(quarantine_ids)]
            payloads = [json.loads(row["payload"]) for row in waiting]
            readable = [(row, payload) for row, payload in zip(waiting, payloads, strict=True) if _SHAPE not in payload]
            done: list[str] = []
            groups = sorted({(row["source"], payload.get("_timezone", "UTC")) for row, payload in readable})
            for source, zone in groups:
                group = [
                    (row, payload)
                    for row, payload in readable
                    if (row["source"], payload.get("_timezone", "UTC")) == (source, zone)
                ]
                batch = Batch(source, definition, batch_id, utc_now(), zone)
                prepared = prepare(_as_text(group, definition, corrections or {}), batch, masker)
                warehouse.merge(
                    "raw",
                    entity,
                    prepared.rows.drop_columns([ORIGIN]),
                    ("_source", *definition.key),
                    version="_delivered_at",
                )
                still_bad = set(prepared.quarantined.column("row_number").to_pylist())
                done += [row["quarantine_id"] for n, (row, _) in enumerate(group) if n not in still_bad]
            _mark_replayed(warehouse, entity, [row for row in waiting if row["quarantine_id"] in set(done)])
    return ReplayReport(len(done), len(readable) - len(done), len(waiting) - len(readable))


def _as_text(
    group: Sequence[tuple[dict[str, Any], dict[str, str]]], entity: Entity, corrections: Mapping[str, str]
) -> TextRows:
    """Payloads as rows; their place in ``group`` is the row number."""
    ordered = [payload | dict(corrections) for _, payload in group]
    delivered = [
        datetime.fromisoformat(payload["_delivered_at"]) if "_delivered_at" in payload else row["quarantined_at"]
        for row, payload in group
    ]
    return TextRows(
        pa.table({f.name: pa.array([payload.get(f.name) for payload in ordered], pa.string()) for f in entity.fields}),
        pa.array([row["origin"] for row, _ in group], pa.string()),
        pa.array(range(len(group)), pa.int64()),
        pa.array(delivered, pa.timestamp("us")),
    )


def _mark_replayed(warehouse: Warehouse, entity: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    marked = pa.Table.from_pylist(
        [row | {"replayed_at": utc_now()} for row in rows], schema=quarantine_table([]).schema
    )
    warehouse.merge("quarantine", entity, marked, ("quarantine_id",), compare="replayed_at")


def reject(
    settings: Settings,
    entity: str,
    keys: pa.Table,
    rule: str,
    batch_id: str,
    field: str | None = None,
    remedy: str = "correct it in the source; the gate's Data Docs show the expectation",
) -> int:
    """Move rows out of ``raw`` into the quarantine, in one transaction; returns how many there were.

    ``keys`` has the columns ``_source`` and the entity's key. The gate uses it for rows that break an expectation.
    Rows that are gone already (a repeated call) are passed over. Raises :class:`QuarantineError`.
    """
    definition = _entity(entity)
    key = ("_source", *definition.key)
    if set(keys.column_names) != set(key):
        raise QuarantineError(f"rows of {entity} are named by the columns {', '.join(key)}, not {keys.column_names}")
    keys = keys.select(list(key)).group_by(list(key)).aggregate([])
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        with warehouse.transaction():
            found = warehouse.select_matching("raw", entity, keys)
            if found.num_rows:
                warehouse.merge(
                    "quarantine",
                    entity,
                    _rejected(found, definition, rule, field, remedy, batch_id),
                    ("quarantine_id",),
                    compare="replayed_at",
                )
                warehouse.delete_matching("raw", entity, found.select(list(key)))
    return int(found.num_rows)


def _rejected(found: pa.Table, entity: Entity, rule: str, field: str | None, remedy: str, batch_id: str) -> pa.Table:
    names = [f.name for f in entity.fields]
    values = pa.table({name: text_column(found.column(name)) for name in names}).to_pylist()
    now = utc_now()
    rows = []
    for row, source, delivered_at in zip(
        values, found.column("_source").to_pylist(), found.column("_delivered_at").to_pylist(), strict=True
    ):
        payload = payload_of(row, entity, "UTC", delivered_at)
        rows.append(
            {
                "source": source,
                "entity": entity.name,
                "batch_id": batch_id,
                "origin": GATE,
                "row_number": None,
                "rule": rule,
                "field": field,
                "value": payload.get(field) if field else None,
                "remedy": remedy,
                "payload": json.dumps(payload, ensure_ascii=False, sort_keys=True),
                "quarantined_at": now,
                "replayed_at": None,
            }
        )
    return quarantine_table(rows)


def _entity(name: str) -> Entity:
    if name not in ENTITIES:
        raise QuarantineError(f"there is no entity {name!r}; one of: {', '.join(ENTITIES)}")
    return ENTITIES[name]


def _names(entity: Entity) -> str:
    return ", ".join(field.name for field in entity.fields)
