"""Where reading a table by its cursor column stopped, and where it goes on.

A position is a value that the database itself delivered, never our clock: clocks that differ lose no rows. The next
load begins an overlap before it, for rows whose transaction ended later than the change that they tell of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from huiyin.interval import Interval

Kind = Literal["instant", "local", "date", "seconds", "milliseconds", "id", "dated_text", "text"]
# Values further ahead than the database's own clock are mistakes (2099-12-31): a position there would lose all that
# comes before. Two days allow for zones.
_AHEAD = timedelta(days=2)
_DATED_TEXT = re.compile(r"^(\d{4})(-?)(\d{2})\2(\d{2})(?:\D.*|\d{6}.*)?$", re.DOTALL)
_OFFSET = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$")
_SECONDS = range(10**9, 4 * 10**9)  # 2001 to 2096
_MILLISECONDS = range(10**12, 4 * 10**12)


@dataclass(frozen=True)
class CursorColumn:
    """A cursor column, judged by its largest value: how its values compare with instants."""

    name: str
    kind: Kind
    overlap: timedelta
    overlap_rows: int
    zone: str
    separator: str = "-"
    has_offset: bool = False

    def begin(self, position: Mapping[str, Any] | None) -> Any | None:
        """The value to go on at, some overlap before the position; None: read everything.

        A position of another column, or of a column that has changed its type, counts for nothing.
        """
        if position is None or (position.get("column"), position.get("kind")) != (self.name, self.kind):
            return None
        value = position["value"]
        if self.kind in ("instant", "local"):
            return datetime.fromisoformat(value) - self.overlap
        if self.kind == "date":
            return (datetime.fromisoformat(value) - self.overlap).date()
        if self.kind == "dated_text":
            return self._dated(_date_of(value) - self.overlap - timedelta(days=1 if self.has_offset else 0))
        if self.kind == "text":
            return value
        scale = {"seconds": 1, "milliseconds": 1000, "id": 0}[self.kind]
        back = self.overlap_rows if self.kind == "id" else self.overlap.total_seconds() * scale
        return Decimal(value) - Decimal(back).to_integral_value()

    def bounds(self, interval: Interval) -> tuple[Any | None, Any | None]:
        """From (included) and to (excluded) for a backfill; None, None where values have no day (ids)."""
        margin = timedelta(days=1 if self.has_offset else 0)
        low = None if interval.from_on is None else self._at(interval.from_on, -margin)
        high = None if interval.to_on is None else self._at(interval.to_on, margin)
        return low, high

    def _at(self, day: date, margin: timedelta) -> Any | None:
        midnight = datetime.combine(day, time())
        there = midnight.replace(tzinfo=ZoneInfo(self.zone))
        values: dict[Kind, Any] = {
            "instant": there,
            "local": midnight,
            "date": day,
            "seconds": int(there.timestamp()),
            "milliseconds": int(there.timestamp()) * 1000,
            "dated_text": self._dated(midnight + margin),
        }
        return values.get(self.kind)

    def _dated(self, instant: datetime) -> str:
        """The day alone: it compares right with whatever follows it in a text."""
        return instant.strftime(f"%Y{self.separator}%m{self.separator}%d")

    def position(self, value: Any, now: datetime) -> dict[str, Any] | None:
        """The position at a value; None where it lies so far ahead of the database's clock that it must be wrong.

        ``now`` is the database's clock, naive.
        """
        if self.kind == "dated_text" and not _DATED_TEXT.match(str(value)):
            return None
        instant = self._instant(value)
        if instant is not None and instant > now + _AHEAD:
            return None
        text = value.isoformat() if isinstance(value, date) else str(value)
        return {"column": self.name, "kind": self.kind, "value": text}

    def _instant(self, value: Any) -> datetime | None:
        """Roughly when, naive; None where values have no day."""
        if isinstance(value, datetime):
            return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        if isinstance(value, date):
            return datetime.combine(value, time())
        if self.kind == "dated_text":
            return _date_of(value)
        if self.kind in ("seconds", "milliseconds"):
            seconds = float(value) / (1 if self.kind == "seconds" else 1000)
            return datetime.fromtimestamp(min(seconds, 4e9), UTC).replace(tzinfo=None)
        return None


def judge(
    name: str, largest: Any, unit: str | None, overlap_minutes: float, overlap_rows: int, zone: str
) -> CursorColumn:
    """What a cursor column holds, by its largest value; ``unit`` says what its numbers count."""
    kind, separator, has_offset = _kind(largest, unit), "-", False
    if kind == "dated_text":
        match = _DATED_TEXT.match(largest)
        assert match
        separator, has_offset = match[2], bool(_OFFSET.search(largest[10:]))
    return CursorColumn(name, kind, timedelta(minutes=overlap_minutes), overlap_rows, zone, separator, has_offset)


def _kind(value: Any, unit: str | None) -> Kind:
    if isinstance(value, datetime):
        return "instant" if value.tzinfo else "local"
    if isinstance(value, date):
        return "date"
    if isinstance(value, int | float | Decimal):
        kinds: dict[str, Kind] = {"seconds": "seconds", "milliseconds": "milliseconds", "id": "id"}
        if unit is not None:
            return kinds[unit]
        return "seconds" if int(value) in _SECONDS else "milliseconds" if int(value) in _MILLISECONDS else "id"
    match = _DATED_TEXT.match(str(value))
    if match and 1970 <= int(match[1]) < 2200 and 1 <= int(match[3]) <= 12 and 1 <= int(match[4]) <= 31:
        return "dated_text"
    return "text"


def _date_of(value: str) -> datetime:
    """The instant of a dated text, by day and, where they can be read, hour and minute."""
    match = _DATED_TEXT.match(value)
    assert match
    day = datetime(int(match[1]), int(match[3]), int(match[4]))  # noqa: DTZ001 (compared with its like only)
    clock = re.match(r"\D?(\d{2}):?(\d{2})", value[match.end(4) :])
    if clock and int(clock[1]) < 24 and int(clock[2]) < 60:
        day += timedelta(hours=int(clock[1]), minutes=int(clock[2]))
    return day
