"""Real DAG runs over several days: a source that is down is one alert, and so is any task that fails."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from airflow_child import in_airflow

from huiyin.config import PROJECT_ROOT, Settings
from warehouse import open_warehouse

SOURCES = """
company: 测试公司
sources:
  - {name: desk, domain: tickets, kind: files, tables: [{entity: tickets, path: "tickets/{date}.csv"}]}
  - name: phone
    domain: tickets
    kind: sql
    url: "sqlite:///phone.db"
    tables: [{entity: messages, table: messages}, {entity: ticket_events, table: events}]
"""
PHONE = (
    "import sqlite3; c = sqlite3.connect('{file}');"
    "c.execute('create table messages (message_id, ticket_id, author_role, sent_at)');"
    "c.execute('create table events (event_id, ticket_id, event_at, field)');"
    "c.execute(chr(105) + \\\"nsert into messages values ('M1', 'T1', 'agent', '2025-03-07 12:00')\\\"); c.commit()"
)
HEADER = "ticket_id,channel,subject,body,created_at\n"


def several_days(settings: Settings, dag: str, first: str, days: Sequence[str]) -> tuple[list[dict[str, Any]], str]:
    child = Path(__file__).with_name("several_days.py")
    finished = in_airflow(settings, [str(child), str(PROJECT_ROOT / "dags"), dag, first, *days])
    log = finished.stdout + finished.stderr
    outcomes: list[dict[str, Any]] = json.loads(log.split("OUTCOMES ")[1].splitlines()[0])
    return outcomes, log


@pytest.fixture
def company(tmp_path: Path) -> Settings:
    """Two sources; one writes a file a day, the other's database isn't there."""
    (tmp_path / "sources.yml").write_text(SOURCES, encoding="utf-8")
    (tmp_path / "tickets").mkdir()
    for day in range(1, 9):
        line = f"T{day},phone,标题,漏水,2025-03-0{day} 20:00\n"
        (tmp_path / "tickets" / f"2025-03-0{day}.csv").write_text(HEADER + line, encoding="utf-8")
    return Settings(var=tmp_path / "var", sources=tmp_path / "sources.yml", mask_key="k")


def alerts(settings: Settings) -> list[dict[str, Any]]:
    with open_warehouse(settings, read_only=True) as warehouse:
        return warehouse.rows("select * from raw.operator_alerts order by opened_at")


@pytest.mark.slow
def test_a_source_that_is_down_for_days_is_one_alert_that_ends_when_it_is_back(company: Settings) -> None:
    database = company.sources_file.parent / "phone.db"
    mend = f'{sys.executable} -c "{PHONE.format(file=database)}"'
    outcomes, log = several_days(company, "ingest_tickets", "2025-03-04", ["run", "run", "run", "run", mend])
    for outcome in outcomes[:4]:
        # The run shows as failed, though its last task has done its work.
        assert outcome["run"] == "failed"
        assert outcome["tasks"]["phone"] == "failed" and outcome["tasks"]["desk"] == "success"
        assert outcome["tasks"]["operator-view"] == "success"
    assert outcomes[4]["run"] == "success"
    (alert,) = alerts(company)
    assert alert["alert_key"] == "source/phone/delivery" and alert["closed_at"] is not None
    assert alert["occurrences"] == 4 and alert["severity"] == "critical"
    assert "messages, ticket_events: loading has failed for 72 hours: there is no database file" in alert["message"]
    operator = re.findall(r"(OPENED|CLOSED|FAILED) (\S+)", log)
    assert operator == [("OPENED", "source/phone/delivery:"), ("CLOSED", "source/phone/delivery")]
    with open_warehouse(company, read_only=True) as warehouse:
        health = warehouse.rows("select source, entity, state, rows_last_day from raw.source_health order by 1, 2")
    assert [tuple(row.values()) for row in health] == [
        ("desk", "tickets", "ok", 1), ("phone", "messages", "ok", 1), ("phone", "ticket_events", "ok", None),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_task_that_fails_again_and_again_is_one_alert_that_tells_why(company: Settings, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    broken = company.model_copy(update={"rules": tmp_path / "rules"})
    outcomes, log = several_days(broken, "service_mart", "2025-03-03", ["run", "run"])
    assert [outcome["run"] for outcome in outcomes] == ["failed", "failed"]
    assert outcomes[0]["tasks"]["publish_mart"] == "failed" and outcomes[0]["tasks"]["operator-view"] == "success"
    (alert,) = alerts(company)
    assert (alert["alert_key"], alert["occurrences"]) == ("task/service_mart.publish_mart", 2)
    assert ".csv" in alert["message"] and "nothing half-written was published" in alert["remedy"]
    assert len(re.findall("OPENED", log)) == 1
