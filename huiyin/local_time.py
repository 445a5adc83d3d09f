"""Instants as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def local_minute(instant: datetime | None, zone: str) -> str:
    """A naive UTC instant as wall-clock time of ``zone``, to the minute; empty for None."""
    return "" if instant is None else f"{instant.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
