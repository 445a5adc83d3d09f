"""The wait beyond which an outcome gets worse, with the interval of that wait – or that there is none.

On the scale of log-odds, where the best and the worst rating are no walls: the working response of a fractional logit
whose curve of the wait is free. Two questions, two steps, after everything else is projected out.

*Is there a threshold?* A wait can make people unhappy minute by minute without any. So a step or a bend anywhere must
explain more than smooth curves of the wait do (the wait, its root and its logarithm), judged against what chance does
anywhere (supremum statistic, multiplier bootstrap by customer: Hansen 1996).

*Where?* Among a step, a flat line that begins to fall, and a falling line that begins to fall faster, in minutes or in
their logarithm, that of the least squared error; its interval holds all places that a test doesn't reject, with a
step's own critical value (Hansen 2000, 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nlp.drivers.fit import fit_share
from nlp.drivers.roles import Floats

Integers = npt.NDArray[np.int64]

_PLACES = 80
_EDGE = 0.05
"""No threshold is sought among the shortest and longest 5 %."""
_STEP_CRITICAL, _BEND_CRITICAL = 7.35, 3.84
"""95 % bars of the likelihood ratio for the place of a step (Hansen 2000) and of a bend."""
_LEVEL = 0.05


@dataclass(frozen=True)
class Threshold:
    """What was found for one wait, in its unit."""

    verdict: Literal["threshold", "gradual", "none", "improves"]
    """A threshold; worse with every minute; no connection; better with waiting (look for a hidden cause)."""
    kind: Literal["step", "bend", ""]
    at: float
    low: float
    high: float
    """Place and its 95 % interval; NaN without threshold."""
    drop: float
    """Step: how much worse beyond it, in the outcome's range 0…1 (negative: lower). NaN otherwise."""
    p_value: float
    """Of a curve without threshold."""


def find_threshold(
    wait: Floats,
    outcome: Floats,
    others: Floats,
    clusters: Integers,
    *,
    higher_is_better: bool = True,
    replicates: int = 499,
    seed: int = 20250101,
) -> Threshold:
    """Look for a threshold of ``wait`` (≥ 0; rows) in ``outcome`` (0…1; rows).

    ``others`` (rows × columns, an intercept among them) is what is held constant, ``clusters`` the number of each row's
    customer.
    """
    worse = -1.0 if higher_is_better else 1.0
    unit = float(np.median(wait)) or float(wait[wait > 0].mean())
    response, root = _working(wait / unit, outcome, others)
    basis = np.linalg.qr(_independent(others * root[:, None]))[0]
    y = _without(basis, (worse * response * root)[:, None])[:, 0]
    plain, log = wait / unit, np.log1p(wait / unit)
    places = np.unique(np.quantile(wait, np.linspace(_EDGE, 1 - _EDGE, _PLACES)))
    # A place needs rows on both sides of it.
    places = places[(places >= wait.min()) & (places < wait.max())]

    def projected(columns: Floats) -> Floats:
        return _without(basis, columns * root[:, None])

    line, log_line = projected(plain[:, None]), projected(log[:, None])
    steps = projected((wait[:, None] > places).astype(np.float64))
    bends = projected(np.maximum(plain[:, None] - places / unit, 0.0))
    log_bends = projected(np.maximum(log[:, None] - np.log1p(places / unit), 0.0))
    smooth = np.hstack([line, log_line, projected(np.sqrt(plain)[:, None])])
    p_value = _supremum_test(smooth, np.hstack([steps, bends, log_bends]), y, clusters, replicates, seed)
    slope = _slope(log_line, y, clusters)
    if p_value >= _LEVEL:
        verdict: Literal["gradual", "none", "improves"] = (
            "none" if abs(slope) < 1.96 else "gradual" if slope > 0 else "improves"
        )
        return Threshold(verdict, "", np.nan, np.nan, np.nan, np.nan, p_value)
    nothing = np.empty((len(y), 0))
    candidates = [
        _profile("step", nothing, steps, y, clusters),
        _profile("step", log_line, steps, y, clusters),
        _profile("bend", nothing, bends, y, clusters),
        _profile("bend", nothing, log_bends, y, clusters),
        _profile("bend", line, bends, y, clusters),
        _profile("bend", log_line, log_bends, y, clusters),
    ]
    best = min(candidates, key=lambda candidate: candidate.criterion)
    place = int(np.argmax(best.gains))
    if best.coefficients[place] <= 0:
        # It jumps, but not for the worse.
        falls = slope >= 1.96
        return Threshold("gradual" if falls else "none", "", np.nan, np.nan, np.nan, np.nan, p_value)
    critical = _STEP_CRITICAL if best.kind == "step" else _BEND_CRITICAL
    kept = np.flatnonzero(best.gains >= best.gains[place] - critical)
    # Between two places that were tried nothing was rejected.
    low, high = float(places[max(kept.min() - 1, 0)]), float(places[min(kept.max() + 1, len(places) - 1)])
    at = float(places[place])
    # The root's square is how much the outcome moves for a small move of its log-odds.
    drop = worse * float(best.coefficients[place]) * float((root**2).mean()) if best.kind == "step" else np.nan
    return Threshold("threshold", best.kind, at, low, high, drop, p_value)


