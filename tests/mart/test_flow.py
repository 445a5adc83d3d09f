# ruff: noqa: DTZ001 (instants of the warehouse are naive UTC)
"""Stages and hand-overs equal a replay of each ticket's log in Python, instant by instant, on wild logs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from business_hours import OpenMinutes, windows_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mart_company import SCHEDULES, Built, calendar, load

from huiyin.config import Settings
from warehouse.dbt import run_dbt

AS_OF = datetime(2024, 6, 20, 3, 4, 5)
DONE = ("solved", "closed")
PERSONS = ("a0", "a1", "a2", "a3", None)
SCHEDULE_IDS = ("office", "always", "night", "lunch")
GAPS = (0.0, 0.0, 0.2, 0.7, 1.0, 40.0, 3_000.0, 30_000.0, 200_000.0)
SOURCE_TEAMS = ("组0", "组1", "组2", None)
LOGS = 700


@dataclass
class Log:
    """One ticket and what happened to it, as rows of the raw contract, in the order of their keys."""

    created_at: datetime
    schedule_id: str
    events: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Any order of changes, messages and clocks that go backwards."""
    created = datetime(2024, 1, 25) + timedelta(seconds=draw(st.integers(0, 11_000_000)), microseconds=250_000)
    log = Log(created, draw(st.sampled_from(SCHEDULE_IDS)))
    moment = created + timedelta(seconds=draw(st.sampled_from((-90.0, 0.0, 0.0, 5.0))))
    talks = draw(st.booleans())
    for _ in range(draw(st.integers(0, 14))):
        moment += timedelta(seconds=draw(st.sampled_from(GAPS)))
        kind = draw(st.sampled_from(("status", "status", "team", "assignee", "assignee", "tag", "message", "message")))
        actor = draw(st.sampled_from(PERSONS))
        role = draw(st.sampled_from(("agent", "agent", "system", "customer", "bot", None)))
        if kind == "message":
            if talks and role and role != "system":
                log.messages.append(
                    {
                        "author_ref": actor if role == "agent" else None,
                        "author_role": role,
                        "is_public": draw(st.sampled_from((True, True, None, False))),
                        "sent_at": moment,
                    }
                )
            continue
        values: dict[str, tuple[str | None, ...]] = {
            "status": ("new", "open", "pending", "on_hold", "solved", "closed", None),
            "team": SOURCE_TEAMS,
            "assignee": PERSONS,
            "tag": ("follow_up",),
        }
        log.events.append(
            {
                "event_at": moment,
                "field": kind,
                "old_value": draw(st.sampled_from(values[kind])) if draw(st.booleans()) else None,
                "new_value": draw(st.sampled_from(values[kind])),
                "actor_ref": actor,
                "actor_role": role,
            }
        )
    return log


@dataclass(frozen=True)
class Flow:
    """The logs by ticket, and the mart that was built from them."""

    logs: dict[str, Log]
    built: Built
    stages: dict[str, list[dict[str, Any]]]
    handovers: dict[str, list[dict[str, Any]]]
    tickets: dict[str, dict[str, Any]]


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with Python's own values."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{k: v.to_pydatetime() if isinstance(v, pd.Timestamp) else v for k, v in row.items()} for row in rows]


