"""What the report reads from the published mart: a few small results, the same SQL on DuckDB and PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from improvement.report.periods import ALERT_DAYS, DEMAND_DAYS, TOPIC_DAYS, Periods
from warehouse.connection import Warehouse

Row = dict[str, Any]

_HORIZON_WEEK = "cast(floor((horizon_days - 1) / 7.0) as integer) + 1 as horizon_week"


@dataclass(frozen=True)
class MartRows:
    """Rows by subject; each empty where the mart has none."""

    summary_month: list[Row]
    summary_week: list[Row]
    summary_quarter: list[Row]
    composite: list[Row]
    composite_parts: list[Row]
    month_durations: list[Row]
    weekly_indicators: list[Row]
    monthly_indicators: list[Row]
    daily_volume: list[Row]
    team_sla: list[Row]
    response_quantiles: list[Row]
    problem_regions: list[Row]
    cards: list[Row]
    card_alerts: list[Row]
    alerts: list[Row]
    actions: list[Row]
    topics: list[Row]
    topic_weeks: list[Row]
    opinions: list[Row]
    drivers: list[Row]
    customers_at_risk: list[Row]
    knowledge_gaps: list[Row]
    problem_response: list[Row]
    demand_days: list[Row]
    demand_forecast: list[Row]
    forecast_spread: list[Row]
    forecast_accuracy: list[Row]
    demand_calendar: list[Row]
    staffing: list[Row]
    staffing_groups: list[Row]
    reconciliation: list[Row]
    extent: Row


def read_mart(mart: Warehouse, periods: Periods) -> MartRows:
    """Read everything that the report of ``periods.as_of_on`` needs.

    Counts and sums are cast, since both engines widen them to types that are awkward in Python.
    """
    as_of = _day(periods.as_of_on)
    next_day = _day(periods.as_of_on + timedelta(days=1))
    alerts_from = _day(periods.days_before(ALERT_DAYS))
    months_from = _day(periods.twelve_months_start_on)
    return MartRows(
        summary_month=_summary(mart, "month", _day(periods.month_start_on)),
        summary_week=_summary(mart, "week", _day(periods.week_start_on)),
        summary_quarter=_summary(mart, "quarter", _day(periods.quarter_start_on)),
        composite=[
            row
            for kind, start in (
                ("week", periods.week_start_on),
                ("month", periods.month_start_on),
                ("quarter", periods.quarter_start_on),
            )
            for row in mart.rows(
                f"select * from mart.agg_composite_index where period_kind = '{kind}'"
                f" and {_newest('agg_composite_index', kind, _day(start))} order by dimension, dimension_value"
            )
        ],
        composite_parts=mart.rows(
            "select * from mart.agg_composite_contribution where period_kind = 'month' and dimension = 'all'"
            f" and {_newest('agg_composite_contribution', 'month', _day(periods.month_start_on))}"
            " order by weight desc, indicator_code"
        ),
        month_durations=mart.rows(
            "select * from mart.agg_duration_distribution where period_kind = 'month' and dimension = 'all'"
            f" and {_newest('agg_duration_distribution', 'month', _day(periods.month_start_on))}"
            " order by duration_metric"
        ),
        weekly_indicators=mart.rows(
            _indicator_sql("week") + f" where dimension = 'all' and date_day >= {_day(periods.sparkline_start_on)}"
            f" and date_day <= {_day(periods.week_end_on)} group by 1, 2 order by 1, 2"
        ),
        monthly_indicators=mart.rows(
            _indicator_sql("month") + " where dimension = 'all' and indicator_code in ('csat_mean', 'nps')"
            f" and date_day >= {months_from} and date_day <= {as_of} group by 1, 2 order by 1, 2"
        ),
        daily_volume=mart.rows(
            "select date_day, indicator_code, cast(numerator as double precision) as numerator,"
            " cast(denominator as double precision) as denominator from mart.agg_indicator_daily"
            " where dimension = 'all' and indicator_code in ('ticket_count', 'negative_share')"
            # six days more than shown, so that the first weekly mean is complete
            f" and date_day >= {_day(periods.days_before(ALERT_DAYS + 6))} and date_day <= {as_of} order by 1, 2"
        ),
        team_sla=mart.rows(
            "select dimension_value as team, indicator_code,"
            " cast(sum(numerator) as double precision) as numerator,"
            " cast(sum(denominator) as double precision) as denominator from mart.agg_indicator_daily"
            " where dimension = 'team' and indicator_code in"
            " ('first_response_sla_met_share', 'resolution_sla_met_share')"
            f" and date_day >= {_day(periods.month_start_on)} and date_day <= {as_of}"
            " group by 1, 2 having sum(denominator) > 0 order by 1, 2"
        ),
        response_quantiles=mart.rows(
            "select cast(date_trunc('month', created_on) as date) as month_on, cast(count(*) as integer) as tickets,"
            " percentile_cont(0.5) within group (order by cast(first_response_business_seconds as double precision))"
            " / 60 as p50_minutes,"
            " percentile_cont(0.9) within group (order by cast(first_response_business_seconds as double precision))"
            " / 60 as p90_minutes from mart.fct_tickets where first_response_business_seconds is not null"
            f" and created_on >= {months_from} and created_on <= {as_of} group by 1 order by 1"
        ),
        problem_regions=mart.rows(
            "select problem_subtype, max(problem_subtype_zh) as problem_subtype_zh, region,"
            " cast(count(*) as integer) as tickets from mart.fct_tickets"
            " where problem_subtype is not null and region is not null"
            f" and created_on >= {_day(periods.days_before(TOPIC_DAYS))} and created_on <= {as_of} group by 1, 3"
        ),
        cards=mart.rows(
            f"select * from mart.fct_cards where opened_on <= {as_of}"
            f" and (closed_on is null or closed_on >= {alerts_from})"
            " order by priority_score desc nulls last, card_id"
        ),
        card_alerts=mart.rows(
            "select card_id, scope_key, metric, observed, expected, started_on, resolved_on from mart.fct_alerts"
            f" where card_id is not null and started_on <= {as_of} order by card_id, started_on desc"
        ),
        alerts=mart.rows(
            f"select * from mart.fct_alerts where started_on <= {as_of}"
            f" and (resolved_on is null or resolved_on >= {alerts_from}) order by started_on, alert_id"
        ),
        actions=mart.rows(
            "select t.*, e.evaluated_on, e.metric, e.change_ratio_low, e.change_ratio_high, e.knowable_on, e.method,"
            " e.baseline_from_on, e.baseline_to_on, e.evaluation_from_on, e.evaluation_to_on"
            " from mart.agg_action_tracking t left join (select *, row_number() over"
            " (partition by action_id order by evaluated_on desc) as newest from mart.fct_action_effects"
            f" where evaluated_on <= {as_of}) e on e.action_id = t.action_id and e.newest = 1"
            " order by t.started_on desc, t.action_id"
        ),
        topics=_topics(mart, periods),
        topic_weeks=mart.rows(
            "select topic_id, cast(date_trunc('week', date_day) as date) as week_on,"
            " cast(sum(voice_count) as integer) as voices from mart.fct_topic_daily"
            f" where date_day >= {_day(periods.sparkline_start_on)} and date_day <= {_day(periods.week_end_on)}"
            " group by 1, 2 order by 1, 2"
        ),
        opinions=_opinions(mart, periods),
        drivers=mart.rows(f"select * from mart.agg_drivers where computed_on <= {as_of} order by target, driver"),
        customers_at_risk=mart.rows(
            f"select * from mart.fct_customer_risk where risk is not null and computed_on <= {as_of}"
            " order by priority desc, customer_ref limit 10"
        ),
        knowledge_gaps=mart.rows(
            f"select * from mart.agg_knowledge_gaps where computed_on <= {as_of} and ticket_count > 0"
            " order by agent_minutes desc, ticket_count desc, gap_id"
        ),
        problem_response=mart.rows(
            "select * from mart.agg_problem_response where period_start_on ="
            f" (select max(period_start_on) from mart.agg_problem_response where period_start_on <= {as_of})"
            " order by ticket_count desc, problem_type"
        ),
        demand_days=mart.rows(
            "select date_day, cast(sum(arrival_count) as integer) as arrivals from mart.fct_demand_hourly"
            f" where date_day >= {_day(periods.days_before(DEMAND_DAYS))} and date_day <= {as_of} group by 1 order by 1"
        ),
        demand_forecast=mart.rows(
            f"select made_on, date_day, {_HORIZON_WEEK}, sum(expected_count) as expected"
            " from mart.fct_demand_forecast where made_on ="
            " (select max(made_on) from mart.fct_demand_forecast"
            f" where not is_backtest and made_on <= {next_day}) and date_day >= {next_day}"
            " group by 1, 2, 3 order by 2"
        ),
        forecast_spread=mart.rows(
            "select horizon_week, cast(count(*) as integer) as days,"
            " percentile_cont(0.8) within group (order by abs(actual / expected - 1)) as error_ratio"
            f" from (select made_on, date_day, {_HORIZON_WEEK}, sum(expected_count) as expected,"
            " cast(sum(actual_count) as double precision) as actual from mart.fct_demand_forecast"
            f" where actual_count is not null and date_day <= {as_of} group by 1, 2, 3) as days"
            " where expected > 0 group by 1 order by 1"
        ),
        forecast_accuracy=mart.rows(
            "select horizon_week, cast(count(*) as integer) as forecast_count,"
            " cast(count(*) filter (where is_backtest) as integer) as trial_count,"
            f" {_mean_of('wape', 'actual_count')}, {_mean_of('naive_wape', 'actual_count')},"
            f" {_mean_of('mape', 'day_count')}, {_mean_of('naive_mape', 'day_count')},"
            f" {_mean_of('within_interval_share', 'day_count')} from mart.agg_forecast_accuracy"
            # whole weeks only, and those that both forecasts could be judged by
            " where channel = 'all' and day_count = 7 and wape is not null and naive_wape is not null"
            f" and made_on + 7 * cast(horizon_week as integer) <= {next_day} group by 1 order by 1"
        ),
        demand_calendar=mart.rows(
            "select date_day, day_kind, holiday_name, campaign from mart.dim_date"
            f" where date_day >= {_day(periods.days_before(DEMAND_DAYS))}"
            f" and date_day <= {_day(periods.as_of_on + timedelta(days=DEMAND_DAYS))}"
            " and (campaign is not null or day_kind in ('holiday', 'makeup_workday')) order by 1"
        ),
        staffing=mart.rows(
            "select date_day, hour_of_day, team, expected_count, load_erlangs, required_agents, rostered_agents,"
            " gap_agents from mart.fct_staffing"
            f" where date_day >= {next_day} and made_on <= {next_day} order by 1, 2, 3"
        ),
        staffing_groups=mart.rows(
            "select date_day, hour_of_day, staffing_group, group_zh, team, method, expected_count, handling_seconds,"
            " load_erlangs, required_positions, required_agents, service_level, occupancy, target_service_level,"
            " target_seconds, concurrency, shrinkage from mart.fct_staffing_groups"
            f" where date_day >= {next_day} and made_on <= {next_day} order by 1, 2, 3"
        ),
        reconciliation=mart.rows("select * from mart.agg_ticket_reconciliation order by source, ticket_count desc"),
        extent=mart.rows(
            "select (select max(created_on) from mart.fct_tickets) as tickets_through_on,"
            " (select max(created_on) from mart.fct_feedback) as feedback_through_on,"
            " (select cast(count(*) as integer) from mart.fct_tickets) as tickets,"
            " (select cast(count(*) as integer) from mart.fct_feedback) as feedback,"
            " (select cast(count(*) as integer) from mart.fct_sentiment) as voices,"
            " (select max(sentiment_model_version) from mart.fct_sentiment) as sentiment_version,"
            " (select max(topic_model_version) from mart.fct_sentiment) as topic_version"
        )[0],
    )


def _day(value: object) -> str:
    return f"date '{value}'"


def _summary(mart: Warehouse, kind: str, start: str) -> list[Row]:
    """The period that was asked for, or the newest before it where the data ends earlier."""
    return mart.rows(
        f"select * from mart.agg_indicator_summary where period_kind = '{kind}'"
        f" and {_newest('agg_indicator_summary', kind, start)} order by indicator_code"
    )


def _newest(table: str, kind: str, start: str) -> str:
    return (
        f"period_start_on = (select max(period_start_on) from mart.{table}"
        f" where period_kind = '{kind}' and period_start_on <= {start})"
    )


def _indicator_sql(grain: str) -> str:
    return (
        f"select indicator_code, cast(date_trunc('{grain}', date_day) as date) as starts_on,"
        " cast(sum(numerator) as double precision) as numerator,"
        " cast(sum(denominator) as double precision) as denominator from mart.agg_indicator_daily"
    )


def _mean_of(column: str, weight: str) -> str:
    return f"sum({column} * {weight}) / nullif(sum({weight}), 0) as {column}"


def _topics(mart: Warehouse, periods: Periods) -> list[Row]:
    now_from = periods.days_before(TOPIC_DAYS)
    before_from = now_from - timedelta(days=TOPIC_DAYS)
    is_now = f"f.date_day >= {_day(now_from)}"
    return mart.rows(
        "select f.topic_id, max(t.label) as label, max(t.keywords) as keywords, max(t.born_on) as born_on,"
        " (select min(born_on) from mart.dim_topic where topic_id >= 0) as first_born_on,"
        f" cast(coalesce(sum(f.voice_count) filter (where {is_now}), 0) as integer) as voices,"
        f" cast(coalesce(sum(f.voice_count) filter (where not {is_now}), 0) as integer) as voices_before,"
        f" cast(coalesce(sum(f.text_count) filter (where {is_now}), 0) as integer) as texts,"
        f" cast(coalesce(sum(f.ticket_count) filter (where {is_now}), 0) as integer) as tickets,"
        f" cast(coalesce(sum(f.negative_count) filter (where {is_now}), 0) as integer) as negatives"
        " from mart.fct_topic_daily f left join mart.dim_topic t on t.topic_id = f.topic_id"
        f" where f.date_day >= {_day(before_from)} and f.date_day <= {_day(periods.as_of_on)}"
        " group by f.topic_id order by voices desc, f.topic_id"
    )


def _opinions(mart: Warehouse, periods: Periods) -> list[Row]:
    """Aspects and feelings with the voices that show them in these 28 days and the 28 before."""
    now_from = periods.days_before(TOPIC_DAYS)
    before_from = now_from - timedelta(days=TOPIC_DAYS)

    def voices(condition: str, what: str = "voice_id") -> str:
        return f"cast(count(distinct {what}) filter (where {condition}) as integer)"

    is_now = f"occurred_on >= {_day(now_from)}"
    is_before = f"occurred_on < {_day(now_from)}"
    is_blame, is_praise = " and polarity = 'negative'", " and polarity = 'positive'"
    return mart.rows(
        "select opinion_kind, opinion_code, max(opinion_zh) as opinion_zh,"
        f" {voices(is_now)} as voices, {voices(is_before)} as voices_before,"
        f" {voices(is_now, 'customer_ref')} as customers,"
        f" {voices(is_now + is_blame)} as blamed, {voices(is_before + is_blame)} as blamed_before,"
        f" {voices(is_now + is_praise)} as praised"
        f" from mart.fct_voice_opinions where occurred_on >= {_day(before_from)}"
        f" and occurred_on <= {_day(periods.as_of_on)} group by 1, 2 order by 1, 2"
    )
