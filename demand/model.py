"""The forecast: calendar effects × level × tide of the day, with intervals from how far past forecasts were off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
from scipy.stats import nbinom, poisson

from demand.arrivals import HOURS, Arrivals, Floats, days_from
from demand.effects import Calendar, CalendarEffects, is_workday
from demand.levels import METHODS

Counts = npt.NDArray[np.int64]

HORIZON_DAYS = 28
INTERVAL = 0.8
"""Share of the hours that shall lie between low and high."""
_TIDE_HALF_LIFE_DAYS = 42
_TIDE_DAYS = 168
_TIDE_PRIOR = 40.0  # arrivals at the channel's overall tide that each kind of day begins with


@dataclass(frozen=True)
class Plan:
    """Expected counts ``[day, hour, channel]`` from the day it was made on."""

    made_on: date
    channels: tuple[str, ...]
    expected: Floats

    @property
    def days(self) -> list[date]:
        """The local days of the first axis."""
        return days_from(self.made_on, len(self.expected))


def forecast(arrivals: Arrivals, calendar: Calendar, method: str, horizon: int = HORIZON_DAYS) -> Plan:
    """The expected arrivals of the days after the last known one."""
    return forecast_all(arrivals, calendar, (method,), horizon)[method]


def forecast_all(
    arrivals: Arrivals, calendar: Calendar, methods: tuple[str, ...], horizon: int = HORIZON_DAYS
) -> dict[str, Plan]:
    """One forecast a method; what doesn't depend on the method is computed once."""
    daily = arrivals.daily
    effects = CalendarEffects(calendar).fit(arrivals.days, daily)
    past = np.maximum(effects.predict(arrivals.days), 0.05)
    ahead_days = days_from(arrivals.next_on, horizon)
    ahead = effects.predict(ahead_days)
    tide = _tide_of_days(arrivals, calendar, ahead_days)
    plans = {}
    for method in methods:
        level = METHODS[method](daily / past, horizon)
        expected = (level * ahead)[:, None, :] * tide
        plans[method] = Plan(arrivals.next_on, arrivals.channels, expected)
    return plans


def _tide_of_days(arrivals: Arrivals, calendar: Calendar, ahead: list[date]) -> Floats:
    """Share of each hour in the arrivals of its day and channel, ``[day, hour, channel]``; workdays and others apart.

    Recent days count more, by a half-life of six weeks.
    """
    counts = arrivals.counts[-_TIDE_DAYS:]
    days = arrivals.days[-_TIDE_DAYS:]
    age = np.arange(len(counts))[::-1]
    weighted = counts * (0.5 ** (age / _TIDE_HALF_LIFE_DAYS))[:, None, None]
    overall = weighted.sum(axis=0) + weighted.sum(axis=(0, 2))[:, None] / max(weighted.sum(), 1e-9) + 1e-6
    overall = overall / overall.sum(axis=0)
    works = is_workday(calendar, days)
    tides = {}
    for kind in (True, False):
        seen = weighted[works == kind].sum(axis=0) + _TIDE_PRIOR * overall
        tides[kind] = seen / seen.sum(axis=0)
    return np.stack([tides[bool(works_then)] for works_then in is_workday(calendar, ahead)])


def seasonal_naive(arrivals: Arrivals, horizon: int = HORIZON_DAYS) -> Plan:
    """The baseline: each hour as it was on the same weekday of the last known week."""
    weeks = -(-horizon // 7)
    return Plan(arrivals.next_on, arrivals.channels, np.tile(arrivals.counts[-7:], (weeks, 1, 1))[:horizon])


def naive_mean(arrivals: Arrivals, horizon: int = HORIZON_DAYS, weeks: int = 4) -> Plan:
    """A stronger baseline: each hour as it was on the mean of the last four same weekdays."""
    last = arrivals.counts[-7 * weeks :].reshape(weeks, 7, HOURS, -1).mean(axis=0)
    return Plan(arrivals.next_on, arrivals.channels, np.tile(last, (-(-horizon // 7), 1, 1))[:horizon])


def bounds(
    expected: Floats, dispersion: Floats, coverage: float = INTERVAL
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The low and high count of each hour, from the negative binomial with variance μ + dispersion · μ²."""
    tail = (1 - coverage) / 2
    mean = np.maximum(expected, 1e-9)
    spread = np.broadcast_to(dispersion, mean.shape)
    size = 1 / np.maximum(spread, 1e-9)
    probability = size / (size + mean)
    is_poisson = spread < 1e-6
    low = np.where(is_poisson, poisson.ppf(tail, mean), nbinom.ppf(tail, size, probability))
    high = np.where(is_poisson, poisson.ppf(1 - tail, mean), nbinom.ppf(1 - tail, size, probability))
    return low.astype(np.int64), high.astype(np.int64)
