"""Business time by brute force: every minute of a schedule is marked open or closed, and the open ones are counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from mart_company import day_kind

_DAY_KIND = lru_cache(maxsize=None)(day_kind)


@dataclass(frozen=True)
class Window:
    """One weekly opening in local time; closing at or before the opening is the next day."""

    timezone: str
    iso_weekday: int
    opens: str
    closes: str
    observes_holidays: bool


def windows_of(text: str) -> dict[str, list[Window]]:
    """Schedules of a rules file ``service_schedules.csv``."""
    found: dict[str, list[Window]] = {}
    for line in text.splitlines()[1:]:
        schedule, _, zone, weekday, opens, closes, observes = line.split(",")
        found.setdefault(schedule, []).append(Window(zone, int(weekday), opens, closes, observes == "true"))
    return found


class OpenMinutes:
    """Open time of one schedule between two days, exact to the second for windows at whole minutes."""

    def __init__(self, windows: Sequence[Window], first: date, last: date, closed_on: Iterable[date] = ()) -> None:
        self._start = int(datetime.combine(first - timedelta(days=2), time(), UTC).timestamp())
        is_open = np.zeros(((last - first).days + 6) * 1440, dtype=bool)
        weekdays = {window.iso_weekday for window in windows}
        closed = set(closed_on)
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            if day in closed:
                continue
            for window in windows:
                if self._applies(window, day, weekdays):
                    begin, end = (self._instant(day, hours, window) for hours in self._hours(window))
                    is_open[(begin - self._start) // 60 : (end - self._start) // 60] = True
        self._is_open = is_open
        self._before = np.concatenate([[0], np.cumsum(is_open, dtype=np.int32)])

    @staticmethod
    def _applies(window: Window, day: date, weekdays: set[int]) -> bool:
        kind = _DAY_KIND(day)
        if window.observes_holidays and kind == "holiday":
            return False
        if day.isoweekday() == window.iso_weekday:
            return True
        # A make-up workday has the hours of the schedule's first weekday unless it has hours of its own.
        return (
            window.observes_holidays
            and kind == "makeup_workday"
            and day.isoweekday() not in weekdays
            and window.iso_weekday == min(weekdays)
        )

    @staticmethod
    def _hours(window: Window) -> tuple[int, int]:
        opens, closes = (int(text[:-3]) * 60 + int(text[-2:]) for text in (window.opens, window.closes))
        return opens, closes if closes > opens else closes + 1440

    @staticmethod
    def _instant(day: date, minutes: int, window: Window) -> int:
        """UTC second of a wall clock; of a time that happens twice or never the later reading, as databases do."""
        wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
        zone = ZoneInfo(window.timezone)
        return max(int(wall.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1))

    def _until(self, instant: datetime) -> int:
        second = int(instant.replace(tzinfo=UTC, microsecond=0).timestamp()) - self._start
        minute, rest = divmod(second, 60)
        return int(self._before[minute]) * 60 + (rest if self._is_open[minute] else 0)

    def between(self, begin: datetime, end: datetime) -> int:
        """Open seconds from one naive UTC instant to a later one, both cut to the second."""
        return self._until(end) - self._until(begin)


class TicketHours:
    """The schedules that applied to one ticket, one after the other."""

    def __init__(
        self, ticket: Mapping[str, Any], events: Iterable[Mapping[str, Any]], hours: Mapping[str, OpenMinutes]
    ) -> None:
        changes = [e for e in events if e["field"] == "schedule" and e["event_at"] > ticket["created_at"]]
        changes.sort(key=lambda event: (event["event_at"], event["event_id"]))
        first = changes[0]["old_value"] if changes else ticket.get("schedule_id")
        self._spans = [(ticket["created_at"], first), *((c["event_at"], c["new_value"]) for c in changes)]
        self._hours = hours

    def knows_its_last_schedule_at(self, instant: datetime) -> bool:
        """Whether no schedule comes after that instant."""
        return bool(self._spans[-1][0] <= instant)

    def hours_of(self, schedule: str | None) -> OpenMinutes:
        """Hours of a schedule; what nobody knows is the default one, called ``office``."""
        return self._hours.get(schedule or "office", self._hours["office"])

    def between(self, begin: datetime, end: datetime) -> int:
        """Open seconds of the schedules in force, each while it was."""
        total = 0
        untils = [*(at for at, _ in self._spans[1:]), datetime(9999, 1, 1)]  # noqa: DTZ001 (naive UTC)
        for (at, schedule), until in zip(self._spans, untils, strict=True):
            low, high = (x.replace(microsecond=0) for x in (max(begin, at), min(end, until)))
            if low < high:
                total += self.hours_of(schedule).between(low, high)
        return total
