"""Workdays of China, as announced."""

from __future__ import annotations

import logging
from datetime import date

import pytest

from huiyin.config import Settings
from ingest import calendar
from ingest.calendar import calendar_days, load_calendar
from warehouse.connection import open_warehouse

# 国办发明电〔2024〕12号: the State Council's notice of the holidays of 2025.
HOLIDAYS_2025 = {
    "元旦": ["2025-01-01"],
    "春节": [f"2025-01-{day}" for day in range(28, 32)] + [f"2025-02-0{day}" for day in range(1, 5)],
    "清明节": ["2025-04-04", "2025-04-05", "2025-04-06"],
    "劳动节": [f"2025-05-0{day}" for day in range(1, 6)],
    "端午节": ["2025-05-31", "2025-06-01", "2025-06-02"],
    "国庆节": [f"2025-10-0{day}" for day in range(1, 9)],
}
MAKEUP_2025 = ["2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11"]


def test_the_year_2025_is_as_the_state_council_announced_it() -> None:
    days = {str(row["date_day"]): row for row in calendar_days(2025, 2025).to_pylist()}
    assert len(days) == 365
    holidays = {day for listed in HOLIDAYS_2025.values() for day in listed}
    assert {day for day, row in days.items() if row["day_kind"] == "holiday"} == holidays
    assert {day for day, row in days.items() if row["day_kind"] == "makeup_workday"} == set(MAKEUP_2025)
    assert sum(row["is_workday"] for row in days.values()) == 248
    assert days["2025-01-29"]["holiday_name"] == "春节"
    assert days["2025-10-06"]["holiday_name"] in ("国庆节", "中秋节")
    assert all(days[day]["is_workday"] for day in MAKEUP_2025)


def test_years_that_nobody_announced_go_by_the_weekday() -> None:
    days = calendar_days(2003, 2003).to_pylist()
    assert {row["day_kind"] for row in days} == {"workday", "weekend"}
    assert all(row["is_workday"] == (row["date_day"].weekday() < 5) for row in days)


def test_the_calendar_is_loaded_once_and_warns_before_the_known_holidays_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(calendar, "FIRST_YEAR", 2024)
    monkeypatch.setattr(calendar, "covered_years", lambda: (2004, 2025))
    with caplog.at_level(logging.WARNING):
        assert load_calendar(settings) >= 365 * 2
    assert "holidays are known up to 2025 only" in caplog.text
    assert load_calendar(settings) == 0
    with open_warehouse(settings) as warehouse:
        first, last = warehouse.rows("select min(date_day) as a, max(date_day) as b from raw.calendar_days")[0].values()
    assert first == date(2024, 1, 1)
    assert last >= date(date.today().year, 12, 31)  # noqa: DTZ011
