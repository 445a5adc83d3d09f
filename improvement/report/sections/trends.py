"""Charts of how things move, as ECharts options with the same figures as a table beside each, and the heat map."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any

from improvement.report.mart import Row
from improvement.report.periods import ALERT_DAYS
from improvement.report.sections.context import Context, View
from improvement.report.sections.indicators import indicator_value
from improvement.report.sections.plots import (
    AMBER,
    BLUE,
    CHART_HEIGHT,
    PALE_BLUE,
    RED,
    base,
    categories,
    line,
    rounded,
    scale,
)

HEAT_ROWS, HEAT_COLUMNS = 12, 10
HEAT_LEVELS = (2.0, 3.0, 5.0)


def charts(context: Context) -> dict[str, View | None]:
    """By name: option, header and rows of the table; None where there is nothing to draw."""
    return {
        "daily": _daily(context),
        "response": _response(context),
        "sla": _sla(context),
        "satisfaction": _satisfaction(context),
    }


def _daily(context: Context) -> View | None:
    text = context.text
    by_code: dict[str, dict[date, Row]] = defaultdict(dict)
    for row in context.rows.daily_volume:
        by_code[row["indicator_code"]][row["date_day"]] = row
    if not by_code:
        return None
    first = context.periods.days_before(ALERT_DAYS)
    days = [first + timedelta(days=offset) for offset in range(ALERT_DAYS)]
    found = by_code["ticket_count"]
    tickets: list[float | None] = [found[day]["numerator"] if day in found else 0 for day in days]
    negative = [_seven_days(by_code["negative_share"], day) for day in days]
    labels = [f"{day:%m-%d}" for day in days]
    bar = {
        "type": "bar",
        "name": text["chart_daily_tickets"],
        "data": tickets,
        "itemStyle": {"color": PALE_BLUE},
        "barCategoryGap": "20%",
    }
    moving = line(text["chart_daily_negative"], RED, negative, yAxisIndex=1, showSymbol=False)
    is_judged = any(share is not None for share in negative)
    return {
        "height": CHART_HEIGHT,
        "option": base(
            xAxis=categories(labels),
            yAxis=[scale(), scale(suffix="%", right=True, min=0, max=100)] if is_judged else scale(),
            series=[bar, moving] if is_judged else [bar],
        ),
        "header": [text["day"], text["chart_daily_tickets"], text["chart_daily_negative"]],
        "rows": [
            [day.isoformat(), context.numbers.count(count), _percent(share)]
            for day, count, share in zip(days, tickets, negative, strict=True)
        ],
    }


def _seven_days(rows: dict[date, Row], day: date) -> float | None:
    window = [rows[found] for back in range(7) if (found := day - timedelta(days=back)) in rows]
    texts = sum(row["denominator"] or 0 for row in window)
    return rounded(100 * sum(row["numerator"] or 0 for row in window) / texts) if texts else None


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f}%"


def _response(context: Context) -> View | None:
    rows, numbers, text = context.rows.response_quantiles, context.numbers, context.text
    if not rows:
        return None
    months = [numbers.month(row["month_on"]) for row in rows]
    series = [
        line("P50", BLUE, [rounded(row["p50_minutes"]) for row in rows]),
        line("P90", AMBER, [rounded(row["p90_minutes"]) for row in rows]),
    ]
    return {
        "height": CHART_HEIGHT,
        "option": base(xAxis=categories([f"{row['month_on']:%Y-%m}" for row in rows]), yAxis=scale(), series=series),
        "header": [text["month"], "P50", "P90", text["ticket_count"]],
        "rows": [
            [
                month,
                numbers.minutes(row["p50_minutes"]),
                numbers.minutes(row["p90_minutes"]),
                numbers.count(row["tickets"]),
            ]
            for month, row in zip(months, rows, strict=True)
        ],
    }


def _sla(context: Context) -> View | None:
    text = context.text
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    for row in context.rows.team_sla:
        if row["team"]:
            shares[_known(context, row["team"], "no_team")][row["indicator_code"]] = (
                row["numerator"] / row["denominator"]
            )
    if not shares:
        return None
    codes = {
        "first_response_sla_met_share": (text["chart_sla_response"], PALE_BLUE),
        "resolution_sla_met_share": (text["chart_sla_resolution"], BLUE),
    }
    # Best at the top: the category axis of a lying bar chart grows upwards.
    teams = sorted(shares, key=lambda team: (shares[team].get("resolution_sla_met_share", 0), team))
    targets = {row["indicator_code"]: row["target_value"] for row in context.rows.summary_month}
    series = []
    for code, (name, color) in codes.items():
        values = [shares[team].get(code) for team in teams]
        if all(value is None for value in values):
            continue
        one: dict[str, Any] = {
            "type": "bar",
            "name": name,
            "data": [rounded(None if value is None else 100 * value) for value in values],
            "itemStyle": {"color": color},
            "barMaxWidth": 12,
        }
        target = targets.get(code)
        if target is not None:
            one["markLine"] = {
                "symbol": "none",
                "silent": True,
                "lineStyle": {"color": color, "type": "dashed"},
                "label": {"show": False},
                "data": [{"xAxis": 100 * target}],
            }
        series.append(one)
    value_axis = scale(suffix="%", min=0, max=100)
    return {
        "height": 46 * len(teams) + 70,
        "option": base(xAxis=value_axis, yAxis=categories(teams), series=series),
        "header": [text["team"], *(name for name, _ in codes.values())],
        "rows": [
            [team, *(context.numbers.share(shares[team].get(code)) for code in codes)] for team in reversed(teams)
        ],
    }


def _known(context: Context, value: str, missing: str = "unknown") -> str:
    """The mart says ``unknown`` where a record lacks the dimension; ``missing`` is the caption for it."""
    return context.text[missing] if value == "unknown" else value


def _satisfaction(context: Context) -> View | None:
    text, numbers = context.text, context.numbers
    values: dict[str, dict[date, float | None]] = defaultdict(dict)
    for row in context.rows.monthly_indicators:
        code = row["indicator_code"]
        values[code][row["starts_on"]] = indicator_value(code, row["numerator"], row["denominator"])
    months = sorted({month for found in values.values() for month in found})
    if not months:
        return None
    series = []
    if values["csat_mean"]:
        csat = [rounded(values["csat_mean"].get(month), 2) for month in months]
        series.append(line(text["chart_csat"], BLUE, csat, connectNulls=True))
    if values["nps"]:
        nps = [rounded(values["nps"].get(month)) for month in months]
        series.append(line(text["chart_nps"], AMBER, nps, yAxisIndex=1, connectNulls=True))
    labels = [numbers.month(month) for month in months]
    return {
        "height": CHART_HEIGHT,
        "option": base(
            xAxis=categories([f"{month:%Y-%m}" for month in months]),
            yAxis=[
                scale(min=1, max=5),
                scale(right=True, scale=True),
            ],
            series=series,
        ),
        "header": [text["month"], text["chart_csat"], text["chart_nps"]],
        "rows": [
            [label, numbers.number(values["csat_mean"].get(month), 2), numbers.number(values["nps"].get(month))]
            for label, month in zip(labels, months, strict=True)
        ],
    }


def heat_map(context: Context) -> View | None:
    """Tickets by problem and region, shaded by how far each cell is above what the totals imply (Pearson residual)."""
    rows = context.rows.problem_regions
    if not rows:
        return None
    tickets: dict[tuple[str, str], int] = {(row["problem_subtype"], row["region"]): row["tickets"] for row in rows}
    names = {row["problem_subtype"]: _subtype_name(context, row) for row in rows}
    by_problem: Counter[str] = Counter()
    by_region: Counter[str] = Counter()
    for (problem, region), count in tickets.items():
        by_problem[problem] += count
        by_region[region] += count
    total = sum(by_problem.values())
    problems = sorted(by_problem, key=lambda key: (-by_problem[key], key))
    regions = sorted(by_region, key=lambda key: (-by_region[key], key))
    shown_problems, shown_regions = problems[:HEAT_ROWS], regions[:HEAT_COLUMNS]

    def cell(problem: str, region: str) -> View:
        count = tickets.get((problem, region), 0)
        implied = by_problem[problem] * by_region[region] / total
        residual = (count - implied) / implied**0.5
        return {
            "value": context.numbers.count(count),
            "level": sum(residual >= level for level in HEAT_LEVELS),
            "title": context.say(
                "heat_cell",
                problem=names[problem],
                region=_known(context, region),
                tickets=count,
                expected=context.numbers.number(implied),
            ),
        }

    is_cut = len(problems) > HEAT_ROWS or len(regions) > HEAT_COLUMNS
    return {
        "regions": [_known(context, region) for region in shown_regions],
        "rows": [
            {
                "name": names[problem],
                "cells": [cell(problem, region) for region in shown_regions],
                "total": context.numbers.count(by_problem[problem]),
            }
            for problem in shown_problems
        ],
        "totals": [context.numbers.count(by_region[region]) for region in shown_regions],
        "total": context.numbers.count(total),
        "rest": context.say("heat_rest", rows=len(shown_problems), columns=len(shown_regions)) if is_cut else "",
    }


def _subtype_name(context: Context, row: Row) -> str:
    chinese = row["problem_subtype_zh"]
    return (
        str(chinese)
        if chinese and context.text["lang"].startswith("zh")
        else str(row["problem_subtype"]).replace("_", " ")
    )
