"""What this room reads of the published mart: day counts and the dimensions of single records, as frames.

Nothing later than ``as_of_on`` is read, so that a replay of the past sees what was there then.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from improvement.rules import Campaign
from warehouse.connection import Warehouse, open_published

# Codes of a day's class: 0–6 Monday to Sunday, then the two that break the weekly rhythm.
HOLIDAY, MAKEUP = 7, 8
CLASSES = 9
# One holiday differs from another by so much (relative standard deviation): New Year empties cities, Tomb Sweeping
# is a long week-end. Make-up workdays and the days that work off a holiday's backlog differ half as much.
HOLIDAY_SD = 0.3
BACKLOG_DAYS = 2

# Upper bounds in days, as in the mart's macro `tenure_band`.
_TENURE_BANDS = ((90, "under_90d"), (365, "90d_to_1y"), (1095, "1y_to_3y"), (10**9, "over_3y"))
_RECORD_DIMENSIONS = ("channel", "customer_tier", "team", "region", "problem_type", "problem_subtype", "product")


class EmptyMartError(HuiyinError):
    """The published mart holds nothing to look at."""


@dataclass(frozen=True)
class Calendar:
    """The days from the first record to ``as_of_on``, without gaps.

    ``doubt``: relative standard deviation of what a day out of the weekly rhythm is expected to hold, 0 on others.
    """

    days: pd.DatetimeIndex
    day_class: npt.NDArray[np.int64]
    campaign_lift: npt.NDArray[np.float64]
    doubt: npt.NDArray[np.float64]

    @classmethod
    def build(cls, first: date, last: date, kinds: pd.DataFrame, campaigns: tuple[Campaign, ...]) -> Calendar:
        """``kinds``: date_day, day_kind of the calendar; days that it lacks follow their weekday."""
        days = pd.date_range(first, last, freq="D")
        day_class = np.asarray(days.dayofweek, dtype=np.int64)
        kind = kinds.set_index(pd.DatetimeIndex(kinds["date_day"]))["day_kind"].reindex(days)
        day_class[(kind == "holiday").to_numpy()] = HOLIDAY
        day_class[(kind == "makeup_workday").to_numpy()] = MAKEUP
        lift = np.ones(len(days))
        for campaign in campaigns:
            inside = (days >= pd.Timestamp(campaign.starts_on)) & (days <= pd.Timestamp(campaign.ends_on))
            lift[inside] = np.maximum(lift[inside], campaign.expected_lift)
        return cls(days, day_class, lift, _doubt(day_class))

    def index(self, day: date) -> int:
        """Position of a day; negative before the first."""
        return (day - self.first_on).days

    def day(self, index: int) -> date:
        """The day at a position, also beyond the end."""
        return self.first_on + timedelta(days=int(index))

    @property
    def first_on(self) -> date:
        """The first day."""
        first: date = self.days[0].date()
        return first

    def __len__(self) -> int:
        return len(self.days)


def holidays_begin(day_class: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """The first day of each holiday, which may be several days long."""
    is_holiday = day_class == HOLIDAY
    begins: npt.NDArray[np.bool_] = np.diff(is_holiday, prepend=False) & is_holiday
    return begins


def _doubt(day_class: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The less precedents, the wider: a new draw plus the error of a mean over those before and a prior one."""
    is_holiday, is_makeup = day_class == HOLIDAY, day_class == MAKEUP
    holidays, makeups = np.cumsum(holidays_begin(day_class)), np.cumsum(is_makeup)
    after = np.zeros(len(day_class), dtype=bool)
    for back in range(1, BACKLOG_DAYS + 1):
        after[back:] |= is_holiday[:-back]
    of_holidays = HOLIDAY_SD * np.sqrt(1.0 + 1.0 / np.maximum(holidays, 1))
    of_makeups = HOLIDAY_SD / 2 * np.sqrt(1.0 + 1.0 / np.maximum(makeups, 1))
    found: npt.NDArray[np.float64] = np.select(
        [is_holiday, is_makeup, after], [of_holidays, of_makeups, of_holidays / 2], 0.0
    )
    return found


@dataclass(frozen=True)
class MartData:
    """Frames of the mart up to ``as_of_on``; columns as in the mart, days as ``day`` (position in the calendar)."""

    calendar: Calendar
    tickets: pd.DataFrame
    voices: pd.DataFrame
    ratings: pd.DataFrame
    indicators: pd.DataFrame
    topic_labels: dict[str, str]
    version: str


def _frame(warehouse: Warehouse, sql: str) -> pd.DataFrame:
    frame: pd.DataFrame = warehouse.query(sql).to_pandas()
    return frame


