"""Arrivals as a grid: how many came on each day, in each local hour, by each channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from huiyin.errors import HuiyinError

Floats = npt.NDArray[np.float64]

HOURS = 24
MINIMUM_DAYS = 28
# Older days say little about the next four weeks and cost time.
LONGEST_DAYS = 3 * 366


class DemandError(HuiyinError):
    """A forecast or a staffing figure can't be made; the message says of what, why, and what to do."""


class ShortHistoryError(DemandError):
    """Too little is known of the past to forecast; time mends it."""


@dataclass(frozen=True)
class Arrivals:
    """Counts by day, local hour and channel without gaps: ``counts[day, hour, channel]``."""

    first_on: date
    channels: tuple[str, ...]
    counts: Floats

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def days(self) -> list[date]:
        """The local days of the first axis."""
        return days_from(self.first_on, len(self))

    @property
    def next_on(self) -> date:
        """The day after the last one."""
        return self.first_on + timedelta(days=len(self))

    @property
    def daily(self) -> Floats:
        """Counts by day and channel."""
        total: Floats = self.counts.sum(axis=1)
        return total

    def until(self, day: date) -> Arrivals:
        """What was known on the morning of ``day``."""
        return Arrivals(self.first_on, self.channels, self.counts[: max((day - self.first_on).days, 0)])


def days_from(first_on: date, count: int) -> list[date]:
    """So many days from the first."""
    return [first_on + timedelta(days=n) for n in range(count)]


def read_arrivals(frame: pd.DataFrame, until_on: date | None = None) -> Arrivals:
    """Arrivals from rows (date_day, hour_of_day 0…23, channel, arrival_count); hours without a row had none.

    ``until_on`` is the day after the last known one, else that after the last row. Channels that brought nothing in
    the last ninety days are left out: they are closed or new systems have taken their place. Raises
    :class:`ShortHistoryError` with fewer than :data:`MINIMUM_DAYS` days.
    """
    frame = frame[frame["arrival_count"] > 0]
    day = pd.to_datetime(frame["date_day"]).dt.normalize()
    if frame.empty:
        raise ShortHistoryError("there are no arrivals to learn from; load tickets first")
    end = pd.Timestamp(until_on) if until_on is not None else day.max() + pd.Timedelta(days=1)
    is_known = (day < end) & (day >= end - pd.Timedelta(days=LONGEST_DAYS))
    frame, day = frame[is_known], day[is_known]
    first = day.min() if len(day) else end
    length = (end - first).days
    if length < MINIMUM_DAYS:
        raise ShortHistoryError(
            f"{length} days of arrivals before {end:%Y-%m-%d} are too few for a forecast;"
            f" {MINIMUM_DAYS} are needed, better a year"
        )
    channel = frame["channel"].fillna("unknown").astype(str)
    is_living = channel.isin(set(channel[day >= end - pd.Timedelta(days=90)]))
    frame, day, channel = frame[is_living], day[is_living], channel[is_living]
    if frame.empty:
        raise ShortHistoryError(f"nothing came in the ninety days before {end:%Y-%m-%d}; is the last load missing?")
    channels = tuple(sorted(set(channel)))
    counts = np.zeros((length, HOURS, len(channels)))
    place = {name: number for number, name in enumerate(channels)}
    np.add.at(
        counts,
        (
            (day - first).dt.days.to_numpy(),
            frame["hour_of_day"].to_numpy(dtype=int),
            channel.map(place).to_numpy(dtype=int),
        ),
        frame["arrival_count"].to_numpy(dtype=float),
    )
    return Arrivals(first.date(), channels, counts)


def count_instants(instants: pd.Series, channel: pd.Series | None = None) -> pd.DataFrame:
    """Rows for :func:`read_arrivals` from local instants, one a request. Raises :class:`DemandError`."""
    at = pd.to_datetime(instants, errors="coerce")
    if at.isna().any():
        row = int(np.flatnonzero(at.isna().to_numpy())[0])
        raise DemandError(f"row {row + 2}: {str(instants.iloc[row])!r} is no date and time; write 2025-01-31 09:30:00")
    rows = pd.DataFrame(
        {"date_day": at.dt.normalize(), "hour_of_day": at.dt.hour, "channel": "all" if channel is None else channel}
    )
    rows["channel"] = rows["channel"].fillna("unknown").astype(str)
    counted = rows.value_counts(["date_day", "hour_of_day", "channel"], sort=False)
    return counted.rename("arrival_count").reset_index()


def type_shares(frame: pd.DataFrame, until_on: date, weeks: int = 8, prior: float = 10.0) -> pd.DataFrame:
    """Shares of the problem types within each channel over the last weeks: channel, problem_type, share.

    ``prior`` tickets at the company's own mix are added to each channel's, so that a channel with three tickets isn't
    forecast to bring one type only.
    """
    day = pd.to_datetime(frame["date_day"])
    end = pd.Timestamp(until_on)
    recent = frame[(day < end) & (day >= end - pd.Timedelta(weeks=weeks))]
    if recent.empty:
        recent = frame
    table = recent.pivot_table(index="channel", columns="problem_type", values="arrival_count", aggfunc="sum").fillna(0)
    mix = table.sum() / table.to_numpy().sum()
    shares = table.add(mix * prior, axis=1)
    shares = shares.div(shares.sum(axis=1), axis=0)
    long = shares.reset_index().melt(id_vars="channel", var_name="problem_type", value_name="share")
    return long[long["share"] > 0].sort_values(["channel", "problem_type"], ignore_index=True)
