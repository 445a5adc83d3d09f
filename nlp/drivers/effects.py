"""What moves an outcome, and what would be gained: effects of topics, aspects, waits and hand-overs, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from nlp.drivers.bootstrap import clusters_of, intervals
from nlp.drivers.design import Bools, Design, Driver, build_design
from nlp.drivers.fit import Fit, fit_share
from nlp.drivers.roles import DriverDataError, Floats, Outcome, Roles, check_roles

_FEWEST_ANSWERS = 100
_LOWEST_RESPONSE = 0.02
_LARGEST_WEIGHT = 10.0


@dataclass(frozen=True)
class Figures:
    """Effect and gain of one driver as shares of the range, and what each answered row contributes to both."""

    effect: float
    gain: float
    effect_influence: Floats
    gain_influence: Floats


def driver_effects(
    frame: pd.DataFrame,
    outcome: Outcome,
    roles: Roles,
    goals: Mapping[str, float] | None = None,
    *,
    fewest: int = 20,
    replicates: int = 999,
    seed: int = 20250101,
) -> pd.DataFrame:
    """One row a driver, the largest gain first.

    Columns: kind (topic, aspect, wait, handover), column, level, goal, affected_count (answered rows on which it is at
    work), affected_share (of all rows), mean_there, raw_difference (their mean minus all others', uncontrolled),
    effect, effect_low, effect_high (their mean minus what it would be without: the other topics, no such aspect, the
    goal; all else equal), lever (what the gain supposes: halved, or brought to goal), gain, gain_low, gain_high
    (change of the overall mean), is_harmful (effect in the unwanted direction), is_certain (also when all drivers are
    looked at together). Everything in the outcome's units, intervals 95 %.

    Rows without an answer count for how common a driver is; those who answered are weighted to look like all. That
    repairs silence that depends on what is in the frame, not silence that depends on the answer itself.
    Raises :class:`DriverDataError` where there are too few answers or no driver has enough rows.
    """
    check_roles(frame, roles)
    answered = ~np.isnan(outcome.values)
    if answered.sum() < _FEWEST_ANSWERS:
        raise DriverDataError(f"{int(answered.sum())} answers in {outcome.column}; {_FEWEST_ANSWERS} are needed")
    design = build_design(frame, roles, answered, dict(goals or {}), fewest)
    if not design.drivers:
        raise DriverDataError(f"no topic, aspect, wait or hand-over has {fewest} answered rows")
    weights = response_weights(design, answered)
    matrix, values = design.matrix[answered], outcome.values[answered]
    fit = fit_share(matrix, values, weights)
    figures = [_figures(driver, design, fit, answered, values, weights) for driver in design.drivers]
    everything = np.array([f.effect for f in figures] + [f.gain for f in figures])
    influence = np.column_stack([f.effect_influence for f in figures] + [f.gain_influence for f in figures])
    customers = frame.loc[answered, roles.cluster] if roles.cluster else None
    found = intervals(everything, influence, clusters_of(customers, int(answered.sum())), replicates, seed)
    rows = []
    for n, (driver, figure) in enumerate(zip(design.drivers, figures, strict=True)):
        there = driver.affected[answered]
        g = n + len(figures)
        effect = figure.effect * outcome.span
        rows.append(
            {
                "kind": driver.kind,
                "column": driver.column,
                "level": driver.level,
                "goal": driver.goal,
                "affected_count": int(there.sum()),
                "affected_share": float(driver.affected.mean()),
                "mean_there": outcome.low + outcome.span * float(values[there].mean()),
                "raw_difference": outcome.span * float(values[there].mean() - values[~there].mean()),
                "effect": effect,
                "effect_low": outcome.span * found.low[n],
                "effect_high": outcome.span * found.high[n],
                "lever": "halved" if driver.goal is None else "to_goal",
                "gain": outcome.span * figure.gain,
                "gain_low": outcome.span * found.low[g],
                "gain_high": outcome.span * found.high[g],
                "is_harmful": (effect < 0) == outcome.higher_is_better,
                "is_certain": bool(found.is_certain[n]),
            }
        )
    table = pd.DataFrame(rows)
    better = table["gain"] if outcome.higher_is_better else -table["gain"]
    return table.iloc[np.argsort(-better.to_numpy(), kind="stable")].reset_index(drop=True)


def response_weights(design: Design, answered: Bools) -> Floats:
    """Inverse probability of answering, given the design, of the rows that answered; mean 1."""
    if answered.all():
        return np.ones(len(answered))
    model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-6, max_iter=200)
    model.fit(design.matrix[:, 1:], answered)
    chance = expit(design.matrix[answered, 1:] @ model.coef_[0] + model.intercept_[0])
    weights = 1 / np.maximum(chance, _LOWEST_RESPONSE)
    weights = np.minimum(weights / weights.mean(), _LARGEST_WEIGHT)
    return np.asarray(weights / weights.mean(), np.float64)


def _figures(driver: Driver, design: Design, fit: Fit, answered: Bools, values: Floats, weights: Floats) -> Figures:
    """What was observed where the driver is at work, minus what the model expects of the same rows without it."""
    rows = np.flatnonzero(driver.affected[answered])
    matrix = design.matrix[answered]
    without = np.zeros(len(rows))
    pull = np.zeros(matrix.shape[1])
    total = weights[rows].sum()
    for weight, instead in driver.counterfactuals(matrix, rows):
        expected = fit.mean(instead)
        without += weight * expected
        pull -= weight * (weights[rows] * expected * (1 - expected)) @ instead / total
    difference = values[rows] - without
    effect = float(weights[rows] @ difference / total)
    by_model = fit.influence @ pull
    own = np.zeros(len(values))
    own[rows] = weights[rows] * (difference - effect) / total * np.sqrt(len(rows) / max(len(rows) - 1, 1))
    lever = 0.5 if driver.goal is None else 1.0
    # How common it is comes from all rows, how much it hurts from the answered ones.
    share = float(driver.affected.mean())
    spread = np.zeros(len(values))
    spread[rows] = 1.0
    spread = (spread - share) / len(answered)
    effect_influence = own + by_model
    return Figures(
        effect, -lever * share * effect, effect_influence, -lever * (share * effect_influence + effect * spread)
    )
