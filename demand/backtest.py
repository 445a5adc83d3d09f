"""Forecasts made again from the past, at several origins, each knowing only what was known on its morning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from demand.arrivals import MINIMUM_DAYS, Arrivals, Floats
from demand.effects import Calendar
from demand.levels import DEFAULT_METHOD, METHODS
from demand.model import HORIZON_DAYS, Plan, forecast_all

Forecaster = Callable[[Arrivals], Mapping[str, Plan]]
_LEARNING_DAYS = 8 * 7  # so much must be known before an origin to be judged


@dataclass(frozen=True)
class Trial:
    """One forecast from the past beside what came: ``[day, hour, channel]``, cut where the known days end."""

    method: str
    plan: Plan
    actual: Floats

    @property
    def expected(self) -> Floats:
        """The forecast of the days whose arrivals are known."""
        return self.plan.expected[: len(self.actual)]


def origins(arrivals: Arrivals, count: int, step_days: int = 7) -> list[date]:
    """So many days to forecast from, the last a week before the end; fewer where the history is short."""
    found = []
    for number in range(count):
        origin = arrivals.next_on - timedelta(days=7 + number * step_days)
        if (origin - arrivals.first_on).days < max(_LEARNING_DAYS, MINIMUM_DAYS):
            break
        found.append(origin)
    return found[::-1]


def run_trials(arrivals: Arrivals, made_on: list[date], forecaster: Forecaster) -> list[Trial]:
    """Forecast from each origin by what was known then."""
    trials = []
    for origin in made_on:
        for method, plan in forecaster(arrivals.until(origin)).items():
            start = (origin - arrivals.first_on).days
            trials.append(Trial(method, plan, arrivals.counts[start : start + len(plan.expected)]))
    return trials


def weighted_error(expected: Floats, actual: Floats) -> float:
    """WAPE: the sum of absolute errors over the sum of arrivals; NaN where nothing came."""
    total = float(actual.sum())
    return float(np.abs(expected - actual).sum()) / total if total > 0 else float("nan")


def percentage_error(expected: Floats, actual: Floats) -> float:
    """MAPE: the mean of absolute errors relative to the arrivals, of the cells in which anything came."""
    came = actual > 0
    return float(np.mean(np.abs(expected[came] - actual[came]) / actual[came])) if came.any() else float("nan")


def accuracy(trials: list[Trial]) -> pd.DataFrame:
    """Errors by method and week of the horizon, over all origins.

    Columns: method, week, origins, daily_mape and daily_wape (totals of days), channel_wape (days × channels),
    hourly_wape (hours × channels), bias (sum of forecasts ÷ sum of arrivals − 1).
    """
    rows = []
    for method in dict.fromkeys(trial.method for trial in trials):
        own = [trial for trial in trials if trial.method == method]
        for week in range(max(-(-len(trial.actual) // 7) for trial in own)):
            slices = [
                (trial.expected[7 * week : 7 * week + 7], trial.actual[7 * week : 7 * week + 7])
                for trial in own
                if len(trial.actual) > 7 * week
            ]
            expected = np.concatenate([one for one, _ in slices])
            actual = np.concatenate([other for _, other in slices])
            days, came = expected.sum(axis=(1, 2)), actual.sum(axis=(1, 2))
            rows.append(
                {
                    "method": method,
                    "week": week + 1,
                    "origins": len(slices),
                    "daily_mape": percentage_error(days, came),
                    "daily_wape": weighted_error(days, came),
                    "channel_wape": weighted_error(expected.sum(axis=1), actual.sum(axis=1)),
                    "hourly_wape": weighted_error(expected, actual),
                    "bias": float(days.sum() / came.sum() - 1) if came.sum() else float("nan"),
                }
            )
    return pd.DataFrame(rows)


def choose_method(arrivals: Arrivals, calendar: Calendar, count: int = 6) -> tuple[str, list[Trial]]:
    """The method whose forecasts from the past were closest on days × channels, and its trials.

    With less history than one origin needs it is :data:`demand.levels.DEFAULT_METHOD`, without trials.
    """
    starts = origins(arrivals, count)
    if not starts:
        return DEFAULT_METHOD, []
    names = tuple(METHODS)
    trials = run_trials(arrivals, starts, lambda known: forecast_all(known, calendar, names, HORIZON_DAYS))
    errors = {
        name: weighted_error(
            np.concatenate([trial.expected.sum(axis=1) for trial in trials if trial.method == name]),
            np.concatenate([trial.actual.sum(axis=1) for trial in trials if trial.method == name]),
        )
        for name in names
    }
    best = min(names, key=lambda name: errors[name])
    return best, [trial for trial in trials if trial.method == best]


def dispersion(trials: list[Trial], weeks: int = HORIZON_DAYS // 7) -> Floats:
    """How much wider than Poisson the errors of hours are, by week of the horizon and channel: ``[week, channel]``.

    The moment estimate Σ((y − μ)² − μ) ÷ Σμ², never falling with the horizon, since further ahead is no surer.
    """
    channels = trials[0].actual.shape[2] if trials else 1
    found = np.zeros((weeks, channels))
    for week in range(weeks):
        slices = [
            (trial.expected[7 * week : 7 * week + 7], trial.actual[7 * week : 7 * week + 7])
            for trial in trials
            if len(trial.actual) > 7 * week
        ]
        if slices:
            mean = np.concatenate([one for one, _ in slices])
            came = np.concatenate([other for _, other in slices])
            squares = np.maximum((mean**2).sum(axis=(0, 1)), 1e-9)
            found[week] = np.maximum((((came - mean) ** 2) - mean).sum(axis=(0, 1)) / squares, 0.0)
    grown: Floats = np.maximum.accumulate(found, axis=0)
    return grown
