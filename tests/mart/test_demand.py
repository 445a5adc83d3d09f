"""Arrivals, forecasts and staffing in the mart equal a count by hand; the whole way may be gone twice."""

from __future__ import annotations

import math
import shutil
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path

import mart_company as company
import numpy as np
import pandas as pd
import pytest
from mart_company import AS_OF, Built

from demand.files import forecast_files, staffing_files
from huiyin.config import Settings
from warehouse.connection import open_warehouse
from warehouse.dbt import run_dbt
from warehouse.demand import (
    SELECT_DEMAND,
    ForecastState,
    export_arrivals,
    export_planned,
    load_forecast,
    load_staffing,
)

BEIJING = timedelta(hours=8)
TODAY = (AS_OF + BEIJING).date()


def day(value: object) -> date:
    return pd.Timestamp(str(value)).date()


@pytest.fixture(scope="module")
def hourly(on_duckdb: Built) -> pd.DataFrame:
    frame = on_duckdb.frame("fct_demand_hourly")
    frame["date_day"] = frame["date_day"].map(day)
    return frame


def test_arrivals_are_the_tickets_by_local_hour_without_tests_spam_and_outbound(
    on_duckdb: Built, hourly: pd.DataFrame
) -> None:
    tickets = on_duckdb.frame("intermediate.int_tickets")
    expected: dict[str, Counter[tuple[date, int, str, str]]] = defaultdict(Counter)
    for row in tickets.itertuples():
        if row.reason in ("test", "spam", "outbound"):
            continue
        local = row.created_at + BEIJING
        kind = row.problem_type if isinstance(row.problem_type, str) else "unknown"
        place = (local.date(), local.hour, row.channel, kind)
        expected["arrival_count"][place] += 1
        part = {"reportable": "ticket_count", "merged": "duplicate_count", "duplicate": "duplicate_count"}
        expected[part.get(row.reason, f"{row.reason}_count")][place] += 1
    for name in ("arrival_count", "ticket_count", "duplicate_count", "abandoned_count", "mis_operation_count"):
        found = {
            (row.date_day, row.hour_of_day, row.channel, row.problem_type): getattr(row, name)
            for row in hourly.itertuples()
            if getattr(row, name)
        }
        assert found == dict(expected[name]), name


def test_quiet_open_hours_are_there_for_what_the_month_knows(on_duckdb: Built, hourly: pd.DataFrame) -> None:
    workdays = {
        row["date_day"] for row in on_duckdb.rows["calendar_days"] if row["is_workday"]
    }  # office hours: 9 to 18, holidays observed
    for month, rows in hourly.groupby("month_start_on"):
        came = rows[rows["arrival_count"] > 0]
        first, last = came["date_day"].min(), came["date_day"].max()
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        pairs = set(zip(came["channel"], came["problem_type"], strict=True))
        quiet = {(d, hour, *pair) for d in days if d in workdays for hour in range(9, 18) for pair in pairs} - set(
            zip(came["date_day"], came["hour_of_day"], came["channel"], came["problem_type"], strict=True)
        )
        zeros = rows[rows["arrival_count"] == 0]
        found = set(zip(zeros["date_day"], zeros["hour_of_day"], zeros["channel"], zeros["problem_type"], strict=True))
        assert found == quiet, month
        assert (zeros["open_seconds"] == 3600).all()


def test_a_forecast_is_compared_with_what_came_on_days_that_are_over(on_duckdb: Built, hourly: pd.DataFrame) -> None:
    forecast = on_duckdb.frame("fct_demand_forecast")
    came = hourly.groupby(["date_day", "hour_of_day", "channel"])["arrival_count"].sum()
    for row in forecast.itertuples():
        if day(row.date_day) >= TODAY:
            assert pd.isna(row.actual_count)
        else:
            actual = came.get((day(row.date_day), row.hour_of_day, row.channel), 0)
            assert row.actual_count == actual
            assert row.error_count == pytest.approx(row.expected_count - actual)
            assert row.is_within_interval == (row.low_count <= actual <= row.high_count)
    newest = forecast[forecast["is_newest"]].groupby(["date_day", "hour_of_day", "channel"])["made_on"]
    assert (newest.count() == 1).all()
    latest = forecast.groupby(["date_day", "hour_of_day", "channel"])["made_on"].max()
    assert (newest.max() == latest).all()


