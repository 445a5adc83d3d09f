"""Forget a person: what the warehouse holds of them becomes anonymous, and stays so when old files are loaded again.

A row is never taken out of a total. The person's pseudonym becomes a random surrogate that can't be derived from
anything, and what tells about the person is emptied: texts, contacts, names, revenue, links. Tier, segment and region
stay, so counts, response times, repeat contacts and breakdowns of closed periods remain what they were; only figures
made from texts lose these voices, and ``raw.erasures`` says how many.

What must not come back is known by *marks*: keyed one-way hashes of the person's pseudonyms and of the anonymised
tickets. A delivered row that is older than the erasure is anonymised again at the edge; a newer one is a new contact
and is loaded as usual.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import ENTITIES, Entity
from ingest.identity.tables import IDENTITY_DECISIONS, ensure_identity_tables
from ingest.masking import Masker
from ingest.prepare import row_hashes
from ingest.tables import ERASURE_MARKS, ERASURES
from warehouse.builds import forget_build
from warehouse.connection import Warehouse

_Mask = npt.NDArray[np.bool_]

# The instant that tells whether a row is older than an erasure.
_INSTANT = {
    "tickets": "created_at",
    "ticket_events": "event_at",
    "messages": "sent_at",
    "feedback": "created_at",
    "customers": "valid_from_at",
    "identifiers": "seen_at",
}
_EMPTIED = {
    "tickets": ("subject", "body", "_extra"),
    "ticket_events": ("_extra",),
    "messages": ("body", "_extra"),
    "feedback": ("text", "url", "_extra"),
    "customers": ("name", "annual_revenue", "phone", "email", "wechat", "since_on", "churned_on", "_extra"),
}
# Whose the reference is; only a customer's is replaced.
_REFERENCES = {"customer_ref": None, "author_ref": "author_role", "actor_ref": "actor_role"}
# What dbt remembers of rows that a source replaced (dbt_project/snapshots).
_HISTORY = ("history", "customer_history")
RETAINED = ("tickets", "messages", "feedback")
"""Entities whose texts a retention period may end."""


@dataclass(frozen=True)
class Erased:
    """What the loader must not let back in.

    ``surrogates``: mark of a pseudonym → (surrogate, instant of the erasure); ``tickets``: mark of an anonymised
    ticket → that instant; ``cutoffs``: entity → texts older than this instant are not kept.
    """

    surrogates: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)
    tickets: Mapping[str, datetime] = field(default_factory=dict)
    cutoffs: Mapping[str, datetime] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.surrogates or self.tickets or self.cutoffs)


@dataclass(frozen=True)
class Anonymised:
    """An erasure in the raw tables: ``rows`` by table, the voices whose texts are gone, reports that quoted them."""

    erasure_id: str
    erased_at: datetime
    reason: str
    rows: Mapping[str, int]
    voice_ids: Sequence[str]
    reports: Sequence[str]


def load_erased(warehouse: Warehouse, retention_days: Mapping[str, int], now: datetime) -> Erased:
    """The marks of all erasures so far, and where the retention periods end at ``now``."""
    surrogates: dict[str, tuple[str, datetime]] = {}
    tickets: dict[str, datetime] = {}
    for row in warehouse.rows("select mark, surrogate, erased_at from raw.erasure_marks"):
        if row["surrogate"] is None:
            tickets[row["mark"]] = row["erased_at"]
        else:
            surrogates[row["mark"]] = (row["surrogate"], row["erased_at"])
    return Erased(surrogates, tickets, cutoffs(retention_days, now))


def cutoffs(retention_days: Mapping[str, int], now: datetime) -> dict[str, datetime]:
    """Entity → the instant before which texts aren't kept at ``now``."""
    return {name: now - timedelta(days=days) for name, days in retention_days.items() if name in RETAINED}


