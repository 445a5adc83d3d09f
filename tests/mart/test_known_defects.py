# ruff: noqa: DTZ001 (instants of the warehouse are naive UTC)
"""What the best public support mart gets wrong, each as a case that ours gets right, on both engines.

The worked cases in Beijing time are those that the project promises: Monday to Friday 9:00-18:00, holidays closed,
make-up workdays open.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pandas as pd
import psycopg
import pytest
from mart_company import SCHEDULES, Built, calendar, load, rules_with

from huiyin.config import Settings
from warehouse.connection import open_warehouse
from warehouse.dbt import DbtFailedError, run_dbt

_HEADER = "policy_id,customer_tier,priority,channel,problem_type,sla_metric,target_minutes,clock,pauses_on,"
POLICIES = f"""{_HEADER}effective_from_on,effective_to_on
fr,,,,,first_response,60,business,,,
fr_urgent,,urgent,,,first_response,600,business,,,
fr_app_old,,,app,,first_response,5,business,,,2024-03-01
fr_app,,,app,,first_response,10,business,,2024-03-01,
nr,,,,,next_response,60,business,,,
pu,,,,,periodic_update,120,business,pending,,
rw,,,,,requester_wait,120,business,,,
aw,,,,,agent_work,120,business,,,
res,,,,,resolution,540,business,pending|on_hold,,
"""
AS_OF = datetime(2024, 12, 31, 10, 0)
Case = dict[str, Any]


def beijing(text: str) -> datetime:
    """A moment of Beijing as naive UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC).replace(tzinfo=None)


def case(created: str, answered: str | None = None, *changes: tuple[str, str, str | None, str], **given: Any) -> Case:
    """One ticket: created, answered, and changes (when, field, old, new), all in Beijing time."""
    return {"created": created, "answered": answered, "changes": changes, "given": given}


