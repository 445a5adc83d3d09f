"""The semantic layer gives the figures of the marts' own tables, by month and by dimension, on both engines."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from mart_company import Built

from huiyin.config import PROJECT_ROOT, Settings
from warehouse.metrics import MetricsError, list_metrics, metrics_sql, query_metrics
from warehouse.publish import publish

pytestmark = pytest.mark.slow

# Indicator → the entity whose dimensions group it, and those of agg_indicator_daily that it has.
OF_TICKETS = (
    "ticket_count", "first_response_minutes", "resolution_hours", "first_contact_resolution_share", "reopen_share",
    "repeat_contact_share",
)  # fmt: skip
OF_CLOCKS = ("first_response_sla_met_share", "resolution_sla_met_share")
OF_FEEDBACK = ("csat_mean", "csat_satisfied_share", "nps")
OF_VOICES = ("negative_share",)
COMMON = ("channel", "customer_tier", "team", "region", "problem_type", "problem_subtype", "complexity", "daypart")
GROUPS = [
    *((OF_TICKETS, f"ticket__{name}") for name in (*COMMON, "product", "tenure_band")),
    *((OF_CLOCKS, f"sla_clock__{name}") for name in COMMON),
    *((OF_CLOCKS, f"ticket__{name}") for name in ("product", "tenure_band")),
    *((OF_FEEDBACK, f"feedback__{name}") for name in (*COMMON, "product", "tenure_band")),
    *((OF_VOICES, f"voice__{name}") for name in (*COMMON, "product")),
]


def of_the_table(built: Built, dimension: str) -> pd.DataFrame:
    """Value of each indicator by month and value of the dimension, from the daily sums."""
    daily = built.frame("agg_indicator_daily")
    daily = daily[daily["dimension"] == dimension]
    daily["month"] = pd.to_datetime(daily["date_day"]).dt.to_period("M").dt.to_timestamp()
    sums = daily.groupby(["indicator_code", "month", "dimension_value"])[["numerator", "denominator"]].sum()
    values = sums["numerator"] / sums["denominator"]
    values["ticket_count"] = sums.loc["ticket_count", "numerator"].to_numpy()
    values["nps"] = values["nps"].to_numpy() * 100
    return values.rename("value").reset_index()


def assert_agrees(built: Built, metrics: tuple[str, ...], group_by: str | None) -> None:
    by = ["metric_time__month", *([group_by] if group_by else [])]
    found = query_metrics(built.settings, metrics, by).to_pandas()
    found["metric_time__month"] = pd.to_datetime(found["metric_time__month"]).astype("datetime64[ns]")
    expected = of_the_table(built, group_by.split("__")[1] if group_by else "all")
    for metric in metrics:
        mine = found[[*by, metric]].dropna(subset=[metric])
        mine = mine.set_index(by)[metric] if group_by else mine.assign(value="all").set_index([*by, "value"])[metric]
        table = expected[expected["indicator_code"] == metric].set_index(["month", "dimension_value"])["value"]
        assert len(table) > 0
        pd.testing.assert_series_equal(
            mine.astype(float).sort_index(),
            table.sort_index(),
            check_names=False,
            rtol=1e-9,
            obj=f"{metric} {group_by}",
        )


@pytest.fixture(scope="module", params=["on_duckdb", "on_postgres"])
def published(request: pytest.FixtureRequest) -> Built:
    """The company, published, on one engine after the other."""
    built: Built = request.getfixturevalue(request.param)
    publish(built.settings)
    return built


def test_every_indicator_is_a_metric_of_the_same_name_with_its_chinese_name() -> None:
    import yaml

    metrics = yaml.safe_load((PROJECT_ROOT / "dbt_project/models/semantic/_semantic.yml").read_text("utf-8"))
    labels = {metric["name"]: metric["label"] for metric in metrics["metrics"]}
    parts = {m["name"] for model in metrics["semantic_models"] for m in model["measures"]}
    rules = pd.read_csv(PROJECT_ROOT / "dbt_project/seeds/indicators.csv")
    assert set(labels) | parts >= set(rules["indicator_code"])
    assert set(labels) <= set(rules["indicator_code"])
    assert {code for group in (OF_TICKETS, OF_CLOCKS, OF_FEEDBACK, OF_VOICES) for code in group} == set(
        rules["indicator_code"]
    )
    for row in rules.itertuples():
        assert labels.get(row.indicator_code, row.indicator_zh).startswith(row.indicator_zh)


def test_metrics_by_month_and_dimension_equal_the_daily_sums(published: Built) -> None:
    for metrics in (OF_TICKETS, OF_CLOCKS, OF_FEEDBACK, OF_VOICES):
        assert_agrees(published, metrics, None)
    for metrics, group_by in GROUPS:
        assert_agrees(published, metrics, group_by)


def test_filters_order_and_limit_reach_the_sql(published: Built) -> None:
    where = ["{{ Dimension('ticket__channel') }} = 'phone'"]
    found = query_metrics(
        published.settings, ["ticket_count"], ["ticket__team"], where, ["-ticket_count"], 2
    ).to_pylist()
    tickets = published.frame("fct_tickets")
    expected = tickets[tickets["channel"] == "phone"]["team"].fillna("unknown").value_counts()
    assert [row["ticket_count"] for row in found] == expected.tolist()[:2]
    assert "mart_build" not in metrics_sql(published.settings, ["csat_mean"], ["metric_time__quarter"])


def test_what_there_is_is_listed_and_what_there_is_not_is_refused(published: Built, tmp_path: Path) -> None:
    listed = {metric.name: metric for metric in list_metrics(published.settings)}
    assert listed["csat_mean"].label == "满意度均分"
    assert "feedback__channel" in listed["csat_mean"].group_by
    with pytest.raises(MetricsError, match="huiyin metrics list"):
        query_metrics(published.settings, ["happiness"])
    with pytest.raises(MetricsError, match="huiyin metrics list"):
        query_metrics(published.settings, ["csat_mean"], ["ticket__shoe_size"])
    with pytest.raises(MetricsError, match="never built here"):
        list_metrics(Settings(var=tmp_path))
