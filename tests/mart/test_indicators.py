"""Indicators, durations and the composite index equal pandas and numpy; every figure leads to its records."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from mart_company import Built, day_kind

from warehouse.connection import open_warehouse

DIMENSIONS = (
    "channel", "customer_tier", "team", "region", "problem_type", "problem_subtype", "product", "tenure_band",
    "complexity", "daypart",
)  # fmt: skip
KEY = ["dimension", "dimension_value"]


def in_groups(records: pd.DataFrame, dimensions: tuple[str, ...] = DIMENSIONS) -> pd.DataFrame:
    """Each record once for the whole and once for each dimension."""
    parts = [records.assign(dimension="all", dimension_value="all")]
    parts += [records.assign(dimension=d, dimension_value=records[d].fillna("unknown")) for d in dimensions]
    return pd.concat(parts)


def starts(days: pd.Series, kind: str) -> pd.Series:
    """First day of each day's period."""
    code = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q"}[kind]
    return pd.to_datetime(days).dt.to_period(code).dt.start_time


def before(start: pd.Timestamp, kind: str) -> pd.Timestamp:
    step = {"day": {"days": 1}, "week": {"days": 7}, "month": {"months": 1}, "quarter": {"months": 3}}[kind]
    return start - pd.DateOffset(**step)


@pytest.fixture(scope="module")
def observations(on_duckdb: Built) -> pd.DataFrame:
    """What each record adds to each indicator, worked out from the facts by the definitions of docs/metrics.md."""
    tickets, sla = on_duckdb.frame("fct_tickets"), on_duckdb.frame("fct_sla")
    feedback, voices = on_duckdb.frame("fct_feedback"), on_duckdb.frame("fct_sentiment")
    voices = voices[voices["is_counted"] & (voices["voice_kind"] != "ticket")]
    sla = sla[sla["sla_state"].isin(["met", "breached"])]
    solved_once = tickets[tickets["first_resolved_at"].notna()]
    nps = feedback["nps_group"].map({"promoter": 100, "passive": 0, "detractor": -100})
    found = {
        "first_response_minutes": (tickets, tickets["first_response_business_seconds"] / 60),
        "resolution_hours": (tickets, tickets["resolution_business_seconds"] / 3600),
        "first_contact_resolution_share": (tickets, tickets["is_first_contact_resolved"]),
        "reopen_share": (solved_once, solved_once["reopen_count"] > 0),
        "repeat_contact_share": (tickets, tickets["is_repeat_contact"]),
        "csat_mean": (feedback, feedback["csat_score"]),
        "csat_satisfied_share": (feedback, feedback["csat_score"].ge(4).where(feedback["csat_score"].notna())),
        "nps": (feedback, nps),
        "negative_share": (voices, voices["sentiment_label"].eq("negative").where(voices["sentiment_label"].notna())),
    }
    for metric in ("first_response", "resolution"):
        own = sla[sla["sla_metric"] == metric]
        found[f"{metric}_sla_met_share"] = (own, own["sla_state"] == "met")
    parts = [
        records.assign(
            indicator_code=code,
            value=value.astype(float),
            day=records["occurred_on" if records is voices else "created_on"],
        )[["indicator_code", "value", "day", *DIMENSIONS]]
        for code, (records, value) in found.items()
    ]
    return in_groups(pd.concat(parts).dropna(subset=["value"]))


@pytest.mark.parametrize("kind", ["day", "week", "month", "quarter"])
def test_indicators_of_each_period_and_group_are_the_means_of_their_records(
    on_duckdb: Built, observations: pd.DataFrame, kind: str
) -> None:
    keys = ["start", *KEY, "indicator_code"]
    own = observations.assign(start=starts(observations["day"], kind)).groupby(keys)["value"]
    expected = own.agg(["mean", "count"])
    found = on_duckdb.frame("agg_indicator_period")
    found = found[(found["period_kind"] == kind) & (found["indicator_code"] != "ticket_count")]
    found = found.assign(start=pd.to_datetime(found["period_start_on"])).set_index(keys)
    assert set(found.index) == set(expected.index)
    expected = expected.reindex(found.index)
    assert found["actual_value"].to_numpy() == pytest.approx(expected["mean"].to_numpy(), rel=1e-9, abs=1e-9)
    assert (found["observation_count"] == expected["count"]).all()
    values = expected["mean"].to_dict()
    for (start, dimension, value, code), row in found.sample(400, random_state=1).iterrows():
        previous = values.get((before(start, kind), dimension, value, code), np.nan)
        assert row["previous_value"] == pytest.approx(previous, nan_ok=True)
        whole = values[start, "all", "all", code]
        assert row["difference_to_all"] == pytest.approx(row["actual_value"] - whole, abs=1e-9)
        if not np.isnan(previous):
            assert row["is_volatile"] == (abs(row["actual_value"] - previous) > 0.1 * abs(previous))
            if previous:
                assert row["previous_change_ratio"] == pytest.approx((row["actual_value"] - previous) / abs(previous))


