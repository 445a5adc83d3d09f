"""Forecasts of arrivals four weeks ahead, by rolling origin, beside the seasonal naive forecast, in one run.

    python benchmarks/demand_forecast.py [--scale 1.0]

The demo company (its generator is unknown to the model; every origin knows only what came before it), and, where the
shared data are at hand, a service desk, a help desk and citizens' letters. Baselines: seasonal naive (the last week
again), the mean of the last four weeks by weekday and hour, and AutoARIMA and MSTL of statsforecast on daily totals.
Per week of the horizon: MAPE and WAPE of days, WAPE of days × channels and of hours; share of hours in the interval.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from datetime import date, timedelta
from random import Random

import numpy as np
import pandas as pd

from demand.arrivals import Arrivals, Floats, count_instants, days_from, read_arrivals
from demand.backtest import Trial, accuracy, choose_method, dispersion, run_trials
from demand.effects import Calendar, day_features, is_workday, read_calendar
from demand.levels import METHODS
from demand.model import HORIZON_DAYS, Plan, bounds, forecast_all, naive_mean, seasonal_naive
from huiyin.config import PROJECT_ROOT
from huiyin.demo.company import CHANNELS
from huiyin.demo.demand import draw_requests
from huiyin.demo.people import Customers
from huiyin.demo.personal import Inventor
from ingest.calendar import calendar_days

SHARED = PROJECT_ROOT.parent / "shared" / "data"
OURS = "chosen by backtest"
NO_CAMPAIGNS = pd.DataFrame(columns=["name", "starts_on", "ends_on", "expected_lift"])


def demo_company(scale: float, seed: int = 20250101) -> Arrivals:
    """The genuine requests of the demo company's year."""
    rng = np.random.default_rng(seed)
    requests = draw_requests(rng, Customers(rng, Inventor(Random(seed)), scale), scale)
    at = pd.Series(pd.Timestamp(2025, 1, 1) + pd.to_timedelta(requests.created, unit="s"))
    return read_arrivals(count_instants(at, pd.Series(np.array(CHANNELS)[requests.channel])), date(2026, 1, 1))


def service_desk() -> Arrivals:
    frame = pd.read_csv(SHARED / "servicedesk_events.csv.gz", usecols=["number", "opened_at"])
    # The log is cut: few of the later incidents are in it.
    return read_arrivals(count_instants(frame.drop_duplicates("number")["opened_at"]), date(2016, 5, 9))


def help_desk() -> Arrivals:
    frame = pd.read_csv(SHARED / "helpdesk_events.csv.gz", usecols=["case_id", "timestamp"])
    begun = frame.groupby("case_id")["timestamp"].min().str.slice(0, 19)
    return read_arrivals(count_instants(begun), date(2012, 7, 1))


def citizens(source: str, from_on: date, until_on: date) -> Arrivals:
    frame = pd.read_csv(SHARED / "citizen_complaints.csv.gz", usecols=["source", "created_at"]).dropna()
    own = frame[(frame["source"] == source) & (frame["created_at"] >= str(from_on))]
    return read_arrivals(count_instants(own["created_at"]), until_on)


def chosen(known: Arrivals, calendar: Calendar) -> Mapping[str, Plan]:
    """Ours: the method chosen by what was known at the origin; besides, all methods and the baselines."""
    method, _ = choose_method(known, calendar, count=4)
    plans = forecast_all(known, calendar, tuple(METHODS))
    return {
        OURS: plans[method],
        **plans,
        "AutoARIMA with calendar": _by_model(known, calendar, "arima"),
        "MSTL": _by_model(known, calendar, "mstl"),
        "mean of 4 weeks by hour": naive_mean(known),
        "seasonal naive": seasonal_naive(known),
    }


def _by_model(known: Arrivals, calendar: Calendar, kind: str) -> Plan:
    """A ready-made model of statsforecast on the log of daily totals, spread over channels and hours by shares."""
    from statsforecast.models import MSTL, AutoARIMA, AutoETS

    total = np.log1p(known.daily.sum(axis=1))
    ahead = days_from(known.next_on, HORIZON_DAYS)
    if kind == "arima":
        past_x, next_x = _regressors(calendar, known.days, ahead)
        mean = AutoARIMA(season_length=7).forecast(y=total, h=HORIZON_DAYS, X=past_x, X_future=next_x)["mean"]
    else:
        mean = MSTL(season_length=7, trend_forecaster=AutoETS(model="ZZN")).forecast(y=total, h=HORIZON_DAYS)["mean"]
    recent = known.counts[-56:].sum(axis=0)
    share = recent / max(recent.sum(), 1)
    expected = np.maximum(np.expm1(mean), 0)[:, None, None] * share[None]
    return Plan(known.next_on, known.channels, expected)


