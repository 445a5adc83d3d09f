"""From daily conditions to spells: one alert from the first sign to the last, with hysteresis on the way out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt

from improvement.alerts.baseline import Floats
from improvement.rules import AlertRule
from improvement.scope import Scope

SEVERITY_RANK = {"yellow": 1, "orange": 2, "red": 3}
Bools = npt.NDArray[np.bool_]


@dataclass
class Measure:
    """What was measured on one day of a spell."""

    day: int
    observed: float
    expected: float
    over_ratio: float
    p_value: float | None
    window_days: int


@dataclass
class Spell:
    """One condition from its first sign on; days are positions in the calendar.

    ``history`` holds the days on which the condition was met, ``counts`` and ``daily_expected`` the whole series where
    counts are what it is about.
    """

    rule: AlertRule
    scope: Scope
    started: int
    fired: int
    history: list[Measure]
    resolved: int | None = None
    counts: Floats | None = None
    daily_expected: Floats | None = None
    inhibited_by: Spell | None = field(default=None, repr=False)

    def alert_id(self, first_on: date) -> str:
        """The same for the same rule, scope and start."""
        key = f"{self.rule.rule_code}|{self.scope.key}|{first_on.toordinal() + self.started}"
        return "AL-" + hashlib.sha256(key.encode()).hexdigest()[:12]

    @property
    def last_seen(self) -> int:
        """The last day on which the condition was met."""
        return self.history[-1].day

    def seen_until(self, day: int) -> int:
        """The last day up to that one on which the condition was met."""
        return max(measure.day for measure in self.history if measure.day <= day)

    def is_active(self, day: int) -> bool:
        """Whether the spell was on at the end of that day."""
        return self.fired <= day and (self.resolved is None or day < self.resolved)

    def is_high(self, day: int) -> bool:
        """Whether that very day was clearly above expectation, or the condition met; a spike may be over already."""
        if self.counts is None or self.daily_expected is None:
            return any(measure.day == day for measure in self.history)
        return bool(self.counts[day] >= (1.0 + self.rule.yellow_over) * self.daily_expected[day])

    def severity(self, day: int) -> str:
        """The worst colour up to that day."""
        worst = self.worst(day)
        return self.rule.severity(worst.over_ratio) or "yellow"

    def worst(self, day: int) -> Measure:
        """The measurement furthest over expectation up to that day."""
        return max((m for m in self.history if m.day <= day), key=lambda m: m.over_ratio)

    def growth(self, since: int, day: int) -> float:
        """Observed over expected count from one day to another; 1 where it is not about counts."""
        if self.counts is None or self.daily_expected is None:
            return 1.0
        days = slice(since, day + 1)
        return float(self.counts[days].sum() / max(np.nansum(self.daily_expected[days]), 1e-9))

    def surprise(self, day: int) -> float:
        """Log likelihood ratio of the counts since the start against their expectation (Kulldorff's scan statistic).

        It is largest for the scope that explains the excess best: higher for a concentrated part than for the whole
        that dilutes it, higher for the whole than for any part of a general rise.
        """
        if self.counts is None or self.daily_expected is None:
            return 0.0
        observed = float(self.counts[self.started : day + 1].sum())
        expected = max(float(np.nansum(self.daily_expected[self.started : day + 1])), 0.5)
        return observed * np.log(observed / expected) - (observed - expected) if observed > expected else 0.0


def find_spells(met: Bools, still: Bools, calm_days: int) -> list[tuple[int, int, int | None]]:
    """(row, fired, resolved) of each spell in S × T conditions.

    A spell fires on a day when ``met``; it goes on while ``met`` or ``still``, and is resolved on the last of
    ``calm_days`` days in a row that are neither.
    """
    spells: list[tuple[int, int, int | None]] = []
    for row in np.flatnonzero(met.any(axis=1)):
        on, quiet, fired = False, 0, 0
        for day in range(int(np.argmax(met[row])), met.shape[1]):
            if not on:
                if met[row, day]:
                    on, quiet, fired = True, 0, day
            elif met[row, day] or still[row, day]:
                quiet = 0
            else:
                quiet += 1
                if quiet == calm_days:
                    spells.append((int(row), fired, day))
                    on = False
        if on:
            spells.append((int(row), fired, None))
    return spells
