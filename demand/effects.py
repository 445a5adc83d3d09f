"""What weekday, holiday, make-up workday (调休) and campaign do to a day's arrivals, relative to an ordinary level.

A Poisson regression with a Gaussian prior on each coefficient: what the past doesn't show keeps its prior value. So a
make-up Saturday counts as a workday until make-up days have shown otherwise, a campaign that never was has the lift
its rule expects, scaled by how the company's campaigns so far turned out, and one that has been there before has its
own. Channels differ from the common effect by a deviation of their own that is held small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import PoissonRegressor
from threadpoolctl import threadpool_limits

from demand.arrivals import Floats

WORKDAY_KINDS = ("workday", "makeup_workday")
SPRING_FESTIVAL = "春节"
# Standard deviations of the priors, on the log scale: how far an effect may lie from what we believe unseen.
_PRIOR = {
    "weekday": 1.0, "holiday": 0.6, "spring_festival": 0.6, "makeup_workday": 0.25, "after_holiday": 0.25,
    "campaign_response": 0.5, "campaign": 0.15,
}  # fmt: skip
_CHANNEL_PRIOR = 0.3  # of a channel's own deviation, relative to the common effect's
_LEVEL_DAYS = 57
_ROUNDS = 4


@dataclass(frozen=True)
class Campaign:
    """A planned event over some days, and the factor by which it is expected to lift arrivals (1: not known)."""

    name: str
    starts_on: date
    ends_on: date
    expected_lift: float = 1.0


@dataclass(frozen=True)
class Calendar:
    """Kinds of days (day_kind, name of the holiday) and campaigns; both may be empty: weekdays only."""

    days: Mapping[date, tuple[str, str]]
    campaigns: Sequence[Campaign]

    def kinds(self, days: Sequence[date]) -> tuple[list[str], list[str]]:
        """Kind and name of the holiday of each day; days that the calendar doesn't hold go by their weekday."""
        found = [self.days.get(day, ("weekend" if day.weekday() > 4 else "workday", "")) for day in days]
        return [kind for kind, _ in found], [name for _, name in found]


def read_calendar(days: pd.DataFrame, campaigns: pd.DataFrame) -> Calendar:
    """The calendar from rows (date_day, day_kind, holiday_name) and the rules campaigns.csv; either may be empty."""
    kinds = {
        pd.Timestamp(row["date_day"]).date(): (
            str(row["day_kind"]),
            "" if pd.isna(row["holiday_name"]) else str(row["holiday_name"]),
        )
        for row in days.to_dict("records")
    }
    planned = [
        Campaign(
            str(row["name"]),
            pd.Timestamp(row["starts_on"]).date(),
            pd.Timestamp(row["ends_on"]).date(),
            float(row["expected_lift"]) if row["expected_lift"] > 0 else 1.0,
        )
        for row in campaigns.to_dict("records")
    ]
    return Calendar(kinds, planned)


def is_workday(calendar: Calendar, days: Sequence[date]) -> npt.NDArray[np.bool_]:
    """Whether offices work, make-up workdays counted."""
    return np.isin(calendar.kinds(days)[0], WORKDAY_KINDS)


