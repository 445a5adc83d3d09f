"""The span of local days that a run is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Interval:
    """Local days from ``from_on`` up to, not including, ``to_on``; None leaves that side open."""

    from_on: date | None = None
    to_on: date | None = None

    def __post_init__(self) -> None:
        if self.from_on and self.to_on and self.from_on >= self.to_on:
            raise ValueError(f"interval is empty: from {self.from_on} to {self.to_on}; the end is exclusive")

    def __contains__(self, day: date) -> bool:
        return (self.from_on is None or day >= self.from_on) and (self.to_on is None or day < self.to_on)

    def days(self) -> Iterator[date]:
        """Each day. Raises ``ValueError`` where a side is open."""
        if self.from_on is None or self.to_on is None:
            raise ValueError("an open interval has no list of days")
        for offset in range((self.to_on - self.from_on).days):
            yield self.from_on + timedelta(days=offset)
