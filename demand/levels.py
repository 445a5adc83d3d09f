"""The level of the coming days, by methods of statsforecast on days cleared of what the calendar did to them.

The candidates differ in how fast they follow the last weeks. Which one fits a company is decided by its own past
(:func:`demand.backtest.choose_method`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from demand.arrivals import Floats

Level = Callable[[Floats, int], Floats]
"""Cleared counts by day and channel, horizon in days → level by day and channel."""


def _each(cleared: Floats, horizon: int, model: Callable[[], object]) -> Floats:
    return np.column_stack(
        [np.maximum(model().forecast(y=column, h=horizon)["mean"], 0.0) for column in cleared.T]  # type: ignore[attr-defined]
    )


def exponential_smoothing(cleared: Floats, horizon: int) -> Floats:
    """Simple exponential smoothing with the smoothing that fitted best: follows a shift within days."""
    from statsforecast.models import SimpleExponentialSmoothingOptimized

    return _each(cleared, horizon, SimpleExponentialSmoothingOptimized)


def damped_trend(cleared: Floats, horizon: int) -> Floats:
    """The automatically chosen exponential smoothing (AutoETS) with additive error and a damped trend at most."""
    from statsforecast.models import AutoETS

    return _each(cleared, horizon, lambda: AutoETS(model="AZN", damped=True))


def theta(cleared: Floats, horizon: int) -> Floats:
    """The theta method: half the trend of the past and smoothing of what is left."""
    from statsforecast.models import Theta

    return _each(cleared, horizon, lambda: Theta(season_length=1))


def mean_of_weeks(weeks: int) -> Level:
    """The mean of the last weeks: slow, and the steadiest where days are few or noisy."""

    def level(cleared: Floats, horizon: int) -> Floats:
        return np.tile(cleared[-7 * weeks :].mean(axis=0), (horizon, 1))

    return level


def combined(*levels: Level) -> Level:
    """The mean of several methods."""

    def level(cleared: Floats, horizon: int) -> Floats:
        together: Floats = np.mean([one(cleared, horizon) for one in levels], axis=0)
        return together

    return level


METHODS: dict[str, Level] = {
    "exponential_smoothing": exponential_smoothing,
    "damped_trend": damped_trend,
    "theta": theta,
    "mean_of_4_weeks": mean_of_weeks(4),
    "mean_of_8_weeks": mean_of_weeks(8),
    "combination": combined(exponential_smoothing, theta, mean_of_weeks(4)),
}
DEFAULT_METHOD = "mean_of_8_weeks"
