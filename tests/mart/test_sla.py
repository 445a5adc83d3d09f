# ruff: noqa: DTZ001 (instants of the warehouse are naive UTC)
"""Waits, replies and SLA clocks equal a replay of the raw events and messages in Python; no ticket loses its clock."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from business_hours import OpenMinutes, TicketHours, windows_of
from mart_company import AS_OF, POLICIES, SCHEDULES, Built

DONE = ("solved", "closed")
STATUSES = ("new", "open", "pending", "on_hold")
Event = dict[str, Any]


@dataclass
class Wait:
    """One wait of a customer."""

    since: datetime
    is_first: bool
    until: datetime | None = None
    ended_by: str | None = None
    agent: str | None = None


@dataclass
class Replay:
    """One ticket played forward: what happened, in order, and what follows from it."""

    ticket: Event
    events: list[Event] = field(default_factory=list)
    messages: list[Event] = field(default_factory=list)

    def statuses(self) -> list[tuple[datetime, str, str]]:
        """Changes of status: when (never before the creation), from what, to what."""
        found: list[tuple[datetime, str, str]] = []
        before = None
        for event in self.events:
            if event["field"] == "status":
                old = before or event["old_value"] or "new"
                found.append((max(event["event_at"], self.ticket["created_at"]), old, event["new_value"]))
                before = event["new_value"]
        return found

    @property
    def is_solved(self) -> bool:
        return bool(self.statuses()) and self.statuses()[-1][2] in DONE

    @property
    def status(self) -> str:
        return self.statuses()[-1][2] if self.statuses() else "new"

    def solutions(self) -> list[datetime]:
        return [at for at, old, new in self.statuses() if new in DONE and old not in DONE]

    def stretches(self) -> Iterator[tuple[str, datetime, datetime]]:
        """Status after status, from the creation to the last change or to now."""
        changes = self.statuses()
        marks = [
            (self.ticket["created_at"], changes[0][1] if changes else "new"),
            *((at, new) for at, _, new in changes),
        ]
        ends = [at for at, _ in marks[1:]] + ([] if self.is_solved else [AS_OF])
        for (begin, status), end in zip(marks, ends, strict=False):
            if end > begin:
                yield ("solved" if status in DONE else status), begin, end

    def said(self) -> list[tuple[datetime, int, str, str | None]]:
        """Public messages from the creation on, then changes of status that went with them."""
        created = self.ticket["created_at"]
        rank = {"customer": 1, "bot": 1, "agent": 2}
        points: list[tuple[datetime, int, str, str | None]] = [(created, 0, "created", None)]
        for message in self.messages:
            if message["is_public"] is not False and message["sent_at"] >= created:
                role = message["author_role"]
                points.append((message["sent_at"], rank[role], role, message["author_ref"]))
        if not self.messages:
            acts = [e for e in self.events if e["actor_role"] == "agent" and e["event_at"] >= created]
            if acts:
                first = min(e["event_at"] for e in acts)
                actors = [e["actor_ref"] for e in acts if e["event_at"] == first and e["actor_ref"]]
                points.append((first, 2, "agent", min(actors, default=None)))
        for number, (at, old, new) in enumerate(self.statuses()):
            if (old in DONE) != (new in DONE):
                points.append((at, 3 + number, "solved" if new in DONE else "reopened", None))
        return sorted(points, key=lambda point: point[:2])

    def waits(self) -> list[Wait]:
        found: list[Wait] = []
        open_wait: Wait | None = None
        is_done = has_written = False
        for at, _, kind, author in self.said():
            if kind in ("created", "customer") and not is_done:
                open_wait = open_wait or Wait(at, kind == "created")
            elif kind == "customer":
                has_written = True
            elif kind in ("agent", "solved"):
                if open_wait:
                    open_wait.until, open_wait.ended_by = at, "agent" if kind == "agent" else "solution"
                    open_wait.agent = author
                    found.append(open_wait)
                open_wait, has_written = None, False
            if kind in ("solved", "reopened"):
                is_done = kind == "solved"
            if kind == "reopened" and has_written:
                open_wait, has_written = Wait(at, False), False
        return found + ([open_wait] if open_wait else [])

    def silences(self) -> list[tuple[datetime, datetime | None]]:
        """Between public messages of agents while the ticket isn't solved."""
        found: list[tuple[datetime, datetime | None]] = []
        since, is_done = None, False
        for at, _, kind, _ in self.said():
            if kind in ("agent", "solved", "reopened"):
                if since is not None and at > since:
                    found.append((since, at))
                is_done = kind == "solved" or (is_done and kind != "reopened")
                since = None if is_done else at
        return found + ([(since, None)] if since is not None else [])

    def priority(self, at: datetime) -> str | None:
        changes = [e for e in self.events if e["field"] == "priority"]
        stated = [e["old_value"] or e["new_value"] for e in changes if e["old_value"] or e["new_value"]]
        before = [e["new_value"] for e in changes if e["event_at"] <= at]
        return before[-1] if before else stated[0] if stated else self.ticket.get("priority")


