"""Of several alerts about the same voices one explains the others; only that one calls people.

As in Alertmanager a source alert silences its targets; which is the source is decided by the evidence: the scope
with the largest likelihood ratio (:meth:`~improvement.alerts.spells.Spell.surprise`) comes first, and every other
alert that is no longer remarkable without the source's voices is silenced.
"""

from __future__ import annotations

from scipy import stats

from improvement.alerts.overlap import overlap
from improvement.alerts.spells import SEVERITY_RANK, Spell
from improvement.mart import MartData

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


def _explains(source: Spell, spell: Spell, day: int, mart: MartData) -> bool:
    found = overlap(spell, source.scope, source.started, day, mart)
    if found is None or found.observed == 0:
        return False
    if found.excess <= 0:
        return True
    if source.scope.contains(spell.scope):
        # A part of the source: nothing of its own unless it rises more than the whole does, beyond chance.
        whole = max(source.growth(spell.started, day), 1.0)
        return bool(stats.poisson.sf(found.observed - 1, found.expected * whole) > OWN_SIGNIFICANCE)
    return found.share >= 0.7 or (found.share >= 0.4 and found.over_outside < spell.rule.yellow_over)
