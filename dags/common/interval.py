"""Which days a run is about: its parameters, else its data interval, else the last day of data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from huiyin.config import Settings
from huiyin.interval import Interval

# Loading a day again costs little: files that haven't changed are skipped, rows that haven't changed stay.
LOOK_BACK = timedelta(days=7)


def interval_of(context: Mapping[str, Any], settings: Settings) -> Interval:
    """The local days to load.

    The parameters ``from_on`` and ``to_on`` win; ``everything`` leaves both sides open; a scheduled run loads the
    days of its data interval (a run without one: yesterday) and looks back for what came late or was corrected.
    Raises ``ValueError`` for an empty interval.
    """
    params = context["params"]
    if params["from_on"] or params["to_on"]:
        return Interval(_day(params["from_on"]), _day(params["to_on"]))
    if params["everything"]:
        return Interval()
    zone = ZoneInfo(settings.timezone)
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    to_on = (end or datetime.now(zone)).astimezone(zone).date()
    from_on = start.astimezone(zone).date() if start else to_on - timedelta(days=1)
    return Interval(from_on - LOOK_BACK, to_on)


def resumes(context: Mapping[str, Any]) -> bool:
    """Whether sources go on where they stopped: always, but for a run whose days were named (a backfill)."""
    params = context["params"]
    return not (params["from_on"] or params["to_on"])


def judged_at(context: Mapping[str, Any], settings: Settings) -> datetime | None:
    """Up to when sources are judged, naive UTC: the end of the run's days; None: now."""
    params = context["params"]
    if params["to_on"]:
        midnight = datetime.combine(date.fromisoformat(params["to_on"]), time(), ZoneInfo(settings.timezone))
        return midnight.astimezone(UTC).replace(tzinfo=None)
    end: datetime | None = context.get("data_interval_end")
    return None if params["everything"] or end is None else end.astimezone(UTC).replace(tzinfo=None)


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


def as_of_on(context: Mapping[str, Any], settings: Settings) -> date:
    """The day to judge at: the last day before the parameter ``to_on``, else the last day of the published data."""
    from improvement.loop import last_day_of_data

    to_on = _day(context["params"]["to_on"])
    return to_on - timedelta(days=1) if to_on else last_day_of_data(settings)
