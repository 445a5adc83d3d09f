"""What identity resolution found, for people who look at it: plain rows, nothing but pseudonyms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from huiyin.config import Settings
from ingest.identity.decisions import IdentityDecisionError
from ingest.identity.tables import ensure_identity_tables
from warehouse.connection import open_warehouse

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Person:
    """One person: ``refs`` (ref, method, score, since), ``edges`` (with reasons as a list) and people's verdicts."""

    person_ref: str
    refs: Rows
    edges: Rows
    decisions: Rows


def people(settings: Settings, limit: int) -> Rows:
    """The persons with the most refs: person_ref, refs, methods, since (of the youngest tie)."""
    with open_warehouse(settings) as warehouse:
        ensure_identity_tables(warehouse)
        return warehouse.rows(
            "select person_ref, count(*) as refs,"
            " string_agg(distinct case when ref <> person_ref then method end, '、') as methods, max(since) as since"
            f" from raw.identity group by person_ref having count(*) > 1 order by refs desc, person_ref limit {limit}"
        )


def counts(settings: Settings) -> dict[str, int]:
    """refs, persons, pairs in review, verdicts ever given."""
    with open_warehouse(settings) as warehouse:
        ensure_identity_tables(warehouse)
        found: dict[str, int] = warehouse.rows(
            "select (select count(*) from raw.identity) as refs,"
            " (select count(distinct person_ref) from raw.identity) as persons,"
            " (select count(*) from raw.identity_edges where state = 'review') as review,"
            " (select count(*) from raw.identity_decisions) as verdicts"
        )[0]
    return found


def waiting(settings: Settings, limit: int) -> Rows:
    """The pairs that wait for a verdict, the likeliest first: ref_a, ref_b, score, reasons."""
    with open_warehouse(settings) as warehouse:
        ensure_identity_tables(warehouse)
        rows = warehouse.rows(
            "select ref_a, ref_b, rule, score, reasons from raw.identity_edges where state = 'review'"
            f" order by score desc, ref_a, ref_b limit {limit}"
        )
    return [row | {"reasons": json.loads(row["reasons"])} for row in rows]


def person(settings: Settings, ref: str) -> Person:
    """The person that a ref belongs to. Raises :class:`IdentityDecisionError` for an unknown ref."""
    with open_warehouse(settings) as warehouse:
        ensure_identity_tables(warehouse)
        own = warehouse.select_matching("raw", "identity", pa.table({"ref": [ref]})).to_pylist()
        if not own:
            raise IdentityDecisionError(f"no ref {ref!r}; `huiyin identity list` and `review` show refs")
        person_ref = own[0]["person_ref"]
        refs = warehouse.select_matching("raw", "identity", pa.table({"person_ref": [person_ref]}))
        keys = refs.column("ref").to_pylist()
        tied: dict[str, Rows] = {}
        for table in ("identity_edges", "identity_decisions"):
            found = {}
            for column in ("ref_a", "ref_b"):
                for row in warehouse.select_matching("raw", table, pa.table({column: keys})).to_pylist():
                    found[row.get("decision_id") or (row["ref_a"], row["ref_b"])] = row
            tied[table] = sorted(found.values(), key=lambda row: (row["decided_at"], row["ref_a"], row["ref_b"]))
    edges = [row | {"reasons": json.loads(row["reasons"])} for row in tied["identity_edges"]]
    by_age = sorted(refs.to_pylist(), key=lambda row: (row["ref"] != person_ref, row["since"], row["ref"]))
    return Person(person_ref, by_age, edges, tied["identity_decisions"])
