# ruff: noqa: DTZ001, DTZ901 (instants of the warehouse are naive UTC)
"""Business time is exact to the second, against the calendar library and plain interval arithmetic in Python."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from mart_company import SCHEDULES, Built, calendar, day_kind, load

from huiyin.config import Settings
from warehouse.dbt import run_dbt

BEIJING = ZoneInfo("Asia/Shanghai")


def utc(text: str) -> datetime:
    """A moment of Beijing as naive UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING).astimezone(UTC).replace(tzinfo=None)


class Hours:
    """Open intervals of one schedule, united, and how much of a span they cover."""

    def __init__(self, schedule_id: str, first: date, last: date) -> None:
        rows = [line.split(",") for line in SCHEDULES.splitlines()[1:]]
        own = [row for row in rows if row[0] == schedule_id]
        weekdays = {int(row[3]) for row in own}
        intervals = []
        for n in range((last - first).days + 1):
            day = first + timedelta(days=n)
            kind = day_kind(day)
            for _, _, zone, weekday, opens, closes, observes in own:
                works = day.isoweekday() == int(weekday) and not (observes == "true" and kind == "holiday")
                stands_in = (
                    kind == "makeup_workday"
                    and observes == "true"
                    and day.isoweekday() not in weekdays
                    and int(weekday) == min(weekdays)
                )
                if works or stands_in:
                    intervals.append((self._at(day, opens, zone), self._at(day, closes, zone, after=opens)))
        self.intervals: list[tuple[int, int]] = []
        for begin, end in sorted(intervals):
            if self.intervals and begin <= self.intervals[-1][1]:
                self.intervals[-1] = (self.intervals[-1][0], max(end, self.intervals[-1][1]))
            else:
                self.intervals.append((begin, end))
        self.begins = [begin for begin, _ in self.intervals]
        self.before = [0, *accumulate(end - begin for begin, end in self.intervals)]

    @staticmethod
    def _at(day: date, clock: str, zone: str, after: str = "") -> int:
        hour, minute = map(int, clock.split(":"))
        if after and (hour, minute) <= tuple(map(int, after.split(":"))):
            hour += 24
        wall = datetime(day.year, day.month, day.day) + timedelta(hours=hour, minutes=minute)
        return int(wall.replace(tzinfo=ZoneInfo(zone)).timestamp())

    def _until(self, second: int) -> int:
        index = bisect_right(self.begins, second) - 1
        if index < 0:
            return 0
        begin, end = self.intervals[index]
        return self.before[index] + min(second, end) - begin

    def between(self, begin: datetime, end: datetime) -> int:
        """Open seconds from one instant to another, both cut to the second."""
        first, last = (int(x.replace(tzinfo=UTC, microsecond=0).timestamp()) for x in (begin, end))
        return self._until(last) - self._until(first)


def test_worked_cases_in_beijing_count_makeup_workdays_and_skip_holidays(tmp_path: Path, rules: Path) -> None:
    cases = {
        "weekend with make-up Saturday": ("2024-05-10 17:30", "2024-05-13 09:30", 600),
        "National Day": ("2024-09-30 17:00", "2024-10-08 10:00", 120),
        # New Year's Eve was a workday that year.
        "Spring Festival with make-up Sunday": ("2024-02-09 12:00", "2024-02-18 10:00", 420),
        "within a day": ("2024-03-05 10:00", "2024-03-05 10:05", 5),
        "a night": ("2024-03-05 20:00", "2024-03-06 08:00", 0),
    }
    settings = Settings(var=tmp_path, rules=rules)
    load(
        settings,
        {
            "calendar_days": calendar(date(2024, 1, 1), date(2024, 12, 31)),
            "tickets": [
                {"ticket_id": name, "channel": "phone", "created_at": utc(begin), "body": name}
                for name, (begin, _, _) in cases.items()
            ],
            "messages": [
                {"message_id": name, "ticket_id": name, "author_role": "agent", "sent_at": utc(end)}
                for name, (_, end, _) in cases.items()
            ],
        },
    )
    run_dbt(settings, "build", "+fct_tickets")
    found = Built(settings, {}).frame("fct_tickets").set_index("ticket_id")["first_response_business_seconds"] / 60
    assert found.to_dict() == {name: minutes for name, (_, _, minutes) in cases.items()}


def test_business_seconds_equal_brute_force_on_every_kind_of_schedule(on_duckdb: Built) -> None:
    hours = {
        name: Hours(name, date(2023, 12, 20), date(2025, 1, 10)) for name in ("office", "always", "night", "lunch")
    }
    changes: dict[tuple[str, str], list[dict]] = {}
    for event in sorted(on_duckdb.rows["ticket_events"], key=lambda e: (e["event_at"], e["event_id"])):
        if event["field"] == "schedule":
            changes.setdefault((event["_source"], event["ticket_id"]), []).append(event)
    raw = {(row.get("_source", "desk"), row["ticket_id"]): row for row in on_duckdb.rows["tickets"]}

    def expected(source: str, ticket_id: str, end: datetime) -> int:
        ticket = raw[source, ticket_id]
        later = [c for c in changes.get((source, ticket_id), []) if c["event_at"] > ticket["created_at"]]
        first = later[0]["old_value"] if later else ticket["schedule_id"]
        spans = [(ticket["created_at"], first), *((c["event_at"], c["new_value"]) for c in later)]
        ends = [*(begin for begin, _ in spans[1:]), datetime.max]
        return sum(
            hours.get(schedule or "office", hours["office"]).between(begin, min(end, until))
            for (begin, schedule), until in zip(spans, ends, strict=True)
            if begin.replace(microsecond=0) < min(end, until).replace(microsecond=0)
        )

    tickets = on_duckdb.frame("intermediate.int_tickets")
    compared = 0
    for instant, seconds in (
        ("first_response_at", "first_response_business_seconds"),
        ("resolved_at", "resolution_business_seconds"),
    ):
        for row in tickets[tickets[instant].notna()].to_dict("records"):
            assert row[seconds] == expected(row["source"], row["ticket_id"], row[instant].to_pydatetime()), row
            compared += 1
        assert tickets.loc[tickets[instant].isna(), seconds].isna().all()
    assert compared > 300
    changed = {f"{source}:{ticket}" for source, ticket in changes}
    assert len(changed & set(tickets.loc[tickets["resolved_at"].notna(), "ticket_key"])) > 10


def test_a_running_clock_predicts_the_very_second_at_which_its_target_is_reached(on_duckdb: Built) -> None:
    sla = on_duckdb.frame("fct_sla")
    running = sla[sla["predicted_breach_at"].notna()]
    schedules = on_duckdb.frame("intermediate.int_ticket_schedules")
    as_of = on_duckdb.frame("intermediate.int_as_of")["as_of_at"].iloc[0]
    # 'Now' was set back into the past of the data: a change of hours after it isn't known then.
    current = schedules[schedules["to_at"].isna() & (schedules["from_at"] <= as_of)].set_index("ticket_key")
    running = running[running["ticket_key"].isin(current.index)]
    hours = {name: Hours(name, date(2023, 12, 20), date(2025, 12, 31)) for name in current["schedule_id"].unique()}
    assert len(running) > 20
    for row in running.to_dict("records"):
        schedule = hours[current.loc[row["ticket_key"], "schedule_id"]]
        left = row["target_business_seconds"] - row["elapsed_business_seconds"]
        due = row["predicted_breach_at"].to_pydatetime()
        assert schedule.between(as_of, due) == left, row
        assert schedule.between(as_of, due - timedelta(seconds=1)) == left - 1, row


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