# Business minutes to the first response.
WORKED = {
    "make-up Saturday": (case("2024-05-10 17:30", "2024-05-13 09:30"), 600),
    "National Day": (case("2024-09-30 17:00", "2024-10-08 10:00"), 120),
    # New Year's Eve was a workday that year.
    "Spring Festival with make-up Sunday": (case("2024-02-09 12:00", "2024-02-18 10:00"), 420),
    # GREATEST and LEAST treat NULL differently between engines: time outside all windows was counted in full.
    "a night": (case("2024-03-05 20:00", "2024-03-06 08:00"), 0),
    "a whole holiday": (case("2024-02-10 09:00", "2024-02-17 18:00"), 0),
    "from within to outside": (case("2024-03-05 17:00", "2024-03-05 23:00"), 60),
    # datediff('minute') counts boundaries: a second is no minute, 59 are none either.
    "over a minute's boundary": (case("2024-03-05 10:00:59", "2024-03-05 10:01:00"), 1 / 60),
    "within a minute": (case("2024-03-05 10:01:00", "2024-03-05 10:01:59"), 59 / 60),
    # Durations were cut at 52 weeks: 2021 to 2023 have 250, 249 and 249 working days.
    "three years": (case("2021-01-01 00:00", "2024-01-01 00:00", schedule_id="always"), 3 * 365 * 1440),
    "three working years": (case("2021-01-01 00:00", "2024-01-01 00:00"), (250 + 249 + 249) * 540),
    # A change of schedule midway: each stretch by the hours in force then.
    "office till noon, then always": (
        case("2024-03-05 17:00", "2024-03-06 01:00", ("2024-03-05 22:00", "schedule", "office", "always")), 60 + 180,
    ),
    "always till night, then office": (
        case("2024-03-05 17:00", "2024-03-06 10:00", ("2024-03-05 22:00", "schedule", "always", "office")), 300 + 60,
    ),
}  # fmt: skip
# What the SLA engine must make of it: metric, instance → state, elapsed minutes.
CLOCKS: dict[str, tuple[Case, dict[tuple[str, int], tuple[str, float]]]] = {
    # First-reply rows vanished around long holidays.
    "unanswered over the Spring Festival": (
        case("2024-02-09 17:50", None, ("2024-02-18 10:05", "status", "new", "solved")),
        {("first_response", 1): ("breached", 75), ("resolution", 1): ("met", 75)},
    ),
    "created in the Spring Festival": (
        case("2024-02-12 12:00", "2024-02-18 09:59"), {("first_response", 1): ("met", 59)},
    ),
    "running since the Spring Festival": (case("2024-02-12 12:00"), {("first_response", 1): ("breached", 0)}),
    # The flag follows the hours in force while the time passed, not those of today.
    "breached under the old hours": (
        case("2024-03-05 18:00", "2024-03-06 09:30", ("2024-03-05 20:00", "schedule", "always", "office")),
        {("first_response", 1): ("breached", 150)},
    ),
    "met under the old hours": (
        case("2024-03-05 18:00", "2024-03-06 09:30", ("2024-03-06 09:00", "schedule", "office", "always")),
        {("first_response", 1): ("met", 30)},
    ),
    # Policy as of the event: in force when the clock started; of the priority when it ended.
    "the rules of February": (
        case("2024-02-29 17:59", "2024-03-01 09:06", channel="app"), {("first_response", 1): ("breached", 7)},
    ),
    "the rules of March": (
        case("2024-03-01 09:00", "2024-03-01 09:07", channel="app"), {("first_response", 1): ("met", 7)},
    ),
    "became urgent before the answer": (
        case("2024-03-05 09:00", "2024-03-05 11:00", ("2024-03-05 10:00", "priority", "low", "urgent")),
        {("first_response", 1): ("met", 120)},
    ),
    "became urgent after the answer": (
        case("2024-03-05 09:00", "2024-03-05 11:00", ("2024-03-05 11:00:01", "priority", "low", "urgent")),
        {("first_response", 1): ("breached", 120)},
    ),
    # Pauses by the event log, each metric its own.
    "two hours pending, one on hold": (
        case(
            "2024-03-05 09:00", "2024-03-05 09:30",
            ("2024-03-05 09:00", "status", None, "new"), ("2024-03-05 10:00", "status", "new", "pending"),
            ("2024-03-05 12:00", "status", "pending", "open"), ("2024-03-05 13:00", "status", "open", "on_hold"),
            ("2024-03-05 14:00", "status", "on_hold", "open"), ("2024-03-05 15:00", "status", "open", "solved"),
        ),
        {
            ("first_response", 1): ("met", 30), ("requester_wait", 1): ("breached", 240),
            ("agent_work", 1): ("breached", 180), ("resolution", 1): ("met", 180),
            ("periodic_update", 1): ("breached", 210),
        },
    ),
    # Solved but never closed: its clocks end with the solution, however long ago that was.
    "solved in 2021, never closed": (
        case("2021-03-05 09:00", "2021-03-05 09:10", ("2021-03-05 10:00", "status", "new", "solved")),
        {
            ("first_response", 1): ("met", 10), ("requester_wait", 1): ("met", 60), ("agent_work", 1): ("met", 60),
            ("resolution", 1): ("met", 60), ("periodic_update", 1): ("met", 50),
        },
    ),
}  # fmt: skip


def rows_of(cases: dict[str, Case]) -> dict[str, list[Case]]:
    """The raw contract's rows."""
    rows: dict[str, list[Case]] = {
        "tickets": [], "messages": [], "ticket_events": [],
        "calendar_days": calendar(date(2020, 12, 20), date(2025, 12, 31)),
    }  # fmt: skip
    for name, made in cases.items():
        ticket = {"ticket_id": name, "channel": "phone", "body": name, "created_at": beijing(made["created"])}
        rows["tickets"].append(ticket | made["given"])
        if made["answered"]:
            rows["messages"].append(
                {"message_id": name, "ticket_id": name, "author_role": "agent", "sent_at": beijing(made["answered"])}
            )
        rows["ticket_events"] += [
            {
                "event_id": f"{name} {number}", "ticket_id": name, "event_at": beijing(at), "field": field,
                "old_value": old, "new_value": new, "actor_role": "system",
            }
            for number, (at, field, old, new) in enumerate(made["changes"])
        ]  # fmt: skip
    return rows


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.slow)])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """All cases in one mart."""
    folder = tmp_path_factory.mktemp("defects")
    warehouse = ""
    if request.param == "postgres":
        server, name = request.getfixturevalue("postgres_server"), f"defects_{uuid4().hex[:12]}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        warehouse = f"{server}/{name}"
    rules = rules_with(folder / "rules", service_schedules=SCHEDULES, sla_policies=POLICIES)
    settings = Settings(var=folder, rules=rules, warehouse=warehouse)
    load(settings, rows_of({name: made for name, (made, _) in (WORKED | CLOCKS).items()}))
    run_dbt(settings, "build", "+fct_tickets +fct_sla", {"as_of": AS_OF})
    return Built(settings, {})