def _working(wait: Floats, outcome: Floats, others: Floats) -> tuple[Floats, Floats]:
    """Working response and root of the working weights of a fractional logit with a free curve of the wait."""
    log = np.log1p(wait)
    curve = np.maximum(log[:, None] - np.quantile(log, np.linspace(0.1, 0.9, 9)), 0.0)
    fit = fit_share(np.column_stack([np.ones(len(wait)), log, curve, others]), outcome, np.ones(len(wait)))
    linear = np.log(fit.expected / (1 - fit.expected))
    weights = fit.expected * (1 - fit.expected)
    return linear + (outcome - fit.expected) / weights, np.sqrt(weights)


@dataclass(frozen=True)
class _Profile:
    kind: Literal["step", "bend"]
    gains: Floats
    """What each place explains, in units of the error variance."""
    coefficients: Floats
    criterion: float
    """Bayesian information criterion of the best place."""


def _profile(kind: Literal["step", "bend"], before: Floats, shapes: Floats, y: Floats, clusters: Integers) -> _Profile:
    """Explain ``y`` by ``before`` and, in turn, each of ``shapes``."""
    base = np.linalg.qr(before)[0] if before.shape[1] else before
    rest, y_rest = _without(base, shapes), _without(base, y[:, None])[:, 0]
    sizes = np.maximum((rest**2).sum(axis=0), 1e-9)
    coefficients = rest.T @ y_rest / sizes
    explained = coefficients**2 * sizes
    best = int(np.argmax(explained))
    residual = y_rest - rest[:, best] * coefficients[best]
    left = float(residual @ residual)
    # Several rows of one customer, and errors that differ, count by their own spread at the best place.
    scores = np.bincount(clusters, weights=rest[:, best] * residual)
    variance = float((scores**2).sum() / sizes[best])
    criterion = len(y) * np.log(left) + np.log(len(y)) * (before.shape[1] + 2)
    return _Profile(kind, explained / variance, coefficients, float(criterion))


def _supremum_test(smooth: Floats, shapes: Floats, y: Floats, clusters: Integers, replicates: int, seed: int) -> float:
    """How often chance makes some shape explain as much more than the smooth curves do."""
    base = np.linalg.qr(_independent(smooth))[0]
    rest = _without(base, shapes)
    residual = _without(base, y[:, None])[:, 0]
    rest = rest[:, (rest**2).sum(axis=0) > 1e-6 * np.maximum((shapes**2).sum(axis=0), 1e-9)]
    if not rest.shape[1]:
        return 1.0
    scores = np.zeros((int(clusters.max()) + 1, rest.shape[1]))
    np.add.at(scores, clusters, rest * residual[:, None])
    error = np.sqrt(np.maximum((scores**2).sum(axis=0), 1e-12))
    found = float(np.abs(scores.sum(axis=0) / error).max())
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (replicates, len(scores)))
    chance = np.abs(signs @ scores / error).max(axis=1)
    return float((1 + (chance >= found).sum()) / (1 + replicates))


def _slope(line: Floats, y: Floats, clusters: Integers) -> float:
    """t value of one regressor."""
    x = line[:, 0]
    size = float(x @ x)
    if size < 1e-9:
        return 0.0
    coefficient = float(x @ y) / size
    scores = np.bincount(clusters, weights=x * (y - x * coefficient))
    return coefficient * size / float(np.sqrt((scores**2).sum()))


def _independent(columns: Floats) -> Floats:
    """Drop columns that the ones before already span, so that projections are exact."""
    scaled = columns / np.maximum(np.linalg.norm(columns, axis=0), 1e-12)
    diagonal = np.abs(np.diag(np.linalg.qr(scaled)[1]))
    return columns[:, diagonal > 1e-7]


def _without(basis: Floats, columns: Floats) -> Floats:
    """Residuals of columns on an orthonormal basis."""
    return np.asarray(columns - basis @ (basis.T @ columns), np.float64)