@pytest.fixture(scope="module")
def replays(on_duckdb: Built) -> dict[str, Replay]:
    found = {f"{row.get('_source', 'desk')}:{row['ticket_id']}": Replay(row) for row in on_duckdb.rows["tickets"]}
    for event in sorted(on_duckdb.rows["ticket_events"], key=lambda e: (e["event_at"], e["event_id"])):
        found[f"{event['_source']}:{event['ticket_id']}"].events.append(event)
    for message in sorted(on_duckdb.rows["messages"], key=lambda m: (m["sent_at"], m["message_id"])):
        found[f"{message['_source']}:{message['ticket_id']}"].messages.append(message)
    return found


@pytest.fixture(scope="module")
def hours() -> dict[str, OpenMinutes]:
    return {
        name: OpenMinutes(windows, date(2023, 12, 20), date(2025, 12, 31))
        for name, windows in windows_of(SCHEDULES).items()
    }


def seconds(begin: datetime, end: datetime) -> int:
    """Calendar seconds, both cut to the second."""
    return max(0, int((end.replace(microsecond=0) - begin.replace(microsecond=0)).total_seconds()))


def none(value: Any) -> Any:
    return None if pd.isna(value) else value


def test_who_waited_for_whom_adds_up_from_the_status_log(
    on_duckdb: Built, replays: dict[str, Replay], hours: dict[str, OpenMinutes]
) -> None:
    groups = {
        "requester_wait": ("new", "open", "on_hold"), "agent_wait": ("pending",), "on_hold": ("on_hold",),
        "agent_work": ("new", "open"),
    }  # fmt: skip
    tickets = on_duckdb.frame("fct_tickets").set_index("ticket_key")
    for key, row in tickets.iterrows():
        replay = replays[str(key)]
        own = TicketHours(replay.ticket, replay.events, hours)
        for name, statuses in groups.items():
            spans = [(begin, end) for status, begin, end in replay.stretches() if status in statuses]
            assert row[f"{name}_seconds"] == sum(seconds(*span) for span in spans), (key, name)
            assert row[f"{name}_business_seconds"] == sum(own.between(*span) for span in spans), (key, name)
        steps = {e["event_at"] for e in replay.events if e["actor_role"] == "agent"}
        steps |= {m["sent_at"] for m in replay.messages if m["author_role"] == "agent" and m["is_public"] is not False}
        created = replay.ticket["created_at"].replace(microsecond=0)
        assert row["touch_count"] == len({s for at in steps if (s := at.replace(microsecond=0)) >= created}), key
    assert (tickets[[f"{name}_seconds" for name in groups]] > 0).sum().min() > 20


