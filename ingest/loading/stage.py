"""From deliveries to portions: mapped, masked, typed and checked. Nothing here knows the warehouse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from ingest.connectors.delivery import Delivery
from ingest.errors import SourceError
from ingest.extra import extra_values
from ingest.loading.plan import TablePlan
from ingest.mapping import Mapped, map_delivery
from ingest.masking import Masker
from ingest.prepare import Prepared, TextRows, broken_line_rows, prepare

ROWS_PER_PORTION = 100_000


@dataclass(frozen=True)
class Portion:
    """Some rows of one table, masked, ready for the warehouse.

    ``fetched`` counts what the connector handed over, by origin (an origin that brought nothing counts 0);
    ``broken`` are the quarantine's rows of lines that are no rows. ``delivered_at``: of its newest delivery.
    ``absent_fields``: those that the source used to fill and whose columns it no longer delivers.
    """

    fetched: Counter[str]
    broken: pa.Table
    prepared: Prepared
    delivered_at: datetime
    absent_fields: frozenset[str] = frozenset()


class Stage:
    """Collects deliveries of one table until they make a portion."""

    def __init__(self, plan: TablePlan) -> None:
        self._plan = plan
        self._pending: list[tuple[Delivery, str, Mapped]] = []
        self._pending_rows = 0
        self._keyless: str | None = None
        self._any_key = False
        self._absent_fields: frozenset[str] = frozenset()

    def add(self, delivery: Delivery) -> Iterator[Portion]:
        """Take a delivery over; the portions that are full. Raises :class:`SourceError` for wrong columns."""
        delivery = self._plan.recogniser.renamed(delivery)
        seen = self._plan.watch.look_at(delivery)
        mapped = map_delivery(delivery, self._plan.table, self._plan.batch.entity, seen)
        if seen.absent_fields != self._absent_fields:
            yield from self.flush()
            self._absent_fields = seen.absent_fields
        keyless = mapped.keyless
        if delivery.broken and not delivery.rows.num_columns:
            keyless = f"{delivery.origin} has no line that is a JSON object; it must hold one object a line"
        if keyless is not None:
            self._keyless = self._keyless or keyless
        elif mapped.table.num_rows:
            self._any_key = True
        self._pending.append((delivery, delivery.origin + self._plan.suffix, mapped))
        self._pending_rows += mapped.table.num_rows
        if self._pending_rows >= ROWS_PER_PORTION:
            yield from self.flush()

    def flush(self) -> Iterator[Portion]:
        """The portions of what is pending. Raises :class:`SourceError` where no row at all could have a key."""
        pending, self._pending, self._pending_rows = self._pending, [], 0
        if self._keyless is not None and not self._any_key:
            raise SourceError(self._keyless)
        if not pending:
            return
        batch = self._plan.batch
        fetched: Counter[str] = Counter()
        broken = []
        for delivery, origin, mapped in pending:
            fetched[origin] += mapped.table.num_rows + len(delivery.broken)
            if delivery.broken:
                broken.append(broken_line_rows(delivery.broken, origin, batch))
        given = _joined(pending, self._plan.load.masker)
        newest = max(delivery.delivered_at for delivery, _, _ in pending)
        for start in range(0, max(given.table.num_rows, 1), ROWS_PER_PORTION):
            prepared = prepare(_sliced(given, start), batch, self._plan.load.masker)
            rows = pa.concat_tables(broken) if broken else broken_line_rows((), "", batch)
            self._plan.watch.saw_types(prepared.readings)
            self._plan.watch.saw_values(prepared.unregistered)
            yield Portion(fetched, rows, prepared, newest, self._absent_fields)
            fetched, broken = Counter(), []


def _joined(pending: list[tuple[Delivery, str, Mapped]], masker: Masker) -> TextRows:
    sizes = [mapped.table.num_rows for _, _, mapped in pending]
    versions = [mapped.versions for _, _, mapped in pending]
    tombstones = [mapped.tombstones for _, _, mapped in pending]
    return TextRows(
        pa.concat_tables([mapped.table for _, _, mapped in pending]),
        _repeated([origin for _, origin, _ in pending], sizes, pa.string()),
        pa.concat_arrays([mapped.row_numbers for _, _, mapped in pending]),
        _repeated([delivery.delivered_at for delivery, _, _ in pending], sizes, pa.timestamp("us")),
        None if versions[0] is None else pa.concat_arrays(versions),
        None if tombstones[0] is None else pa.concat_arrays(tombstones),
        _extra([mapped for _, _, mapped in pending], masker),
    )


def _extra(pending: list[Mapped], masker: Masker) -> pa.Array | None:
    """``_extra`` of all rows; None where no column is kept in it."""
    if all(mapped.extra is None for mapped in pending):
        return None
    return pa.concat_arrays(
        [
            pa.nulls(mapped.table.num_rows, pa.string()) if mapped.extra is None else extra_values(mapped.extra, masker)
            for mapped in pending
        ]
    )


def _sliced(given: TextRows, start: int) -> TextRows:
    def part(array: pa.Array | pa.Table | None) -> pa.Array | pa.Table | None:
        return None if array is None else array.slice(start, ROWS_PER_PORTION)

    return TextRows(
        part(given.table), part(given.origins), part(given.row_numbers), part(given.delivered_at),
        part(given.versions), part(given.tombstones), part(given.extra),
    )  # fmt: skip


def _repeated(values: list[object], sizes: list[int], kind: pa.DataType) -> pa.Array:
    positions = [index for index, size in enumerate(sizes) for _ in range(size)]
    return pa.array(values, kind).take(pa.array(positions, pa.int64()))
