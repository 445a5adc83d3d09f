"""What happened in a Zendesk account, told twice: as its interface tells it, and in the words of the contract."""

from __future__ import annotations

import random
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

DAY = 86_400
GROUPS = {71: "一线", 72: "二线"}
STAFF = {11: ("admin", 71), 12: ("agent", 71), 13: ("agent", 72), 14: ("agent", None)}
BOT = 15
FIELD, PRODUCT_FIELD = 9001, 9002
SUBTYPES = {"类_退款慢": "refund_slow", "类_漏水": "product_leak"}
OFFICE, NIGHT = 501, 502
WORDS = {"hold": "on_hold", "normal": "medium", "closed_by_merge": "duplicate", "内部测试": "test"}
CHANNELS = {"email": "email", "web": "web_form", "chat": "web_chat", "voice": "phone", "whatsapp": "whatsapp"}
TEXTS = ("洗衣机又漏水了", "退款还没有到账", "请问怎么安装", "等了三天没有人回复", "谢谢，已经好了", "麻烦再看一下")


def iso(moment: int) -> str:
    """As the interface writes moments."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Versioned:
    """The versions of one record, oldest first."""

    versions: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def at(self, now: int) -> dict[str, Any] | None:
        """The record as it was."""
        known = [record for moment, record in self.versions if moment <= now]
        return known[-1] if known else None


def _at(kept: dict[int, Versioned], now: int) -> list[dict[str, Any]]:
    return [record for versioned in kept.values() if (record := versioned.at(now)) is not None]


class History:
    """Some days of a small help desk. ``truth`` holds rows of the contract, with the moment each came to be."""

    def __init__(self, seed: int = 1, first_on: date = date(2024, 3, 1), days: int = 6, tickets: int = 40) -> None:
        self.first = int(datetime.combine(first_on, datetime.min.time(), UTC).timestamp())
        self.days = days
        self._chance = random.Random(seed)
        self._tickets: dict[int, Versioned] = {}
        self._users: dict[int, Versioned] = {}
        self._ratings: dict[int, Versioned] = {}
        self._responses: dict[int, Versioned] = {}
        self._lists: dict[str, dict[int, Versioned]] = {
            name: {} for name in ("groups", "organizations", "ticket_fields", "schedules")
        }
        self._holidays: dict[int, Versioned] = {}
        self._audits: list[dict[str, Any]] = []
        self._next_id = 9_000_000
        self._pending: list[tuple[int, int, Any]] = []
        self.event_rows: list[tuple[int, tuple[Any, ...]]] = []
        self.message_rows: list[tuple[int, tuple[Any, ...]]] = []
        self.merged: dict[int, tuple[int, int]] = {}
        self._people()
        self._hours()
        for number in range(1, tickets + 1):
            self._plan_ticket(100 + number)
        for _, _, happen in sorted(self._pending, key=lambda entry: entry[:2]):
            happen()

    # what the interface serves

    def tickets(self, now: int) -> list[dict[str, Any]]:
        """All tickets as they are."""
        return _at(self._tickets, now)

    def users(self, now: int) -> list[dict[str, Any]]:
        """All users as they are."""
        return _at(self._users, now)

    def ratings(self, now: int) -> list[dict[str, Any]]:
        """All ratings as they are."""
        return _at(self._ratings, now)

    def responses(self, now: int) -> list[dict[str, Any]]:
        """All survey responses as they are."""
        return _at(self._responses, now)

    def listed(self, name: str, now: int) -> list[dict[str, Any]]:
        """A list of what exists, without what was removed."""
        return [record for record in _at(self._lists[name], now) if not record.get("removed")]

    def holidays(self, schedule_id: int, now: int) -> list[dict[str, Any]]:
        """A schedule's holidays."""
        own = [record for record in _at(self._holidays, now) if record["schedule"] == schedule_id]
        return [{k: v for k, v in r.items() if k not in ("schedule", "removed")} for r in own if not r.get("removed")]

    def events(self, now: int, with_comments: bool) -> list[dict[str, Any]]:
        """Updates of tickets in the shape of the incremental export."""
        shown = []
        for audit in self._audits:
            if audit["timestamp"] <= now:
                copy = deepcopy(audit)
                for child in copy["child_events"]:
                    if child["event_type"] == "Comment" and not with_comments:
                        del child["body"]
                shown.append(copy)
        return shown

    def audits(self, ticket_id: int, now: int) -> list[dict[str, Any]]:
        """Updates of one ticket in the shape of ticket audits."""
        shown = []
        for audit in self._audits:
            if audit["ticket_id"] != ticket_id or audit["timestamp"] > now:
                continue
            events = []
            for child in audit["child_events"]:
                if child["event_type"] == "Comment":
                    events.append({"id": child["id"], "type": "Comment", "body": child["body"]})
                elif "tags" in child:
                    events.append({"id": child["id"], "type": "Change", "field_name": "tags", "value": child["tags"]})
            shown.append({"id": audit["id"], "ticket_id": ticket_id, "via": {"channel": "web"}, "events": events})
        return shown

    # people, hours

    def _people(self) -> None:
        begin = self.first - 90 * DAY
        for number, name in GROUPS.items():
            self._lists["groups"][number] = Versioned([(begin, {"id": number, "name": name, "deleted": False})])
        for number, title in ((FIELD, "问题子类"), (PRODUCT_FIELD, "产品")):
            self._lists["ticket_fields"][number] = Versioned(
                [(begin, {"id": number, "title": title, "type": "tagger"})]
            )
        for number in (801, 802):
            record = {
                "id": number,
                "name": f"公司{number}",
                "tags": ["大客户"] * (number == 801),
                "updated_at": iso(begin),
            }
            self._lists["organizations"][number] = Versioned([(begin, record)])
        later = self.first + 3 * DAY + 500
        record = {"id": 802, "name": "公司802", "tags": ["大客户"], "updated_at": iso(later)}
        self._lists["organizations"][802].versions.append((later, record))
        for number, (role, group) in STAFF.items():
            self._user(number, begin, role=role, default_group_id=group)
        self._user(BOT, begin, role="agent", default_group_id=71)
        for number in range(1001, 1013):
            organization = {1001: 801, 1002: 802}.get(number)
            since = begin if number < 1009 else self.first + (number - 1008) * DAY // 2
            self._user(
                number, since, role="end-user", organization_id=organization, email=f"kunde{number}@example.com",
                phone=f"+86 138 0000 {number}" if number % 2 else None,
                external_id=f"APP{number}" if number % 3 else None,
            )  # fmt: skip
        self._change_user(1003, self.first + 2 * DAY, tags=["vip"])
        self._change_user(1004, self.first + 4 * DAY + 77, active=False)

    def _user(self, number: int, moment: int, **given: Any) -> None:
        record = {
            "id": number, "name": f"人{number}", "email": f"staff{number}@desk.example", "phone": None,
            "role": "end-user", "external_id": None, "organization_id": None, "default_group_id": None, "tags": [],
            "active": True, "time_zone": "Beijing", "created_at": iso(moment), "updated_at": iso(moment),
            "user_fields": {"x": None},
        } | given  # fmt: skip
        self._users[number] = Versioned([(moment, record)])

    def _change_user(self, number: int, moment: int, **given: Any) -> None:
        versions = self._users[number].versions
        versions.append((moment, versions[-1][1] | given | {"updated_at": iso(moment)}))

    def _hours(self) -> None:
        begin, later = self.first - 90 * DAY, self.first + 3 * DAY
        week = [{"start_time": d * 1440 + 540, "end_time": d * 1440 + 1080} for d in range(1, 6)]
        base = {
            "id": OFFICE,
            "name": "客服时间",
            "time_zone": "Beijing",
            "created_at": iso(begin),
            "updated_at": iso(begin),
        }
        closed_on_friday = base | {"intervals": week[:4], "updated_at": iso(later)}
        self._lists["schedules"][OFFICE] = Versioned([(begin, base | {"intervals": week}), (later, closed_on_friday)])
        night = {
            "id": NIGHT,
            "name": "夜班",
            "time_zone": "Tokyo",
            "created_at": iso(begin + 9),
            "updated_at": iso(begin),
        }
        self._lists["schedules"][NIGHT] = Versioned(
            [(begin, night | {"intervals": [{"start_time": 1320, "end_time": 3000}]})]
        )
        spring = {"id": 61, "schedule": OFFICE, "name": "清明", "start_date": "2024-04-04", "end_date": "2024-04-06"}
        party = {"id": 62, "schedule": OFFICE, "name": "年会", "start_date": "2024-03-08", "end_date": "2024-03-08"}
        self._holidays[61] = Versioned([(begin, spring)])
        self._holidays[62] = Versioned([(begin, party), (later, party | {"removed": True})])

    def schedule_rows(self, now: int) -> set[tuple[Any, ...]]:
        """Weekly windows that hold: id, zone, weekday, opens, closes."""
        days = (1, 2, 3, 4, 5) if now < self.first + 3 * DAY else (1, 2, 3, 4)
        office = {(str(OFFICE), "Asia/Shanghai", day, "09:00", "18:00") for day in days}
        # 22:00 on Sunday to 02:00 on Tuesday.
        night = {(7, "22:00", "24:00"), (1, "00:00", "24:00"), (2, "00:00", "02:00")}
        return office | {(str(NIGHT), "Asia/Tokyo", *window) for window in night}

    # tickets

    def _plan_ticket(self, number: int) -> None:
        chance = self._chance
        moment = self.first + chance.randrange(int((self.days - 0.5) * DAY))
        customer = chance.choice(range(1001, 1009))
        agent, second = chance.sample([12, 13, 14], 2)
        steps: list[tuple[int, str, dict[str, Any], str | None, bool, bool]] = []

        def step(who: Any, changes: dict[str, Any], comment: str | None = None, public: bool = True,
                 by_rule: bool = False) -> None:  # fmt: skip
            nonlocal moment
            steps.append((moment, who, changes, comment, public, by_rule))
            moment += chance.choice([0, 1, 45, 600, 7200, 30_000])

        tags = chance.sample(["weixin", "内部测试", "加急"], chance.randrange(3))
        first = {"status": "new", "priority": chance.choice(["low", "normal", "high", "urgent", None]), "group_id": 71}
        step(customer, first | ({"tags": tags} if tags else {}), chance.choice(TEXTS))
        step(11, {"assignee_id": agent, "status": "open"}, by_rule=True)
        if chance.random() < 0.3:
            step(BOT, {}, "机器人：请稍候")
        if chance.random() < 0.6:
            step(
                agent,
                {f"custom:{FIELD}": chance.choice([*SUBTYPES, "其他"])},
                "请描述一下",
                public=chance.random() < 0.8,
            )
        if chance.random() < 0.5:
            step(agent, {"group_id": 72, "assignee_id": second, "schedule": NIGHT})
        if chance.random() < 0.5:
            step(agent, {"status": "pending"}, "您好，正在处理")
            step(customer, {"status": "open"}, chance.choice(TEXTS))
        if chance.random() < 0.3:
            step(second, {"status": "hold", "priority": "urgent"})
        if chance.random() < 0.4:
            step(second, {"tags": [*tags, "回访"][1:]})
        end = chance.random()
        if end < 0.15 and number > 101:
            target = self._chance.randrange(101, number)
            self.merged[number] = (moment, target)
            step(
                agent,
                {"status": "closed", "tags": [*tags, "closed_by_merge"]},
                f"此请求已关闭并合并到请求 #{target}。",
                public=False,
            )
        elif end < 0.85:
            step(agent, {"status": "solved"}, "已解决")
            if chance.random() < 0.4:
                step(customer, {"status": "open"}, "还是不行")
                step(second, {"status": "solved", "assignee_id": None})
            self._plan_rating(number, customer, moment)
            if chance.random() < 0.5:
                step(-1, {"status": "closed"}, by_rule=True)
        channel = chance.choice(list(CHANNELS))
        for at, *rest in steps:
            self._then(at, lambda at=at, rest=rest: self._update(number, customer, channel, at, *rest))
        if chance.random() < 0.12:
            self._then(moment, lambda at=moment: self._delete(number, at))

    def _then(self, moment: int, happen: Any) -> None:
        if moment < self.first + self.days * DAY:
            self._pending.append((moment, len(self._pending), happen))

    def _plan_rating(self, number: int, customer: int, moment: int) -> None:
        base = {
            "id": 40_000 + number, "ticket_id": number, "requester_id": customer, "score": "offered", "comment": None,
            "url": "https://desk.example/api/v2/satisfaction_ratings/1.json", "created_at": iso(moment),
            "updated_at": iso(moment),
        }  # fmt: skip
        versions = [(moment, base)]
        if self._chance.random() < 0.7:
            given = moment + self._chance.choice([300, 2 * DAY])
            score = self._chance.choice(["good", "bad"])
            comment = self._chance.choice([None, "服务很好", "太慢了"])
            versions.append((given, base | {"score": score, "comment": comment, "updated_at": iso(given)}))
        self._ratings[40_000 + number] = Versioned(versions)
        self._plan_response(number, customer, moment)

    def _plan_response(self, number: int, customer: int, moment: int) -> None:
        subject = {"id": str(number), "type": "ticket", "zrn": f"zen:ticket:{number}"}
        base = {
            "id": f"01J{number}", "offered": moment, "responder_id": customer, "answers": [],
            "subjects": [{"id": "9", "type": "request", "zrn": "zen:request:9"}, subject],
        }  # fmt: skip
        versions = [(moment, base)]
        if self._chance.random() < 0.5:
            given = moment + self._chance.choice([60, DAY])
            question = {"options": [{"rating": n} for n in (1, 2, 3)]} if number % 2 else {"type": "rating_scale"}
            times = {"created_at": iso(given), "updated_at": iso(given)}
            rating = {"type": "rating_scale", "rating": number % 3 + 1, "question": question, **times}
            comment = {"type": "open_ended", "value": "下次快一点", **times}
            skipped = {"type": "skipped", "question": {"type": "open_ended"}, **times}
            answers = [rating, comment if number % 3 else skipped]
            versions.append((given, base | {"answers": answers}))
        self._responses[number] = Versioned(versions)

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _update(self, number: int, customer: int, channel: str, moment: int, who: int, changes: dict[str, Any],
                comment: str | None, public: bool, by_rule: bool) -> None:  # fmt: skip
        kept = self._tickets.setdefault(number, Versioned())
        is_new = not kept.versions
        before: dict[str, Any] = kept.versions[-1][1] if kept.versions else {}
        ticket = deepcopy(before) if before else {
            "id": number, "requester_id": customer, "submitter_id": customer, "subject": f"工单 {number % 7}",
            "description": comment, "created_at": iso(moment), "via": {"channel": channel, "source": {"from": {
            "ticket_id": 77 if channel == "voice" else None}, "to": {}, "rel": None}}, "priority": None, "tags": [],
            "status": None, "assignee_id": None, "group_id": None, "schedule": None,
            "custom_fields": [{"id": FIELD, "value": None}, {"id": PRODUCT_FIELD, "value": "洗衣机"}],
        }  # fmt: skip
        children: list[dict[str, Any]] = []
        kind = "Create" if is_new else "Change"
        role = "system" if by_rule else "customer" if who == customer else "bot" if who == BOT else "agent"
        actor = None if who == -1 else who
        for name, value in changes.items():
            child: dict[str, Any] = {"id": self._id(), "via": "Rule" if by_rule else "Web form", "event_type": kind}
            old = ticket["custom_fields"][0]["value"] if name.startswith("custom:") else ticket[name]
            if old == value:
                continue
            if name == "tags":
                child |= {"tags": value, "added_tags": [t for t in value if t not in old],
                          "removed_tags": [t for t in old if t not in value], "previous_value": old}  # fmt: skip
                for tag in child["removed_tags"]:
                    self._event(moment, f"{child['id']}:-{tag}", number, "tag", _word(tag), None, actor, role)
                for tag in child["added_tags"]:
                    self._event(moment, f"{child['id']}:+{tag}", number, "tag", None, _word(tag), actor, role)
                ticket["tags"] = value
            elif name == "schedule":
                child |= {"event_type": "ScheduleAssignment", "previous_schedule_id": None, "new_schedule_id": value}
                self._event(moment, str(child["id"]), number, "schedule", str(OFFICE), str(value), actor, role)
                ticket["schedule"] = value
            elif name.startswith("custom:"):
                child |= {"custom_ticket_fields": {str(FIELD): value}, "previous_value": old}
                shown = (None if old is None else SUBTYPES.get(old, old), SUBTYPES.get(value, value))
                self._event(moment, str(child["id"]), number, "problem_subtype", *shown, actor, role)
                ticket["custom_fields"][0]["value"] = value
            else:
                child |= {name: value} | ({} if is_new else {"previous_value": old})
                word = {"status": "status", "priority": "priority", "group_id": "team", "assignee_id": "assignee"}[name]
                said = tuple(
                    None if part is None else GROUPS[part] if name == "group_id" else _word(str(part))
                    for part in (None if is_new else old, value)
                )
                self._event(moment, str(child["id"]), number, word, *said, actor, role)
                ticket[name] = value
            children.append(child)
        if comment is not None:
            child = {
                "id": self._id(), "via": {"channel": "web"}, "event_type": "Comment", "type": "Comment",
                "author_id": who, "body": comment, "html_body": f"<p>{comment}</p>", "public": public,
                "created_at": iso(moment),
            }  # fmt: skip
            children.append(child)
            row = (str(child["id"]), str(number), who, role, public, comment, moment)
            self.message_rows.append((moment, row))
        self._audits.append(
            {"id": self._id(), "ticket_id": number, "timestamp": moment, "created_at": iso(moment), "updater_id": who,
             "via": "Web form", "event_type": "Audit", "system": {"ip_address": "192.0.2.7"}, "child_events": children}
        )  # fmt: skip
        ticket |= {"updated_at": iso(moment), "generated_timestamp": moment}
        kept.versions.append((moment, ticket))

    def _event(self, moment: int, *row: Any) -> None:
        self.event_rows.append((moment, (*row, moment)))

    def _delete(self, number: int, moment: int) -> None:
        versions = self._tickets[number].versions
        gone = versions[-1][1] | {"status": "deleted", "generated_timestamp": moment, "updated_at": iso(moment)}
        versions.append((moment, gone))


def _word(value: str) -> str:
    return WORDS.get(value, value)
