"""How much of an alert's excess lies in another scope, counted from the records themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from improvement.alerts.spells import Spell
from improvement.mart import MartData
from improvement.scope import Scope

# What is normal in the part of a scope that another scope shares, is counted over these days.
REFERENCE_DAYS = 56
# A trend's excess is what the last days hold beyond its beginning.
TREND_DAYS = 28


@dataclass(frozen=True)
class Overlap:
    """Records of an alert and how many were expected; in all, and in the part that the other scope shares."""

    observed: int
    expected: float
    observed_shared: int
    expected_shared: float

    @property
    def excess(self) -> float:
        """Records beyond expectation."""
        return self.observed - self.expected

    @property
    def share(self) -> float:
        """The part of the excess that lies in the other scope; only where there is an excess."""
        return (self.observed_shared - self.expected_shared) / self.excess

    @property
    def p_value_outside(self) -> float:
        """Chance of so many records outside the other scope, by Poisson's law."""
        rest = max(self.expected - self.expected_shared, 1e-9)
        return float(stats.poisson.sf(self.observed - self.observed_shared - 1, rest))

    @property
    def over_outside(self) -> float:
        """Observed over expected outside the other scope, less 1."""
        rest = max(self.expected - self.expected_shared, 1e-9)
        return (self.observed - self.observed_shared) / rest - 1.0


def overlap(spell: Spell, other: Scope, other_started: int, day: int, mart: MartData) -> Overlap | None:
    """The alert's excess up to ``day`` and its part in the scope ``other``, whose own trouble began at a day.

    None where the alert isn't about counts, or its records don't know the other scope's dimensions.
    """
    frame = _frame_of(spell, mart)
    if frame is None or any(dimension not in frame.columns for dimension, _ in other.pairs):
        return None
    if spell.daily_expected is not None:
        since, before = spell.started, min(spell.started, other_started)
        reference = (before - REFERENCE_DAYS, before)
        expected = float(np.nansum(spell.daily_expected[spell.started : day + 1]))
    else:
        since, reference = day - TREND_DAYS + 1, (spell.started, spell.started + REFERENCE_DAYS)
        expected = spell.worst(day).expected * TREND_DAYS / 7
    inside = frame[spell.scope.mask(frame) & (frame["day"] <= day) & (frame["day"] >= reference[0])]
    shared, days = other.mask(inside).to_numpy(), inside["day"].to_numpy()
    now, normal = days >= since, (days >= reference[0]) & (days < reference[1])
    expected = max(expected, 1e-9)
    normal_share = (int((normal & shared).sum()) + 0.5) / (int(normal.sum()) + 1.0)
    return Overlap(int(now.sum()), expected, int((now & shared).sum()), expected * normal_share)


def _frame_of(spell: Spell, mart: MartData) -> pd.DataFrame | None:
    """The records that the spell counts."""
    if spell.rule.metric == "voice_count":
        return mart.voices
    if spell.rule.metric == "dissatisfied_count":
        return mart.ratings[~mart.ratings["is_satisfied"].astype(bool)]
    return mart.tickets if spell.rule.metric == "ticket_count" else None
