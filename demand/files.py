"""The room's two jobs as files: what the warehouse wrote as Parquet in, what it merges out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from demand.arrivals import HOURS, Arrivals, Floats, read_arrivals, type_shares
from demand.backtest import choose_method, dispersion
from demand.effects import Calendar, read_calendar
from demand.model import HORIZON_DAYS, Plan, bounds, forecast
from demand.staffing import read_targets, requirements

ARRIVALS, CALENDAR, CAMPAIGNS = "arrivals.parquet", "calendar.parquet", "campaigns.parquet"
TARGETS, OPENING, PLANNED = "targets.parquet", "opening.parquet", "planned.parquet"
FORECAST, SHARES, STAFFING = "forecast.parquet", "forecast_shares.parquet", "staffing.parquet"


def forecast_files(in_folder: Path, out_folder: Path, made_on: date, with_trials: bool) -> str:
    """Forecast the four weeks from ``made_on`` by what came before it; the method that was chosen.

    Reads arrivals, calendar and campaigns, writes forecast and forecast_shares. ``with_trials`` adds the forecasts of
    the last weeks that the choice was made by, as is_backtest. Raises :class:`demand.arrivals.DemandError` where the
    history doesn't suffice.
    """
    rows = pd.read_parquet(in_folder / ARRIVALS)
    calendar = read_calendar(pd.read_parquet(in_folder / CALENDAR), pd.read_parquet(in_folder / CAMPAIGNS))
    arrivals = read_arrivals(rows, made_on)
    frame, method = forecast_frame(arrivals, calendar, with_trials)
    shares = type_shares(rows[rows["channel"].isin(arrivals.channels)], made_on)
    out_folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(out_folder / FORECAST, index=False)
    shares.assign(made_on=made_on).to_parquet(out_folder / SHARES, index=False)
    return method


def forecast_frame(
    arrivals: Arrivals, calendar: Calendar, with_trials: bool = False, horizon: int = HORIZON_DAYS
) -> tuple[pd.DataFrame, str]:
    """The forecast as rows, and the method chosen for it by the last weeks.

    Columns: made_on, date_day, hour_of_day, channel, expected_count, low_count, high_count, method, is_backtest.
    """
    method, trials = choose_method(arrivals, calendar)
    spread = dispersion(trials) if trials else np.zeros((1, len(arrivals.channels)))
    frames = [_rows(forecast(arrivals, calendar, method, horizon), spread, False)]
    if with_trials:
        frames += [_rows(trial.plan, _of_channels(spread, arrivals, trial.plan), True) for trial in trials]
    return pd.concat(frames, ignore_index=True).assign(method=method), method


def staffing_files(in_folder: Path, out_folder: Path) -> int:
    """Agents required by hour and group of channels; how many rows.

    Reads planned (the forecast by hour and group), targets and opening, writes staffing. Raises
    :class:`demand.arrivals.DemandError` for targets that can't be used.
    """
    targets = read_targets(pd.read_parquet(in_folder / TARGETS))
    frame = requirements(pd.read_parquet(in_folder / PLANNED), targets, pd.read_parquet(in_folder / OPENING))
    out_folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(out_folder / STAFFING, index=False)
    return len(frame)


def _of_channels(spread: Floats, arrivals: Arrivals, plan: Plan) -> Floats:
    """The dispersion of the channels that the plan has: some may not have lived yet."""
    return spread[:, [arrivals.channels.index(name) for name in plan.channels]]


def _rows(plan: Plan, spread: Floats, is_backtest: bool) -> pd.DataFrame:
    days, channels = len(plan.expected), len(plan.channels)
    week = np.minimum(np.arange(days) // 7, len(spread) - 1)
    low, high = bounds(plan.expected, spread[week][:, None, :])
    return pd.DataFrame(
        {
            "made_on": plan.made_on,
            "date_day": np.repeat(np.array(plan.days, dtype=object), HOURS * channels),
            "hour_of_day": np.tile(np.repeat(np.arange(HOURS), channels), days),
            "channel": np.tile(np.array(plan.channels, dtype=object), days * HOURS),
            # Rounded, so that the same data give the same rows on every machine.
            "expected_count": plan.expected.ravel().round(6),
            "low_count": low.ravel(),
            "high_count": high.ravel(),
            "is_backtest": is_backtest,
        }
    )
