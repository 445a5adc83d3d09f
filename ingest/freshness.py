"""Is what the mart is built from fresh? dbt's source freshness (warn after 2 h, error after 6 h) as operators' alerts.

The limits are those of ``dbt_project/models/staging/_sources.yml``, counted from the last load that succeeded. A source
that needn't bring anything for longer (``expected_every_hours``) isn't late before that.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from huiyin.config import Settings
from ingest.connectors.delivery import utc_now
from ingest.operator_alerts import Condition, Settled, settle
from ingest.sources import DECISIONS, load_sources
from ingest.tables import ensure_tables
from warehouse.connection import open_warehouse
from warehouse.dbt import run_dbt

_KEY = "freshness/"


def settle_freshness(settings: Settings) -> Settled:
    """Open and close an alert for each entity that was last loaded too long ago. Call it when a mart was published.

    Entities that no source of the company delivers, or that were never loaded, are none. Raises
    ``SourcesFileError`` and ``DbtFailedError``.
    """
    expected: dict[str, float] = {}
    for source in load_sources(settings).sources:
        if source.name != DECISIONS:
            for table in source.tables:
                hours = expected.get(table.entity, source.expected_every_hours)
                expected[table.entity] = min(hours, source.expected_every_hours)
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        loaded: dict[str, datetime] = {
            row["entity"]: row["loaded_at"]
            for row in warehouse.rows(
                "select entity, max(finished_at) as loaded_at from raw.load_audit where error is null group by entity"
            )
        }
    now = utc_now()
    stale = [
        Condition(
            f"{_KEY}{node.name}",
            "freshness",
            f"the mart is built from raw.{node.name} as of {node.message.removeprefix('last loaded ')}",
            "look why its sources were not loaded since: `huiyin status`, the ingest DAGs",
            "critical" if node.status == "error" else "warning",
        )
        for node in run_dbt(settings, "source freshness").nodes
        if node.status in ("warn", "error")
        and node.name in loaded
        and now - loaded[node.name] > timedelta(hours=expected.get(node.name, float("inf")))
    ]
    with open_warehouse(settings) as warehouse:
        return settle(warehouse, stale, lambda key: key.startswith(_KEY))