def test_volumes_add_up_over_the_values_of_each_dimension(on_duckdb: Built) -> None:
    periods = on_duckdb.frame("agg_indicator_period")
    counts = periods[periods["indicator_code"] == "ticket_count"]
    tickets = len(on_duckdb.frame("fct_tickets"))
    sums = counts.groupby(["period_kind", "dimension"])["actual_value"].sum()
    assert len(sums) == 4 * (1 + len(DIMENSIONS))
    assert (sums == tickets).all()


def test_every_figure_leads_to_its_records(on_duckdb: Built) -> None:
    """The drill-down of dim_indicator, run as an analyst would, finds what each row of the daily table sums up."""
    daily = on_duckdb.frame("agg_indicator_daily").set_index(
        ["indicator_code", "dimension", "dimension_value", "date_day"]
    )
    seen = 0
    with open_warehouse(on_duckdb.settings) as warehouse:
        for indicator in on_duckdb.frame("dim_indicator").itertuples():
            for dimension in ("all", *DIMENSIONS):
                value = "'all'" if dimension == "all" else f"coalesce({dimension}, 'unknown')"
                records = warehouse.query(
                    f"select {value} as value, {indicator.day_column} as day, sum({indicator.value_sql}) as total,"
                    f" count(*) as n from mart.{indicator.fact_table} where {indicator.rows_where} group by 1, 2"
                ).to_pandas()
                for row in records.itertuples():
                    figure = daily.loc[(indicator.indicator_code, dimension, row.value, row.day)]
                    assert figure["numerator"] == pytest.approx(float(row.total) / indicator.divisor)
                    if indicator.indicator_code != "ticket_count":
                        assert figure["denominator"] == row.n
                seen += len(records)
    assert seen == len(daily)


def test_percentiles_equal_numpy(on_duckdb: Built) -> None:
    tickets, replies = on_duckdb.frame("fct_tickets"), on_duckdb.frame("fct_replies")
    later = replies[~replies["is_first_response"] & (replies["ended_by"] == "agent")]
    later = later[["ticket_key", "reply_seconds", "reply_business_seconds"]].rename(columns="next_{}".format)
    later = tickets.drop(columns=["next_reply_seconds", "next_reply_business_seconds"]).merge(
        later, left_on="ticket_key", right_on="next_ticket_key"
    )
    found = on_duckdb.frame("agg_duration_distribution")
    dimensions = {"day": (), "week": ("channel", "customer_tier", "team", "problem_type")}
    checked = 0
    for (metric, kind), rows in found.groupby(["duration_metric", "period_kind"]):
        own = later if metric == "next_reply" else tickets[tickets[f"{metric}_seconds"].notna()]
        own = own[own["is_solved"]] if metric == "requester_wait" else own
        own = in_groups(own.assign(start=starts(own["created_on"], kind)), dimensions.get(str(kind), DIMENSIONS))
        groups = own.groupby(["start", *KEY])
        by_key = rows.assign(start=pd.to_datetime(rows["period_start_on"])).set_index(["start", *KEY])
        assert set(by_key.index) == set(groups.groups)
        for key, records in groups:
            row = by_key.loc[key]
            assert row["observation_count"] == len(records)
            for clock, column in (("business", f"{metric}_business_seconds"), ("calendar", f"{metric}_seconds")):
                minutes = records[column].astype(float).to_numpy() / 60
                assert row[f"mean_{clock}_minutes"] == pytest.approx(minutes.mean())
                assert [row[f"p{p}_{clock}_minutes"] for p in (50, 90, 95)] == pytest.approx(
                    np.percentile(minutes, [50, 90, 95])
                )
            checked += 1
    assert checked > 1000