def _regressors(calendar: Calendar, past: list[date], ahead: list[date]) -> tuple[Floats | None, Floats | None]:
    """Not a workday, holiday, expected campaign lift; columns that never change in the past would be singular."""
    kinds = [np.array(calendar.kinds(days)[0]) for days in (past, ahead)]
    lifts = [day_features(calendar, days)[1] for days in (past, ahead)]
    works = [is_workday(calendar, days) for days in (past, ahead)]
    both = [
        np.column_stack([work, kind == "holiday", lift]).astype(float)
        for work, kind, lift in zip(works, kinds, lifts, strict=True)
    ]
    varies = both[0].std(axis=0) > 0
    return (both[0][:, varies], both[1][:, varies]) if varies.any() else (None, None)


def coverage(trials: list[Trial]) -> str:
    """Share of hours in the interval, its width from the trials before each one; and of hours with 5 or more."""
    own = [trial for trial in trials if trial.method == OURS]
    inside, busy = [], []
    for number, trial in enumerate(own[4:], start=4):
        # Of the trials before it only what was over by then.
        days = [(trial.plan.made_on - earlier.plan.made_on).days for earlier in own[:number]]
        past = [Trial(OURS, e.plan, e.actual[:d]) for e, d in zip(own[:number], days, strict=True)]
        spread = dispersion([one for one in past if one.plan.channels == trial.plan.channels])
        week = np.arange(len(trial.actual)) // 7
        low, high = bounds(trial.expected, spread[week][:, None, :])
        inside.append(((low <= trial.actual) & (trial.actual <= high)).ravel())
        busy.append((trial.expected >= 5).ravel())
    if not inside:
        return "-"
    within, many = np.concatenate(inside), np.concatenate(busy)
    often = f", {within[many].mean():.1%} of those with 5 or more" if many.any() else ""
    return f"{within.mean():.1%} of all hours{often}"


def measure(title: str, arrivals: Arrivals, calendar: Calendar, made_on: list[date]) -> None:
    began = time.perf_counter()
    trials = run_trials(arrivals, made_on, lambda known: chosen(known, calendar))
    table = accuracy(trials)
    print(
        f"\n## {title}: {arrivals.daily.sum():,.0f} arrivals, {len(arrivals)} days, {len(arrivals.channels)} channels;"
        f" {len(made_on)} origins {made_on[0]} … {made_on[-1]} ({time.perf_counter() - began:.0f} s)"
    )
    figures = ["daily_mape", "daily_wape", "channel_wape", "hourly_wape", "bias"]
    weeks = sorted(table["week"].unique())
    wide = table.pivot(index="method", columns="week", values=figures).loc[table["method"].drop_duplicates()]
    print((100 * wide[[(figure, week) for figure in figures for week in weeks]]).round(1).to_string())
    print(f"80 % interval, judged by earlier origins only: {coverage(trials)}")


def every(first: date, last: date, step: int) -> list[date]:
    return [first + timedelta(days=n) for n in range(0, (last - first).days + 1, step)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the demo company")
    arguments = parser.parse_args()
    days = calendar_days(2010, 2026).to_pandas()
    campaigns = pd.read_csv(PROJECT_ROOT / "dbt_project" / "seeds" / "campaigns.csv")
    demo = demo_company(arguments.scale)
    chinese = read_calendar(days, campaigns)
    measure("demo company", demo, chinese, every(date(2025, 5, 1), date(2025, 12, 3), 14))
    if not SHARED.is_dir():
        print(f"\nno real data in {SHARED}: skipped")
        return
    plain = read_calendar(pd.DataFrame(), NO_CAMPAIGNS)
    measure("service desk", service_desk(), plain, every(date(2016, 3, 31), date(2016, 5, 2), 3))
    measure("help desk", help_desk(), plain, every(date(2011, 3, 1), date(2012, 5, 29), 28))
    citizen = read_calendar(days, NO_CAMPAIGNS)
    hot = citizens("hotspot", date(2019, 1, 1), date(2020, 1, 20))
    measure("citizens, hotspots", hot, citizen, every(date(2019, 4, 1), date(2019, 12, 16), 21))
    replied = citizens("replied", date(2017, 1, 1), date(2020, 1, 1))
    measure("citizens, answered letters", replied, citizen, every(date(2018, 1, 1), date(2019, 12, 3), 49))


if __name__ == "__main__":
    main()
