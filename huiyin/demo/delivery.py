"""Daily files of the service desk and of the social listening, with the faults that real deliveries have.

Faults: changing encodings, late and repeated rows, corrections in later files, broken rows. Broken rows are recorded
for the ground truth.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from huiyin.demo.company import DAYS, FIRST_ON, PRODUCTS, SUBTYPES
from huiyin.demo.feedback import Feedback
from huiyin.demo.identities import Binding, bindings_by_file
from huiyin.demo.lifecycle import Event, Message
from huiyin.demo.tickets import REGION_NAMES, Ticket
from huiyin.demo.timeline import DAY, instant
from huiyin.demo.vocabulary import (
    CHANNEL_ZH,
    EVENT_FIELD_ZH,
    IDENTIFIER_ZH,
    PRIORITY_ZH,
    ROLE_ZH,
    SUBTYPE_ZH,
    TAG_ZH,
    TYPE_ZH,
    status_zh,
)

Row = list[str]

TICKET_HEADER = [
    "工单编号", "客户标识", "渠道", "标题", "内容", "创建时间", "优先级", "问题大类", "问题小类", "产品", "区域",
    "呼叫方向", "父工单", "合并到", "是否测试",
]  # fmt: skip
EVENT_HEADER = ["流水号", "工单编号", "发生时间", "变更项", "原值", "新值", "操作人", "操作人角色"]
MESSAGE_HEADER = ["消息编号", "工单编号", "发送人", "发送人角色", "是否公开", "内容", "发送时间"]

BINDING_HEADER = ["账号", "标识类型", "标识", "绑定时间"]


@dataclass(frozen=True)
class BrokenRow:
    """A row that breaks the contract, and how."""

    file: str
    entity: str
    rule: str


class Delivery:
    """Writes the daily files below ``folder``."""

    def __init__(self, folder: Path, random: Random, broken_share: float = 1.0) -> None:
        self._folder = folder
        self._random = random
        self._broken_chance = 0.16 * broken_share
        self.broken: list[BrokenRow] = []

    def tickets(self, tickets: list[Ticket]) -> None:
        """``tickets/<day>/tickets.csv``."""
        days = _by_day()
        for ticket in tickets:
            later = ticket.day + self._random.randrange(1, 4)
            row = _ticket_row(ticket, ticket.stated_subtype)
            if ticket.corrected_subtype >= 0:
                corrected = _ticket_row(ticket, ticket.corrected_subtype)
                if later < DAYS:
                    days[later].append(corrected)
                else:
                    row = corrected
            days[ticket.day].append(row)
            if self._random.random() < 0.003:
                days[ticket.day].append(row)
        self._write("tickets", TICKET_HEADER, days, _broken_ticket)

    def events(self, events: list[Event]) -> None:
        """``tickets/<day>/events.csv``."""
        days = _by_day()
        for number, event in enumerate(events, start=1):
            row = [
                f"E{number:07d}", event.ticket_id, _stamp(event.at), EVENT_FIELD_ZH[event.field],
                _value_zh(event.field, event.old), _value_zh(event.field, event.new), event.actor, ROLE_ZH[event.role],
            ]  # fmt: skip
            self._deliver(days, event.at // DAY, row)
        self._write("events", EVENT_HEADER, days, _broken_event)

    def messages(self, messages: list[Message]) -> None:
        """``tickets/<day>/messages.csv``."""
        days = _by_day()
        for number, message in enumerate(messages, start=1):
            row = [
                f"M{number:07d}", message.ticket_id, message.author, ROLE_ZH[message.role],
                "是" if message.is_public else "否", message.body, _stamp(message.at),
            ]  # fmt: skip
            self._deliver(days, message.at // DAY, row)
        self._write("messages", MESSAGE_HEADER, days, _broken_message)

    def voices(self, name: str, voices: list[Feedback]) -> None:
        """``social/<name>-<day>.jsonl``; reviews have stars."""
        days: list[list[str]] = [[] for _ in range(DAYS)]
        for voice in voices:
            line = json.dumps(_voice_record(voice), ensure_ascii=False)
            day = voice.created // DAY
            days[day].append(line)
            if self._random.random() < 0.004:
                days[min(day + 1, DAYS - 1)].append(line)
        folder = self._folder / "social"
        folder.mkdir(parents=True, exist_ok=True)
        for day, lines in enumerate(days):
            file = folder / f"{name}-{_date(day)}.jsonl"
            if lines and self._random.random() < self._broken_chance / 2:
                rule, line = _broken_voice(self._random, day)
                lines.insert(self._random.randrange(len(lines) + 1), line)
                self.broken.append(BrokenRow(file.relative_to(self._folder).as_posix(), "feedback", rule))
            file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def bindings(self, bindings: list[Binding]) -> None:
        """``accounts/bindings-<day>.csv``: what the member centre knows of its accounts."""
        folder = self._folder / "accounts"
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in bindings_by_file(bindings).items():
            with (folder / f"bindings-{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(BINDING_HEADER)
                writer.writerows(
                    [one.account, IDENTIFIER_ZH[one.kind], one.value, _stamp(one.day * DAY + 10 * 3600)] for one in part
                )

    def _deliver(self, days: list[list[Row]], day: int, row: Row) -> None:
        """Into the day's file; some come days late, some twice."""
        way = self._random.random()
        if way < 0.008:
            day = min(day + self._random.randrange(1, 4), DAYS - 1)
            days[day].append(row)
            return
        days[day].append(row)
        if way > 0.998:
            days[min(day + self._random.randrange(2), DAYS - 1)].append(row)

    def _write(self, name: str, header: Row, days: list[list[Row]], make_broken: Any) -> None:
        entity = {"events": "ticket_events"}.get(name, name)
        for day, rows in enumerate(days):
            folder = self._folder / "tickets" / _date(day)
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"{name}.csv"
            if self._random.random() < self._broken_chance:
                rule, row = make_broken(self._random, day)
                rows.insert(self._random.randrange(len(rows) + 1), row)
                self.broken.append(BrokenRow(file.relative_to(self._folder).as_posix(), entity, rule))
            text = io.StringIO(newline="")
            writer = csv.writer(text, lineterminator="\r\n" if day % 9 == 4 else "\n")
            writer.writerow(header)
            writer.writerows(rows)
            way = self._random.random()
            encoding = "gb18030" if way < 0.12 else "utf-8-sig" if way < 0.24 else "utf-8"
            file.write_bytes(text.getvalue().encode(encoding))