def anonymise(rows: pa.Table, entity: Entity, erased: Erased, masker: Masker) -> pa.Table:
    """Masked, typed rows of ``entity`` without what belongs to erased persons or is kept too long.

    Identifiers of erased persons are dropped, every other row is kept; ``_row_hash`` follows the content. ``rows`` has
    the columns of ``raw.<entity>``; further ones pass through.
    """
    if not erased or entity.name not in _INSTANT or not rows.num_rows:
        return rows
    instants = np.array(rows.column(_INSTANT[entity.name]).to_pylist(), dtype="datetime64[us]")

    def older(than: datetime | None) -> Any:
        # An identifier or a span without an instant is taken for an old one: it must not come back.
        return than is not None and (np.isnat(instants) | (instants < np.datetime64(than)))

    cutoff = erased.cutoffs.get(entity.name)
    aged: _Mask = np.zeros(rows.num_rows, bool) | older(cutoff)
    touched: _Mask = np.zeros(rows.num_rows, bool)
    if "ticket_id" in rows.column_names:
        marks = _each_pair(rows.column("_source").to_pylist(), rows.column("ticket_id").to_pylist(), masker)
        erased_at = np.array([erased.tickets.get(mark) if mark else None for mark in marks], dtype="datetime64[us]")
        touched |= instants < erased_at  # NaT compares false
    columns: dict[str, list[str | None]] = {}
    for name, role in _REFERENCES.items():
        if name not in rows.column_names:
            continue
        values = rows.column(name).to_pylist()
        known = {value: erased.surrogates.get(masker.mark(value)) for value in set(values) if value is not None}
        found = [known[value] if value is not None else None for value in values]
        mine = np.array([hit[1] if hit else None for hit in found], dtype="datetime64[us]")
        is_mine: _Mask = ~np.isnat(mine) & (np.isnat(instants) | (instants < mine))
        is_customers: _Mask = (
            np.ones(rows.num_rows, bool)
            if role is None
            else np.array([value == "customer" for value in rows.column(role).to_pylist()])
        )
        if role is None:
            touched |= is_mine
        columns[name] = [
            hit[0] if hit and own else (None if role is not None and gone and customer else value)
            for value, hit, own, gone, customer in zip(values, found, is_mine, touched, is_customers, strict=True)
        ]
    if entity.name == "identifiers":
        return rows.filter(pa.array(~touched))
    if not touched.any() and not aged.any() and all(columns[n] == rows.column(n).to_pylist() for n in columns):
        return rows
    for name, values in columns.items():
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values, pa.string()))
    for name in _EMPTIED[entity.name]:
        rows = _emptied(rows, name, touched | aged)
    hashes = row_hashes(rows.select([f.name for f in entity.fields]))
    if "_deleted_at" in rows.column_names:  # rows deleted upstream carry a hash of their own
        hashes = pc.if_else(pc.is_null(rows.column("_deleted_at")), hashes, rows.column("_row_hash"))
    return rows.set_column(rows.column_names.index("_row_hash"), "_row_hash", hashes)


def _each_pair(sources: Sequence[str], ticket_ids: Sequence[str | None], masker: Masker) -> list[str | None]:
    known: dict[tuple[str, str], str] = {}
    marks: list[str | None] = []
    for source, ticket_id in zip(sources, ticket_ids, strict=True):
        if ticket_id is None:
            marks.append(None)
            continue
        if (source, ticket_id) not in known:
            known[source, ticket_id] = ticket_mark(masker, source, ticket_id)
        marks.append(known[source, ticket_id])
    return marks


def ticket_mark(masker: Masker, source: str, ticket_id: str) -> str:
    """The mark of an anonymised ticket."""
    return masker.mark(f"{source}\x1f{ticket_id}")


def _emptied(rows: pa.Table, name: str, where: _Mask) -> pa.Table:
    index = rows.column_names.index(name)
    kind = rows.schema.field(index).type
    kept = [None if gone else value for value, gone in zip(rows.column(index).to_pylist(), where, strict=True)]
    return rows.set_column(index, name, pa.array(kept, kind))


def voices_of(warehouse: Warehouse, refs: Sequence[str]) -> list[str]:
    """Ids of the voices (tickets, feedback) of the person known by these pseudonyms."""
    found = _rows_of(warehouse, refs)
    return [
        f"{kind}:{row['_source']}:{row[key]}"
        for name, kind, key in (("tickets", "ticket", "ticket_id"), ("feedback", "feedback", "feedback_id"))
        for row in found[name].select(["_source", key]).to_pylist()
    ]


