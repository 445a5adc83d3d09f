"""Numbers as readers of a report expect them: 万 and 亿, per cent, minutes or hours; a dash where there is none."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Literal

from improvement.report.captions import Captions

NONE = "—"
Tone = Literal["good", "bad", "flat"]


class Numbers:
    """Formats in one locale. Every method takes None and not-a-number as "unknown"."""

    def __init__(self, captions: Captions) -> None:
        self._text = captions
        self._chinese = captions["lang"].startswith("zh")

    def count(self, value: float | None) -> str:
        """A count: ``1,234``, ``1.23 万``."""
        if value is None or math.isnan(value):
            return NONE
        if self._chinese and abs(value) >= 99_999_500:
            return f"{_trimmed(value / 1e8, 2)} 亿"
        if self._chinese and abs(value) >= 10_000:
            return f"{_trimmed(value / 1e4, 2)} 万"
        return f"{value:,.0f}"

    def number(self, value: float | None, digits: int = 1) -> str:
        """A plain number with at most ``digits`` decimals."""
        if value is None or math.isnan(value):
            return NONE
        return self.count(value) if abs(value) >= 10_000 else _trimmed(value, digits)

    def money(self, value: float | None) -> str:
        """Yuan."""
        if value is None or math.isnan(value):
            return NONE
        if self._chinese:
            shown = self.count(round(value))
            return f"{shown}元" if " " in shown else f"{shown} 元"
        return f"¥{value / 1e6:,.2f}m" if abs(value) >= 1e6 else f"¥{value:,.0f}"

    def share(self, value: float | None, digits: int = 1) -> str:
        """A share 0…1 as per cent."""
        return NONE if value is None or math.isnan(value) else f"{100 * value:.{digits}f}%"

    def ratio(self, value: float | None) -> str:
        """A relative change with its sign: ``+31%``, ``−48%``."""
        if value is None or math.isnan(value):
            return NONE
        rounded = round(100 * value)
        return f"{'+' if rounded > 0 else '−' if rounded < 0 else ''}{abs(rounded):,}%"

    def minutes(self, value: float | None) -> str:
        """A duration given in minutes; hours from two hours on."""
        if value is None or math.isnan(value):
            return NONE
        if value < 120:
            return f"{_trimmed(value, 1 if value < 10 else 0)} {self._text['unit_minutes']}"
        return f"{self.number(value / 60)} {self._text['unit_hours']}"

    def hours(self, value: float | None) -> str:
        """A duration given in hours; minutes below one hour."""
        if value is None or math.isnan(value):
            return NONE
        return self.minutes(60 * value) if value < 1 else f"{self.number(value)} {self._text['unit_hours']}"

    def indicator(self, code: str, value: float | None, unit: str | None = None) -> str:
        """The value of an indicator in its own unit, told by its code (docs/architecture.md), else by ``unit``."""
        if code.endswith("_share"):
            return self.share(value)
        if code.endswith("_minutes"):
            return self.minutes(value)
        if code.endswith("_hours"):
            return self.hours(value)
        if code.endswith("_count"):
            return self.count(value)
        shown = self.number(value, 2 if code == "csat_mean" else 1)
        return f"{shown} {unit}" if unit and self._chinese and shown != NONE else shown

    def observed(self, metric: str, value: float | None) -> str:
        """What an alert or an effect saw; counts there may be expectations or means, hence decimals."""
        return self.number(value) if metric.endswith("_count") else self.indicator(metric, value)

    def change(self, code: str, now: float | None, before: float | None) -> str:
        """How far ``now`` is from ``before``: points for shares and scores, per cent otherwise."""
        if now is None or before is None or math.isnan(now) or math.isnan(before):
            return NONE
        if code.endswith("_share"):
            return f"{_signed(100 * (now - before), 1)} {self._text['unit_points']}"
        if code in ("nps", "csat_mean") or not before:
            return _signed(now - before, 1 if code == "nps" else 2)
        return self.ratio(now / before - 1)

    def day(self, value: date | datetime | None) -> str:
        """A date in full."""
        if value is None:
            return NONE
        if self._chinese:
            return f"{value.year}年{value.month}月{value.day}日"
        return f"{value.day} {value:%b %Y}"

    def table_day(self, value: date | None) -> str:
        """A date in a narrow column."""
        return NONE if value is None else value.isoformat()

    def short_day(self, value: date | datetime | None) -> str:
        """A date without its year."""
        if value is None:
            return NONE
        return f"{value.month}月{value.day}日" if self._chinese else f"{value.day} {value:%b}"

    def month(self, value: date) -> str:
        """A month of a year."""
        return f"{value.year}年{value.month}月" if self._chinese else f"{value:%b %Y}"


def tone(direction: str | None, now: float | None, before: float | None) -> Tone:
    """Whether a move from ``before`` to ``now`` is good, given where the target lies (at_most, at_least)."""
    if now is None or before is None or direction not in ("at_most", "at_least") or now == before:
        return "flat"
    return "good" if (now < before) == (direction == "at_most") else "bad"


def _trimmed(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text.replace("-", "−")


def _signed(value: float, digits: int) -> str:
    rounded = round(value, digits)
    return f"{'+' if rounded > 0 else '−' if rounded < 0 else ''}{abs(rounded):,.{digits}f}"
