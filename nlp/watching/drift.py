"""Is this another population? Only if the difference is large enough to matter and too large to be chance.

Large: the population stability index, less what two samples of one population show by their size alone, is 0.25 or
more (the usual reading of the index). No chance: the G-test of homogeneity rejects at 0.1 %. The index alone calls
small weeks another population, the test alone large ones; ``benchmarks/model_drift.py`` measures both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2_contingency

from nlp.watching.profile import Profile

DRIFTED_FROM = 0.25
CHANCE_BELOW = 0.001
FEWEST_TEXTS = 50
"""With fewer on either side nothing is said."""
_SMALLEST_BIN = 10
"""Bins with fewer texts on both sides together count as one."""


@dataclass(frozen=True)
class Drift:
    """``index``: the corrected population stability index; ``chance``: p-value of the G-test."""

    index: float
    chance: float

    @property
    def is_drift(self) -> bool:
        """Whether it is another population by both."""
        return self.index >= DRIFTED_FROM and self.chance < CHANCE_BELOW


def drift_between(reference: Profile, own: Profile) -> Drift | None:
    """How far ``own`` is from ``reference``; None where that can't be said: too few texts, or another model."""
    if reference.version != own.version or min(reference.texts, own.texts) < FEWEST_TEXTS:
        return None
    return compare_counts(reference.bins, own.bins)


def compare_counts(reference: Mapping[str, int], own: Mapping[str, int]) -> Drift:
    """The same of counts by bin."""
    names = sorted({*reference, *own})
    table = np.array([[side.get(name, 0) for name in names] for side in (reference, own)], float)
    small = table.sum(axis=0) < _SMALLEST_BIN
    table = np.column_stack([table[:, ~small], table[:, small].sum(axis=1)]) if small.any() else table
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return Drift(0.0, 1.0)
    chance = float(chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue)
    # Half a text in each bin, so that none is empty.
    shares = (table + 0.5) / (table + 0.5).sum(axis=1, keepdims=True)
    index = float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))
    by_size = (table.shape[1] - 1) * (1 / table[0].sum() + 1 / table[1].sum())
    return Drift(max(0.0, index - by_size), chance)
