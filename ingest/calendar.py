"""``raw.calendar_days``: Chinese workdays with statutory holidays and make-up workdays (调休)."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from functools import cache

import chinese_calendar
import pyarrow as pa
from chinese_calendar import constants

from huiyin.config import Settings
from ingest.tables import CALENDAR_DAYS, ensure_tables
from warehouse.connection import open_warehouse

log = logging.getLogger(__name__)

FIRST_YEAR = 2010
WARN_DAYS_AHEAD = 60
_NAMES = {
    "New Year's Day": "元旦",
    "Spring Festival": "春节",
    "Tomb-sweeping Day": "清明节",
    "Labour Day": "劳动节",
    "Dragon Boat Festival": "端午节",
    "National Day": "国庆节",
    "Mid-autumn Festival": "中秋节",
    "Anti-Fascist 70th Day": "抗战胜利纪念日",
}


def calendar_days(first_year: int, last_year: int) -> pa.Table:
    """One row a day of those years, both included.

    Holidays and make-up workdays are those that the State Council announced, as ``chinese-calendar`` has them;
    outside its span Saturdays and Sundays are weekend and all other days workdays.
    """
    rows = []
    day = date(first_year, 1, 1)
    while day.year <= last_year:
        rows.append(_day(day))
        day += timedelta(days=1)
    return pa.Table.from_pylist(rows, schema=CALENDAR_DAYS)


def is_workday(day: date) -> bool:
    """Whether people work on that day, by the same sources as :func:`calendar_days`."""
    return bool(_day(day)["is_workday"])


def _day(day: date) -> dict[str, object]:
    is_weekend = day.weekday() >= 5
    kind, name = "weekend" if is_weekend else "workday", None
    if is_covered(day):
        off, holiday = chinese_calendar.get_holiday_detail(day)
        if off and holiday:
            kind, name = "holiday", _NAMES.get(holiday, holiday)
        elif not off and is_weekend:
            kind, name = "makeup_workday", _NAMES.get(holiday, holiday) if holiday else None
    return {
        "date_day": day,
        "day_kind": kind,
        "is_workday": kind in ("workday", "makeup_workday"),
        "holiday_name": name,
    }


@cache
def covered_years() -> tuple[int, int]:
    """First and last year that the installed ``chinese-calendar`` knows."""
    years = [day.year for day in constants.holidays]
    return min(years), max(years)


def is_covered(day: date) -> bool:
    """Whether holidays of that day's year are known."""
    first, last = covered_years()
    return first <= day.year <= last


def load_calendar(settings: Settings) -> int:
    """Bring ``raw.calendar_days`` up to date: from 2010 to next year at least; returns the number of changed days.

    Warns 60 days before the holidays known to the installed release of ``chinese-calendar`` end.
    """
    last_covered = covered_years()[1]
    today = date.today()  # noqa: DTZ011 (the year of a calendar needs no zone)
    if last_covered < (today + timedelta(days=WARN_DAYS_AHEAD)).year:
        log.warning(
            "holidays are known up to %s only; later days count by weekday. Update the package chinese-calendar",
            last_covered,
        )
    last_year = max(last_covered, today.year + 1)
    days = calendar_days(FIRST_YEAR, last_year)
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        known = warehouse.query(
            "select date_day, day_kind, is_workday, holiday_name from raw.calendar_days order by date_day"
        ).cast(pa.schema([field.with_nullable(True) for field in CALENDAR_DAYS]))
        if known.equals(days.cast(known.schema)):
            return 0
        before = {tuple(row.values()) for row in known.to_pylist()}
        with warehouse.transaction():
            warehouse.execute("delete from raw.calendar_days")
            warehouse.append("raw", "calendar_days", days)
    return sum(tuple(row.values()) not in before for row in days.to_pylist())
