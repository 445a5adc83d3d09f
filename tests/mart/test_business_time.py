# ruff: noqa: DTZ001 (instants of the warehouse are naive UTC)
"""Business time is exact to the second, against the calendar library and plain interval arithmetic in Python."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from business_hours import OpenMinutes, TicketHours, windows_of
from hypothesis import HealthCheck, Phase, given, strategies
from hypothesis import settings as settings_of_hypothesis
from mart_company import SCHEDULES, Built, Rows, calendar, load, rules_with

from huiyin.config import Settings
from warehouse.dbt import run_dbt

BEIJING = ZoneInfo("Asia/Shanghai")


def utc(text: str) -> datetime:
    """A moment of Beijing as naive UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING).astimezone(UTC).replace(tzinfo=None)


def on_days(first: date, last: date, text: str = SCHEDULES) -> dict[str, OpenMinutes]:
    """Hours of every schedule of a rules file."""
    return {name: OpenMinutes(windows, first, last) for name, windows in windows_of(text).items()}


def test_business_seconds_equal_brute_force_on_every_kind_of_schedule(on_duckdb: Built) -> None:
    hours = on_days(date(2023, 12, 20), date(2025, 1, 10))
    events: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in on_duckdb.rows["ticket_events"]:
        events.setdefault((event["_source"], event["ticket_id"]), []).append(event)
    raw = {(row.get("_source", "desk"), row["ticket_id"]): row for row in on_duckdb.rows["tickets"]}
    tickets = on_duckdb.frame("intermediate.int_tickets")
    compared = 0
    for instant, seconds in (
        ("first_response_at", "first_response_business_seconds"),
        ("first_bot_response_at", "first_bot_response_business_seconds"),
        ("first_resolved_at", "first_resolution_business_seconds"),
        ("resolved_at", "resolution_business_seconds"),
    ):
        for row in tickets[tickets[instant].notna()].to_dict("records"):
            key = (row["source"], row["ticket_id"])
            own = TicketHours(raw[key], events.get(key, []), hours)
            assert row[seconds] == own.between(row["created_at"], row[instant].to_pydatetime()), row
            compared += 1
        assert tickets.loc[tickets[instant].isna(), seconds].isna().all()
    assert compared > 600


ZONES = (
    "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "UTC",
    "Pacific/Auckland", "Asia/Kathmandu",
)  # fmt: skip
FIRST_ON, LAST_ON = date(2020, 12, 20), date(2025, 1, 20)


def random_schedules(chance: random.Random, count: int) -> str:
    """Weekly windows of every kind: nights, breaks, overlaps, all day, round the clock, single minutes."""
    lines = [SCHEDULES.splitlines()[0], "office,true,Asia/Shanghai,1,09:00,18:00,true"]
    for number in range(count):
        zone, observes = chance.choice(ZONES), chance.random() < 0.5
        days = chance.sample(range(1, 8), chance.randrange(1, 8))
        if number == 0:
            days = list(range(1, 8))
        for day in days:
            for _ in range(chance.choice([1, 1, 2, 3])):
                opens, closes = (f"{chance.randrange(24):02d}:{chance.randrange(60):02d}" for _ in "ab")
                if number == 0 or chance.random() < 0.1:
                    opens, closes = "00:00", chance.choice(["24:00", "00:00"])
                own = observes if chance.random() < 0.9 else not observes
                lines.append(f"s{number},false,{zone},{day},{opens},{closes},{str(own).lower()}")
    return "\n".join(lines) + "\n"


def random_moment(chance: random.Random) -> datetime:
    """An instant of four years, often at the very second at which hours may begin or end."""
    moment = datetime(2021, 1, 1) + timedelta(seconds=chance.uniform(0, 1_455 * 86_400))
    return moment.replace(second=0, microsecond=0) if chance.random() < 0.3 else moment


