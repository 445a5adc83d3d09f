"""The company's year: workdays with 调休, daily and weekly tides, sales campaigns, and working time.

Times are whole seconds since 2025-01-01 00:00 Beijing time.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime, timedelta

import chinese_calendar
import numpy as np
import numpy.typing as npt

from huiyin.demo.company import DAYS, FIRST_ON

DAY = 86_400
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_WEEKDAY = (1.22, 1.12, 1.06, 1.02, 1.0, 0.72, 0.66)
_HOLIDAY = 0.5
_START = datetime.combine(FIRST_ON, datetime.min.time())

# Relative arrivals by hour of the day: calls keep to the service hours, chats and mails go on into the night.
_PHONE_HOURS = np.array([0] * 8 + [3, 8, 10, 9, 5, 5, 8, 9, 8, 6, 4, 5, 6, 4, 0, 0], dtype=float)
_CHAT_HOURS = np.array(
    [1.2, 0.6, 0.3, 0.2, 0.2, 0.4, 1, 2, 4, 8, 10, 8, 6, 6, 8, 8.5, 7, 5, 5, 7, 9, 9, 6, 3], dtype=float
)


def instant(seconds: float) -> datetime:
    """The naive Beijing time of a second count."""
    return _START + timedelta(seconds=int(seconds))


def day_of(day: date) -> int:
    """The number of a day; 2025-01-01 is 0."""
    return (day - FIRST_ON).days


def is_workday(day: date) -> bool:
    """Whether offices work that day, make-up workdays (调休) counted; beyond the known calendar: Monday to Friday."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < 5


def _is_spring_festival(day: date) -> bool:
    return date(2025, 1, 28) <= day <= date(2025, 2, 4)


def day_weights() -> Floats:
    """Relative ticket arrivals of each day of the year, without campaigns; mean 1."""
    weights = np.empty(DAYS)
    for index in range(DAYS):
        day = FIRST_ON + timedelta(days=index)
        if is_workday(day):
            weight = _WEEKDAY[day.weekday()] if day.weekday() < 5 else 1.02  # a make-up workday is a workday
        else:
            weight = _WEEKDAY[day.weekday()] if day.weekday() >= 5 else _HOLIDAY
        weights[index] = 0.38 if _is_spring_festival(day) else weight
    mean: float = weights.mean()
    return weights / mean


def campaign_lift() -> Floats:
    """How far sales campaigns lift each day: 0 none, 1 doubles a fully promotional problem."""
    lift = np.zeros(DAYS)
    for first, last, height in (
        (date(2025, 1, 6), date(2025, 1, 24), 0.15),
        (date(2025, 3, 6), date(2025, 3, 9), 0.15),
        (date(2025, 5, 30), date(2025, 6, 16), 0.45),
        (date(2025, 6, 17), date(2025, 6, 22), 1.3),
        (date(2025, 6, 23), date(2025, 6, 25), 0.6),
        (date(2025, 8, 15), date(2025, 8, 20), 0.15),
        (date(2025, 10, 31), date(2025, 11, 9), 0.55),
        (date(2025, 11, 10), date(2025, 11, 15), 1.9),
        (date(2025, 11, 16), date(2025, 11, 20), 0.8),
        (date(2025, 12, 10), date(2025, 12, 15), 0.3),
    ):
        lift[day_of(first) : day_of(last) + 1] = height
    return lift


def draw_seconds(rng: np.random.Generator, is_phone: npt.NDArray[np.bool_]) -> Ints:
    """Second of the day of each arrival, by the tide of its channel."""
    hours = np.empty(len(is_phone), dtype=np.int64)
    for mask, tide in ((is_phone, _PHONE_HOURS), (~is_phone, _CHAT_HOURS)):
        hours[mask] = rng.choice(24, size=int(mask.sum()), p=tide / tide.sum())
    return hours * 3600 + rng.integers(0, 3600, len(is_phone))


def is_peak(seconds: Ints) -> npt.NDArray[np.bool_]:
    """Whether it falls into the desk's peak hours."""
    return np.isin(seconds % DAY // 3600, (10, 11, 15, 16, 20))


class WorkingHours:
    """Maps time to working time and back for one weekly plan; the company's calendar decides which days count."""

    def __init__(self, opens: int, closes: int, workdays_only: bool) -> None:
        days = [FIRST_ON + timedelta(days=index) for index in range(DAYS + 120)]
        length = np.array(
            [closes - opens if not workdays_only or is_workday(day) else 0 for day in days], dtype=np.int64
        )
        self._opens = opens
        self._length = length
        self._before = np.concatenate([[0], np.cumsum(length)])
        self._before_list: list[int] = self._before.tolist()

    def add(self, start: Ints, working_seconds: Ints) -> Ints:
        """The instant at which that much working time has passed since ``start``."""
        day = start // DAY
        clock = self._before[day] + np.clip(start % DAY - self._opens, 0, self._length[day]) + working_seconds
        # side right: an instant at a closing bell belongs to the next opening.
        end_day = np.searchsorted(self._before, clock, side="right") - 1
        end_day = np.minimum(end_day, len(self._length) - 1)
        ended: Ints = end_day * DAY + self._opens + clock - self._before[end_day]
        return np.maximum(ended, start + 1)

    def add_one(self, start: int, working_seconds: int) -> int:
        """:meth:`add` for a single instant, without the cost of arrays."""
        day, second = divmod(start, DAY)
        before = self._before_list
        clock = before[day] + min(max(second - self._opens, 0), before[day + 1] - before[day]) + working_seconds
        end_day = min(bisect_right(before, clock) - 1, len(before) - 2)
        return max(end_day * DAY + self._opens + clock - before[end_day], start + 1)


FRONT_HOURS = WorkingHours(8 * 3600, 22 * 3600, workdays_only=False)
OFFICE_HOURS = WorkingHours(9 * 3600, 18 * 3600, workdays_only=True)