def erase_person(
    warehouse: Warehouse,
    masker: Masker,
    refs: Sequence[str],
    erasure_id: str,
    erased_at: datetime,
    reason: str,
    reports: Sequence[str] = (),
) -> Anonymised:
    """Anonymise all that ``raw`` and ``quarantine`` hold of the person known by these pseudonyms; one transaction.

    The caller resolves which pseudonyms are one person and, once the other stores have followed, calls
    :func:`finish`; until then :func:`unfinished` names the erasure. Run again it finds nothing more to do.
    """
    with warehouse.transaction():
        voices = voices_of(warehouse, refs)
        found = _rows_of(warehouse, refs)
        tickets = found["tickets"].select(["_source", "ticket_id"]).to_pylist()
        erased = Erased(
            {masker.mark(ref): ("p_" + secrets.token_hex(8), erased_at) for ref in refs},
            {ticket_mark(masker, row["_source"], row["ticket_id"]): erased_at for row in tickets},
        )
        for name, rows in found.items():
            if rows.num_rows:
                _replace(warehouse, name, rows, anonymise(rows, ENTITIES[name], erased, masker))
        counts = {f"raw.{name}": rows.num_rows for name, rows in found.items() if rows.num_rows}
        surrogates = {ref: erased.surrogates[masker.mark(ref)][0] for ref in refs}
        counts |= _forget_history(warehouse, surrogates)
        counts |= _clear_quarantine(warehouse, set(refs), {(row["_source"], row["ticket_id"]) for row in tickets})
        _keep_together(warehouse, refs, list(surrogates.values()), erased_at)
        done = Anonymised(erasure_id, erased_at, reason, counts, tuple(voices), tuple(reports))
        _keep(warehouse, erased, done)
    return done


def unfinished(warehouse: Warehouse) -> list[Anonymised]:
    """Erasures whose other stores haven't followed yet, the oldest first."""
    found = []
    for row in warehouse.rows("select * from raw.erasures where pending is not null order by erased_at"):
        pending = json.loads(row["pending"])
        found.append(
            Anonymised(
                row["erasure_id"], row["erased_at"], row["reason"], json.loads(row["row_counts"]),
                pending["voice_ids"], pending["reports"],
            )
        )  # fmt: skip
    return found


def finish(warehouse: Warehouse, erasure_id: str) -> None:
    """All stores have followed."""
    warehouse.execute(f"update raw.erasures set pending = null where erasure_id = '{erasure_id}'")


def _keep_together(warehouse: Warehouse, refs: Sequence[str], surrogates: Sequence[str], now: datetime) -> None:
    """People's verdicts on the person go; the surrogates stay one unknown customer, so that customers count as before.

    What identity resolution itself found is derived from the raw rows, and follows them at its next call.
    """
    ensure_identity_tables(warehouse)
    for column in ("ref_a", "ref_b"):
        warehouse.delete_matching("raw", "identity_decisions", pa.table({column: pa.array(refs, pa.string())}))
    pairs = [sorted((surrogates[0], other)) for other in surrogates[1:]]
    links = [
        {
            "decision_id": secrets.token_hex(8), "ref_a": a, "ref_b": b, "verdict": "link", "actor": "huiyin forget",
            "reason": "anonymised rows of one person", "decided_at": now,
        }
        for a, b in pairs
    ]  # fmt: skip
    if links:
        warehouse.append("raw", "identity_decisions", pa.Table.from_pylist(links, schema=IDENTITY_DECISIONS))


def _rows_of(warehouse: Warehouse, refs: Sequence[str]) -> dict[str, pa.Table]:
    """All rows of ``raw`` that tell of the person: the person's own, and those of the person's tickets."""
    own = {
        name: _matching(warehouse, name, "customer_ref", refs)
        for name in ("tickets", "customers", "identifiers", "feedback")
    }
    own["identifiers"] = _united(own["identifiers"], _matching(warehouse, "identifiers", "identifier", refs))
    tickets = own["tickets"].select(["_source", "ticket_id"])
    for name in ("messages", "ticket_events", "feedback"):
        of_tickets = warehouse.select_matching("raw", name, tickets)
        own[name] = _united(own[name], of_tickets) if name in own else of_tickets
    return own


def _matching(warehouse: Warehouse, table: str, column: str, refs: Sequence[str]) -> pa.Table:
    return warehouse.select_matching("raw", table, pa.table({column: pa.array(sorted(set(refs)), pa.string())}))


def _united(one: pa.Table, other: pa.Table) -> pa.Table:
    if not other.num_rows:
        return one
    if not one.num_rows:
        return other
    both = pa.concat_tables([one, other])
    return both.take(pa.array(sorted({str(row): n for n, row in enumerate(both.to_pylist())}.values())))


def _replace(warehouse: Warehouse, table: str, old: pa.Table, new: pa.Table) -> None:
    key = ["_source", *ENTITIES[table].key]
    # No load brought this, so an incremental build wouldn't see it.
    forget_build(warehouse)
    warehouse.delete_matching("raw", table, old.select(key))
    if new.num_rows:
        warehouse.append("raw", table, new)


