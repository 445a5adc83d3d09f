"""The evaluation template's three tables."""

from __future__ import annotations

from datetime import timedelta

from improvement.report.mart import Row
from improvement.report.sections.composite import period_name
from improvement.report.sections.context import Context, View, in_order
from improvement.report.sections.effects import effect_windows, effect_words


def tables(context: Context) -> View:
    """指标汇总, 问题类型 × 响应, 改进措施跟踪."""
    rows = context.rows
    return {
        "summaries": [
            {"caption": caption, "rows": [_summary(context, row) for row in in_order(found)]}
            for caption, found in (
                (_month_caption(context, rows.summary_month), rows.summary_month),
                (_week_caption(context, rows.summary_week), rows.summary_week),
                (_quarter_caption(context, rows.summary_quarter), rows.summary_quarter),
            )
            if found
        ],
        "problems": [_problem(context, row) for row in rows.problem_response],
        "problem_month": context.numbers.month(rows.problem_response[0]["period_start_on"])
        if rows.problem_response
        else "",
        "actions": [_action(context, row) for row in rows.actions],
    }


def _month_caption(context: Context, rows: list[Row]) -> str:
    return context.say("table_month", month=context.numbers.month(rows[0]["period_start_on"])) if rows else ""


def _week_caption(context: Context, rows: list[Row]) -> str:
    if not rows:
        return ""
    first = rows[0]["period_start_on"]
    numbers = context.numbers
    return context.say(
        "table_week", from_day=numbers.short_day(first), to_day=numbers.short_day(first + timedelta(days=6))
    )


def _quarter_caption(context: Context, rows: list[Row]) -> str:
    return context.say("table_quarter", quarter=period_name(context, rows[0])) if rows else ""


def _summary(context: Context, row: Row) -> View:
    numbers, code, unit, text = context.numbers, row["indicator_code"], row["unit"], context.text
    return {
        "name": context.indicator_name(row),
        "formula": row["formula"] or "—",
        "source": row["data_source"] or "—",
        "target": context.bound(row) or "—",
        "actual": numbers.indicator(code, row["actual_value"], unit),
        "count": numbers.count(row["observation_count"]),
        "met": row["is_target_met"],
        "deviation": numbers.ratio(row["deviation_ratio"]),
        "previous": numbers.indicator(code, row["previous_value"], unit),
        "year_ago": numbers.indicator(code, row["year_ago_value"], unit),
        "volatility": "—" if row["is_volatile"] is None else text["volatile" if row["is_volatile"] else "stable"],
        "is_volatile": row["is_volatile"],
        "note": row["note"] or "",
        "code": code,
    }


def _problem(context: Context, row: Row) -> View:
    numbers = context.numbers
    return {
        "name": context.problem_type_name(row),
        "tickets": numbers.count(row["ticket_count"]),
        "durations": [
            numbers.minutes(row[column])
            for column in (
                "mean_first_response_minutes",
                "p50_first_response_minutes",
                "p90_first_response_minutes",
                "p95_first_response_minutes",
                "mean_handling_minutes",
                "p90_handling_minutes",
            )
        ],
        "csat": numbers.number(row["csat_mean"], 2),
        "csat_count": numbers.count(row["csat_count"]),
        "delay": row["main_delay_stage"] or "—",
    }


def _action(context: Context, row: Row) -> View:
    numbers = context.numbers
    return {
        "measure": row["measure"],
        "card_id": row["card_id"],
        "owner": row["owner"] or "—",
        "team": row["team"] or "—",
        "started": numbers.table_day(row["started_on"]),
        "due": numbers.table_day(row["due_on"]),
        "done": numbers.table_day(row["done_on"]),
        "progress": numbers.share(None if row["progress_percent"] is None else row["progress_percent"] / 100, 0),
        "progress_width": round(min(max(row["progress_percent"] or 0, 0), 100)),
        "status": context.name("action_status", row["status"]),
        "is_overdue": bool(row["is_overdue"]),
        "verdict": row["effect_verdict"],
        "effect": effect_words(context, row),
        "windows": effect_windows(context, row),
        "note": row["note"] or "",
    }
