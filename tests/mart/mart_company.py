# ruff: noqa: DTZ001 (instants of the warehouse are naive UTC)
"""A small random company with every kind of dirt the mart must bear, as rows of the raw contract."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import chinese_calendar
import pandas as pd
import pyarrow as pa

from huiyin.config import PROJECT_ROOT, Settings
from ingest.contract import ENTITIES
from ingest.identity.tables import IDENTITY
from warehouse.connection import open_warehouse
from warehouse.demand import DEMAND_TABLES
from warehouse.handover import NLP_TABLES

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Built:
    """A built warehouse and the rows it was built from."""

    settings: Settings
    rows: Rows

    @property
    def schema(self) -> str:
        """Where dbt builds the marts."""
        return "mart" if self.settings.dialect == "duckdb" else "mart_build"

    def frame(self, name: str) -> pd.DataFrame:
        """A mart, or `schema.table`."""
        table = name if "." in name else f"{self.schema}.{name}"
        with open_warehouse(self.settings) as warehouse:
            frame: pd.DataFrame = warehouse.query(f"select * from {table}").to_pandas()
        return frame


AS_OF = datetime(2024, 6, 20, 3, 4, 5)

SCHEDULES = """schedule_id,is_default,timezone,iso_weekday,opens,closes,observes_holidays
office,true,Asia/Shanghai,1,09:00,18:00,true
office,true,Asia/Shanghai,2,09:00,18:00,true
office,true,Asia/Shanghai,3,09:00,18:00,true
office,true,Asia/Shanghai,4,09:00,18:00,true
office,true,Asia/Shanghai,5,09:00,18:00,true
always,false,Asia/Shanghai,1,00:00,24:00,false
always,false,Asia/Shanghai,2,00:00,24:00,false
always,false,Asia/Shanghai,3,00:00,24:00,false
always,false,Asia/Shanghai,4,00:00,24:00,false
always,false,Asia/Shanghai,5,00:00,24:00,false
always,false,Asia/Shanghai,6,00:00,24:00,false
always,false,Asia/Shanghai,7,00:00,24:00,false
night,false,Asia/Shanghai,1,21:30,06:15,true
night,false,Asia/Shanghai,3,21:30,06:15,true
night,false,Asia/Shanghai,6,21:30,06:15,false
lunch,false,Europe/Berlin,1,08:00,12:00,false
lunch,false,Europe/Berlin,1,13:00,17:30,false
lunch,false,Europe/Berlin,2,08:00,12:00,false
lunch,false,Europe/Berlin,2,11:00,17:30,false
lunch,false,Europe/Berlin,7,00:00,24:00,false
"""


POLICIES = """policy_id,customer_tier,priority,channel,problem_type,sla_metric,target_minutes,clock,pauses_on,\
effective_from_on,effective_to_on
fr,,,,,first_response,480,business,,,
fr_urgent,,urgent,,,first_response,30,calendar,,,2024-03-10
fr_urgent_new,,urgent,,,first_response,20,business,,2024-03-10,
fr_vip,vip,,,,first_response,60,business,pending,,
fr_vip_phone,vip,,phone,,first_response,45,business,,,
fr_product,,,wechat,product,first_response,333.5,business,,,
nr,,,,,next_response,240,business,on_hold,,
nr_vip,vip,,,,next_response,600,calendar,,2024-02-15,2024-05-01
pu_urgent,,urgent,,,periodic_update,1440,calendar,pending,,
pu_high,,high,,,periodic_update,960,business,pending|on_hold,,
rw,,,,,requester_wait,2000,business,,,
rw_low,,low,,,requester_wait,9000,calendar,on_hold,,
aw,,,,,agent_work,1200,business,,,
aw_high,,high,,,agent_work,4000,calendar,new,,
res,,,,,resolution,3360,business,,,
res_open,,medium,,,resolution,4000,calendar,pending|on_hold|solved,,
res_vip,vip,,,,resolution,2520,business,pending,,
""".replace("\\\n", "")


STAFFING_TARGETS = """staffing_group,group_zh,media,team,method,schedule_id,service_level,target_seconds,\
handling_seconds,concurrency,shrinkage,max_occupancy,carries_over
hotline,热线,voice,组0,erlang_c,office,0.8,20,300,1,0.3,0.85,false
chat,在线,chat,组0,erlang_c,,0.8,60,600,2,0.3,0.85,true
"""


def rules_with(folder: Path, **files: str) -> Path:
    """The project's rules in a folder of its own, some files replaced; staffing by the teams of this company."""
    shutil.copytree(PROJECT_ROOT / "dbt_project" / "seeds", folder)
    for name, content in ({"staffing_targets": STAFFING_TARGETS} | files).items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return folder


