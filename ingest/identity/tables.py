"""The tables of identity resolution in ``raw``; all refs are pseudonyms."""

from __future__ import annotations

import pyarrow as pa

from warehouse.connection import Warehouse

_INSTANT = pa.timestamp("us")

IDENTITY = pa.schema(
    [
        pa.field("ref", pa.string(), nullable=False),
        pa.field("person_ref", pa.string(), nullable=False),  # the person's ref known longest
        pa.field("method", pa.string(), nullable=False),  # itself, person, scored or the rule that linked it
        pa.field("score", pa.float64(), nullable=False),  # probability of the weakest link that holds it
        pa.field("since", _INSTANT, nullable=False),  # when it came to this person
    ]
)
IDENTITY_EDGES = pa.schema(
    [
        pa.field("ref_a", pa.string(), nullable=False),  # the smaller of both
        pa.field("ref_b", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("reasons", pa.string(), nullable=False),  # JSON list of Chinese sentences
        pa.field("decided_by", pa.string(), nullable=False),  # system or person
        pa.field("decided_at", _INSTANT, nullable=False),
        pa.field("state", pa.string(), nullable=False),  # linked, separate, review
    ]
)
IDENTITY_DECISIONS = pa.schema(
    [
        pa.field("decision_id", pa.string(), nullable=False),
        pa.field("ref_a", pa.string(), nullable=False),
        pa.field("ref_b", pa.string(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),  # link, separate, withdraw
        pa.field("actor", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("decided_at", _INSTANT, nullable=False),
    ]
)


def ensure_identity_tables(warehouse: Warehouse) -> None:
    """Create what is missing."""
    warehouse.create_table("raw", "identity", IDENTITY, ("ref",))
    warehouse.create_table("raw", "identity_edges", IDENTITY_EDGES, ("ref_a", "ref_b"))
    warehouse.create_table("raw", "identity_decisions", IDENTITY_DECISIONS, ("decision_id",))
