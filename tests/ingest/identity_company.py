"""A handful of people whom several systems know, as rows of the raw tables; values are masked as the loader does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa

from huiyin.config import Settings
from ingest.contract import ENTITIES
from ingest.identity import resolve
from ingest.masking import Masker
from ingest.tables import ensure_tables
from warehouse.connection import open_warehouse

MASKER = Masker(b"a key for tests only, thirty-two bytes long")
MORNING = datetime(2025, 3, 1, 8)  # noqa: DTZ001 (instants of the warehouse are naive UTC)


def ref(value: str) -> str:
    """The pseudonym of a number, phone, address or account."""
    return MASKER.pseudonym(value)


class People:
    """Collects rows, then loads them and answers who is who in plain values."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._plain: dict[str, str] = {}
        self._number = 0
        self._pending: dict[str, list[dict[str, Any]]] = {}
        with open_warehouse(settings) as warehouse:
            ensure_tables(warehouse)

    def _masked(self, value: str | None) -> str | None:
        if value is None:
            return None
        self._plain.setdefault(ref(value), value)
        return ref(value)

    def add(self, entity: str, row: dict[str, Any]) -> None:
        self._number += 1
        filled = {"_source": "s", "_loaded_at": MORNING, "_batch_id": "b", "_row_hash": str(self._number)} | row
        self._pending.setdefault(entity, []).append(filled)

    def _load(self) -> None:
        with open_warehouse(self.settings) as warehouse:
            for entity, rows in self._pending.items():
                schema = ENTITIES[entity].arrow_schema
                filled = [{name: row.get(name) for name in schema.names} for row in rows]
                warehouse.append("raw", entity, pa.Table.from_pylist(filled, schema))
        self._pending.clear()

    def customer(self, number: str, name: str | None, at: datetime = MORNING, **fields: str | None) -> None:
        """A record of the CRM; phone, email and wechat are masked."""
        own = {
            key: self._masked(value) if key in ("phone", "email", "wechat") else value for key, value in fields.items()
        }
        named = MASKER.name(name) if name else None
        self.add("customers", {"customer_ref": self._masked(number), "valid_from_at": at, "name": named, **own})

    def ticket(self, value: str, channel: str, at: datetime = MORNING, region: str | None = None) -> None:
        """A request by someone whom the channel knows by the value."""
        self.add(
            "tickets",
            {
                "ticket_id": f"T{self._number}", "customer_ref": self._masked(value), "channel": channel,
                "created_at": at, "region": region,
            },
        )  # fmt: skip

    def bound(self, account: str, kind: str, value: str) -> None:
        """An identifier of an account."""
        self.add(
            "identifiers",
            {"customer_ref": self._masked(account), "identifier_kind": kind, "identifier": self._masked(value)},
        )

    def resolve(self) -> dict[str, set[str]]:
        """The persons as sets of plain values, by the value that the person is called by."""
        self._load()
        resolve(self.settings)
        persons: dict[str, set[str]] = {}
        for row in self.rows("identity"):
            persons.setdefault(self._plain[row["person_ref"]], set()).add(self._plain[row["ref"]])
        return persons

    def rows(self, table: str) -> list[dict[str, Any]]:
        """A table of ``raw`` in the order of its key."""
        with open_warehouse(self.settings) as warehouse:
            return warehouse.rows(f"select * from raw.{table} order by 1, 2")

    def review(self) -> set[frozenset[str]]:
        """The pairs that wait for a person."""
        return {
            frozenset((self._plain[row["ref_a"]], self._plain[row["ref_b"]]))
            for row in self.rows("identity_edges")
            if row["state"] == "review"
        }
