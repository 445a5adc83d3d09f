"""Bootstrap-t intervals of sums of influence values, customers resampled as a whole, for many figures at once.

Each replicate reweights the customers' contributions with random weights of mean 0, variance 1 and skewness 1 (a
multiplier bootstrap, Mammen 1993; Kline & Santos 2012) and divides by its own standard error. That costs two matrix
products instead of as many refits, and follows skewed and small groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from nlp.drivers.roles import Floats

Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

_REPLICATES_AT_ONCE = 100


@dataclass(frozen=True)
class Intervals:
    """95 % intervals of several figures, each alone, and the bar for all together."""

    low: Floats
    high: Floats
    is_certain: Bools
    """Different from zero even when all figures are looked at together (maximum of the t values, 5 %)."""


def clusters_of(customers: pd.Series | None, rows: int) -> Integers:
    """Number of the customer of each row; rows without one stand for themselves."""
    if customers is None:
        return np.arange(rows)
    known = customers.notna().to_numpy() & (customers.astype(str) != "").to_numpy()
    codes = np.arange(rows) + rows
    codes[known] = pd.factorize(customers[known])[0]
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def intervals(estimates: Floats, influence: Floats, clusters: Integers, replicates: int, seed: int) -> Intervals:
    """Intervals of ``estimates`` (figures) from ``influence`` (rows × figures)."""
    contributions = np.zeros((int(clusters.max()) + 1, influence.shape[1]))
    np.add.at(contributions, clusters, influence)
    contributions -= contributions.mean(axis=0)
    squares = contributions**2
    error = np.sqrt(squares.sum(axis=0))
    generator = np.random.default_rng(seed)
    parts = []
    for start in range(0, replicates, _REPLICATES_AT_ONCE):
        count = min(_REPLICATES_AT_ONCE, replicates - start)
        weights = generator.standard_gamma(4.0, (count, len(contributions))) / 2 - 2
        own_error = np.sqrt(np.maximum((weights**2) @ squares, 1e-30))
        parts.append((weights @ contributions) / own_error)
    t_values = np.concatenate(parts)
    upper, lower = np.quantile(t_values, [0.975, 0.025], axis=0)
    bar = float(np.quantile(np.abs(t_values).max(axis=1), 0.95))
    certain = np.abs(estimates) > bar * error
    return Intervals(estimates - upper * error, estimates - lower * error, certain)
