"""Does the account of a load come out even? ``raw.load_balance`` shows it; this says so when it doesn't.

The left side (``fetched``) counts what connectors handed over; the right side what the warehouse and the quarantine
did with it, counted there; and ``raw`` itself must have grown by what counts as loaded. A difference means a row that
nobody can account for: a defect, never the source's fault.
"""

from __future__ import annotations

from collections.abc import Sequence

from ingest.operator_alerts import Condition, Settled, settle
from warehouse.connection import Warehouse

_SHOWN = 3


def balance_key(source: str) -> str:
    """The alert's key."""
    return f"source/{source}/balance"


def check_balance(warehouse: Warehouse, source: str, batch_id: str, unexplained: Sequence[str] = ()) -> Settled:
    """Raise one alert for the source if any account of the batch is uneven; close it when a whole batch is even.

    ``unexplained``: where ``raw`` itself didn't grow by what was counted as loaded.
    """
    rows = warehouse.rows(
        "select entity, origin, fetched, unaccounted from raw.load_balance"
        f" where source = '{source}' and batch_id = {_literal(batch_id)} and not is_balanced"
        " order by entity, origin"
    )
    key = balance_key(source)
    conditions = []
    faults = [
        f"{row['entity']} from {row['origin']}: {row['unaccounted']:+,} of {row['fetched']:,} rows" for row in rows
    ] + list(unexplained)
    if faults:
        shown = "; ".join(faults[:_SHOWN])
        conditions = [
            Condition(
                key,
                "balance",
                f"rows fetched are not accounted for in batch {batch_id}: {shown}",
                "compare raw.load_balance with the source, report the defect, and load those days again",
                "critical",
                source,
            )
        ]
    return settle(warehouse, conditions, key.__eq__)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
