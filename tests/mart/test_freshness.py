"""A mart that is built from old data tells the operator so, and says nothing where nothing new was due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from huiyin.config import Settings
from ingest.freshness import settle_freshness
from ingest.tables import LOAD_AUDIT, ensure_tables
from warehouse.connection import open_warehouse

SOURCES = """
company: 测试公司
sources:
  - name: desk
    domain: tickets
    kind: files
    expected_every_hours: 1
    tables:
      - {entity: tickets, path: "tickets/*.csv"}
      - {entity: messages, path: "messages/*.csv"}
      - {entity: feedback, path: "feedback/*.csv"}
      - {entity: ticket_events, path: "events/*.csv"}
  - {name: crm, domain: crm, kind: sql, url: "sqlite:///crm.db", tables: [{entity: customers, table: customers}]}
"""


def loads(settings: Settings, hours_ago: dict[str, float], error: str | None = None) -> None:
    """Loads of these entities that ended so many hours ago."""
    now = datetime.now(UTC).replace(tzinfo=None)
    rows: list[dict[str, Any]] = [
        {
            "batch_id": f"{entity} {hours} {error}", "source": "desk", "entity": entity, "origin": "a file",
            "fetched": 0, "loaded": 0, "merged": 0, "unchanged": 0, "quarantined": 0, "error": error,
            "started_at": now - timedelta(hours=hours), "finished_at": now - timedelta(hours=hours),
        }
        for entity, hours in hours_ago.items()
    ]  # fmt: skip
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        warehouse.append("raw", "load_audit", pa.Table.from_pylist(rows, schema=LOAD_AUDIT))


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_stale_tables_are_alerts_until_they_are_loaded_again(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "sources.yml").write_text(SOURCES, encoding="utf-8")
    warehouse_url = request.getfixturevalue("postgres_url") if engine == "postgres" else ""
    settings = Settings(var=tmp_path / "var", sources=tmp_path / "sources.yml", warehouse=warehouse_url)
    # The CRM is due once a day; no source was ever asked for agents; ticket_events fail since their last load.
    loads(settings, {"tickets": 1.9, "messages": 2.1, "feedback": 6.1, "customers": 23.0, "ticket_events": 30.0})
    loads(settings, {"ticket_events": 0.1}, error="can't be read")
    assert set(settle_freshness(settings).opened) == {
        "freshness/messages", "freshness/feedback", "freshness/ticket_events",
    }  # fmt: skip
    with open_warehouse(settings) as warehouse:
        alerts = {row["alert_key"]: row for row in warehouse.rows("select * from raw.operator_alerts")}
    assert {key: alert["severity"] for key, alert in alerts.items()} == {
        "freshness/messages": "warning", "freshness/feedback": "critical", "freshness/ticket_events": "critical",
    }  # fmt: skip
    assert alerts["freshness/feedback"]["message"] == "the mart is built from raw.feedback as of 6.1 hours ago"

    loads(settings, {"messages": 0.0, "feedback": 0.0, "customers": 24.5})
    assert set(settle_freshness(settings).closed) == {"freshness/messages", "freshness/feedback"}