def load(settings: Settings, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    """Put rows into raw (or nlp) as a loader would; absent fields are NULL."""
    with open_warehouse(settings) as warehouse:
        for name, given in rows.items():
            if name in ENTITIES:
                schema, key, place = ENTITIES[name].arrow_schema, ("_source", *ENTITIES[name].key), "raw"
            elif name == "identity":
                schema, key, place = IDENTITY, ("ref",), "raw"
            elif name in NLP_TABLES:
                (schema, key), place = NLP_TABLES[name], "nlp"
            elif name in DEMAND_TABLES:
                (schema, key), place = DEMAND_TABLES[name], "demand"
            else:
                schema, key, place = CALENDAR, ("date_day",), "raw"
            load_columns = {"_source": "desk", "_loaded_at": datetime(2024, 1, 1), "_batch_id": "b", "_row_hash": "h"}
            filled = [{column: row.get(column, load_columns.get(column)) for column in schema.names} for row in given]
            warehouse.create_table(place, name, schema, key)
            warehouse.append(place, name, pa.Table.from_pylist(filled, schema))


CALENDAR = pa.schema(
    [
        pa.field("date_day", pa.date32(), nullable=False),
        pa.field("day_kind", pa.string()),
        pa.field("is_workday", pa.bool_()),
        pa.field("holiday_name", pa.string()),
    ]
)


def day_kind(day: date) -> str:
    """Kind of a day by the calendar library itself."""
    if chinese_calendar.is_holiday(day):
        return "weekend" if chinese_calendar.get_holiday_detail(day)[1] is None else "holiday"
    return "makeup_workday" if day.isoweekday() > 5 else "workday"


def calendar(first: date, last: date) -> list[dict[str, Any]]:
    """Rows of raw.calendar_days."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [
        {
            "date_day": day,
            "day_kind": day_kind(day),
            "is_workday": day_kind(day) in ("workday", "makeup_workday"),
            "holiday_name": chinese_calendar.get_holiday_detail(day)[1] if day_kind(day) == "holiday" else None,
        }
        for day in days
    ]


def person(ref: str | None) -> str | None:
    """Who is behind a ref of this company."""
    return ref.removeprefix("openid of ") if ref else None


def random_company(seed: int = 7, tickets: int = 500) -> Rows:
    """Tickets over five months with two long holidays, and everything that hangs on them."""
    chance = random.Random(seed)
    start, end = datetime(2024, 1, 20), datetime(2024, 6, 20)
    customers = [f"c{n}" for n in range(60)]
    agents = [f"a{n}" for n in range(8)]
    rows: Rows = {name: [] for name in ("tickets", "ticket_events", "messages", "customers", "agents", "feedback")}
    for number, ref in enumerate(customers[:50]):
        moments = [datetime(2023, 5, 1)] + ([datetime(2024, 3, 15, 12, 30)] if number % 3 == 0 else [])
        for n, moment in enumerate(moments):
            rows["customers"].append(
                {
                    "customer_ref": ref,
                    "valid_from_at": moment,
                    "tier": "vip" if (number + n) % 4 == 0 else "regular",
                    "segment": chance.choice(["家庭", "企业"]),
                    "region": chance.choice(["华东", "华北", None]),
                    "annual_revenue": float(chance.randrange(100, 90_000)),
                    "since_on": date(2020, 1, 1),
                }
            )
    for number, ref in enumerate(agents):
        for n, moment in enumerate([datetime(2023, 1, 1), datetime(2024, 4, 1)][: 1 + number % 2]):
            rows["agents"].append(
                {
                    "agent_ref": ref,
                    "valid_from_at": moment,
                    "team": f"组{(number + n) % 3}",
                    "hired_on": date(2022, 1, 1) + timedelta(days=170 * number),
                }
            )
    events = 0
    for number in range(tickets):
        created = start + timedelta(seconds=chance.uniform(0, (end - start).total_seconds()))
        created = created if number % 5 else created.replace(microsecond=0)
        ticket = {
            "_source": "desk" if number % 10 else "shop",
            "ticket_id": str(number),
            "customer_ref": chance.choice([*customers, None]),
            "channel": chance.choice(["phone", "web_chat", "wechat"]),
            "subject": chance.choice(["退款没到账", "洗衣机漏水", None, "测试过两次还是坏", "误操作，请忽略"]),
            "body": chance.choice(["等了三天", "在吗", None, "测试单", "机器一直响，请派人来看看，谢谢"]),
            "created_at": created,
            "priority": chance.choice(["urgent", "high", "medium", "low", None]),
            "problem_subtype": chance.choice(["refund_slow", "product_leak", "agent_attitude", None]),
            "problem_type": chance.choice(["product", None]),
            "product": chance.choice(["洗衣机", "空调", None]),
            "region": chance.choice(["华东", "华南", None]),
            "schedule_id": chance.choice(["always", "night", "lunch", None, "unheard-of"]),
            "direction": chance.choice(["inbound"] * 9 + ["outbound", None]),
            "merged_into_ticket_id": "0" if chance.random() < 0.04 else None,
            "is_test": chance.choice([True] + [False] * 20 + [None]),
        }
        if ticket["customer_ref"] and number % 7 == 3:  # the channel knows the customer by something else
            ticket["customer_ref"] = f"openid of {ticket['customer_ref']}"
        rows["tickets"].append(ticket)
        if chance.random() < 0.15 and number:
            twin = dict(rows["tickets"][-2])
            twin |= {
                "ticket_id": f"{number}-again",
                "channel": chance.choice(["app", twin["channel"]]),
                "created_at": twin["created_at"] + timedelta(hours=chance.choice([1, 23, 24, 25, 90])),
            }
            rows["tickets"].append(twin)
        moment, status, holder, agent = created, "new", None, chance.choice(agents)

        def event(field: str, old: str | None, new: str | None, role: str = "agent", actor: str | None = None) -> None:
            nonlocal events
            events += 1
            rows["ticket_events"].append(
                {
                    "_source": ticket["_source"],  # noqa: B023
                    "event_id": f"e{events:06d}",
                    "ticket_id": ticket["ticket_id"],  # noqa: B023
                    "event_at": moment,  # noqa: B023
                    "field": field,
                    "old_value": old,
                    "new_value": new,
                    "actor_ref": actor,
                    "actor_role": role,
                }
            )

        has_messages = chance.random() < 0.8
        for step in range(chance.randrange(9)):
            moment += timedelta(seconds=chance.choice([0, 40, 3_000, 30_000, 200_000, 900_000]))
            kind = chance.random()
            if kind < 0.5:
                new = chance.choice(["open", "pending", "on_hold", "solved", "closed"])
                event("status", status if step % 4 else None, new, chance.choice(["agent", "system"]), agent)
                status = new
            elif kind < 0.65:
                agent = chance.choice(agents)
                event("assignee", holder, agent, "system")
                holder = agent
            elif kind < 0.72:
                event("team", None, chance.choice(["售后组", "物流组"]))
            elif kind < 0.8:
                event("schedule", chance.choice(["night", None]), chance.choice(["always", "lunch", "office"]))
            elif kind < 0.88:
                event("priority", chance.choice(["low", None]), "urgent")
            elif kind < 0.92:
                event("tag", None, chance.choice(["spam", "abandoned", "mis_operation", "follow_up"]))
            else:
                event("problem_subtype", ticket["problem_subtype"], "agent_attitude")
            if has_messages:
                role = chance.choice(["customer", "agent", "bot", "agent"])
                rows["messages"].append(
                    {
                        "_source": ticket["_source"],
                        "message_id": f"m{len(rows['messages']):06d}",
                        "ticket_id": ticket["ticket_id"],
                        "author_ref": chance.choice(agents) if role == "agent" else None,
                        "author_role": role,
                        "is_public": chance.choice([True, True, None, False]),
                        "sent_at": moment + timedelta(seconds=chance.choice([-500_000, 0, 0.25, 700, 50_000])),
                    }
                )
    for number, event in enumerate(rows["ticket_events"][::11]):
        linked = {"event_id": f"k{number}", "field": "knowledge_article", "old_value": None, "actor_role": "agent"}
        rows["ticket_events"].append(event | linked | {"new_value": f"KB-{number % 9}"})
    # Fresh ones that nobody has touched yet: their clocks run.
    for number in range(60):
        rows["tickets"].append(
            {
                "_source": "desk",
                "ticket_id": f"fresh-{number}",
                "channel": "phone",
                "body": "刚买的空调不制冷，麻烦尽快处理一下",
                "created_at": AS_OF - timedelta(seconds=chance.uniform(0, 260_000)),
                "priority": chance.choice(["high", "medium", "low"]),
                "schedule_id": chance.choice(["office", "always", "night", "lunch"]),
            }
        )
    for number in range(tickets // 2):
        ticket = chance.choice(rows["tickets"])
        kind = chance.choice(["csat", "csat", "nps", "survey", "review", "post"])
        low, high = chance.choice([(1.0, 5.0), (0.0, 1.0), (1.0, 10.0), (None, None)])
        rows["feedback"].append(
            {
                "_source": chance.choice(["survey", ticket["_source"]]),
                "feedback_id": f"f{number}",
                "kind": kind,
                "ticket_id": ticket["ticket_id"] if kind in ("csat", "nps") else None,
                "customer_ref": ticket.get("customer_ref") if chance.random() < 0.7 else None,
                "score": float(chance.randrange(0, 11)) if kind != "post" else None,
                "scale_min": low,
                "scale_max": high,
                "text": chance.choice(["师傅很准时", "太慢了", "", None]),
                "channel": chance.choice(["survey", "weibo", None]),
                "likes": chance.choice([None, 3, 500]),
                "created_at": start + timedelta(seconds=chance.uniform(0, 13_000_000)),
            }
        )
    rows["calendar_days"] = calendar(date(2023, 12, 1), date(2024, 12, 31))
    rows["identity"] = [
        {"ref": f"openid of {ref}", "person_ref": ref, "method": "same_wechat", "score": 0.99, "since": start}
        for ref in customers
    ]
    return rows


def decisions() -> Rows:
    """An alert, its card, and actions that were and weren't evaluated."""
    base = {"_source": "decisions"}
    return {
        "alerts": [
            base
            | {
                "alert_id": "A1", "rule_code": "volume_topic", "metric": "ticket_count", "scope_key": "region=华东",
                "scope_label": "华东", "severity": "red", "state": "firing", "started_on": date(2024, 3, 1),
                "fired_on": date(2024, 3, 2), "observed": 30.0, "expected": 10.0,
            }
        ],
        "actions": [
            base
            | {
                "action_id": action, "measure": "增加师傅", "scope_key": "region=华东", "metric": "ticket_count",
                "started_on": date(2024, 3, 5), "due_on": due, "status": status,
            }
            for action, due, status in (
                ("late", date(2024, 4, 1), "in_progress"),
                ("done", date(2024, 4, 1), "done"),
                ("open", None, "planned"),
            )
        ],
        "action_effects": [
            base
            | {
                "action_id": "done", "evaluated_on": day, "metric": "ticket_count", "verdict": verdict,
                "change_ratio": change,
            }
            for day, verdict, change in (
                (date(2024, 4, 1), "not_yet_knowable", None),
                (date(2024, 5, 1), "improved", -0.4),
            )
        ],
    }  # fmt: skip


NOISE = {
    0: {"noise": "advertising", "noise_reason": "推销用语 加微信"},
    1: {"noise": "foreign", "noise_reason": "英语"},
}


def meaning(voices: Iterable[str]) -> Rows:
    """Scores of two model versions and topics for some voices."""
    rows: Rows = {"sentiment": [], "topic_assignment": [], "opinions": [], "topics": [], "copies": []}
    for number, voice in enumerate(sorted(voices)):
        if number % 7 == 0:
            continue
        for version, day in (("s1", 1), ("s2", 2)):
            score = (number * 37 + day * 11) % 100 / 100
            rows["sentiment"].append(
                {
                    "voice_id": voice,
                    "text_hash": "x",
                    "model_version": version,
                    "score": score,
                    "label": "negative" if score < 0.4 else "positive",
                    "scored_at": datetime(2024, 7, day),
                }
                | NOISE.get(number % 13, {})
            )
        said = {"voice_id": voice, "text_hash": "x", "model_version": "o1"}
        rows["opinions"] += (
            [
                said | {"kind": "aspect", "code": "refund", "name_zh": "退款", "polarity": "negative", "words": "慢"},
                said | {"kind": "emotion", "code": "anger", "name_zh": "愤怒", "polarity": "", "strength": 0.6},
            ]
            if number % 3
            else [said | {"kind": "none", "code": "", "polarity": ""}]
        )
        rows["topic_assignment"].append(
            {
                "voice_id": voice,
                "text_hash": "x",
                "topic_id": number % 5 - 1,
                "similarity": 0.5,
                "model_version": "t1",
                "assigned_at": datetime(2024, 7, 1),
            }
        )
    scored = [row["voice_id"] for row in rows["topic_assignment"]]
    for number, voice in enumerate(scored):
        # Six that say the same, two that do, two that repeat somebody who is gone.
        place = number % 10
        first = scored[number - place] if place < 6 else scored[number - place + 6]
        rows["copies"].append(
            {
                "voice_id": voice,
                "text_hash": "x",
                "model_version": "c1",
                "first_voice_id": first if place < 8 else f"feedback:desk:gone-{number - place}",
                "found_at": datetime(2024, 7, 1),
            }
        )
    rows["topics"] = [
        {
            "topic_id": number,
            "label": f"话题{number}",
            "keywords": "退款、到账",
            "text_count": 10,
            "state": "active",
            "born_on": date(2024, 7, 1),
            "model_version": "t1",
        }
        for number in range(4)
    ]
    day = date(2024, 7, 1)
    effect = {"effect": -0.8, "effect_low": -1.0, "effect_high": -0.6, "affected_share": 0.2, "affected_count": 40}
    gain = {"gain": 0.08, "gain_low": 0.06, "gain_high": 0.1, "is_harmful": True, "is_certain": True}
    rows["drivers"] = [
        {"target": "csat", "driver_kind": "topic", "driver_column": "topic_label", "driver": "退款", "computed_on": day}
        | effect
        | gain
    ]
    rows["model_watch"] = [
        {
            "watch_kind": "week",
            "window_id": "2024-06-24",
            "measure": measure,
            "week_start_on": date(2024, 6, 24),
            "text_count": 90,
            "reference_count": 700,
            "mean_value": 0.4,
            "reference_mean": 0.1,
            "drift_index": index,
            "chance": 0.0001,
            "is_drift": index >= 0.25,
            "watched_at": datetime(2024, 7, 1),
        }
        for measure, index in (("scores", 0.4), ("uncertain", 0.01))
    ]
    rows["customer_insights"] = [
        {"customer_ref": "c1", "segment_id": 0, "segment_zh": "全部", "risk": 0.7, "risk_method": "score",
         "priority": 0.9, "reasons_zh": "反复联系", "contact_count": 3, "main_topic": "退款", "computed_on": day},
    ]  # fmt: skip
    rows["knowledge_gaps"], rows["knowledge_questions"] = _knowledge(
        [voice for number, voice in enumerate(sorted(voices)) if number % 7]
    )
    return rows


def _knowledge(voices: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Three gaps that are asked, one of them with an article, one without an answer, and one that is asked no more."""
    day = date(2024, 6, 20)
    asking = [voice for voice in voices if voice.startswith("ticket:")]
    found: dict[str, Any] = {"first_seen_on": day - timedelta(days=7), "computed_on": day, "is_active": True}
    held = {
        "held_count": 2,
        "support_count": 1,
        "answer": "在App里申请",
        "answer_voice_id": asking[0] if asking else "ticket:x",
    }
    gaps = [
        found | held | {"gap_id": 1, "question": "怎么开发票", "draft": "问:怎么开发票"},
        found | held | {"gap_id": 2, "question": "滤芯怎么换", "article_source": "kb", "article_id": "KB-1"},
        found | {"gap_id": 3, "question": "保修几年", "held_count": 0, "support_count": 0},
        found | {"gap_id": 4, "is_active": False},
    ]
    return gaps, [{"voice_id": voice, "gap_id": number % 4 + 1} for number, voice in enumerate(asking)]


def demand() -> Rows:
    """Two forecasts of two channels, one of a week ago, the agents required of two groups, and a roster."""
    last, newest = AS_OF.date() - timedelta(days=10), AS_OF.date()
    rows: Rows = {"forecast": [], "forecast_shares": [], "staffing": [], "rosters": []}
    for made_on in (last, newest):
        for day in range(28):
            for hour in range(24):
                for channel in ("phone", "wechat"):
                    expected = (day * 7 + hour * 3) % 11 / 10
                    rows["forecast"].append(
                        {
                            "made_on": made_on,
                            "date_day": made_on + timedelta(days=day),
                            "hour_of_day": hour,
                            "channel": channel,
                            "expected_count": expected,
                            "low_count": 0,
                            "high_count": int(expected * 3),
                            "method": "combination",
                            "is_backtest": made_on == last,
                        }
                    )
        for channel, problem_type, share in (
            ("phone", "product", 0.25),
            ("phone", "unknown", 0.75),
            ("wechat", "product", 1.0),
        ):
            rows["forecast_shares"].append(
                {"made_on": made_on, "channel": channel, "problem_type": problem_type, "share": share}
            )
    for hour in range(48):
        for group, agents in (("hotline", hour % 5 + 0.5), ("chat", 1.0)):
            rows["staffing"].append(
                {
                    "date_day": newest + timedelta(days=hour // 24),
                    "hour_of_day": hour % 24,
                    "staffing_group": group,
                    "made_on": newest,
                    "expected_count": 2.0,
                    "handling_seconds": 300.0,
                    "load_erlangs": 0.2,
                    "required_positions": 1.0,
                    "required_agents": agents,
                    "service_level": 0.9,
                    "occupancy": 0.2,
                }
            )
    morning = datetime(newest.year, newest.month, newest.day, 0, 30)
    rows["rosters"] = [
        {"agent_ref": f"a{n}", "starts_at": morning + timedelta(hours=n), "ends_at": morning + timedelta(hours=n + 8)}
        for n in range(8)
    ]
    return rows