def test_the_composite_index_is_the_weighted_mean_of_points_between_floor_and_cap(on_duckdb: Built) -> None:
    rules = on_duckdb.settings.rules_dir
    weights = pd.read_csv(rules / "composite_weights.csv").set_index("indicator_code")
    targets = pd.read_csv(rules / "indicators.csv").set_index("indicator_code")["target_value"]
    values = on_duckdb.frame("agg_indicator_period")
    values = values[values["indicator_code"].isin(weights.index) & values["dimension"].isin(["all", "team"])]
    index = on_duckdb.frame("agg_composite_index").set_index(["period_kind", "period_start_on", *KEY])
    parts = on_duckdb.frame("agg_composite_contribution").groupby(["period_kind", "period_start_on", *KEY])
    assert set(index.index) == set(parts.groups)
    without = 0
    for key, group in values.groupby(["period_kind", "period_start_on", *KEY]):
        own = weights.loc[group["indicator_code"]]
        floor, target = own["floor_value"].to_numpy(), targets.loc[group["indicator_code"]].to_numpy()
        points = np.clip((group["actual_value"].to_numpy() - floor) / (target - floor) * 100, 0, own["cap_points"])
        row = index.loc[key]
        assert row["measured_weight_share"] == pytest.approx(own["weight"].sum() / weights["weight"].sum())
        missing = set(weights.index) - set(group["indicator_code"])
        assert bool(missing) == ("缺少" in (row["note"] or ""))
        if own["indicator_group"].nunique() == 1:
            without += 1
            assert np.isnan(row["composite_index"])
            assert "不计综合指数" in row["note"]
            continue
        assert row["composite_index"] == pytest.approx(np.average(points, weights=own["weight"]))
        contributions = parts.get_group(key)
        assert contributions["contribution"].sum() == pytest.approx(row["composite_index"])
        assert contributions["effective_weight"].sum() == pytest.approx(1)
        speed = (own["indicator_group"] == "speed").to_numpy()
        if speed.any():
            expected = np.average(points[speed], weights=own["weight"].to_numpy()[speed])
            assert row["speed_points"] == pytest.approx(expected)
    assert without > 3, "no period had indicators of one group only"
    assert set(index.index.get_level_values(0)) == {"day", "week", "month", "quarter"}


def test_dimensions_say_the_part_of_the_day_the_seniority_and_what_the_kind_of_problem_asks_for(
    on_duckdb: Built,
) -> None:
    tickets = on_duckdb.frame("fct_tickets")
    local_hour = (tickets["created_at"] + timedelta(hours=8)).dt.hour
    assert (tickets["daypart"] == np.where(local_hour.isin([9, 10, 11, 14, 15, 16, 20, 21]), "peak", "off_peak")).all()
    assert (tickets["is_peak_hour"] == (tickets["daypart"] == "peak")).all()
    kinds = pd.read_csv(on_duckdb.settings.rules_dir / "problem_types.csv").set_index("problem_subtype")["complexity"]
    assert tickets["complexity"].fillna("").to_list() == tickets["problem_subtype"].map(kinds).fillna("").to_list()
    days = tickets["agent_tenure_days"]
    bands = pd.cut(days, [-(10**9), 89, 364, 1094, 10**9], labels=["under_90d", "90d_to_1y", "1y_to_3y", "over_3y"])
    assert (tickets["tenure_band"] == bands.astype(object).where(days.notna(), "unknown")).all()


def test_rows_are_reconciled_by_day_and_outcome(on_duckdb: Built) -> None:
    found = on_duckdb.frame("agg_reconciliation")
    days = pd.to_datetime(found["date_day"])
    assert (pd.to_datetime(found["month_start_on"]) == days.dt.to_period("M").dt.start_time).all()
    by_entity = found.groupby("entity")["row_count"].sum().to_dict()
    assert by_entity == {
        name: len(on_duckdb.rows[name])
        for name in ("tickets", "ticket_events", "messages", "feedback", "customers", "agents")
    }
    tickets = found[found["entity"] == "tickets"]
    by_day = tickets.groupby(["source", "date_day"])["row_count"].sum().to_dict()
    local = Counter(
        (row.get("_source", "desk"), pd.Timestamp((row["created_at"] + timedelta(hours=8)).date()))
        for row in on_duckdb.rows["tickets"]
    )
    assert {(source, pd.Timestamp(day)): n for (source, day), n in by_day.items()} == dict(local)
    totals = tickets.groupby(["source", "outcome"])["row_count"].sum().to_dict()
    reasons = on_duckdb.frame("agg_ticket_reconciliation")
    assert totals == {(row.source, row.reason): row.ticket_count for row in reasons.itertuples()}
    unusable = found[found["outcome"] == "score_outside_scale"]["row_count"].sum()
    assert 0 < unusable < len(on_duckdb.rows["feedback"])


def test_days_have_the_kind_of_the_calendar(on_duckdb: Built) -> None:
    days = on_duckdb.frame("dim_date").set_index("date_day")["day_kind"]
    for day in (date(2024, 2, 18), date(2024, 5, 1), date(2024, 5, 11), date(2024, 5, 13)):
        assert days[day] == day_kind(day)