def test_business_minutes_of_the_worked_cases(built: Built) -> None:
    found = built.frame("fct_tickets").set_index("ticket_id")["first_response_business_seconds"]
    assert {name: found[name] / 60 for name in WORKED} == {name: minutes for name, (_, minutes) in WORKED.items()}


@pytest.mark.parametrize("name", CLOCKS)
def test_clocks_of_the_sla_engine(built: Built, name: str) -> None:
    sla = built.frame("fct_sla")
    own = sla[sla["ticket_id"] == name].set_index(["sla_metric", "instance"])
    for clock, (state, minutes) in CLOCKS[name][1].items():
        row = own.loc[clock]
        running = pd.isna(row["ended_at"])
        assert (row["sla_state"], None if running else row["elapsed_seconds"] / 60) == (
            state,
            None if running else minutes,
        )


def test_every_ticket_that_has_a_policy_has_its_clocks(built: Built) -> None:
    tickets, sla = built.frame("fct_tickets"), built.frame("fct_sla")
    for metric in ("first_response", "requester_wait", "agent_work", "resolution"):
        assert set(sla.loc[sla["sla_metric"] == metric, "ticket_id"]) == set(tickets["ticket_id"]), metric


def test_a_ticket_has_as_many_instants_as_things_happened_however_old_it_is(built: Built) -> None:
    clock = built.frame("intermediate.int_ticket_conversation").groupby("ticket_key").size()
    assert clock["desk:solved in 2021, never closed"] == 3, "creation, answer, solution"
    assert clock["desk:three working years"] == 2, "creation, answer"


def test_a_paused_clock_predicts_no_breach_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    policies = POLICIES.replace("resolution,540,business,pending|on_hold", "resolution,90,calendar,pending|on_hold")
    settings = Settings(var=tmp_path, rules=rules_with(tmp_path / "rules", sla_policies=policies))
    moves = [("2024-03-05 10:00", "status", "new", "pending"), ("2024-03-05 11:00", "status", "pending", "open")]
    load(settings, rows_of({"paused": case("2024-03-05 09:00", None, *moves), "other": case("2024-03-05 09:00")}))

    def resolution(now: str) -> Case:
        run_dbt(settings, "build", "+fct_sla", {"as_of": beijing(now)}, full_refresh=True)
        sla = Built(settings, {}).frame("fct_sla")
        found: Case = sla[(sla["ticket_id"] == "paused") & (sla["sla_metric"] == "resolution")].to_dict("records")[0]
        return found

    after = resolution("2024-03-05 11:15")
    assert (after["elapsed_seconds"], after["is_paused"], after["sla_state"]) == (75 * 60, False, "at_risk")
    assert after["predicted_breach_at"] == pd.Timestamp(beijing("2024-03-05 11:30"))
    with open_warehouse(settings) as warehouse:
        warehouse.execute("delete from raw.ticket_events where event_id like '% 1'")
    paused = resolution("2024-03-05 10:45")
    assert (paused["elapsed_seconds"], paused["is_paused"], paused["sla_state"]) == (60 * 60, True, "on_track")
    assert pd.isna(paused["predicted_breach_at"])


def test_a_source_without_a_column_that_the_mart_needs_fails_the_build_by_name(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path)
    load(settings, rows_of({"one": case("2024-03-05 09:00")}))
    with open_warehouse(settings) as warehouse:
        warehouse.execute("alter table raw.tickets rename column created_at to opened_at")
    with pytest.raises(DbtFailedError, match="created_at"):
        run_dbt(settings, "build", "+fct_tickets")


def test_a_mart_that_comes_out_empty_though_its_source_has_rows_fails(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path)
    load(settings, rows_of({"one": case("2024-03-05 09:00")}))
    run_dbt(settings, "build", "+fct_replies +dim_channel")
    with open_warehouse(settings) as warehouse:
        warehouse.execute("delete from mart.fct_replies")
    with pytest.raises(DbtFailedError, match="is empty though its source has rows"):
        run_dbt(settings, "test", "fct_replies")