def _categories(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    for column in columns:
        frame[column] = frame[column].astype("category")
    return frame


def load_mart(settings: Settings, as_of_on: date, campaigns: tuple[Campaign, ...]) -> MartData:
    """Read the published mart. Raises :class:`EmptyMartError`, ``warehouse.connection.WarehouseError``.

    Records come in the order of their keys, so that sums of fractions are the same at every run.
    """
    until = f"date '{as_of_on.isoformat()}'"
    dimensions = ", ".join(_RECORD_DIMENSIONS)
    with open_published(settings) as warehouse:
        tickets = _frame(
            warehouse,
            f"select ticket_key, created_on, {dimensions}, agent_tenure_days from mart.fct_tickets"
            f" where created_on <= {until} order by ticket_key",
        )
        voices = _frame(
            warehouse,
            "select voice_id, occurred_on, voice_kind, channel, customer_tier, team, region, problem_type,"
            " problem_subtype, product, cast(topic_id as varchar) as topic, sentiment_label"
            # A text that many paste is one voice, on the day of the first; noise is none.
            f" from mart.fct_sentiment where is_counted and occurred_on <= {until} order by voice_id",
        )
        ratings = _frame(
            warehouse,
            "select feedback_key, created_on, channel, customer_tier, team, region, problem_type, problem_subtype,"
            f" product, agent_tenure_days, is_satisfied from mart.fct_feedback where created_on <= {until}"
            " and is_satisfied is not null order by feedback_key",
        )
        indicators = _frame(
            warehouse,
            "select date_day, indicator_code, dimension, dimension_value, numerator, denominator"
            f" from mart.agg_indicator_daily where date_day <= {until}",
        )
        kinds = _frame(warehouse, f"select date_day, day_kind from mart.dim_date where date_day <= {until}")
        labels = _frame(warehouse, "select cast(topic_id as varchar) as topic_id, label from mart.dim_topic")
    starts = [frame[day].min() for frame, day in ((tickets, "created_on"), (voices, "occurred_on")) if len(frame)]
    if not starts:
        raise EmptyMartError(
            f"the published mart holds no ticket and no text up to {as_of_on}; load data first (`huiyin run`)"
        )
    first = min(pd.Timestamp(start) for start in starts).date()
    calendar = Calendar.build(first, as_of_on, kinds, campaigns)
    for frame, column in (
        (tickets, "created_on"),
        (voices, "occurred_on"),
        (ratings, "created_on"),
        (indicators, "date_day"),
    ):
        frame["day"] = (pd.to_datetime(frame.pop(column)) - pd.Timestamp(first)).dt.days.astype("int64")
    for frame in (tickets, ratings):
        frame["tenure_band"] = _tenure_band(frame.pop("agent_tenure_days"))
    # Ratings may come earlier than any ticket; they have no baseline there anyway.
    ratings, indicators = ratings[ratings["day"] >= 0], indicators[indicators["day"] >= 0]
    fingerprint = f"{len(tickets)} {len(voices)} {len(ratings)} {len(indicators)} {as_of_on}"
    return MartData(
        calendar,
        _categories(tickets, (*_RECORD_DIMENSIONS, "tenure_band")),
        _categories(voices, (*_RECORD_DIMENSIONS, "topic", "voice_kind", "sentiment_label")),
        _categories(ratings.copy(), (*_RECORD_DIMENSIONS, "tenure_band")),
        _categories(indicators.copy(), ("indicator_code", "dimension", "dimension_value")),
        dict(zip(labels["topic_id"], labels["label"], strict=True)),
        hashlib.sha256(fingerprint.encode()).hexdigest()[:12],
    )


def _tenure_band(days: pd.Series) -> pd.Series:
    band = pd.Series(None, index=days.index, dtype="object")
    for bound, name in reversed(_TENURE_BANDS):
        band[days < bound] = name
    return band


@dataclass(frozen=True)
class SeriesSet:
    """Daily series of one rule: ``values[i]`` are the dimension values of row i of ``counts`` and ``exposure``."""

    values: list[tuple[str, ...]]
    counts: npt.NDArray[np.float64]
    exposure: npt.NDArray[np.float64]


def daily_counts(
    frame: pd.DataFrame, dimensions: tuple[str, ...], length: int, minimum_total: int
) -> tuple[list[tuple[str, ...]], npt.NDArray[np.float64]]:
    """Rows per day and combination of dimension values, zero-filled; combinations below the minimum are left out."""
    inside = frame[(frame["day"] >= 0) & (frame["day"] < length)]
    if dimensions == ("all",):
        return [("all",)], np.bincount(inside["day"], minlength=length)[None, :].astype(float)
    inside = inside.dropna(subset=list(dimensions))
    codes = inside.groupby([*dimensions], observed=True).ngroup().to_numpy()
    _, first_rows = np.unique(codes, return_index=True)
    names = list(inside[[*dimensions]].iloc[first_rows].itertuples(index=False, name=None))
    counts = np.zeros((len(names), length))
    np.add.at(counts, (codes, inside["day"].to_numpy()), 1.0)
    kept = [i for i, name in enumerate(names) if counts[i].sum() >= minimum_total and _is_known(dimensions, name)]
    return [tuple(str(part) for part in names[i]) for i in kept], counts[kept]


def _is_known(dimensions: tuple[str, ...], values: tuple[str, ...]) -> bool:
    """Whether the values say something: 'unknown' and the topic of outliers (−1) don't."""
    return not any(
        v in ("unknown", "") or (d == "topic" and v == "-1") for d, v in zip(dimensions, values, strict=True)
    )


def indicator_series(mart: MartData, code: str, dimension: str) -> SeriesSet:
    """Daily numerators (``counts``) and denominators (``exposure``) of an indicator by one dimension."""
    frame = mart.indicators
    frame = frame[(frame["indicator_code"] == code) & (frame["dimension"] == dimension)]
    names = [
        str(n) for n in sorted(frame["dimension_value"].astype(str).unique()) if _is_known((dimension,), (str(n),))
    ]
    position = {name: i for i, name in enumerate(names)}
    numerators = np.zeros((len(names), len(mart.calendar)))
    denominators = np.zeros_like(numerators)
    rows = frame["dimension_value"].astype(str).map(position)
    known = rows.notna().to_numpy()
    at = (rows[known].astype(int).to_numpy(), frame["day"].to_numpy()[known])
    np.add.at(numerators, at, frame["numerator"].fillna(0).to_numpy()[known])
    np.add.at(denominators, at, frame["denominator"].fillna(0).to_numpy()[known])
    return SeriesSet([(name,) for name in names], numerators, denominators)