def _by_day() -> list[list[Row]]:
    return [[] for _ in range(DAYS)]


def _date(day: int) -> str:
    return (FIRST_ON + timedelta(days=day)).isoformat()


def _stamp(seconds: int) -> str:
    return f"{instant(seconds):%Y-%m-%d %H:%M:%S}"


def _value_zh(field: str, value: str) -> str:
    if field == "status":
        return status_zh(value)
    if field == "problem_subtype":
        return SUBTYPE_ZH.get(value, value)
    return TAG_ZH.get(value, value)


def _ticket_row(ticket: Ticket, subtype: int) -> Row:
    return [
        ticket.ticket_id,
        ticket.contact,
        CHANNEL_ZH[ticket.channel],
        ticket.subject,
        ticket.body,
        _stamp(ticket.created),
        PRIORITY_ZH[ticket.priority],
        TYPE_ZH[SUBTYPES[subtype].type] if subtype >= 0 else "",
        SUBTYPE_ZH[SUBTYPES[subtype].code] if subtype >= 0 else "",
        PRODUCTS[ticket.stated_product].name if ticket.stated_product >= 0 else "",
        REGION_NAMES[ticket.region],
        "呼出" if ticket.kind == "outbound" else "呼入",
        ticket.parent.ticket_id if ticket.parent else "",
        ticket.duplicate_of.ticket_id if ticket.duplicate_of and ticket.kind == "merged" else "",
        "是" if ticket.is_marked_test else "否",
    ]


