"""Demand: what came in four weeks, what will come, what the calendar does to it, how far forecasts were off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from improvement.report.mart import Row
from improvement.report.periods import DEMAND_DAYS
from improvement.report.sections.context import Context, View
from improvement.report.sections.plots import (
    BLUE,
    CHART_HEIGHT,
    MUTED,
    PALE_BLUE,
    base,
    categories,
    line,
    rounded,
    scale,
)

# Quantiles of fewer days say nothing about 8 of 10.
_FEWEST_DAYS_FOR_INTERVAL = 20
_BAND = "rgba(31, 95, 139, 0.16)"
_ROOM_OF_A_NAME = timedelta(days=7)
_UNSEEN = {"type": "value", "show": False, "min": 0, "max": 1}


def demand(context: Context) -> View:
    """Facts' sentences, calendar effects and accuracy; each empty where the mart has none."""
    came, ahead = arrivals(context), expected(context)
    return {
        "sentences": _sentences(context, came, ahead),
        "events": _events(context, came, ahead),
        "accuracy": [_accuracy(context, row) for row in context.rows.forecast_accuracy],
        "accuracy_note": _accuracy_note(context),
    }


def arrivals(context: Context) -> dict[date, float | None]:
    """What came on each of the last 28 days; None for days that the data don't reach."""
    found = {row["date_day"]: float(row["arrivals"]) for row in context.rows.demand_days}
    first, through = context.periods.days_before(DEMAND_DAYS), context.rows.extent["tickets_through_on"]
    days = [first + timedelta(days=offset) for offset in range(DEMAND_DAYS)]
    return {day: None if through is None or day > through else found.get(day, 0.0) for day in days}


def expected(context: Context) -> dict[date, float]:
    """What is expected of each day after the report's, as far as the newest forecast reaches."""
    return {row["date_day"]: row["expected"] for row in context.rows.demand_forecast}


def interval(context: Context) -> dict[date, tuple[float, float]]:
    """The expectation ± the relative error that 8 of 10 days of earlier forecasts kept, by week of the horizon.

    Hours' intervals can't be added up: days err as a whole. A week with too few days to tell has none.
    """
    errors = {
        row["horizon_week"]: row["error_ratio"]
        for row in context.rows.forecast_spread
        if row["days"] >= _FEWEST_DAYS_FOR_INTERVAL
    }
    return {
        row["date_day"]: (row["expected"] * max(1 - errors[week], 0.0), row["expected"] * (1 + errors[week]))
        for row in context.rows.demand_forecast
        if (week := row["horizon_week"]) in errors
    }


def day_name(context: Context, day: date) -> str:
    """``1月4日 周日``."""
    return f"{context.numbers.short_day(day)} {context.name('weekday', day.isoweekday())}"


def event_of(context: Context, day: date) -> str:
    """What the calendar says of a day: campaign, holiday, make-up workday; empty for an ordinary one."""
    return _calendar(context).get(day, "")


def _calendar(context: Context) -> dict[date, str]:
    named = {}
    for row in context.rows.demand_calendar:
        names = [row["campaign"]] if row["campaign"] else []
        if row["day_kind"] == "makeup_workday":
            names.append(context.text["makeup_workday"])
        elif row["day_kind"] == "holiday":
            names.append(row["holiday_name"] or context.text["holiday"])
        if names:
            named[row["date_day"]] = " · ".join(names)
    return named


def _sentences(context: Context, came: Mapping[date, float | None], ahead: Mapping[date, float]) -> list[str]:
    numbers, say = context.numbers, context.say
    known = [count for count in came.values() if count is not None]
    if not known:
        return []
    mean = sum(known) / len(known)
    sentences = [say("say_came", count=numbers.count(sum(known)), mean=numbers.number(mean), days=len(known))]
    if ahead:
        next_mean = sum(ahead.values()) / len(ahead)
        peak = max(ahead, key=lambda day: (ahead[day], day))
        sentences.append(
            say(
                "say_ahead",
                days=len(ahead),
                count=numbers.count(sum(ahead.values())),
                mean=numbers.number(next_mean),
                change=numbers.ratio(next_mean / mean - 1) if mean else "—",
                peak=day_name(context, peak),
                peak_count=numbers.number(ahead[peak]),
            )
        )
        sentences.append(
            say(
                "say_made_on",
                made=numbers.short_day(context.rows.demand_forecast[0]["made_on"]),
                through=numbers.short_day(max(ahead)),
            )
        )
    return sentences


def _events(context: Context, came: Mapping[date, float | None], ahead: Mapping[date, float]) -> list[View]:
    """Spells of days that the calendar sets apart, each beside ordinary days of the same weekdays."""
    named = _calendar(context)
    rows = []
    for side, counts in (("ahead", ahead), ("past", {d: count for d, count in came.items() if count is not None})):
        ordinary = defaultdict(list)
        for day, count in counts.items():
            if day not in named:
                ordinary[day.weekday()].append(count)
        for spell in _spells([day for day in sorted(counts) if day in named], named):
            mean = sum(counts[day] for day in spell) / len(spell)
            usual = [sum(same) / len(same) for day in spell if (same := ordinary[day.weekday()])]
            is_comparable = len(usual) == len(spell) and sum(usual) > 0
            rows.append(
                {
                    "name": named[spell[0]],
                    "days": _span(context, spell),
                    "side": context.text[f"event_{side}"],
                    "mean": context.numbers.number(mean),
                    "usual": context.numbers.number(sum(usual) / len(usual)) if is_comparable else "—",
                    "change": context.numbers.ratio(mean * len(spell) / sum(usual) - 1) if is_comparable else "—",
                }
            )
    return rows


