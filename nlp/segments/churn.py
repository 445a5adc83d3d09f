"""The probability of leaving, learnt from who left: fitted on the past, calibrated and judged on what came later.

A day of the past is looked at as if it were today (a landmark): the signs of the days before it, of customers who were
still there; the outcome is who left in the :data:`HORIZON_DAYS` after it. A model of the signs is fitted on the earlier
landmarks. What it says at the last one, whose outcome is just known and was unknown when the earlier ones ended, is
scaled by Platt's method to the share that really left, and judged on customers that the scaling hasn't seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

from nlp.drivers.roles import Floats

HORIZON_DAYS = 90
"""Leaving within so many days is what the probability is of."""
FEWEST_OF_EACH = 40
"""Customers who left, and who stayed, before anything is learnt or judged."""
_LANDMARK_STEP_DAYS = 30
_FOLDS = 5
_GROUPS = 10
_RESAMPLES = 500

Signs = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Reliability:
    """How good probabilities of leaving were on outcomes of which nothing was learnt."""

    auc: float
    auc_low: float
    auc_high: float
    calibration_error: float
    """Mean distance of the probability said and the share that left, over ten groups of like probability."""
    groups: pd.DataFrame
    """said, was (shares), customers: by groups of like probability, the lowest first."""
    customers: int
    left: int


@dataclass(frozen=True)
class ChurnModel:
    """A monotone logistic regression of the signs, and the scaling of its logit."""

    coefficients: Floats
    slope: float
    shift: float
    reliability: Reliability

    def probabilities(self, signs: pd.DataFrame) -> Floats:
        """The probability of leaving within :data:`HORIZON_DAYS`."""
        return np.asarray(expit(self.slope * _line(self.coefficients, design(signs)) + self.shift), np.float64)


def learn_churn(
    frame: pd.DataFrame, when: pd.Series, customer: pd.Series, churned_on: pd.Series, signs: Signs, window_days: int,
    today: pd.Timestamp, seed: int,
) -> ChurnModel | str:  # fmt: skip
    """The model of these contacts, or in Chinese why there is none.

    ``when``, ``customer``: of each row; ``churned_on``: by customer, NaT for who is still there; ``signs``: of rows.
    """
    last = today - pd.Timedelta(days=HORIZON_DAYS)
    first = when.min() + pd.Timedelta(days=window_days)
    landmarks: list[pd.Timestamp] = []
    day = last - pd.Timedelta(days=HORIZON_DAYS)
    while day >= first:
        landmarks.append(day)
        day -= pd.Timedelta(days=_LANDMARK_STEP_DAYS)
    if not landmarks:
        return f"流失校准需要至少 {2 * HORIZON_DAYS + window_days} 天的联系记录"

    def seen(day: pd.Timestamp) -> tuple[Floats, Floats]:
        gone_on = customer.map(churned_on)
        inside = (when > day - pd.Timedelta(days=window_days)) & (when <= day) & ~(gone_on <= day)
        if not inside.any():
            return np.empty((0, 0)), np.empty(0)
        table = signs(frame[inside])
        left = (churned_on.reindex(table.index) <= day + pd.Timedelta(days=HORIZON_DAYS)).to_numpy()
        return design(table), np.asarray(left, np.float64)

    past = [found for found in map(seen, landmarks) if len(found[1])]
    x_last, y_last = seen(last)
    y = np.concatenate([outcomes for _, outcomes in past]) if past else np.empty(0)
    fewest = min(y.sum(), len(y) - y.sum(), y_last.sum(), len(y_last) - y_last.sum())
    if fewest < FEWEST_OF_EACH:
        counts = f"早期 {y.sum():.0f} 位、最近一期 {y_last.sum():.0f} 位"
        return f"已知流失的客户太少:{counts},两期各需 {FEWEST_OF_EACH} 位流失和 {FEWEST_OF_EACH} 位留存"
    beta = fit_monotone(np.vstack([design_of for design_of, _ in past]), y)
    line = _line(beta, x_last)
    slope, shift = _platt(line, y_last)
    held_out = np.empty(len(line))
    fold = np.random.default_rng(seed).permutation(len(line)) % _FOLDS
    for part in range(_FOLDS):
        inside = fold != part
        own_slope, own_shift = _platt(line[inside], y_last[inside])
        held_out[~inside] = expit(own_slope * line[~inside] + own_shift)
    return ChurnModel(beta, slope, shift, reliability_of(held_out, y_last, seed))


def reliability_of(said: Floats, was: Floats, seed: int) -> Reliability:
    """Probabilities beside outcomes (0, 1); the interval of the area under the curve by bootstrap."""
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(_RESAMPLES):
        rows = random.integers(0, len(was), len(was))
        if 0 < was[rows].sum() < len(was):
            drawn.append(roc_auc_score(was[rows], said[rows]))
    low, high = np.quantile(drawn, (0.025, 0.975))
    bins = pd.qcut(said, _GROUPS, labels=False, duplicates="drop")
    groups = (
        pd.DataFrame({"bin": bins, "said": said, "was": was})
        .groupby("bin")
        .agg(said=("said", "mean"), was=("was", "mean"), customers=("was", "size"))
        .reset_index(drop=True)
    )
    error = float(((groups["said"] - groups["was"]).abs() * groups["customers"]).sum() / len(was))
    return Reliability(
        float(roc_auc_score(was, said)), float(low), float(high), error, groups, len(was), int(was.sum())
    )


def design(signs: pd.DataFrame) -> Floats:
    """Each sign with its cube beside it, so that it may weigh more the oftener it was seen."""
    seen = signs.to_numpy(np.float64)
    return np.hstack([seen, seen**3])


def fit_monotone(x: Floats, y: Floats) -> Floats:
    """Intercept and coefficients ≥ 0 by bounded maximum likelihood with a slight ridge."""
    padded = np.column_stack([np.ones(len(x)), x])

    def loss(beta: Floats) -> tuple[float, Floats]:
        line = padded @ beta
        value = float(np.logaddexp(0.0, line).sum() - y @ line + 0.25 * beta[1:] @ beta[1:])
        slope = padded.T @ (expit(line) - y) + 0.5 * np.r_[0.0, beta[1:]]
        return value, slope

    start = np.r_[np.log(y.mean() / (1 - y.mean())), np.zeros(x.shape[1])]
    bounds = [(None, None)] + [(0.0, None)] * x.shape[1]
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x, np.float64)


def predict(x: Floats, beta: Floats) -> Floats:
    """The probabilities of :func:`fit_monotone`."""
    return np.asarray(expit(_line(beta, x)), np.float64)


def _line(beta: Floats, x: npt.NDArray[np.float64]) -> Floats:
    return np.asarray(beta[0] + x @ beta[1:], np.float64)


def _platt(line: Floats, y: Floats) -> tuple[float, float]:
    """Slope (never falling, so that signs never lower the risk) and shift, with Platt's smoothed targets (1999)."""
    left = y.sum()
    targets = np.where(y > 0.5, (left + 1) / (left + 2), 1 / (len(y) - left + 2))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scaled = parameters[0] * line + parameters[1]
        error = expit(scaled) - targets
        value = float(np.mean(np.logaddexp(0.0, scaled) - targets * scaled))
        return value, np.array([float(np.mean(error * line)), float(np.mean(error))])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.0, None), (None, None)]).x
    return float(found[0]), float(found[1])
