"""Of several alerts about the same voices one explains the others; only that one calls people.

As in Alertmanager a source alert silences its targets; which is the source is decided by the evidence: the scope
with the largest likelihood ratio (:meth:`~improvement.alerts.spells.Spell.surprise`) comes first, and every other
alert that is no longer remarkable without the source's voices is silenced.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from improvement.alerts.spells import SEVERITY_RANK, Spell
from improvement.mart import MartData

# What is normal in the part of a scope that another scope shares, is counted over these days before the spell.
REFERENCE_DAYS = 56
OWN_SIGNIFICANCE = 1e-3


def explain(active: list[Spell], day: int, mart: MartData) -> None:
    """Set ``inhibited_by`` of the alerts active at the end of ``day``."""
    for spell in active:
        spell.inhibited_by = None
    counts = [spell for spell in active if spell.counts is not None]
    # Texts of no known topic only come last: a scope of tickets says more to people than a cluster of texts.
    counts.sort(key=lambda s: (s.scope.get("topic") is not None, -s.surprise(day), s.scope.key, s.rule.rule_code))
    sources: list[Spell] = []
    for spell in counts:
        spell.inhibited_by = next((source for source in sources if _explains(source, spell, day, mart)), None)
        if spell.inhibited_by is None:
            sources.append(spell)
    _explain_indicators([spell for spell in active if spell.counts is None], day)


def _explain_indicators(active: list[Spell], day: int) -> None:
    """A wider alert on the same indicator silences its narrower ones of no worse colour."""
    for spell in active:
        for other in active:
            wider = other is not spell and other.scope.contains(spell.scope) and other.rule.metric == spell.rule.metric
            same = other.scope == spell.scope
            if (
                wider
                and (not same or (other.fired, other.rule.rule_code) < (spell.fired, spell.rule.rule_code))
                and other.inhibited_by is None
                and SEVERITY_RANK[other.severity(day)] >= SEVERITY_RANK[spell.severity(day)]
            ):
                spell.inhibited_by = other
                break


def frame_of(spell: Spell, mart: MartData) -> pd.DataFrame:
    """The records that the spell counts."""
    if spell.rule.metric == "voice_count":
        return mart.voices
    if spell.rule.metric == "dissatisfied_count":
        return mart.ratings[~mart.ratings["is_satisfied"].astype(bool)]
    return mart.tickets


def _explains(source: Spell, spell: Spell, day: int, mart: MartData) -> bool:
    frame = frame_of(spell, mart)
    if any(dimension not in frame.columns for dimension, _ in source.scope.pairs):
        return False
    begin = min(spell.started, source.started)
    inside = frame[spell.scope.mask(frame) & (frame["day"] <= day) & (frame["day"] >= begin - REFERENCE_DAYS)]
    shared = source.scope.mask(inside).to_numpy()
    days = inside["day"].to_numpy()
    now, before = days >= spell.started, days < begin
    observed, observed_shared = int(now.sum()), int((now & shared).sum())
    if spell.daily_expected is None or observed == 0:
        return False
    expected = max(float(np.nansum(spell.daily_expected[spell.started : day + 1])), 1e-9)
    # What the two share normally, from the days before both.
    normal_share = (int((before & shared).sum()) + 0.5) / (int(before.sum()) + 1.0)
    rest_observed, rest_expected = observed - observed_shared, expected * (1.0 - normal_share)
    excess, excess_shared = observed - expected, observed_shared - expected * normal_share
    if excess <= 0:
        return True
    if source.scope.contains(spell.scope):
        # A part of the source: nothing of its own unless it rises more than the whole does, beyond chance.
        whole = max(source.growth(spell.started, day), 1.0)
        return bool(stats.poisson.sf(observed - 1, expected * whole) > OWN_SIGNIFICANCE)
    if excess_shared / excess >= 0.7:
        return True
    over = rest_observed / max(rest_expected, 1e-9) - 1.0
    return excess_shared / excess >= 0.4 and over < spell.rule.yellow_over