def test_replies_are_the_waits_of_the_customer(
    on_duckdb: Built, replays: dict[str, Replay], hours: dict[str, OpenMinutes]
) -> None:
    tickets = on_duckdb.frame("fct_tickets").set_index("ticket_key")
    replies = on_duckdb.frame("fct_replies").sort_values(["ticket_key", "reply_sequence"])
    assert set(replies["ticket_key"]) == set(tickets.index)
    endings = set()
    for key, group in replies.groupby("ticket_key"):
        replay = replays[str(key)]
        own = TicketHours(replay.ticket, replay.events, hours)
        waits = replay.waits()
        assert list(group["reply_sequence"]) == list(range(1, len(waits) + 1)), key
        for row, wait in zip(group.to_dict("records"), waits, strict=True):
            end = wait.until or max(AS_OF, wait.since)
            assert (row["waiting_since_at"], none(row["ended_at"])) == (wait.since, wait.until), key
            assert (row["is_first_response"], none(row["ended_by"])) == (wait.is_first, wait.ended_by), key
            assert none(row["agent_ref"]) == wait.agent, key
            assert row["waited_seconds"] == seconds(wait.since, end), key
            assert row["waited_business_seconds"] == own.between(wait.since, end), key
            endings.add((wait.is_first, wait.ended_by))
        answered = group[group["ended_by"] == "agent"]
        assert (answered["reply_seconds"] == answered["waited_seconds"]).all()
        later = answered[~answered["is_first_response"]]
        assert tickets.loc[key, "next_reply_count"] == len(later)
        assert tickets.loc[key, "next_reply_business_seconds"] == later["waited_business_seconds"].sum()
        first = answered[answered["is_first_response"]]
        if len(first):
            assert first["reply_business_seconds"].item() == tickets.loc[key, "first_response_business_seconds"]
    assert len(endings) == 6, "first and later waits, each answered, ended by the solution, and running"


def test_contacts_and_handing_on_are_seen_in_the_log(on_duckdb: Built, replays: dict[str, Replay]) -> None:
    tickets = on_duckdb.frame("fct_tickets")
    seen = set()
    for row in tickets.itertuples():
        replay = replays[row.ticket_key]
        created = replay.ticket["created_at"]
        solved = min(replay.solutions(), default=datetime(9999, 1, 1))
        contacts, last = 1, created
        for at, _, kind, _ in replay.said():
            if kind in ("customer", "agent", "bot") and at < solved and replay.messages:
                contacts += kind == "customer" and (at - last) >= timedelta(seconds=1801 - last.microsecond / 1e6)
                last = at
        acts = [e["event_at"] for e in replay.events if e["actor_role"] == "agent" and e["event_at"] >= created]
        acts += [m["sent_at"] for m in replay.messages if m["author_role"] == "agent" and m["sent_at"] >= created]
        is_passed_on = False
        held: dict[str, str] = {}
        for event in replay.events:
            name, new = event["field"], event["new_value"]
            if name in ("team", "assignee"):
                before = held.get(name) or event["old_value"]
                if acts and before and new and before != new and event["event_at"] <= solved:
                    is_passed_on |= event["event_at"] > min(acts)
                    # In this company hand-overs of the very first act are the agent's own only for teams.
                    is_passed_on |= event["event_at"] == min(acts) and event["actor_role"] == "agent"
                held[name] = new or held.get(name)
        assert row.is_passed_on == is_passed_on, row.ticket_key
        assert abs(row.customer_contact_count - contacts) <= 0, row.ticket_key
        seen.add((is_passed_on, contacts > 1))
    assert len(seen) == 4


def clocks_of(replay: Replay) -> Iterator[tuple[str, int, datetime, datetime | None]]:
    """Every clock that a policy may put a target on."""
    created = replay.ticket["created_at"]
    waits = replay.waits()
    first = [wait for wait in waits if wait.is_first]
    answers = [at for at, _, kind, _ in replay.said() if kind == "agent"]
    ends = [*answers[:1], *replay.solutions()[:1]]
    yield "first_response", 1, created, min(ends, default=None)
    assert not first or first[0].until == min(ends, default=None)
    for metric in ("requester_wait", "agent_work", "resolution"):
        yield metric, 1, created, replay.solutions()[-1] if replay.is_solved else None
    for number, wait in enumerate(waits, start=1):
        if not wait.is_first:
            yield "next_response", number, wait.since, wait.until
    for number, (begin, end) in enumerate(replay.silences(), start=1):
        yield "periodic_update", number, begin, end


def policy_of(metric: str, begin: datetime, attributes: dict[str, str | None]) -> Event | None:
    """The policy in force that names most."""
    day = (begin + timedelta(hours=8)).date().isoformat()
    fitting = [
        row
        for row in csv.DictReader(io.StringIO(POLICIES))
        if row["sla_metric"] == metric
        and (row["effective_from_on"] or day) <= day < (row["effective_to_on"] or "9999")
        and all(not row[name] or row[name] == value for name, value in attributes.items())
    ]
    named = lambda row: (sum(bool(row[name]) for name in attributes), row["effective_from_on"])  # noqa: E731
    return max(sorted(fitting, key=lambda row: row["policy_id"]), key=named, default=None)