def by_ticket(rows: list[dict[str, Any]], order: str) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row[order]):
        grouped.setdefault(row["ticket_id"], []).append(row)
    return grouped


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory, rules: Path) -> Flow:
    """Many wild logs, built once."""
    drawn: list[Log] = []

    @settings(
        max_examples=LOGS,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(logs())
    def collect(log: Log) -> None:
        drawn.append(log)

    collect()
    named = {str(number): log for number, log in enumerate(drawn)}
    own = Settings(var=tmp_path_factory.mktemp("flow"), rules=rules)
    rows: dict[str, list[dict[str, Any]]] = {
        "tickets": [
            {
                "ticket_id": name, "channel": "phone", "body": f"第{name}张单子说的事情都不一样，请看一下",
                "created_at": log.created_at, "schedule_id": log.schedule_id,
            }
            for name, log in named.items()
        ],
        "ticket_events": [
            event | {"ticket_id": name, "event_id": f"{name}-{number:03d}"}
            for name, log in named.items()
            for number, event in enumerate(log.events)
        ],
        "messages": [
            message | {"ticket_id": name, "message_id": f"{name}-{number:03d}"}
            for name, log in named.items()
            for number, message in enumerate(log.messages)
        ],
        "calendar_days": calendar(date(2023, 12, 1), date(2024, 12, 31)),
    }  # fmt: skip
    load(own, rows)
    run_dbt(own, "build", ["+fct_ticket_stages", "+fct_handovers", "+agg_flow_stages", "+agg_flow"], {"as_of": AS_OF})
    built = Built(own, rows)
    stages = by_ticket(plain(built.frame("fct_ticket_stages")), "stage_sequence")
    handovers = by_ticket(plain(built.frame("fct_handovers")), "handover_sequence")
    tickets = {row["ticket_id"]: row for row in plain(built.frame("fct_tickets"))}
    return Flow(named, built, stages, handovers, tickets)


def open_minutes() -> dict[str, OpenMinutes]:
    windows = windows_of(SCHEDULES)
    return {name: OpenMinutes(windows[name], date(2023, 12, 20), date(2025, 1, 10)) for name in SCHEDULE_IDS}


def second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def replayed_handovers(log: Log) -> list[dict[str, Any]]:
    """Hand-overs by keeping a note of who has the ticket."""
    events = sorted(enumerate(log.events), key=lambda pair: (pair[1]["event_at"], pair[0]))
    ordered = [event for _, event in events]
    before: dict[str, str | None] = {"team": None, "assignee": None}
    known: dict[str, str | None] = {}
    changes = []  # instants at which a known team gave way to another
    found: list[dict[str, Any]] = []
    for place, event in enumerate(ordered):
        if event["field"] in before:
            known.setdefault(event["field"], event["old_value"])
            previous = before[event["field"]] or event["old_value"] or known[event["field"]]
            known[event["field"]] = event["new_value"] or known[event["field"]]
            event = event | {"place": place, "previous": previous}
            before[event["field"]] = event["new_value"]
            ordered[place] = event
            if event["field"] == "team" and previous and event["new_value"] and previous != event["new_value"]:
                changes.append(event["event_at"])
    assigned_at: datetime | None = None
    for place, event in enumerate(ordered):
        if event["field"] not in before:
            continue
        moved = bool(event["previous"] and event["new_value"] and event["previous"] != event["new_value"])
        if event["field"] == "assignee":
            with_team = any(at <= event["event_at"] and (assigned_at is None or at > assigned_at) for at in changes)
            moved = moved and not with_team
            assigned_at = event["event_at"]
        if moved:
            found.append({"event": event, "place": place})
    done_after = [e["event_at"] for e in ordered if e["field"] == "status" and e["new_value"] in DONE]
    for number, handover in enumerate(found):
        event, place = handover["event"], handover["place"]
        at = event["event_at"]
        earlier = [e for e in ordered if e["field"] == "assignee" and e["new_value"] and e["event_at"] < at]
        giver = event["previous"] if event["field"] == "assignee" else (earlier[-1]["new_value"] if earlier else None)
        stranger = (event["actor_ref"] if event["actor_role"] == "agent" else None) or giver
        acts = [
            e["event_at"]
            for e in ordered[place + 1 :]
            if e["actor_role"] == "agent" and (not e["actor_ref"] or not stranger or e["actor_ref"] != stranger)
        ] + [
            m["sent_at"]
            for m in log.messages
            if m["author_role"] == "agent"
            and m["sent_at"] > at
            and (not m["author_ref"] or not stranger or m["author_ref"] != stranger)
        ]
        if event["field"] == "assignee" and event["actor_role"] == "agent" and event["actor_ref"] == event["new_value"]:
            acts = [at]
        status = [e["new_value"] for e in ordered[:place] if e["field"] == "status" and e["new_value"]]
        following = [h["event"]["event_at"] for h in found[number + 1 : number + 2]]
        done_after = [e["event_at"] for e in ordered[place + 1 :] if e["field"] == "status" and e["new_value"] in DONE]
        ends = [min(acts, default=AS_OF), min(done_after, default=AS_OF), *(following or [AS_OF])]
        handover["at"] = at
        handover["until"] = None if status and status[-1] in DONE else max(at, min(ends))
        handover["acted"] = bool(acts) and handover["until"] is not None and min(acts) <= handover["until"]
        handover["values"] = (event["field"], event["previous"], event["new_value"])
    return found


def replayed_stages(log: Log, first_response_at: datetime | None, ends_at: datetime) -> list[tuple[datetime, str]]:
    """Begin and name of each visit, by asking at each second of the log how things stand."""
    created, end = second(log.created_at), second(ends_at)
    events = [e for _, e in sorted(enumerate(log.events), key=lambda pair: (pair[1]["event_at"], pair[0]))]
    handovers = replayed_handovers(log)

    def stage_at(now: datetime) -> str:
        past = [e for e in events if second(e["event_at"]) <= now]
        said = [m for m in log.messages if second(m["sent_at"]) <= now]
        statuses = [e["new_value"] for e in past if e["field"] == "status" and e["new_value"]]
        status = statuses[-1] if statuses else "new"
        asked = [e["event_at"] for e in past if e["field"] == "status" and e["new_value"] == "pending"]
        asked += [m["sent_at"] for m in said if m["author_role"] == "agent" and m["is_public"] is not False]
        agent = [e["event_at"] for e in past if e["actor_role"] == "agent"]
        agent += [m["sent_at"] for m in said if m["author_role"] == "agent"]
        customer = [e["event_at"] for e in past if e["actor_role"] == "customer"]
        customer += [m["sent_at"] for m in said if m["author_role"] == "customer"]
        if status in DONE:
            return "solved"
        if first_response_at is None or now < second(first_response_at):
            return "first_response"
        if status == "on_hold":
            return "on_hold"
        if status == "pending" and not (customer and max(customer) > max(asked)):
            return "waiting_for_customer"
        if any(second(h["at"]) <= now < second(h["until"]) for h in handovers if h["until"]):
            return "after_handover"
        if customer and (not agent or max(customer) > max(agent)):
            return "waiting_for_company"
        return "handling"

    moments = {created} | {max(second(e["event_at"]), created) for e in events}
    moments |= {max(second(m["sent_at"]), created) for m in log.messages}
    cuts = {max(second(h["at"]), created) for h in handovers}
    visits: list[tuple[datetime, str]] = []
    for moment in sorted(moments):
        if moment < end and (not visits or moment in cuts or stage_at(moment) != visits[-1][1]):
            visits.append((moment, stage_at(moment)))
    return visits


def test_stages_equal_a_replay_of_the_log(flow: Flow) -> None:
    seen = set()
    for name, ticket in flow.tickets.items():
        log = flow.logs[name]
        ends_at = ticket["resolved_at"] or AS_OF
        expected = replayed_stages(log, ticket["first_response_at"], ends_at)
        found = flow.stages.get(name, [])
        assert [(row["started_at"], row["stage"]) for row in found] == expected, (name, log)
        seen |= {stage for _, stage in expected}
    assert len(seen) == 7
    assert sum(map(len, flow.stages.values())) > LOGS


def test_stages_share_out_the_whole_business_time_of_a_ticket(flow: Flow) -> None:
    hours = open_minutes()
    for name, ticket in flow.tickets.items():
        rows, log = flow.stages.get(name, []), flow.logs[name]
        end = max(ticket["resolved_at"] or AS_OF, log.created_at)
        assert sum(row["seconds"] for row in rows) == (second(end) - second(log.created_at)).total_seconds()
        assert sum(row["business_seconds"] for row in rows) == hours[log.schedule_id].between(log.created_at, end)
        if ticket["is_solved"]:
            assert sum(row["business_seconds"] for row in rows) == (ticket["resolution_business_seconds"] or 0)
        for row, following in zip_longest(rows, rows[1:]):
            until = following["started_at"] if following else second(end)
            assert row["business_seconds"] == hours[log.schedule_id].between(row["started_at"], until)
            assert row["ended_at"] == (until if following or ticket["is_solved"] else None)


def test_visits_are_counted_and_a_return_to_a_stage_is_a_loop(flow: Flow) -> None:
    loops = 0
    for rows in flow.stages.values():
        visits: dict[str, int] = {}
        previous = None
        for row in rows:
            entered = row["stage"] != previous
            visits[row["stage"]] = visits.get(row["stage"], 0) + entered
            assert row["visit_number"] == visits[row["stage"]]
            assert row["is_loop"] == (entered and visits[row["stage"]] > 1)
            loops += row["is_loop"]
            previous = row["stage"]
    assert loops > 20


def test_handovers_equal_a_replay_of_the_log(flow: Flow) -> None:
    returns = acted = 0
    hours = open_minutes()
    for name, ticket in flow.tickets.items():
        log = flow.logs[name]
        expected, found = replayed_handovers(log), flow.handovers.get(name, [])
        assert len(found) == len(expected) == ticket["transfer_count"], (name, log)
        given: set[tuple[str, str]] = set()
        for row, handover in zip(found, expected, strict=True):
            kind, previous, new = handover["values"]
            assert row["handed_over_at"] == handover["at"]
            assert row["waited_until_at"] == handover["until"], (name, row, log)
            assert (row["first_acted_at"] is not None) == handover["acted"]
            assert row["is_cross_team"] == (kind == "team")
            if kind == "team":
                assert (row["from_team"], row["to_team"]) == (previous, new)
            else:
                assert (row["from_agent_ref"], row["to_agent_ref"]) == (previous, new)
            given.add((kind, previous))
            assert row["is_return"] == ((kind, new) in given)
            if handover["until"]:
                begin, end = max(handover["at"], log.created_at), max(handover["until"], log.created_at)
                assert row["waiting_seconds"] == (second(handover["until"]) - second(handover["at"])).total_seconds()
                if handover["at"] >= log.created_at:
                    assert row["waiting_business_seconds"] == hours[log.schedule_id].between(begin, end)
            else:
                assert row["waiting_seconds"] is None
            returns += row["is_return"]
            acted += row["first_acted_at"] is not None
    assert returns > 10
    assert acted > 30


def test_shares_of_time_add_up_in_each_group(flow: Flow) -> None:
    stages = flow.built.frame("agg_flow_stages")
    timed = stages[stages["time_share"].notna()]
    groups = timed.groupby(["period_start_on", "dimension", "dimension_value"])
    assert groups.ngroups > 30
    assert groups["time_share"].sum().to_list() == pytest.approx([1.0] * groups.ngroups)
    rows = flow.built.frame("fct_ticket_stages")
    everything = stages[stages["dimension"] == "all"]
    assert everything["total_business_seconds"].sum() == rows["business_seconds"].sum()
    totals = rows.assign(month=pd.to_datetime(rows["created_on"]).dt.to_period("M"))
    slow = 0
    for _, month in totals.groupby("month"):
        spent = month.groupby("ticket_key")["business_seconds"].sum().sort_values(ascending=False)
        slow += spent.head(-(-len(spent) // 10)).sum()
    assert everything["slowest_decile_business_seconds"].sum() == slow
    summary = flow.built.frame("agg_flow")
    overall = summary[summary["dimension"] == "all"]
    assert overall["handover_count"].sum() == sum(map(len, flow.handovers.values()))
    waiting = rows[rows["is_waiting"]]["business_seconds"].sum()
    assert (overall["waiting_share"] * overall["total_business_seconds"]).sum() == pytest.approx(waiting)