def _spells(days: list[date], named: Mapping[date, str]) -> list[list[date]]:
    """Days in a row that bear one name."""
    spells: list[list[date]] = []
    for day in days:
        if spells and spells[-1][-1] == day - timedelta(days=1) and named[spells[-1][-1]] == named[day]:
            spells[-1].append(day)
        else:
            spells.append([day])
    return spells


def _span(context: Context, days: list[date]) -> str:
    if len(days) == 1:
        return day_name(context, days[0])
    return f"{context.numbers.short_day(days[0])}–{context.numbers.short_day(days[-1])}"


def _accuracy(context: Context, row: Row) -> View:
    share = context.numbers.share
    return {
        "week": context.say("horizon_week", week=row["horizon_week"]),
        "mape": share(row["mape"]),
        "naive_mape": share(row["naive_mape"]),
        "wape": share(row["wape"]),
        "naive_wape": share(row["naive_wape"]),
        "within": share(row["within_interval_share"], 0),
        "is_better": None if row["wape"] is None or row["naive_wape"] is None else row["wape"] <= row["naive_wape"],
    }


def _accuracy_note(context: Context) -> str:
    rows = context.rows.forecast_accuracy
    if not rows:
        return ""
    key = "accuracy_trials" if any(row["trial_count"] for row in rows) else "accuracy_made"
    most = max(rows, key=lambda row: row["forecast_count"])
    return context.say(key, count=most["forecast_count"], trials=most["trial_count"])


def demand_chart(context: Context) -> View | None:
    """Days of four weeks as bars, the expectation of the next ones as a line with its interval; None without data."""
    text, numbers = context.text, context.numbers
    came, ahead, between, named = arrivals(context), expected(context), interval(context), _calendar(context)
    if all(count is None for count in came.values()):
        return None
    days = [*came, *ahead]
    bars: list[float | None] = [rounded(came.get(day)) for day in days]
    awaited: list[float | None] = [rounded(ahead.get(day)) for day in days]
    bar: dict[str, Any] = {
        "type": "bar",
        "name": text["chart_demand_came"],
        "data": bars,
        "itemStyle": {"color": PALE_BLUE},
        "barWidth": "80%",
        "z": 2,
    }
    series = [bar, *_shades(days, named)]
    if ahead:
        series.append(line(text["chart_demand_expected"], BLUE, awaited, z=4))
    if between:
        series += _band(text["chart_demand_interval"], days, between)
    legend = [text["chart_demand_came"]]
    legend += [text["chart_demand_expected"]] if ahead else []
    legend += [text["chart_demand_interval"]] if between else []
    option = base(xAxis=categories([_short(day) for day in days]), yAxis=[scale(min=0), _UNSEEN], series=series)
    option["legend"]["data"] = legend
    option["grid"]["top"] = 56

    def bound(day: date, end: int) -> str:
        return numbers.number(between[day][end]) if day in between else "—"

    return {
        "height": CHART_HEIGHT + 20,
        "option": option,
        "header": [
            text["day"], text["chart_demand_came"], text["chart_demand_expected"], text["interval_low"],
            text["interval_high"], text["event"],
        ],
        "rows": [
            [
                day.isoformat(),
                numbers.count(came.get(day)),
                numbers.number(ahead.get(day)),
                bound(day, 0),
                bound(day, 1),
                named.get(day, ""),
            ]
            for day in days
        ],
    }  # fmt: skip


def _short(day: date) -> str:
    return f"{day:%m-%d}"


def _shades(days: list[date], named: Mapping[date, str]) -> list[dict[str, Any]]:
    """Days that the calendar sets apart, shaded to the top, the name at the first day of each spell."""
    spells = _spells([day for day in days if day in named], named)
    if not spells:
        return []
    places = {day: place for place, day in enumerate(days)}
    ends: list[date] = []
    labels, is_low = {}, False
    for spell in spells:
        # Names of spells close by stand one below the other.
        is_low = not is_low if ends and spell[0] - ends[-1] < _ROOM_OF_A_NAME else False
        ends.append(spell[-1])
        labels[spell[0]] = {
            "show": True,
            "formatter": named[spell[0]],
            "position": "insideTop",
            "align": "right" if places[spell[0]] > len(days) - 8 else "left",
            "offset": [0, 16 if is_low else 0],
            "color": MUTED,
            "fontSize": 11,
        }
    data = [{"value": 1, "label": labels.get(day, {"show": False})} if day in named else None for day in days]
    return [
        {
            "type": "bar",
            "data": data,
            "yAxisIndex": 1,
            "barWidth": "100%",
            "barGap": "-100%",
            "z": 1,
            "silent": True,
            "itemStyle": {"color": "rgba(185, 114, 42, 0.12)"},
            "tooltip": {"show": False},
        }
    ]


def _band(name: str, days: list[date], between: Mapping[date, tuple[float, float]]) -> list[dict[str, Any]]:
    """The interval as two stacked lines: an unseen one up to its low end, and the filled rest."""

    def one(named: str, value: Callable[[date], float], **more: Any) -> dict[str, Any]:
        values = [rounded(value(day)) if day in between else None for day in days]
        drawn = line(named, BLUE, values, stack="interval", showSymbol=False, silent=True, **more)
        return {**drawn, "lineStyle": {"opacity": 0}, "tooltip": {"show": False}}

    return [
        one("", lambda day: between[day][0]),
        {
            **one(name, lambda day: between[day][1] - between[day][0], areaStyle={"color": _BAND}),
            "itemStyle": {"color": _BAND},
        },
    ]