def random_case(chance: random.Random, schedules: list[str | None], number: int) -> tuple[Rows, list[datetime]]:
    """One ticket, the changes of its schedule, and instants at which its clock is read."""
    ticket = {
        "ticket_id": str(number), "channel": "phone", "created_at": random_moment(chance),
        "schedule_id": chance.choice(schedules),
    }  # fmt: skip
    span = chance.choice([60.0, 3_600.0, 86_400.0, 30 * 86_400.0, 1_500 * 86_400.0])
    latest = datetime(2024, 12, 31)
    moments = [min(ticket["created_at"] + timedelta(seconds=chance.uniform(0, span)), latest) for _ in range(4)]
    changes = [
        {
            "event_id": f"{number}-{n}", "ticket_id": str(number), "field": "schedule", "actor_role": "system",
            "event_at": min(ticket["created_at"] + timedelta(seconds=chance.uniform(0, span)), latest),
            "old_value": chance.choice(schedules), "new_value": chance.choice(schedules),
        }
        for n in range(chance.choice([0, 0, 1, 3]))
    ]  # fmt: skip
    messages = [
        {"message_id": f"{number}-{n}", "ticket_id": str(number), "author_role": "customer", "sent_at": moment}
        for n, moment in enumerate(moments)
    ]
    return {"tickets": [ticket], "ticket_events": changes, "messages": messages}, moments


def check_random_clocks(settings: Settings, folder: Path, seed: int, tickets: int) -> None:
    """Build the clock of random tickets and compare every reading with the count of open minutes."""
    chance = random.Random(seed)
    text = random_schedules(chance, 14)
    settings = settings.model_copy(update={"rules": rules_with(folder, service_schedules=text)})
    schedules = [*windows_of(text), None, "unheard-of"]
    cases = [random_case(chance, schedules, number) for number in range(tickets)]
    rows: Rows = {name: [row for case, _ in cases for row in case[name]] for name in cases[0][0]}
    load(settings, rows | {"calendar_days": calendar(FIRST_ON, LAST_ON)})
    run_dbt(settings, "build", "+int_ticket_conversation", {"as_of": "2024-12-31 23:59:59"})
    clock = {
        (row.ticket_key, row.point_at): row.business_seconds
        for row in Built(settings, {}).frame("intermediate.int_ticket_conversation").itertuples()
    }
    hours = on_days(FIRST_ON, LAST_ON, text)
    compared = 0
    for case, moments in cases:
        (ticket,) = case["tickets"]
        own = TicketHours(ticket, case["ticket_events"], hours)
        for moment in moments:
            found = clock[f"desk:{ticket['ticket_id']}", pd.Timestamp(moment)]
            assert found == own.between(ticket["created_at"], moment), (seed, case, moment)
            compared += 1
    assert compared >= 4 * tickets


@settings_of_hypothesis(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(seed=strategies.integers(0, 2**32))
def test_any_schedules_in_any_zone_equal_brute_force_to_the_second(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("clocks")
    check_random_clocks(Settings(var=folder), folder / "rules", seed, tickets=1500)


@pytest.mark.slow
def test_any_schedules_equal_brute_force_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    check_random_clocks(Settings(var=tmp_path, warehouse=postgres_url), tmp_path / "rules", seed=5, tickets=1500)


def test_windows_are_disjoint_and_carry_the_running_sum(on_duckdb: Built) -> None:
    windows = on_duckdb.frame("dim_service_window").sort_values(["schedule_id", "window_start_at"])
    for _, group in windows.groupby("schedule_id"):
        lengths = (group["window_end_at"] - group["window_start_at"]).dt.total_seconds()
        assert (group["window_start_at"].iloc[1:].to_numpy() >= group["window_end_at"].iloc[:-1].to_numpy()).all()
        assert (group["business_seconds_before"] == lengths.cumsum() - lengths).all()


@pytest.mark.parametrize("covered", [True, False])
def test_days_beyond_the_calendar_count_by_their_weekday(tmp_path: Path, rules: Path, covered: bool) -> None:
    settings = Settings(var=tmp_path, rules=rules)
    created = utc("2031-03-07 17:00")
    rows = {
        "tickets": [{"ticket_id": "1", "channel": "phone", "created_at": created}],
        "messages": [{"message_id": "1", "ticket_id": "1", "author_role": "agent", "sent_at": utc("2031-03-10 10:00")}],
    }
    if covered:
        days = pd.date_range("2031-03-01", "2031-03-31").date
        rows["calendar_days"] = [
            {"date_day": day, "day_kind": "workday", "is_workday": True, "holiday_name": None} for day in days
        ]
    load(settings, rows)
    run_dbt(settings, "build", "+fct_tickets", {"as_of": "2031-03-20 00:00:00"})
    found = Built(settings, {}).frame("fct_tickets")
    assert found["first_response_business_seconds"].tolist() == [2 * 3600]