def day_features(calendar: Calendar, days: Sequence[date]) -> tuple[pd.DataFrame, Floats]:
    """Features of days, scaled by their prior, and the log lift that campaigns are expected to bring."""
    kinds, holidays = calendar.kinds(days)
    kind = np.array(kinds)
    weekday = np.array([day.weekday() for day in days])
    features: dict[str, Floats] = {}
    is_makeup, is_holiday = kind == "makeup_workday", kind == "holiday"
    for number in range(7):
        # A make-up workday is a workday like any other, a holiday begins as a Sunday.
        share = np.where(is_makeup, 0.2 if number < 5 else 0.0, np.where(is_holiday, number == 6, weekday == number))
        features[f"weekday_{number + 1}"] = share * _PRIOR["weekday"]
    features["holiday"] = is_holiday * _PRIOR["holiday"]
    is_festival = is_holiday & np.array([name == SPRING_FESTIVAL for name in holidays], dtype=bool)
    features["spring_festival"] = is_festival * _PRIOR["spring_festival"]
    features["makeup_workday"] = is_makeup * _PRIOR["makeup_workday"]
    before = np.array(calendar.kinds([day - timedelta(days=1) for day in days])[0])
    features["after_holiday"] = ((before == "holiday") & ~is_holiday) * _PRIOR["after_holiday"]
    expected = np.zeros(len(days))
    for name in dict.fromkeys(campaign.name for campaign in calendar.campaigns):
        is_on = np.zeros(len(days), dtype=bool)
        for campaign in calendar.campaigns:
            if campaign.name == name:
                inside = np.array([campaign.starts_on <= day <= campaign.ends_on for day in days], dtype=bool)
                is_on |= inside
                expected = np.where(inside, np.log(campaign.expected_lift), expected)
        features[f"campaign {name}"] = is_on * _PRIOR["campaign"]
    features["campaign_response"] = expected * _PRIOR["campaign_response"]
    return pd.DataFrame(features), expected


class CalendarEffects:
    """Learnt multipliers of days, by channel."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._model: PoissonRegressor | None = None
        self._channels = 0

    def fit(self, days: Sequence[date], daily: Floats) -> CalendarEffects:
        """Learn from counts ``daily[day, channel]`` of consecutive days."""
        features, expected = day_features(self._calendar, days)
        self._channels = daily.shape[1]
        design = self._design(features.to_numpy())
        offset = np.repeat(np.exp(expected), self._channels).reshape(daily.shape)
        multipliers = offset
        # The matrices are small: threads of the linear algebra would only wait for each other on a busy machine.
        with threadpool_limits(limits=1):
            for _ in range(_ROUNDS):
                # The level is what is left of the days once their effects are taken out, smoothed over two months.
                base = smooth_level(daily, multipliers) * offset
                weight = np.maximum(base, 1e-9).ravel()
                spread = _overdispersion(daily, base, multipliers / offset)
                model = PoissonRegressor(alpha=spread / weight.sum(), max_iter=300, tol=1e-6)
                model.fit(design, daily.ravel() / weight, sample_weight=weight)
                self._model = model
                multipliers = offset * model.predict(design).reshape(daily.shape)
        return self

    def predict(self, days: Sequence[date]) -> Floats:
        """Multipliers of days, ``[day, channel]``; an ordinary week has about 1 on average."""
        assert self._model is not None, "fit first"
        features, expected = day_features(self._calendar, days)
        effect: Floats = self._model.predict(self._design(features.to_numpy())).reshape(len(days), self._channels)
        multipliers: Floats = effect * np.exp(expected)[:, None]
        return multipliers

    def _design(self, features: Floats) -> Floats:
        """Rows day × channel: the common effects, then each channel's own deviation."""
        days, width = features.shape
        common = np.repeat(features, self._channels, axis=0)
        own = np.zeros((days * self._channels, width * self._channels))
        for channel in range(self._channels):
            own[channel :: self._channels, channel * width : (channel + 1) * width] = features * _CHANNEL_PRIOR
        return np.hstack([common, own]) if self._channels > 1 else common


def smooth_level(daily: Floats, multipliers: Floats) -> Floats:
    """The level of each day and channel: counts over expected multipliers of the two months around it."""
    window = np.bartlett(_LEVEL_DAYS + 2)[1:-1]
    level = np.empty_like(daily)
    for channel in range(daily.shape[1]):
        above = np.convolve(daily[:, channel], window, mode="full")
        below = np.convolve(multipliers[:, channel], window, mode="full")
        half = _LEVEL_DAYS // 2
        level[:, channel] = above[half : half + len(daily)] / np.maximum(below[half : half + len(daily)], 1e-9)
    return level


def _overdispersion(daily: Floats, base: Floats, effect: Floats) -> float:
    """How much noisier than Poisson the days are (Pearson's statistic ÷ observations), at least 1."""
    mean = np.maximum(base * effect, 1e-9)
    return max(float(np.mean((daily - mean) ** 2 / np.maximum(mean, 0.1))), 1.0)