def test_accuracy_is_that_of_whole_days_beside_the_last_known_week(on_duckdb: Built, hourly: pd.DataFrame) -> None:
    table = on_duckdb.frame("agg_forecast_accuracy").set_index(["horizon_week", "channel"])
    forecast = on_duckdb.frame("fct_demand_forecast")
    forecast = forecast[forecast["actual_count"].notna()].assign(date_day=lambda f: f["date_day"].map(day))
    daily = hourly.groupby(["date_day", "channel"])["arrival_count"].sum()
    for week in (1, 2):
        own = forecast[(forecast["horizon_days"] - 1) // 7 + 1 == week]
        for channel in ("phone", "wechat", "all"):
            chosen = own if channel == "all" else own[own["channel"] == channel]
            days = chosen.groupby("date_day")[["expected_count", "actual_count"]].sum()
            channels = ("phone", "wechat") if channel == "all" else (channel,)
            naive = np.array([
                sum(daily.get((d - timedelta(days=7 * week), name), 0) for name in channels) for d in days.index
            ])  # fmt: skip
            actual = days["actual_count"].to_numpy(dtype=float)
            row = table.loc[(week, channel)]
            assert row["day_count"] == len(days)
            assert row["wape"] == pytest.approx(np.abs(days["expected_count"] - actual).sum() / actual.sum())
            assert row["naive_wape"] == pytest.approx(np.abs(naive - actual).sum() / actual.sum())
            some = actual > 0
            assert row["naive_mape"] == pytest.approx(np.mean(np.abs(naive - actual)[some] / actual[some]))
            assert row["within_interval_share"] == pytest.approx(chosen["is_within_interval"].astype(float).mean())


def test_a_gap_is_what_is_rostered_less_what_all_groups_of_the_team_require(on_duckdb: Built) -> None:
    rostered: Counter[tuple[date, int]] = Counter()
    spans = sorted(on_duckdb.rows["agents"], key=lambda row: row["valid_from_at"])
    for shift in company.demand()["rosters"]:
        own = [row for row in spans if row["agent_ref"] == shift["agent_ref"]]
        team = [row["team"] for row in own if row["valid_from_at"] <= shift["starts_at"]][-1]
        minute = shift["starts_at"]
        while minute < shift["ends_at"] and team == "组0":
            local = minute + BEIJING
            rostered[local.date(), local.hour] += 1
            minute += timedelta(minutes=1)
    assert sum(rostered.values()) > 0
    for row in on_duckdb.frame("fct_staffing").itertuples():
        hour = (day(row.date_day) - TODAY).days * 24 + row.hour_of_day
        assert row.required_agents == math.ceil(hour % 5 + 0.5 + 1)
        assert row.hour_start_at == datetime.combine(day(row.date_day), datetime.min.time()) - BEIJING + timedelta(
            hours=row.hour_of_day
        )
        if day(row.date_day) in {d for d, _ in rostered}:
            assert row.rostered_agents == pytest.approx(rostered[day(row.date_day), row.hour_of_day] / 60)
            assert row.gap_agents == pytest.approx(row.rostered_agents - row.required_agents)
        else:
            assert pd.isna(row.rostered_agents) and pd.isna(row.gap_agents)


def test_a_forecast_is_due_once_a_week() -> None:
    today = date(2025, 3, 10)
    assert ForecastState(today, None).is_due()
    assert ForecastState(today, date(2025, 3, 3)).is_due()
    assert not ForecastState(today, date(2025, 3, 4)).is_due()
    assert not ForecastState(today, date(2025, 4, 1)).is_due()


def plan(settings: Settings, folder: Path) -> None:
    """What the task plan_people does, with a forecast each time."""
    state = export_arrivals(settings, folder)
    forecast_files(folder, folder, state.today_on, with_trials=state.forecast_on is None)
    load_forecast(settings, folder)
    export_planned(settings, folder)
    staffing_files(folder, folder)
    load_staffing(settings, folder)
    run_dbt(settings, "build", SELECT_DEMAND, {"as_of": AS_OF})


@pytest.mark.slow
def test_the_whole_way_from_arrivals_to_gaps_and_once_more(on_duckdb: Built, tmp_path: Path) -> None:
    shutil.copytree(on_duckdb.settings.var_dir, tmp_path / "var", ignore=shutil.ignore_patterns("published"))
    settings = on_duckdb.settings.model_copy(update={"var": tmp_path / "var"})
    settings.__dict__.pop("var_dir", None)
    built = Built(settings, on_duckdb.rows)
    with open_warehouse(settings) as warehouse:
        for table in ("forecast", "forecast_shares", "staffing"):
            warehouse.execute(f"DELETE FROM demand.{table}")
    marts = (
        "fct_demand_forecast", "fct_demand_forecast_types", "agg_forecast_accuracy", "fct_staffing_groups",
        "fct_staffing",
    )  # fmt: skip
    plan(settings, tmp_path / "handover")
    first = {name: built.frame(name) for name in marts}
    forecast = first["fct_demand_forecast"]
    made = forecast[~forecast["is_backtest"]]
    assert set(made["made_on"].map(day)) == {TODAY}
    assert made.groupby("channel").size().eq(28 * 24).all()
    assert forecast["is_backtest"].any() and (first["agg_forecast_accuracy"]["day_count"] == 7).any()
    types = first["fct_demand_forecast_types"]
    by_type = types.groupby(["date_day", "hour_of_day", "channel"])["expected_count"].sum()
    whole = made.set_index(["date_day", "hour_of_day", "channel"])["expected_count"]
    pd.testing.assert_series_equal(by_type, whole.sort_index(), check_names=False)
    groups = first["fct_staffing_groups"].set_index("staffing_group")
    calls = made[made["channel"] == "phone"]["expected_count"].sum()
    assert groups.loc["hotline", "expected_count"].sum() == pytest.approx(calls)
    closed = groups.loc["hotline"][~groups.loc["hotline", "hour_of_day"].between(9, 17)]
    assert (closed["required_agents"] == 0).all()  # the hotline keeps office hours
    assert groups.loc["hotline", "required_agents"].max() > 0
    plan(settings, tmp_path / "handover")
    for name in marts:
        keys = list(first[name].columns[:6])
        one, other = (frame.sort_values(keys, ignore_index=True) for frame in (first[name], built.frame(name)))
        pd.testing.assert_frame_equal(one, other)


def test_handling_time_that_the_rules_dont_state_is_measured(on_duckdb: Built) -> None:
    """The view against the same rule played by hand, action by action."""
    # Traces of ten weeks tell when the actions of the last eight began.
    begin, counted_from = AS_OF - timedelta(days=70), AS_OF - timedelta(days=56)
    tickets = on_duckdb.frame("intermediate.int_tickets").set_index("ticket_key")
    happened: set[tuple[str, datetime, str | None]] = {
        (key, row.created_at, None) for key, row in tickets.iterrows() if row.created_at >= begin
    }
    for row in on_duckdb.rows["ticket_events"]:
        agent = row["actor_ref"] if row["actor_role"] == "agent" else None
        happened.add((f"{row['_source']}:{row['ticket_id']}", row["event_at"], agent))
    for row in on_duckdb.rows["messages"]:
        agent = row["author_ref"] if row["author_role"] == "agent" else None
        happened.add((f"{row['_source']}:{row['ticket_id']}", row["sent_at"], agent))
    happened = {one for one in happened if one[1] >= begin}
    by_ticket: dict[str, list[datetime]] = defaultdict(list)
    for key, at, _ in happened:
        by_ticket[key].append(at)
    last_of: dict[str, datetime] = {}
    spans = sorted(on_duckdb.rows["agents"], key=lambda row: row["valid_from_at"])
    worked: Counter[tuple[str, str]] = Counter()
    medium = {"phone": "voice", "web_chat": "chat", "wechat": "chat", "app": "chat"}
    for key, at, agent in sorted(happened, key=lambda one: (one[1], one[0])):
        if agent is None:
            continue
        before = [other for other in by_ticket[key] if other < at]
        starts = [max(before)] if before else []
        starts += [last_of[agent]] if agent in last_of else []
        last_of[agent] = at
        if not starts:
            continue
        seconds = math.floor(at.timestamp()) - math.floor(max(starts).timestamp())
        team = [row["team"] for row in spans if row["agent_ref"] == agent and row["valid_from_at"] <= at][-1]
        if seconds <= 1800 and at >= counted_from:
            worked[team, medium[tickets.loc[key, "channel"]]] += seconds
    view = on_duckdb.frame("intermediate.int_handling_times")
    assert {(row.team, row.medium): row.worked_seconds for row in view.itertuples()} == {
        key: pytest.approx(value) for key, value in worked.items()
    }