def _voice_record(voice: Feedback) -> dict[str, object]:
    record: dict[str, object] = {
        "id": voice.feedback_id,
        "platform": CHANNEL_ZH[voice.channel],
        "content": voice.text,
        "like_count": voice.likes,
        "publish_time": f"{instant(voice.created):%Y-%m-%dT%H:%M:%S}+08:00",
        "sku_name": voice.product_name,
        "area": voice.region_name,
        "link": f"https://{voice.channel.replace('_', '-')}.example.com/{voice.feedback_id.lower()}",
    }
    if voice.kind == "review":
        record |= {"stars": voice.score, "buyer": voice.contact}
    else:
        record["author_id"] = voice.contact
    return record


def _broken_ticket(random: Random, day: int) -> tuple[str, Row]:
    ticket_id = f"T{instant(day * DAY):%y%m%d}9{random.randrange(100, 999)}"
    good = [
        ticket_id, "C000001", "电话", "咨询", "想问一下配件在哪买", f"{_date(day)} 10:12:13", "中",
        "沟通", "使用咨询", "", "华东", "呼入", "", "", "否",
    ]  # fmt: skip
    rule = random.choice(("missing_required", "not_an_instant", "unregistered_channel", "too_many_columns"))
    if rule == "missing_required":
        good[0] = ""
    elif rule == "not_an_instant":
        good[5] = random.choice((f"{FIRST_ON.year}-13-40 99:99", "昨天下午", "#VALUE!"))
    elif rule == "unregistered_channel":
        good[2] = random.choice(("传真", "BP机", "口头"))
    else:
        good += ["", "多出一列"]
    return rule, good


def _broken_event(random: Random, day: int) -> tuple[str, Row]:
    good = [
        f"E9{random.randrange(10**6):06d}", f"T{instant(day * DAY):%y%m%d}0001", f"{_date(day)} 11:00:00", "优先级",
        "中", "高", "", "系统",
    ]  # fmt: skip
    rule = random.choice(("missing_required", "not_an_instant", "unknown_value"))
    position, wrong = {
        "missing_required": (1, ""), "not_an_instant": (2, "2025/02/30 1l:00"), "unknown_value": (3, "心情指数"),
    }[rule]  # fmt: skip
    good[position] = wrong
    return rule, good


def _broken_message(random: Random, day: int) -> tuple[str, Row]:
    good = [
        f"M9{random.randrange(10**6):06d}", f"T{instant(day * DAY):%y%m%d}0001", "", "客户", "是", "在吗",
        f"{_date(day)} 11:00",
    ]  # fmt: skip
    rule = random.choice(("missing_required", "not_an_instant", "unknown_value"))
    position, wrong = {
        "missing_required": (1, ""), "not_an_instant": (6, "00-00-00"), "unknown_value": (3, "路人"),
    }[rule]  # fmt: skip
    good[position] = wrong
    return rule, good


def _broken_voice(random: Random, day: int) -> tuple[str, str]:
    record: dict[str, object] = {
        "id": f"X{random.randrange(10**7):07d}", "platform": "微博", "content": "路过看看", "like_count": 3,
        "publish_time": f"{_date(day)}T09:00:00+08:00", "sku_name": None, "area": None,
        "link": "https://weibo.example.com/x",
    }  # fmt: skip
    rule = random.choice(("below_minimum", "malformed_json", "missing_required", "unregistered_channel"))
    if rule == "below_minimum":
        record["like_count"] = -random.randrange(1, 50)
    elif rule == "missing_required":
        del record["id"]
    elif rule == "unregistered_channel":
        record["platform"] = "校内网"
    line = json.dumps(record, ensure_ascii=False)
    return rule, line[: len(line) // 2] if rule == "malformed_json" else line
