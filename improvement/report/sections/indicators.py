"""Tiles of the key indicators: value, target, the period before, twelve weeks at a glance."""

from __future__ import annotations

from datetime import date, timedelta

from improvement.report.mart import Row
from improvement.report.numbers import tone
from improvement.report.periods import SPARKLINE_WEEKS
from improvement.report.sections.context import Context, View
from improvement.report.sections.drawing import sparkline

TILES = (
    "first_response_minutes",
    "resolution_hours",
    "first_response_sla_met_share",
    "resolution_sla_met_share",
    "first_contact_resolution_share",
    "csat_mean",
    "nps",
    "negative_share",
)


def indicator_value(code: str, numerator: float | None, denominator: float | None) -> float | None:
    """The value from the sums of ``agg_indicator_daily``, as docs/architecture.md defines them."""
    if numerator is None:
        return None
    if code == "ticket_count":
        return numerator
    if not denominator:
        return None
    return numerator / denominator * (100 if code == "nps" else 1)


def indicators(context: Context) -> View:
    """One tile for each key indicator, also for those that the sources give no data for, and which month it is."""
    months = {row["indicator_code"]: row for row in context.rows.summary_month}
    weeks = {row["indicator_code"]: row for row in context.rows.summary_week}
    month_on: date | None = next((row["period_start_on"] for row in months.values()), None)
    is_over = context.periods.is_month_complete or month_on != context.periods.month_start_on
    return {
        "month": "" if month_on is None else context.say("indicators_month", month=context.numbers.month(month_on)),
        "against": context.text["against_previous" if is_over else "against_previous_partial"],
        "tiles": [_tile(context, code, months.get(code), weeks.get(code)) for code in TILES],
    }


def _tile(context: Context, code: str, month: Row | None, week: Row | None) -> View:
    name = context.indicator_name(month) if month else context.name("metric", code)
    if month is None or month["actual_value"] is None:
        return {"code": code, "name": name, "value": None, "why": context.text.get(f"why_empty.{code}", "")}
    numbers, unit = context.numbers, month["unit"]
    actual, before, direction = month["actual_value"], month["previous_value"], month["target_direction"]
    value, _, shown_unit = numbers.indicator(code, actual, unit).partition(" ")
    return {
        "code": code,
        "name": name,
        "value": value,
        "unit": shown_unit,
        "raw": actual,
        "target": say_target(context, month),
        "met": month["is_target_met"],
        "change": None if before is None else numbers.change(code, actual, before),
        "tone": tone(direction, actual, before),
        "spread": _spread(context, code),
        "week": None if week is None else numbers.indicator(code, week["actual_value"], unit),
        "sparkline": sparkline(_weekly(context, code), month["target_value"]),
        "title": context.say(
            "indicator_title",
            code=code,
            kind=context.name("period_kind", "month"),
            start=month["period_start_on"],
            formula=month["formula"] or "—",
            count=numbers.count(month["observation_count"]),
        ),
    }


def _spread(context: Context, code: str) -> str:
    """Median and 90th percentile of a duration beside its mean, which a few long ones move."""
    metric = {"first_response_minutes": "first_response", "resolution_hours": "resolution"}.get(code)
    row = next((row for row in context.rows.month_durations if row["duration_metric"] == metric), None)
    if row is None:
        return ""
    shown = (context.numbers.minutes(row[f"p{share}_business_minutes"]) for share in (50, 90))
    return context.say("duration_spread", p50=next(shown), p90=next(shown))


def say_target(context: Context, row: Row) -> str:
    """``目标 ≤ 24 小时``, or that there is none."""
    bound = context.bound(row)
    return context.text["no_target"] if bound is None else context.say("target_bound", bound=bound)


def _weekly(context: Context, code: str) -> list[float | None]:
    found: dict[date, float | None] = {
        row["starts_on"]: indicator_value(code, row["numerator"], row["denominator"])
        for row in context.rows.weekly_indicators
        if row["indicator_code"] == code
    }
    first = context.periods.sparkline_start_on
    return [found.get(first + timedelta(days=7 * week)) for week in range(SPARKLINE_WEEKS)]
