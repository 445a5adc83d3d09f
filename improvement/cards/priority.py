"""The priority of a card: an open formula, a weighted sum of factors between 0 and 1.

score = 100 × Σ weightᵢ × factorᵢ ÷ Σ weightᵢ, with the weights and their version in ``priority_weights.csv``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from improvement.alerts.spells import SEVERITY_RANK
from improvement.cards.evidence import Evidence
from improvement.rules import Rules

# Where a factor reaches 1: voices, times over expectation, yuan a year, recurrences.
FULL_VOLUME = 500
FULL_GROWTH = 3.0
FULL_REVENUE = 10_000_000.0
FULL_RECURRENCE = 3


@dataclass(frozen=True)
class Priority:
    """A score from 0 to 100 and how it came about."""

    score: float
    version: str
    factors: tuple[tuple[str, float, float, float], ...]

    def to_json(self) -> str:
        """The factors with value, weight and contribution, the largest first."""
        names = ("factor", "value", "weight", "contribution")
        return json.dumps([dict(zip(names, factor, strict=True)) for factor in self.factors])


def _log_share(value: float, full: float) -> float:
    return min(1.0, math.log1p(max(value, 0.0)) / math.log1p(full))


def prioritise(evidence: Evidence, severity: str, over_ratio: float, recurrence_count: int, rules: Rules) -> Priority:
    """The priority by the evidence and the rules' weights."""
    values = {
        "severity": SEVERITY_RANK[severity] / 3.0,
        "volume": _log_share(evidence.voice_count, FULL_VOLUME),
        "growth": min(1.0, max(over_ratio, 0.0) / FULL_GROWTH),
        # In units of 10,000 yuan, so that small sums don't already count as large.
        "revenue_at_risk": _log_share(evidence.revenue_at_risk / 1e4, FULL_REVENUE / 1e4),
        "vip_share": evidence.vip_share or 0.0,
        "negative_share": evidence.negative_share or 0.0,
        "sla_damage": evidence.sla_breached_share or 0.0,
        "recurrence": min(1.0, recurrence_count / FULL_RECURRENCE),
    }
    total = sum(rules.weights.values())
    factors = [
        (name, round(values[name], 4), weight, round(100.0 * weight / total * values[name], 2))
        for name, weight in rules.weights.items()
    ]
    factors.sort(key=lambda factor: -factor[3])
    return Priority(round(sum(factor[3] for factor in factors), 1), rules.weights_version, tuple(factors))
