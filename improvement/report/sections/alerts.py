"""Alerts of the last ninety days: a timeline drawn in the page itself, and the list."""

from __future__ import annotations

from datetime import date, timedelta

from improvement.report.mart import Row
from improvement.report.periods import ALERT_DAYS
from improvement.report.sections.context import Context, View

IN_TIMELINE = 24
IN_TABLE = 40


def alerts(context: Context) -> View:
    """Unresolved and severe ones first in the list; the timeline by start."""
    rows = context.rows.alerts
    weight = {"red": 0, "orange": 1, "yellow": 2}
    newest = sorted(rows, key=lambda row: (row["resolved_on"] or date.max, row["started_on"]), reverse=True)
    listed = sorted(
        newest[:IN_TABLE],
        key=lambda row: (row["state"] == "resolved", weight.get(row["severity"], 3), -row["started_on"].toordinal()),
    )
    drawn = sorted(newest[:IN_TIMELINE], key=lambda row: (row["started_on"], row["alert_id"]))
    return {
        "count": len(rows),
        "span": context.say(
            "alerts_span",
            from_day=context.numbers.short_day(context.periods.days_before(ALERT_DAYS)),
            to_day=context.numbers.short_day(context.periods.as_of_on),
        ),
        "bars": [_bar(context, row) for row in drawn],
        "ticks": _ticks(context),
        "rows": [_row(context, row) for row in listed],
    }


def _percent(context: Context, day: date) -> float:
    first = context.periods.days_before(ALERT_DAYS)
    return round(100 * min(max((day - first).days, 0), ALERT_DAYS) / ALERT_DAYS, 2)


def _spell(context: Context, row: Row) -> str:
    end = row["resolved_on"]
    until = context.numbers.short_day(end) if end else context.text["alert_ongoing"]
    return f"{context.numbers.short_day(row['started_on'])} – {until}"


def _bar(context: Context, row: Row) -> View:
    left = _percent(context, row["started_on"])
    end = (row["resolved_on"] or context.periods.as_of_on) + timedelta(days=1)
    return {
        "label": row["scope_label"],
        "severity": row["severity"],
        "severity_name": context.name("severity", row["severity"]),
        "is_open": row["state"] != "resolved",
        "left": left,
        "width": round(max(_percent(context, end) - left, 1.2), 2),
        "spell": _spell(context, row),
        "metric": context.name("metric", row["metric"]),
    }


def _ticks(context: Context) -> list[View]:
    """The first day, then the first of each month; no two closer than their labels are wide."""
    first = context.periods.days_before(ALERT_DAYS)
    ticks: list[View] = [{"left": 0.0, "label": context.numbers.short_day(first)}]
    for day in (first + timedelta(days=offset) for offset in range(1, ALERT_DAYS)):
        if day.day == 1 and _percent(context, day) - ticks[-1]["left"] > 10:
            ticks.append({"left": _percent(context, day), "label": context.numbers.short_day(day)})
    return ticks


def _row(context: Context, row: Row) -> View:
    numbers = context.numbers
    return {
        "label": row["scope_label"],
        "metric": context.name("metric", row["metric"]),
        "severity": row["severity"],
        "severity_name": context.name("severity", row["severity"]),
        "state": context.name("alert_state", row["state"]),
        "is_open": row["state"] != "resolved",
        "spell": _spell(context, row),
        "observed": numbers.observed(row["metric"], row["observed"]),
        "expected": numbers.observed(row["metric"], row["expected"]),
        "over": numbers.ratio(row["over_expected_ratio"]),
        "window": "—" if row["window_days"] is None else context.say("alert_days", days=row["window_days"]),
        "card_id": row["card_id"],
        "note": row["note"],
        "title": f"mart.fct_alerts · {row['alert_id']} · {row['rule_code']}"
        + ("" if row["p_value"] is None else f" · p = {row['p_value']:.2g}"),
    }
