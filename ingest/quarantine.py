"""Rows that broke the contract: see them, put them right, load them after all; and take rows out of ``raw``.

A row in quarantine never changes. What people put right is kept beside it in ``raw.quarantine_fixes``, field by field,
with who and when, and is put in when the row is shown, checked or replayed; so reading the source again, which finds
the same bad row again, loses no fix.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from ingest.connectors.delivery import text_column, utc_now
from ingest.contract import ENTITIES, Entity
from ingest.convert import convert
from ingest.erasure import Erased, anonymise, load_erased
from ingest.masking import Masker, load_masker
from ingest.prepare import (
    DELETION,
    DELIVERED_AT,
    FORMATS,
    MASKED,
    ORIGIN,
    SHAPE,
    ZONE,
    Batch,
    Prepared,
    TextRows,
    payload_of,
    prepare,
    quarantine_table,
    row_keys,
)  # fmt: skip
from ingest.rotation import check_key
from ingest.sources import load_sources
from ingest.tables import LOAD_AUDIT, QUARANTINE_FIXES, REPLAY_ORIGIN, ensure_tables
from warehouse.builds import announce_removed
from warehouse.connection import Warehouse, open_warehouse

GATE = "gate"
_ID = re.compile(r"[0-9a-f]{1,24}")
_EXTRA = "_extra"
_BROKEN_LINE = "it was no readable row; only a corrected delivery brings it back"
_MASKED_REMEDY = "it looked like personal data and was masked, so its value is lost; give it by `huiyin quarantine fix`"


class QuarantineError(HuiyinError):
    """The call names an entity, field or row that doesn't exist, or a value that can't be read; the message says which
    do, or how to write it."""


@dataclass(frozen=True)
class Selection:
    """Which waiting rows are meant; None: all. ``ids`` may be shortened to their first characters."""

    entity: str | None = None
    source: str | None = None
    rule: str | None = None
    field: str | None = None
    ids: Sequence[str] | None = None

    @property
    def entities(self) -> list[Entity]:
        """The entities to look at. Raises :class:`QuarantineError`."""
        return [_entity(self.entity)] if self.entity else list(ENTITIES.values())

    @property
    def condition(self) -> str:
        """As SQL over the columns of ``quarantine.<entity>``. Raises :class:`QuarantineError`."""
        parts = ["replayed_at is null"]
        for name in ("source", "rule", "field"):
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{name} = '" + value.replace("'", "''") + "'")
        if self.ids is not None:
            wrong = [text for text in self.ids if not _ID.fullmatch(text)]
            if wrong:
                raise QuarantineError(f"{', '.join(wrong)}: no id of a row; `huiyin quarantine list` shows them")
            parts.append("(" + " or ".join([f"quarantine_id like '{text}%'" for text in self.ids] or ["1 = 0"]) + ")")
        return " and ".join(parts)


@dataclass(frozen=True)
class StillBad:
    """A row that breaks the contract as before: where, and what to do."""

    quarantine_id: str
    entity: str
    rule: str
    field: str | None
    remedy: str


@dataclass(frozen=True)
class ReplayReport:
    """``replayed`` rows are in ``raw`` now (or a later delivery of their key is); ``still_bad`` break the contract;
    ``unreadable`` are broken lines, which only a corrected file can bring back. ``batch_id`` is that of the audit."""

    batch_id: str
    replayed: int
    still_bad: tuple[StillBad, ...]
    unreadable: int


def list_rows(settings: Settings, selection: Selection | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """The rows waiting in quarantine, newest first: the columns of ``quarantine.<entity>`` (values are masked) and
    ``fixed_fields``, which somebody has put right since."""
    chosen = selection or Selection()
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        found = [
            row
            for entity in chosen.entities
            for row in warehouse.rows(
                f"select * from quarantine.{entity.name} where {chosen.condition}"
                f" order by quarantined_at desc, quarantine_id desc limit {limit}"
            )
        ]
        found = sorted(found, key=lambda row: (row["quarantined_at"], row["quarantine_id"]), reverse=True)[:limit]
        fixes = _fixes(warehouse, [row["quarantine_id"] for row in found])
    return [row | {"fixed_fields": sorted(fixes.get(row["quarantine_id"], {}))} for row in found]


def summary(settings: Settings, selection: Selection | None = None) -> list[dict[str, Any]]:
    """How many rows wait, by source, entity, rule and field, with the remedy; the most frequent first."""
    chosen = selection or Selection()
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        return warehouse.rows(
            "select source, entity, rule, field, count(*) as waiting, min(quarantined_at) as since_at,"
            " max(remedy) as remedy from ("
            + "\nunion all\n".join(
                "select source, entity, rule, field, quarantined_at, remedy"
                f" from quarantine.{entity.name} where {chosen.condition}"
                for entity in chosen.entities
            )
            + ") waiting group by 1, 2, 3, 4 order by waiting desc, 1, 2, 3, 4"
        )


def show(settings: Settings, quarantine_id: str) -> dict[str, Any]:
    """One waiting row: its columns, ``payload`` and ``fixes`` as dictionaries, and ``fix_log``, oldest first.

    Raises :class:`QuarantineError` where the (shortened) id names none or several.
    """
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        row = _one(warehouse, quarantine_id)
        log = warehouse.rows(
            "select field, value, fixed_by, fixed_at from raw.quarantine_fixes"
            f" where quarantine_id = '{row['quarantine_id']}' order by fixed_at"
        )
        fixes = _fixes(warehouse, [row["quarantine_id"]]).get(row["quarantine_id"], {})
    return row | {"payload": json.loads(row["payload"]), "fixes": fixes, "fix_log": log}


def fix(settings: Settings, quarantine_id: str, corrections: Mapping[str, str], fixed_by: str) -> StillBad | None:
    """Put fields of a waiting row right; returns what else is wrong with it (None: it can be replayed).

    Values are masked like those of the source, read by the contract's types (instants without a zone: in the source's)
    and kept only if all of them can be read; an empty one empties the field. Raises :class:`QuarantineError`.
    """
    masker = load_masker(settings)
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        check_key(warehouse, masker)
        row = _one(warehouse, quarantine_id)
        entity = _entity(row["entity"])
        payload = json.loads(row["payload"])
        if SHAPE in payload or DELETION in payload:
            raise QuarantineError(f"{row['quarantine_id']} can't be fixed: {_BROKEN_LINE}")
        known = [f.name for f in entity.fields]
        for name in corrections:
            if name not in known:
                raise QuarantineError(f"{entity.name} has no field {name!r}; its fields: {', '.join(known)}")
        values = _readable(corrections, payload, entity, masker)
        now = utc_now()
        rows = [
            {
                "fix_id": secrets.token_hex(12), "quarantine_id": row["quarantine_id"], "source": row["source"],
                "entity": entity.name, "field": name, "value": value, "fixed_by": fixed_by, "fixed_at": now,
            }
            for name, value in values.items()
        ]  # fmt: skip
        warehouse.append("raw", "quarantine_fixes", pa.Table.from_pylist(rows, schema=QUARANTINE_FIXES))
        fixes = _fixes(warehouse, [row["quarantine_id"]])
        candidate = _Candidate(row, payload, fixes.get(row["quarantine_id"], {}))
        batch = Batch(row["source"], entity, "", now, candidate.zone, candidate.formats)
        _, bad = _prepared([candidate], batch, masker)
    return bad[0] if bad else None


def _readable(
    corrections: Mapping[str, str], payload: Mapping[str, str], entity: Entity, masker: Masker
) -> dict[str, str | None]:
    """The corrections masked, and written so that they are read the same anywhere. Raises :class:`QuarantineError`."""
    given = {f.name: payload.get(f.name) for f in entity.fields}
    given |= {name: value.strip() or None for name, value in corrections.items()}
    table = pa.table({name: pa.array([value], pa.string()) for name, value in given.items()})
    masked = masker.mask(table, entity)
    formats = json.loads(payload.get(FORMATS, "{}"))
    zone = payload.get(ZONE, "UTC")
    values: dict[str, str | None] = {}
    for name in corrections:
        converted = convert(masked, entity, zone, formats)  # as the source writes it
        if any(fault.field == name for fault in converted.faults):
            converted = convert(masked, entity, zone)  # as anyone does
        if faults := [fault for fault in converted.faults if fault.field == name]:
            raise QuarantineError(f"{name}: {faults[0].rule}: {faults[0].remedy}; nothing was changed")
        text = text_column(converted.table.column(name))[0].as_py()
        is_instant = text is not None and entity.field(name).kind == "instant"
        values[name] = f"{text.removesuffix('.000000')}Z" if is_instant else text
    return values


def replay(settings: Settings, batch_id: str | None = None, selection: Selection | None = None) -> ReplayReport:
    """Try quarantined rows again, with what was put right in them.

    A row that meets the contract now goes to ``raw`` unless a later delivery of its key is there already. Each replay
    is a batch of its own in ``raw.load_audit`` with the origin `quarantine`. One transaction; running it twice changes
    nothing. Raises :class:`QuarantineError`.
    """
    chosen = selection or Selection()
    batch_id = batch_id or f"replay-{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    run = _Replay(settings, batch_id)
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        check_key(warehouse, load_masker(settings))
        with warehouse.transaction():
            for entity in chosen.entities:
                run.of_entity(warehouse, entity, chosen)
            run.keep_account(warehouse)
    return ReplayReport(batch_id, run.replayed, tuple(run.still_bad), run.unreadable)


@dataclass(frozen=True)
class _Candidate:
    """A waiting row with what was put right in it."""

    row: Mapping[str, Any]
    payload: Mapping[str, str]
    fixes: Mapping[str, str | None]

    @property
    def is_readable(self) -> bool:
        return SHAPE not in self.payload and DELETION not in self.payload

    @property
    def zone(self) -> str:
        return self.payload.get(ZONE, "UTC")

    @property
    def formats(self) -> dict[str, str]:
        """How the source writes the fields that nobody has put right."""
        written = json.loads(self.payload.get(FORMATS, "{}"))
        return {name: form for name, form in written.items() if name not in self.fixes}

    @property
    def lost_fields(self) -> list[str]:
        """Fields whose value was masked away and not given since."""
        return [name for name in self.payload.get(MASKED, "").split(",") if name and name not in self.fixes]

    def value(self, name: str) -> str | None:
        return self.fixes[name] if name in self.fixes else self.payload.get(name)

    def still(self, rule: str, name: str | None, remedy: str) -> StillBad:
        return StillBad(self.row["quarantine_id"], self.row["entity"], rule, name, remedy)


@dataclass
class _Replay:
    """One replay under way."""

    settings: Settings
    batch_id: str
    replayed: int = 0
    still_bad: list[StillBad] = field(default_factory=list)
    unreadable: int = 0

    def __post_init__(self) -> None:
        self._masker = load_masker(self.settings)
        self._started_at = utc_now()
        self._audit: dict[tuple[str, str], dict[str, int]] = {}
        self._retention = load_sources(self.settings).retention
        self._erased: Erased | None = None

    def of_entity(self, warehouse: Warehouse, entity: Entity, chosen: Selection) -> None:
        rows = warehouse.rows(
            f"select * from quarantine.{entity.name} where {chosen.condition} order by quarantined_at, row_number"
        )
        fixes = _fixes(warehouse, [row["quarantine_id"] for row in rows])
        candidates = [_Candidate(row, json.loads(row["payload"]), fixes.get(row["quarantine_id"], {})) for row in rows]
        groups: dict[tuple[str, str, str], list[_Candidate]] = {}
        for candidate in candidates:
            source = candidate.row["source"]
            counts = self._counts(source, entity)
            counts["fetched"] += 1
            if candidate.is_readable:
                group = (source, candidate.zone, json.dumps(candidate.formats, sort_keys=True))
                groups.setdefault(group, []).append(candidate)
            else:
                self.unreadable += 1
                counts["quarantined"] += 1
        for (source, zone, formats), group_rows in groups.items():
            batch = Batch(source, entity, self.batch_id, self._started_at, zone, json.loads(formats))
            self._load(warehouse, batch, group_rows)

    def _load(self, warehouse: Warehouse, batch: Batch, group: Sequence[_Candidate]) -> None:
        entity, counts = batch.entity, self._counts(batch.source, batch.entity)
        warehouse.lock(f"huiyin.raw.{batch.source}.{entity.name}")
        prepared, bad = _prepared(group, batch, self._masker)
        self._erased = self._erased or load_erased(warehouse, self._retention, utc_now())
        rows = anonymise(prepared.rows.drop_columns([ORIGIN]), entity, self._erased, self._masker)
        merged = warehouse.merge("raw", entity.name, rows, ("_source", *entity.key), version="_delivered_at")
        counts["loaded"] += merged.inserted
        counts["merged"] += merged.updated + prepared.doubled.total()
        counts["unchanged"] += merged.unchanged + prepared.rows.num_rows - rows.num_rows
        counts["quarantined"] += len(bad)
        self.still_bad += bad
        still = {row.quarantine_id for row in bad}
        done = [dict(c.row) for c in group if c.row["quarantine_id"] not in still]
        self.replayed += len(done)
        if done:
            stamp = {"replayed_at": self._started_at, "replay_batch_id": self.batch_id}
            marked = pa.Table.from_pylist([row | stamp for row in done], schema=quarantine_table([]).schema)
            warehouse.merge("quarantine", entity.name, marked, ("quarantine_id",), compare="replayed_at")

    def _counts(self, source: str, entity: Entity) -> dict[str, int]:
        names = ("fetched", "loaded", "merged", "unchanged", "quarantined")
        return self._audit.setdefault((source, entity.name), dict.fromkeys(names, 0))

    def keep_account(self, warehouse: Warehouse) -> None:
        rows = [
            {
                "batch_id": self.batch_id, "source": source, "entity": entity, "origin": REPLAY_ORIGIN,
                "started_at": self._started_at, "finished_at": utc_now(), "deleted": 0, **counts,
            }
            for (source, entity), counts in self._audit.items()
        ]  # fmt: skip
        if rows:
            warehouse.append("raw", "load_audit", pa.Table.from_pylist(rows, schema=LOAD_AUDIT))


def _prepared(group: Sequence[_Candidate], batch: Batch, masker: Masker) -> tuple[Prepared, list[StillBad]]:
    """The rows ready for ``raw``, and those that still break the contract."""
    bad = [
        candidate.still("masked", candidate.lost_fields[0], _MASKED_REMEDY)
        for candidate in group
        if candidate.lost_fields
    ]
    good = [candidate for candidate in group if not candidate.lost_fields]
    names = [f.name for f in batch.entity.fields]
    delivered = [
        datetime.fromisoformat(c.payload[DELIVERED_AT]) if DELIVERED_AT in c.payload else c.row["quarantined_at"]
        for c in good
    ]
    # Their place in the group is the row number.
    given = TextRows(
        pa.table({name: pa.array([c.value(name) for c in good], pa.string()) for name in names}),
        pa.array([REPLAY_ORIGIN] * len(good), pa.string()),
        pa.array(range(len(good)), pa.int64()),
        pa.array(delivered, pa.timestamp("us")),
        extra=pa.array([c.payload.get(_EXTRA) for c in good], pa.string()),
    )
    prepared = prepare(given, batch, masker)
    for fault in prepared.quarantined.select(["row_number", "rule", "field", "remedy"]).to_pylist():
        bad.append(good[fault["row_number"]].still(fault["rule"], fault["field"], fault["remedy"]))
    return prepared, bad


def _fixes(warehouse: Warehouse, quarantine_ids: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """What was put right in each row: field and value, the last one of each field."""
    if not quarantine_ids:
        return {}
    ids = pa.table({"quarantine_id": pa.array(sorted(set(quarantine_ids)), pa.string())})
    found: dict[str, dict[str, str | None]] = {}
    rows = warehouse.select_matching("raw", "quarantine_fixes", ids).to_pylist()
    for row in sorted(rows, key=lambda row: row["fixed_at"]):
        found.setdefault(row["quarantine_id"], {})[row["field"]] = row["value"]
    return found


def _one(warehouse: Warehouse, quarantine_id: str) -> dict[str, Any]:
    chosen = Selection(ids=[quarantine_id])
    found = [
        row
        for entity in chosen.entities
        for row in warehouse.rows(f"select * from quarantine.{entity.name} where {chosen.condition}")
    ]
    if len(found) != 1:
        what = "no row waits" if not found else f"{len(found)} rows wait"
        raise QuarantineError(f"{what} under the id {quarantine_id}; `huiyin quarantine list` shows them")
    return found[0]


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
            for source in sorted(set(keys.column("_source").to_pylist())):
                warehouse.lock(f"huiyin.raw.{source}.{entity}")
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
                announce_removed(warehouse, entity, found, utc_now())
    return int(found.num_rows)


def _rejected(found: pa.Table, entity: Entity, rule: str, field: str | None, remedy: str, batch_id: str) -> pa.Table:
    values = pa.table({f.name: text_column(found.column(f.name)) for f in entity.fields}).to_pylist()
    signs = found.select(["_source", "_delivered_at", "_row_hash", "_extra"]).to_pylist()
    now = utc_now()
    rows = []
    for row, sign, row_key in zip(values, signs, row_keys(found, entity).to_pylist(), strict=True):
        shown = payload_of(row, entity, "UTC", sign["_delivered_at"])
        # It was in raw, so it may come back exactly as it was; only what is shown of it is searched once more.
        payload = shown | {name: value for name, value in row.items() if value is not None}
        payload.pop(MASKED, None)
        if sign["_extra"] is not None:
            payload[_EXTRA] = sign["_extra"]
        rows.append(
            {
                "source": sign["_source"],
                "entity": entity.name,
                "batch_id": batch_id,
                "origin": GATE,
                "row_number": None,
                "rule": rule,
                "field": field,
                "value": shown.get(field) if field else None,
                "remedy": remedy,
                "payload": json.dumps(payload, ensure_ascii=False, sort_keys=True),
                "quarantined_at": now,
                "row_key": row_key,
                "row_hash": sign["_row_hash"],
                "delivered_at": sign["_delivered_at"],
            }
        )
    return quarantine_table(rows)


def _entity(name: str) -> Entity:
    if name not in ENTITIES:
        raise QuarantineError(f"there is no entity {name!r}; one of: {', '.join(ENTITIES)}")
    return ENTITIES[name]


def shown_key(row: Mapping[str, Any]) -> str:
    """The key of a quarantined row, for people."""
    return " · ".join((row["row_key"] or "").split("\x1f"))


def payload_fields(payload: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """The fields of a payload without what is kept about them."""
    return ((name, value) for name, value in payload.items() if not name.startswith("_"))
