"""Positions in time or number: what part of a stream is wanted, and how that is written into a request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from ingest.connectors.base import Request
from ingest.connectors.delivery import text_array
from ingest.connectors.json_path import value_at
from ingest.connectors.rest.config import Cursor, RestStream
from ingest.convert import instants
from ingest.errors import SourceError

_WHOLE = re.compile(r"-?\d{1,18}")

Position = datetime | int
"""An instant (naive UTC) or a number."""


@dataclass(frozen=True)
class Wanted:
    """From ``start`` (None: from the beginning) up to ``end`` (None: as far as there is); positions of the cursor."""

    start: Position | None
    end: datetime | None

    def windows(self, hours: float | None) -> Iterator[Wanted]:
        """The same span in pieces of at most so many hours."""
        if hours is None or not isinstance(self.start, datetime) or self.end is None:
            yield self
            return
        start = self.start
        while start < self.end:
            end = min(start + timedelta(hours=hours), self.end)
            yield Wanted(start, end)
            start = end


def wanted_of(stream: RestStream, request: Request, overlap_minutes: float, now: datetime) -> Wanted:
    """What a request means for the stream; ``now`` is the server's clock, naive UTC.

    Raises :class:`SourceError` where the first load would need a beginning that nobody gave.
    """
    cursor = stream.cursor
    first = _initial(cursor, request.zone)
    from_on, to_on = request.interval.from_on, request.interval.to_on
    if cursor is not None and cursor.is_number:
        stored = request.cursor.get("number") if request.resume and request.cursor else None
        return Wanted(first if stored is None else int(stored) - cursor.overlap, None)
    day = None if from_on is None else midnight(from_on, request.zone)
    start: Position | None
    end = now
    if request.resume and request.cursor and "at" in request.cursor:
        start = datetime.fromisoformat(request.cursor["at"]) - timedelta(minutes=overlap_minutes)
    elif request.resume:
        # A first load by schedule is asked for some days; whoever says where to begin wants the history, too.
        start = day if first is None else first
    else:
        start = first if day is None else day
        end = now if to_on is None else midnight(to_on, request.zone)
    if start is None and stream.window_hours is not None:
        raise SourceError("the first load needs a beginning: set `cursor.initial`, or load from a day on")
    return Wanted(start, end)


def stored(position: Position) -> dict[str, Any]:
    """The position as a cursor that JSON can hold."""
    return {"at": position.isoformat()} if isinstance(position, datetime) else {"number": position}


def midnight(day: date, zone: str) -> datetime:
    """The instant (naive UTC) at which a local day begins."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


def latest(positions: Sequence[Position]) -> Position | None:
    """The largest of positions of one kind; None of none."""
    return max(positions, default=None)


def positions_of(records: Sequence[Mapping[str, Any]], cursor: Cursor, zone: str) -> list[Position | None]:
    """The position of each record, None where it has none that can be read (such as 0000-00-00).

    Raises :class:`SourceError` where none of several values can be read: then the field is the wrong one.
    """
    assert cursor.field is not None
    values = text_array([value_at(cursor.field, record) for record in records])
    if cursor.is_number:
        readable = [value is not None and _WHOLE.fullmatch(value) is not None for value in values.to_pylist()]
        found: list[Position | None] = [
            int(value) if ok else None for value, ok in zip(values.to_pylist(), readable, strict=True)
        ]
    else:
        found = instants(values, zone)[0].to_pylist()
    if values.null_count < len(values) and all(position is None for position in found):
        kind = "a whole number" if cursor.is_number else "an instant"
        raise SourceError(f"cursor.field {cursor.field}: no value is {kind}; name another field")
    return found


def written(position: Position, time_format: str, zone: str) -> str:
    """The position as the interface wants it; fractions of its unit are dropped, so that nothing is skipped."""
    if isinstance(position, int):
        return str(position)
    instant = position.replace(tzinfo=UTC)
    match time_format:
        case "seconds":
            return str(int(instant.timestamp()))
        case "milliseconds":
            return str(int(instant.timestamp()) * 1000 + instant.microsecond // 1000)
        case "iso":
            return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
    return instant.astimezone(ZoneInfo(zone)).strftime(time_format)


def _initial(cursor: Cursor | None, zone: str) -> Position | None:
    if cursor is None or cursor.initial is None:
        return None
    if cursor.is_number:
        try:
            return int(cursor.initial)
        except ValueError:
            raise SourceError(f"cursor.initial: {cursor.initial!r} is no whole number") from None
    found, invalid = instants(pa.array([cursor.initial]), zone)
    if invalid.any():
        raise SourceError(f"cursor.initial: {cursor.initial!r} is no instant; write YYYY-MM-DD")
    instant: datetime = found[0].as_py()
    return instant
