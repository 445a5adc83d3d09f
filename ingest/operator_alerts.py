"""``raw.operator_alerts``: what needs a person's hand. One condition is one alert, however often it is seen.

Whoever judges a part of the system says what is wrong with it now (:class:`Condition`); :func:`settle` opens alerts for
what is new, keeps those that go on, and closes those whose condition has ended. Each opening and each closing is one
line of the logger ``huiyin.operator``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import pyarrow as pa

from huiyin.config import Settings
from ingest.connectors.delivery import utc_now
from ingest.tables import OPERATOR_ALERTS, OPERATOR_ALERTS_KEY, ensure_tables
from warehouse.connection import Warehouse, open_warehouse

log = logging.getLogger("huiyin.operator")

KEPT = timedelta(days=400)
TASK_REMEDY = "mend it, then clear the task; nothing half-written was published"


@dataclass(frozen=True)
class Condition:
    """Something that is wrong now. ``key`` stays the same as long as it is the same trouble: ``source/crm/delivery``,
    ``task/service_mart.gate_raw``."""

    key: str
    kind: Literal["delivery", "volume", "drift", "balance", "freshness", "task"]
    message: str
    remedy: str
    severity: Literal["warning", "critical"] = "warning"
    source: str | None = None


@dataclass(frozen=True)
class Settled:
    """Keys of the alerts that were opened and closed by this judgement."""

    opened: tuple[str, ...]
    closed: tuple[str, ...]


def settle(warehouse: Warehouse, conditions: Sequence[Condition], judges: Callable[[str], bool]) -> Settled:
    """Bring the alerts in line with the conditions. ``judges(key)``: whether this judgement covers that alert, so that
    it closes where it isn't among the conditions. Call it outside a transaction: what is logged must last."""
    now = utc_now()
    wanted = {condition.key: condition for condition in conditions}
    opened: list[dict[str, Any]] = []
    closed: list[dict[str, Any]] = []
    going_on: list[dict[str, Any]] = []
    with warehouse.transaction():
        warehouse.lock("huiyin.operator_alerts")
        before = warehouse.rows("select * from raw.operator_alerts where closed_at is null")
        for alert in before:
            condition = wanted.pop(alert["alert_key"], None)
            if condition is not None:
                going_on.append(alert | _facts(condition) | {"last_seen_at": now, "occurrences": 1 + _seen(alert)})
            elif judges(alert["alert_key"]):
                closed.append(alert | {"closed_at": now})
        for condition in wanted.values():
            opened.append(
                {"alert_key": condition.key, "opened_at": now, "last_seen_at": now, "closed_at": None, "occurrences": 1}
                | _facts(condition)
            )
        changed = [*going_on, *closed, *opened]
        if changed:
            rows = pa.Table.from_pylist(changed, schema=OPERATOR_ALERTS)
            warehouse.delete_matching("raw", "operator_alerts", rows.select(list(OPERATOR_ALERTS_KEY)))
            warehouse.append("raw", "operator_alerts", rows)
        warehouse.execute(f"delete from raw.operator_alerts where closed_at < timestamp '{now - KEPT}'")
    for alert in opened:
        log.error("OPENED %s: %s — %s", alert["alert_key"], alert["message"], alert["remedy"])
    for alert in closed:
        log.warning("CLOSED %s after %s: %s", alert["alert_key"], _span(now - alert["opened_at"]), alert["message"])
    return Settled(
        tuple(alert["alert_key"] for alert in opened),
        tuple(alert["alert_key"] for alert in closed),
    )


def settle_tasks(settings: Settings, dag_id: str, failed: Mapping[str, str], succeeded: Sequence[str]) -> Settled:
    """One alert for each task of a DAG that fails, from its first failure to its next success.

    ``failed``: task and why. Tasks that were skipped or not reached leave their alerts as they are.
    """
    conditions = [
        Condition(_task_key(dag_id, task), "task", message, TASK_REMEDY, "critical") for task, message in failed.items()
    ]
    covered = {_task_key(dag_id, task) for task in succeeded}
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        return settle(warehouse, conditions, covered.__contains__)


def _task_key(dag_id: str, task: str) -> str:
    return f"task/{dag_id}.{task}"


def _facts(condition: Condition) -> dict[str, Any]:
    return {
        "source": condition.source,
        "kind": condition.kind,
        "severity": condition.severity,
        "message": condition.message,
        "remedy": condition.remedy,
    }


def _seen(alert: Mapping[str, Any]) -> int:
    return int(alert["occurrences"])


def _span(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} min"
