"""A source of which some tables fail: the others are told to whoever builds, and nobody can miss what failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_child import in_airflow

from huiyin.config import Settings
from warehouse.connection import open_warehouse

SOURCES = """
sources:
  - name: desk
    domain: tickets
    kind: files
    tables:
      - {entity: tickets, path: tickets.csv}
      - {entity: messages, path: absent.csv}
  - {name: gone, domain: tickets, kind: files, tables: [{entity: tickets, path: absent.csv}]}
"""


def test_good_tables_update_the_asset_and_a_task_of_its_own_fails_for_the_bad_ones(tmp_path: Path) -> None:
    (tmp_path / "sources.yml").write_text(SOURCES, encoding="utf-8")
    (tmp_path / "tickets.csv").write_text("ticket_id,channel,created_at\n1,phone,2025-01-01\n", encoding="utf-8")
    settings = Settings(var=tmp_path / "var", sources=tmp_path / "sources.yml", mask_key="k")
    child = str(Path(__file__).with_name("ingest_child.py"))
    printed = in_airflow(settings, [child, "ingest_tickets", json.dumps({"everything": True})]).stderr
    result: dict[str, Any] = json.loads(printed[printed.rindex('{"result"') :])["result"]
    states = result["states"]
    assert {name: states[name] for name in ("desk", "desk_complete", "gone", "gone_complete")} == {
        "desk": "success", "desk_complete": "failed", "gone": "failed", "gone_complete": "upstream_failed",
    }  # fmt: skip
    assert result["run"] == "failed"
    assert list(result["told"]) == ["raw_desk"]
    assert "source desk, messages: there is no file" in result["told"]["raw_desk"]["missing"]
    with open_warehouse(settings) as warehouse:
        assert warehouse.rows("select count(*) as n from raw.tickets") == [{"n": 1}]