def test_every_clock_equals_the_replay_by_policy_target_pauses_and_state(
    on_duckdb: Built, replays: dict[str, Replay], hours: dict[str, OpenMinutes]
) -> None:
    implied = {"requester_wait": {"pending", "solved"}, "agent_work": {"pending", "on_hold", "solved"}}
    tickets = on_duckdb.frame("fct_tickets").set_index("ticket_key")
    found = {
        (row["ticket_key"], row["sla_metric"], row["instance"]): row
        for row in on_duckdb.frame("fct_sla").to_dict("records")
    }
    expected = 0
    kinds: set[tuple[Any, ...]] = set()
    for key, facts in tickets.iterrows():
        replay = replays[str(key)]
        own = TicketHours(replay.ticket, replay.events, hours)
        for metric, instance, begin, end in clocks_of(replay):
            attributes = {
                "customer_tier": none(facts["customer_tier"]), "priority": replay.priority(end or AS_OF),
                "channel": facts["channel"], "problem_type": none(facts["problem_type"]),
            }  # fmt: skip
            policy = policy_of(metric, begin, attributes)
            row = found.get((str(key), metric, instance))
            assert (row is None) == (policy is None), (key, metric, instance)
            if row is None or policy is None:
                continue
            expected += 1
            pauses = implied.get(metric, set()) | set(filter(None, policy["pauses_on"].split("|")))
            until = end or max(AS_OF, begin)
            paused = [
                (max(at, begin), min(to, until))
                for status, at, to in replay.stretches()
                if status in pauses and max(at, begin) < min(to, until)
            ]
            business = own.between(begin, until) - sum(own.between(*span) for span in paused)
            total = seconds(begin, until) - sum(seconds(*span) for span in paused)
            elapsed = business if policy["clock"] == "business" else total
            target = round(float(policy["target_minutes"]) * 60)
            stops = end is None and ("solved" if replay.status in DONE else replay.status) in pauses
            assert (row["policy_id"], row["clock"], row["target_seconds"]) == (
                policy["policy_id"],
                policy["clock"],
                target,
            )
            assert (row["started_at"], none(row["ended_at"])) == (begin, end), (key, metric, instance)
            assert (row["elapsed_business_seconds"], row["elapsed_calendar_seconds"]) == (business, total), row
            assert (row["elapsed_seconds"], row["is_paused"]) == (elapsed, stops), row
            assert none(row["priority"]) == attributes["priority"]
            state = (
                "breached"
                if elapsed > target
                else "met"
                if end
                else "at_risk"
                if elapsed * 5 >= target * 4
                else "on_track"
            )
            ratio = elapsed / target
            colour = "red" if ratio >= 1.5 else "orange" if ratio >= 1.3 else "yellow" if ratio >= 1.1 else None
            assert (row["sla_state"], none(row["severity"])) == (state, colour), row
            due = none(row["predicted_breach_at"])
            assert (due is not None) == (state in ("on_track", "at_risk") and not stops), row
            if due is not None:
                check_due(row, policy, own, due.to_pydatetime(), target - elapsed)
            kinds.add((metric, state, policy["clock"], bool(pauses), stops))
    assert len(found) == expected
    assert len(kinds) > 40


def check_due(row: Event, policy: Event, own: TicketHours, due: datetime, left: int) -> None:
    """The clock reaches its target at that very second."""
    begin = max(AS_OF, row["started_at"].to_pydatetime())
    if policy["clock"] == "calendar":
        assert due == begin.replace(microsecond=0) + timedelta(seconds=left), row
    elif begin == AS_OF and own.knows_its_last_schedule_at(AS_OF):
        # 'Now' was set back into the past of the data: a change of hours after it isn't known then.
        assert own.between(AS_OF, due) == left, row
        assert left == 0 or own.between(AS_OF, due - timedelta(seconds=1)) == left - 1, row
