"""The composite index: week, month and quarter, what each indicator adds to the month's, and the teams."""

from __future__ import annotations

from datetime import date

from improvement.report.mart import Row
from improvement.report.numbers import tone
from improvement.report.sections.context import Context, View

_KINDS = ("week", "month", "quarter")


def composite(context: Context) -> View:
    """Rows by period, contributions of the month, teams by the month's index; empty where the mart has none."""
    rows = context.rows.composite
    whole = {row["period_kind"]: row for row in rows if row["dimension"] == "all"}
    of_teams = [row for row in rows if row["dimension"] == "team" and row["period_kind"] == "month"]
    teams = [row for row in of_teams if row["composite_index"] is not None]
    month = whole.get("month")
    return {
        "periods": [_period(context, whole[kind]) for kind in _KINDS if kind in whole],
        "month": "" if month is None else context.numbers.month(month["period_start_on"]),
        "contributions": [_contribution(context, row) for row in context.rows.composite_parts],
        "teams": [_team(context, row) for row in sorted(teams, key=lambda row: -row["composite_index"])],
    }


def _period(context: Context, row: Row) -> View:
    now, before = row["composite_index"], row["previous_index"]
    return {
        "name": f"{context.name('period_kind', row['period_kind'])} · {period_name(context, row)}",
        "index": context.numbers.number(now),
        "raw": now,
        **_points(context, row),
        "change": "—" if now is None or before is None else _signed(now - before),
        "tone": tone("at_least", now, before),
        "year_ago": context.numbers.number(row["year_ago_index"]),
        "note": row["note"] or "",
    }


def _points(context: Context, row: Row) -> View:
    return {group: context.numbers.number(row[f"{group}_points"]) for group in ("speed", "quality", "satisfaction")}


def _contribution(context: Context, row: Row) -> View:
    weight = row["effective_weight"]
    return {
        "name": context.indicator_name(row),
        "group": context.name("indicator_group", row["indicator_group"]),
        "weight": context.numbers.share(weight),
        "points": context.numbers.number(row["points"]),
        "contribution": context.numbers.number(row["contribution"]),
        # What full points at the target would add: the bar shows how far the indicator is from it.
        "width": 0 if not weight else round(min(row["contribution"] / weight, 100)),
    }


def _team(context: Context, row: Row) -> View:
    return {
        "name": context.text["no_team"] if row["dimension_value"] == "unknown" else row["dimension_value"],
        "index": context.numbers.number(row["composite_index"]),
        **_points(context, row),
        "note": row["note"] or "",
    }


def period_name(context: Context, row: Row) -> str:
    """``2025年12月``, ``2025年第四季度`` in short, or the Monday of the week."""
    start: date = row["period_start_on"]
    if row["period_kind"] == "quarter":
        return context.say("quarter", year=start.year, quarter=(start.month + 2) // 3)
    if row["period_kind"] == "month":
        return context.numbers.month(start)
    return context.say("week_of", day=context.numbers.short_day(start))


def _signed(value: float) -> str:
    rounded = round(value, 1)
    return f"{'+' if rounded > 0 else '−' if rounded < 0 else ''}{abs(rounded):.1f}"
