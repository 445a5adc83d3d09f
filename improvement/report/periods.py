"""The spans of days that a report speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

ALERT_DAYS = 90
TOPIC_DAYS = 28
DEMAND_DAYS = 28
SPARKLINE_WEEKS = 12


@dataclass(frozen=True)
class Periods:
    """Local days around ``as_of_on``; both ends of each span belong to it."""

    as_of_on: date

    @property
    def month_start_on(self) -> date:
        """First day of the month that is reported up to ``as_of_on``."""
        return self.as_of_on.replace(day=1)

    @property
    def quarter_start_on(self) -> date:
        """First day of the quarter of ``as_of_on``."""
        return self.as_of_on.replace(month=(self.as_of_on.month - 1) // 3 * 3 + 1, day=1)

    @property
    def is_month_complete(self) -> bool:
        """Whether ``as_of_on`` is the last day of its month."""
        return (self.as_of_on + timedelta(days=1)).day == 1

    @property
    def week_start_on(self) -> date:
        """Monday of the last week that had ended by ``as_of_on``."""
        next_day = self.as_of_on + timedelta(days=1)
        return next_day - timedelta(days=next_day.weekday() + 7)

    @property
    def week_end_on(self) -> date:
        """Sunday of that week."""
        return self.week_start_on + timedelta(days=6)

    @property
    def twelve_months_start_on(self) -> date:
        """First day of the month eleven months before."""
        first = self.month_start_on
        return first.replace(year=first.year - 1, month=first.month + 1) if first.month < 12 else first.replace(month=1)

    @property
    def sparkline_start_on(self) -> date:
        """Monday of the first week in a sparkline."""
        return self.week_end_on - timedelta(days=7 * SPARKLINE_WEEKS - 1)

    def days_before(self, days: int) -> date:
        """First day of the span of that many days which ends with ``as_of_on``."""
        return self.as_of_on - timedelta(days=days - 1)
