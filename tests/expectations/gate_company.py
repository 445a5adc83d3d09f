"""A small company in ``raw``, sound in every respect; tests spoil what they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from huiyin.config import Settings
from ingest.contract import ENTITIES
from ingest.tables import ensure_tables
from warehouse.connection import open_warehouse

Rows = dict[str, list[dict[str, Any]]]
START = datetime.fromisoformat("2025-03-03 01:00")
TICKETS = 100


def company() -> Rows:
    """A hundred tickets with their events, messages and ratings, sixty customers, five agents and what was decided."""
    created = [START + timedelta(hours=7 * i) for i in range(TICKETS)]
    tickets = [
        {
            "ticket_id": f"T{i}",
            "customer_ref": f"c-{i % 30}",
            "channel": "phone" if i % 2 else "wechat",
            "subject": "洗衣机漏水",
            "body": "昨天装好的洗衣机今天就漏水,请尽快安排师傅",
            "created_at": at,
            "priority": "high",
            "problem_type": "product",
            "direction": "inbound",
        }
        for i, at in enumerate(created)
    ]
    events = [
        {
            "event_id": f"E{i}-{state}",
            "ticket_id": f"T{i}",
            "event_at": at + timedelta(minutes=step),
            "field": "status",
            "new_value": state,
            "actor_role": "agent",
        }
        for i, at in enumerate(created)
        for step, state in ((0, "new"), (40, "solved"))
    ]
    messages = [
        {
            "message_id": f"M{i}-{role}",
            "ticket_id": f"T{i}",
            "author_role": role,
            "is_public": True,
            "body": "您好,已安排",
            "sent_at": at + timedelta(minutes=step),
        }
        for i, at in enumerate(created)
        for step, role in ((0, "customer"), (9, "agent"))
    ]
    feedback = [
        {
            "feedback_id": f"F{i}",
            "kind": "csat" if i % 2 else "review",
            "ticket_id": f"T{i}" if i % 2 else None,
            "score": 4.0 if i % 2 else None,
            "scale_min": 1.0,
            "scale_max": 5.0,
            "text": "师傅来得很快",
            "channel": "survey" if i % 2 else "app_store",
            "likes": 3,
            "created_at": at + timedelta(hours=3),
        }
        for i, at in enumerate(created)
    ]
    day = date(2025, 3, 10)
    return {
        "tickets": tickets,
        "ticket_events": events,
        "messages": messages,
        "customers": [
            {
                "customer_ref": f"c-{i}",
                "valid_from_at": START - timedelta(days=90),
                "name": f"n-{i}",
                "tier": "vip" if i % 5 == 0 else "regular",
                "annual_revenue": 1200.0,
                "since_on": date(2023, 5, 1),
                "phone": f"p-{i}",
                "email": f"m-{i}",
            }
            for i in range(60)
        ],
        "agents": [
            {
                "agent_ref": f"a-{i}",
                "valid_from_at": START - timedelta(days=90),
                "team": "华东",
                "hired_on": date(2024, 1, 8),
            }
            for i in range(5)
        ],
        "rosters": [
            {"agent_ref": f"a-{i}", "starts_at": START, "ends_at": START + timedelta(hours=8)} for i in range(5)
        ],
        "schedules": [
            {
                "schedule_id": "desk",
                "timezone": "Asia/Shanghai",
                "iso_weekday": weekday,
                "opens": "09:00",
                "closes": "24:00" if weekday == 5 else "18:00",
            }
            for weekday in range(1, 6)
        ],
        "schedule_holidays": [{"schedule_id": "desk", "starts_on": day, "ends_on": day, "name": "店庆"}],
        "identifiers": [
            {"customer_ref": f"p_{i:016x}", "identifier_kind": "phone", "identifier": f"p_{i + 99:016x}"}
            for i in range(5)
        ],
        "feedback": feedback,
        "articles": [{"article_id": f"KB-{i}", "title": "滤芯怎么换", "body": "先关闭进水阀"} for i in range(5)],
        "alerts": [
            {
                "alert_id": "A1",
                "rule_code": "csat",
                "metric": "csat_mean",
                "scope_key": "team=华东",
                "scope_label": "华东组",
                "severity": "orange",
                "state": "firing",
                "started_on": day,
                "fired_on": day,
                "p_value": 0.01,
                "card_id": "K1",
            }
        ],
        "cards": [
            {
                "card_id": "K1",
                "title": "洗衣机漏水",
                "scope_key": "problem_subtype=leak",
                "scope_label": "漏水",
                "metric": "ticket_count",
                "state": "open",
                "opened_on": day,
                "owner": "售后",
                "updated_at": START + timedelta(days=8),
                "vip_share": 0.2,
                "negative_share": 0.7,
            }
        ],
        "card_transitions": [
            {
                "card_id": "K1",
                "sequence": n,
                "occurred_at": START + timedelta(days=8 + n),
                "kind": "opened" if n == 1 else "noted",
                "actor": "system",
                "hash": f"{n:064x}",
            }
            for n in (1, 2, 3)
        ],
        "actions": [
            {
                "action_id": "X1",
                "card_id": "K1",
                "measure": "更换密封圈",
                "scope_key": "problem_subtype=leak",
                "metric": "ticket_count",
                "owner": "售后",
                "started_on": day,
                "due_on": day + timedelta(days=9),
                "done_on": day + timedelta(days=9),
                "status": "done",
                "progress_percent": 100.0,
            }
        ],
        "action_effects": [
            {
                "action_id": "X1",
                "evaluated_on": day + timedelta(days=40),
                "metric": "ticket_count",
                "baseline_from_on": day - timedelta(days=56),
                "baseline_to_on": day,
                "evaluation_from_on": day + timedelta(days=9),
                "evaluation_to_on": day + timedelta(days=40),
                "change_ratio": -0.4,
                "change_ratio_low": -0.5,
                "change_ratio_high": -0.2,
                "p_value": 0.01,
                "verdict": "improved",
            }
        ],
    }


def load(settings: Settings, data: Mapping[str, Iterable[dict[str, Any]]]) -> None:
    """Write the rows to ``raw`` as they are, past the loader that would refuse bad ones."""
    stamps = {"_source": "desk", "_loaded_at": START, "_batch_id": "b1", "_row_hash": "h", "_delivered_at": START}
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        for name, records in data.items():
            schema = ENTITIES[name].arrow_schema
            warehouse.append("raw", name, pa.Table.from_pylist([stamps | row for row in records], schema=schema))
