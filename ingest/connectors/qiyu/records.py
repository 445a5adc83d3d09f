"""七鱼's sessions, messages and ticket logs as records that the default tables read: each has a field ``record``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Record = dict[str, Any]

# 工单 statuses by code and by the name that the log shows.
STATUSES = {
    "1": "new", "5": "open", "10": "solved", "15": "closed", "20": "closed", "25": "pending",
    "待受理": "new", "未受理": "new", "待分配": "new", "待申领": "new", "受理中": "open", "处理中": "open",
    "挂起": "on_hold", "待回复": "pending", "已驳回": "pending", "已解决": "solved", "已完结": "solved",
    "已关闭": "closed", "已归档": "closed",
}  # fmt: skip
FIELDS = {
    "受理人": "assignee", "受理组": "team", "受理客服组": "team", "优先级": "priority",
    "工单状态": "status", "状态": "status", "受理状态": "status",
    "工单分类": "problem_subtype", "分类": "problem_subtype",
}  # fmt: skip
PRIORITIES = {"一般": "medium", "普通": "medium", "低": "low", "紧急": "high", "高": "high", "非常紧急": "urgent"}
_CHANGE = re.compile(r"^由(?P<old>.*?)(?:更改为|变更为|转交给|改为|转为)(?P<new>.+)$")
_TEXT_TYPES = ("", "1", "TEXT")  # of a message; others are pictures, files, cards
_ROLES = {"0": "普通客服", "1": "管理员", "2": "超级管理员"}


def ticket_records(ticket: Record) -> Iterator[Record]:
    """A 工单, that it was opened, and what its customer is known by."""
    customer = ticket.get("foreignId") or ticket.get("uid") or ticket.get("userMobile") or ticket.get("userEmail")
    yield {**ticket, "record": "ticket", "customer": customer}
    yield _event(str(ticket.get("id")), "created", ticket.get("createTime"), "status", None, "new", None)
    yield from _identifiers(customer, {"phone": ticket.get("userMobile"), "email": ticket.get("userEmail")},
                            ticket.get("createTime"))  # fmt: skip


def log_records(ticket_id: str, entries: Any, statuses: Mapping[str, str]) -> Iterator[Record]:
    """The changes of a 工单 that its 流转日志 tells: 由 A 更改为 B."""
    known = {**STATUSES, **statuses}
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        if not isinstance(entry, dict):
            continue
        at = entry.get("time") or entry.get("createTime")
        actor = entry.get("operatorId") or entry.get("staffId") or entry.get("operator") or entry.get("staffName")
        for item in entry.get("info") or []:
            title, content = str(item.get("title") or ""), str(item.get("content") or "")
            field = FIELDS.get(title)
            if field is None or at is None or not content:
                continue
            change = _CHANGE.match(content)
            old, new = (change["old"].strip() or None, change["new"].strip()) if change else (None, content.strip())
            if field in ("status", "priority"):
                translated = known if field == "status" else PRIORITIES
                old, new = translated.get(old or "", old), translated.get(new, new)
            # The position in the log isn't part of the id where the log has ids of its own.
            name = f"log-{entry.get('id') or f'{at}-{number}'}-{field}"
            yield _event(ticket_id, name, at, field, old, new, actor)


def session_records(session: Record, texts: Sequence[str]) -> Iterator[Record]:
    """A chat, that it was opened, taken over and closed, its rating, and what its visitor is known by.

    ``texts``: what the visitor wrote first.
    """
    ticket_id = f"chat-{session.get('id')}"
    customer = session.get("foreignId") or session.get("userId")
    known = {**session, "customer": customer, "fromType": session.get("fromType") or "web"}
    started, ended, agent = session.get("startTime"), session.get("endTime"), session.get("staffId")
    yield {**known, "record": "session", "body": "\n".join(texts) or None}
    yield _event(ticket_id, "opened", started, "status", None, "new", None)
    if _is_person(agent):
        yield _event(ticket_id, "assigned", started, "assignee", None, str(agent), None)
    if ended:
        yield _event(ticket_id, "closed", ended, "status", "new", "solved", agent if _is_person(agent) else None)
    if _score(session.get("evaluation")) is not None:
        yield {**known, "record": "rating", "endTime": ended or started}
    yield from _identifiers(
        customer, {"phone": session.get("mobile"), "app_account": session.get("foreignId")}, started
    )


def message_record(message: Record) -> Record:
    """A message of a chat: of the visitor, of an agent, or of the robot (staff id 0 or less)."""
    agent = message.get("staffId")
    is_visitor = str(message.get("from")) == "1"
    role = "customer" if is_visitor else "agent" if _is_person(agent) else "bot"
    kind = str(message.get("mType") or "")
    text = message.get("msg") if "msg" in message else message.get("content")
    own_id = message.get("id") or message.get("msgId")
    return {
        **message,
        "record": "message",
        "message_id": own_id or f"{message.get('sessionId')}-{message.get('time')}-{message.get('from')}",
        "author_role": role,
        "author": message.get("foreignId") or message.get("userId") if is_visitor else agent,
        "text": text if kind in _TEXT_TYPES else None,
    }


def agent_record(agent: Record, groups: Mapping[Any, str]) -> Record:
    """An agent with the name of the group."""
    return {**agent, "group": groups.get(agent.get("id"), "未分组"), "role_name": _ROLES.get(str(agent.get("role")))}


def _event(
    ticket_id: str, name: str, at: Any, field: str, old: str | None, new: str | None, actor: Any
) -> Record:  # fmt: skip
    return {
        "record": "event", "event_id": f"{ticket_id}-{name}", "ticket_id": ticket_id, "at": at, "field": field,
        "old_value": old, "new_value": new, "actor_ref": actor,
        "actor_role": "system" if actor is None else "agent",
    }  # fmt: skip


def _identifiers(customer: Any, values: Mapping[str, Any], at: Any) -> Iterator[Record]:
    for kind, value in values.items():
        if customer and value:
            yield {
                "record": "identifier", "customer_ref": customer, "identifier_kind": kind, "identifier": value,
                "seen_at": at,
            }  # fmt: skip


def _is_person(agent: Any) -> bool:
    """Robots have the id 0 or a negative one."""
    return str(agent or "").isdigit() and int(str(agent)) > 0


def _score(value: Any) -> float | None:
    try:
        score = float(str(value))
    except ValueError:
        return None
    return score if score > 0 else None
