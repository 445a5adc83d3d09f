"""What quarantine and raw know already about delivered rows.

A source that is read in full delivers a row that the gate rejected again and again. As long as it is the very row, it
stays where it is: in quarantine, or, where somebody has put it right, in ``raw`` as corrected. When it changes, it is
loaded and judged anew, and what waits in quarantine of the same key is settled.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import Entity
from ingest.prepare import ORIGIN, row_keys
from warehouse.connection import Warehouse


@dataclass(frozen=True)
class _Waiting:
    quarantine_id: str
    delivered_at: datetime | None
    was_in_raw: bool


class Standing:
    """The quarantined rows of one source and entity, as far as delivered rows may meet them."""

    def __init__(self, warehouse: Warehouse, source: str, entity: Entity) -> None:
        self._entity = entity
        self._rejected: set[str] = set()
        self._corrected: set[str] = set()
        self._waiting: dict[str, list[_Waiting]] = {}
        table = warehouse.query(
            "select quarantine_id, row_key, row_hash, delivered_at, replayed_at,"
            " exists (select 1 from raw.quarantine_fixes f where f.quarantine_id = q.quarantine_id) as is_fixed"
            f" from quarantine.{entity.name} q where source = '{source}' and row_key is not null"
            " and (replayed_at is null or row_hash is not null)"
        )
        for row in table.to_pylist():
            if row["replayed_at"] is None:
                self._rejected.update({row["row_hash"]} - {None})
                self._wait(row["row_key"], row["quarantine_id"], row["delivered_at"], row["row_hash"] is not None)
            elif row["is_fixed"]:
                self._corrected.add(row["row_hash"])

    def _wait(self, key: str, quarantine_id: str, delivered_at: datetime | None, was_in_raw: bool) -> None:
        self._waiting.setdefault(key, []).append(_Waiting(quarantine_id, delivered_at, was_in_raw))

    def part(self, rows: pa.Table) -> tuple[pa.Table, Counter[str], Counter[str]]:
        """The rows that are news; by origin, how many are in quarantine already and how many stand corrected."""
        if not self._rejected and not self._corrected:
            return rows, Counter(), Counter()
        hashes, origins = rows.column("_row_hash"), rows.column(ORIGIN)
        rejected = pc.is_in(hashes, pa.array(sorted(self._rejected), pa.string()))
        corrected = pc.and_not(pc.is_in(hashes, pa.array(sorted(self._corrected), pa.string())), rejected)
        return (
            rows.filter(pc.invert(pc.or_(rejected, corrected))),
            Counter(origins.filter(rejected).to_pylist()),
            Counter(origins.filter(corrected).to_pylist()),
        )

    def add(self, quarantined: pa.Table) -> None:
        """Rows that this load has sent to quarantine."""
        for row in quarantined.select(["row_key", "quarantine_id", "delivered_at"]).to_pylist():
            if row["row_key"] is not None:
                self._wait(row["row_key"], row["quarantine_id"], row["delivered_at"], was_in_raw=False)

    def settle(self, warehouse: Warehouse, rows: pa.Table) -> None:
        """Take out of quarantine what ``rows``, loaded now, are newer versions of."""
        if not self._waiting or not rows.num_rows:
            return
        keys = row_keys(rows, self._entity)
        met = pc.is_in(keys, pa.array(list(self._waiting), pa.string()))
        settled = []
        for key, at in zip(
            keys.filter(met).to_pylist(), rows.column("_delivered_at").filter(met).to_pylist(), strict=True
        ):
            for waiting in self._waiting.get(key, []):
                # A rejected row was in raw by itself: another of the same delivery has corrected it.
                known = waiting.delivered_at
                if known is None or at > known or (waiting.was_in_raw and at == known):
                    settled.append(waiting.quarantine_id)
        if settled:
            ids = pa.table({"quarantine_id": pa.array(sorted(set(settled)), pa.string())})
            warehouse.delete_matching("quarantine", self._entity.name, ids, "t.replayed_at IS NULL")
