# ruff: noqa: DTZ001 (instants of the warehouse are naive UTC)
"""Service hours and holidays that a source states count beside those of the rules file, on both engines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from mart_company import Built, calendar, load

from huiyin.config import Settings
from warehouse.dbt import run_dbt


def utc(text: str, zone: str = "Asia/Shanghai") -> datetime:
    """A local moment as naive UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


Rows = list[dict[str, Any]]
TOKYO = "Asia/Tokyo"
# Schedule, created, answered, open minutes between. 501 is closed on its own holiday, Monday 13 May, follows China's
# holidays and works on the make-up Saturday 11 May; 502 is open from Sunday 22:00 to Tuesday 02:00 in Tokyo; `office`
# is one of the rules, which the source describes otherwise; 503 was deleted, so that the rules' default applies.
CASES = {
    "its own holiday and a make-up Saturday": ("501", utc("2024-05-10 17:30"), utc("2024-05-14 09:30"), 600),
    "National Day": ("501", utc("2024-09-30 17:00"), utc("2024-10-08 10:00"), 120),
    "windows that touch at midnight": ("502", utc("2024-03-03 23:00", TOKYO), utc("2024-03-05 10:00", TOKYO), 1620),
    "the rules go first": ("office", utc("2024-03-05 20:00"), utc("2024-03-06 08:00"), 0),
    "a deleted schedule": ("503", utc("2024-03-05 08:00"), utc("2024-03-05 09:05"), 5),
    "a change of hours midway": ("501", utc("2024-03-04 17:00"), utc("2024-03-05 02:30", TOKYO), 60 + 120),
}


def windows(schedule_id: str, zone: str, days: Iterable[int], opens: str, closes: str, **given: object) -> Rows:
    """Rows of raw.schedules."""
    base = {"schedule_id": schedule_id, "timezone": zone, "opens": opens, "closes": closes} | given
    return [base | {"iso_weekday": day} for day in days]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_hours_of_a_source_count_with_its_own_and_the_statutory_holidays(
    tmp_path: Path, rules: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    warehouse = request.getfixturevalue("postgres_url") if engine == "postgres" else ""
    settings = Settings(var=tmp_path, rules=rules, warehouse=warehouse)
    load(
        settings,
        {
            "calendar_days": calendar(date(2024, 1, 1), date(2024, 12, 31)),
            "schedules": [
                *windows("501", "Asia/Shanghai", range(1, 6), "09:00", "18:00", observes_holidays=True),
                *windows("502", TOKYO, (7,), "22:00", "24:00"),
                *windows("502", TOKYO, (1,), "00:00", "24:00"),
                *windows("502", TOKYO, (2,), "00:00", "02:00"),
                *windows("office", "Asia/Shanghai", range(1, 8), "00:00", "24:00"),
                *windows("503", "UTC", range(1, 8), "00:00", "24:00", _deleted_at=datetime(2024, 1, 2)),
            ],
            "schedule_holidays": [
                {"schedule_id": "501", "starts_on": date(2024, 5, 13), "ends_on": date(2024, 5, 13), "name": "年会"},
                {
                    "schedule_id": "501", "starts_on": date(2024, 5, 14), "ends_on": date(2024, 5, 15),
                    "_deleted_at": datetime(2024, 1, 2),
                },
                {"schedule_id": "office", "starts_on": date(2024, 3, 1), "ends_on": date(2024, 3, 31)},
            ],
            "tickets": [
                {"ticket_id": name, "channel": "phone", "created_at": created, "body": name, "schedule_id": schedule}
                for name, (schedule, created, _, _) in CASES.items()
            ],
            "ticket_events": [
                {
                    "event_id": "1", "ticket_id": "a change of hours midway", "field": "schedule", "old_value": "501",
                    "new_value": "502", "event_at": utc("2024-03-04 23:00"), "actor_role": "system",
                }
            ],
            "messages": [
                {"message_id": name, "ticket_id": name, "author_role": "agent", "sent_at": answered}
                for name, (_, _, answered, _) in CASES.items()
            ],
        },
    )  # fmt: skip
    run_dbt(settings, "build", "+int_tickets +dim_service_window", {"as_of": "2024-12-01 00:00:00"})
    built = Built(settings, {})
    found = built.frame("intermediate.int_tickets").set_index("ticket_id")["first_response_business_seconds"] / 60
    assert found.to_dict() == {name: minutes for name, (_, _, _, minutes) in CASES.items()}
    assert set(built.frame("dim_service_window")["schedule_id"]) == {"office", "always", "night", "lunch", "501", "502"}