def _forget_history(warehouse: Warehouse, surrogates: Mapping[str, str]) -> dict[str, int]:
    """Earlier versions of the person's rows (dbt's snapshot) follow what became of the rows in ``raw``.

    ``surrogates``: pseudonym → what stands in its place. Versions keep their instants; the id that dbt made of the
    pseudonym is drawn anew.
    """
    schema, table = _HISTORY
    if not warehouse.has_table(schema, table):
        return {}
    own = pa.table({"customer_ref": pa.array(surrogates, pa.string())})
    rows = warehouse.select_matching(schema, table, own)
    if not rows.num_rows:
        return {}
    everywhere: _Mask = np.ones(rows.num_rows, bool)
    for name in _EMPTIED["customers"]:
        if name in rows.column_names:
            rows = _emptied(rows, name, everywhere)
    for name, values in (
        ("customer_ref", [surrogates[ref] for ref in rows.column("customer_ref").to_pylist()]),
        ("dbt_scd_id", [secrets.token_hex(16) for _ in range(rows.num_rows)]),
    ):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values, pa.string()))
    warehouse.delete_matching(schema, table, own)
    warehouse.append(schema, table, rows)
    return {f"{schema}.{table}": rows.num_rows}


def _clear_quarantine(warehouse: Warehouse, refs: set[str], tickets: set[tuple[str, str]]) -> dict[str, int]:
    """Quarantined rows of the person are deleted: nobody can replay half a person."""
    cleared = {}
    for name in _INSTANT:
        rows = warehouse.rows(f"select quarantine_id, source, payload, value from quarantine.{name}")
        gone = [row["quarantine_id"] for row in rows if _is_of_person(row, refs, tickets)]
        if gone:
            ids = pa.table({"quarantine_id": gone})
            warehouse.delete_matching("quarantine", name, ids)
            warehouse.delete_matching("raw", "quarantine_fixes", ids)
            cleared[f"quarantine.{name}"] = len(gone)
    return cleared


def _is_of_person(row: Mapping[str, Any], refs: set[str], tickets: set[tuple[str, str]]) -> bool:
    payload = json.loads(row["payload"] or "{}")
    return not refs.isdisjoint(payload.values()) or (row["source"], payload.get("ticket_id")) in tickets


def _keep(warehouse: Warehouse, erased: Erased, done: Anonymised) -> None:
    erasure_id, erased_at = done.erasure_id, done.erased_at
    marks = [
        {"mark": mark, "surrogate": surrogate, "erasure_id": erasure_id, "erased_at": erased_at}
        for mark, (surrogate, _) in erased.surrogates.items()
    ] + [{"mark": mark, "surrogate": None, "erasure_id": erasure_id, "erased_at": erased_at} for mark in erased.tickets]
    warehouse.append("raw", "erasure_marks", pa.Table.from_pylist(marks, schema=ERASURE_MARKS))
    row = {
        "erasure_id": erasure_id, "erased_at": erased_at, "reason": done.reason, "voices": len(done.voice_ids),
        "row_counts": json.dumps(dict(done.rows), sort_keys=True),
        "pending": json.dumps({"voice_ids": list(done.voice_ids), "reports": list(done.reports)}),
    }  # fmt: skip
    warehouse.append("raw", "erasures", pa.Table.from_pylist([row], schema=ERASURES))


def end_retention(
    warehouse: Warehouse, retention_days: Mapping[str, int], masker: Masker, now: datetime, is_trial: bool = False
) -> dict[str, int]:
    """Empty the texts, and drop the rejected rows, that are kept longer than their days; how many, by table.

    ``is_trial``: only count them. Running it again changes nothing.
    """
    erased = Erased(cutoffs=cutoffs(retention_days, now))
    done: dict[str, int] = {}
    for name, cutoff in erased.cutoffs.items():
        filled = f"coalesce({', '.join(f'r.{column}' for column in _EMPTIED[name])})"
        condition = f"r.{_INSTANT[name]} < timestamp '{cutoff:%Y-%m-%d %H:%M:%S}' and {filled} is not null"
        with warehouse.transaction():
            rows = warehouse.query(f"select r.* from raw.{name} r where {condition}")
            done[f"raw.{name}"] = rows.num_rows
            if rows.num_rows and not is_trial:
                _replace(warehouse, name, rows, anonymise(rows, ENTITIES[name], erased, masker))
    if "quarantine" in retention_days:
        before = now - timedelta(days=retention_days["quarantine"])
        for name in ENTITIES:
            old = f"from quarantine.{name} where quarantined_at < timestamp '{before:%Y-%m-%d %H:%M:%S}'"
            if number := warehouse.rows(f"select count(*) as n {old}")[0]["n"]:
                done[f"quarantine.{name}"] = number
                if not is_trial:
                    warehouse.execute(
                        f"delete from raw.quarantine_fixes where quarantine_id in (select quarantine_id {old})"
                    )
                    warehouse.execute(f"delete {old}")
    return done
