"""Staffing: agents required by hour of the week against rosters, the worst hours and what they cost customers."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from demand.shortage import GroupLoad, Served, served
from improvement.report.mart import Row
from improvement.report.sections.context import Context, View
from improvement.report.sections.demand import day_name, event_of
from improvement.report.sections.plots import BLUE, CHART_HEIGHT, PALE_BLUE, base, categories, line, rounded, scale

TEAMS_SHOWN = 3
WORST_HOURS = 10
# Shares of the agents required that are missing, from which a cell is shaded; half an agent is none.
_LEVELS = (0.0, 0.2, 0.4)
_NO_GAP = -0.5
Hour = tuple[date, int]


@dataclass(frozen=True)
class TeamPlan:
    """The hours ahead of one team: rows of fct_staffing, and of its groups by hour."""

    team: str
    hours: list[Row]
    groups: dict[Hour, list[Row]]

    @property
    def rostered(self) -> list[Row]:
        """Hours of days for which a roster is there."""
        return [row for row in self.hours if row["gap_agents"] is not None]

    @property
    def short(self) -> list[Row]:
        """Hours with too few agents, the largest gap first."""
        found = [row for row in self.hours if is_short(row)]
        return sorted(found, key=lambda row: (row["gap_agents"], row["date_day"], row["hour_of_day"]))

    def outcome(self, row: Row) -> list[Served]:
        """What the roster of the hour means for each group."""
        loads = [
            GroupLoad(
                group["staffing_group"], group["method"], group["load_erlangs"], group["handling_seconds"],
                group["required_positions"], group["required_agents"], group["occupancy"], group["concurrency"],
                group["shrinkage"], group["target_seconds"],
            )
            for group in self.groups[_hour(row)]
        ]  # fmt: skip
        return served(loads, row["rostered_agents"])


def is_short(row: Row) -> bool:
    """Whether half an agent or more is missing in an hour of fct_staffing."""
    return row["gap_agents"] is not None and row["gap_agents"] <= _NO_GAP


def team_plans(context: Context) -> list[TeamPlan]:
    """One plan a team, the one with most missing hours of work first."""
    hours: dict[str, list[Row]] = defaultdict(list)
    groups: dict[str, dict[Hour, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in context.rows.staffing:
        hours[row["team"]].append(row)
    for row in context.rows.staffing_groups:
        groups[row["team"]][_hour(row)].append(row)
    plans = [TeamPlan(team, rows, groups[team]) for team, rows in hours.items()]
    return sorted(plans, key=lambda plan: (sum(row["gap_agents"] for row in plan.short), plan.team))


def staffing(context: Context) -> View:
    """Teams with their weeks, worst hours and groups; ``facts`` in figures; ``rest`` names teams not shown."""
    plans = team_plans(context)
    rest = len(plans) - TEAMS_SHOWN
    return {
        "teams": [_team(context, plan) for plan in plans[:TEAMS_SHOWN]],
        "rest": context.say("staffing_rest", shown=TEAMS_SHOWN, count=len(plans)) if rest > 0 else "",
    }


def consequence(context: Context, plan: TeamPlan, row: Row) -> str:
    """What the roster of an hour means for customers, in words; only groups whose promise isn't kept."""
    promises = {group["staffing_group"]: group for group in plan.groups[_hour(row)]}
    words = [said for found in plan.outcome(row) if (said := _said(context, found, promises[found.staffing_group]))]
    return context.text["list_joint"].join(words) or context.text["promise_kept"]


def _hour(row: Row) -> Hour:
    return row["date_day"], row["hour_of_day"]


def _is_kept(found: Served, promise: Row) -> bool:
    wanted = 1.0 if promise["target_service_level"] is None else promise["target_service_level"]
    return found.service_level >= wanted - 1e-9


def _said(context: Context, found: Served, promise: Row) -> str:
    numbers, name = context.numbers, promise["group_zh"]
    if _is_kept(found, promise):
        return ""
    if found.mean_wait_seconds is None:
        return context.say("said_left", group=name, count=numbers.number(found.left_contacts))
    if math.isinf(found.mean_wait_seconds):
        return context.say("said_grows", group=name, count=numbers.number(found.left_contacts))
    return context.say(
        "said_waits",
        group=name,
        level=numbers.share(found.service_level, 0),
        target=_seconds(context, promise["target_seconds"]),
        promise=numbers.share(promise["target_service_level"], 0),
        wait=_seconds(context, found.mean_wait_seconds),
    )


def _seconds(context: Context, value: float) -> str:
    if value < 120:
        return f"{context.numbers.number(value, 0)} {context.text['unit_seconds']}"
    return context.numbers.minutes(value / 60)


def _team(context: Context, plan: TeamPlan) -> View:
    numbers, rostered, short = context.numbers, plan.rostered, plan.short
    if not rostered:
        lead = context.text["no_roster"]
    elif not short:
        spare = sum(row["gap_agents"] for row in rostered)
        required = sum(row["required_agents"] for row in rostered)
        lead = context.say("no_shortage", ratio=numbers.share(spare / required if required else None, 0))
    else:
        missing = -sum(row["gap_agents"] for row in short)
        lead = context.say("shortage", hours=numbers.count(len(short)), missing=numbers.number(missing))
    days = {row["date_day"] for row in plan.hours}
    covered = {row["date_day"] for row in rostered}
    if covered and covered != days:
        lead += context.say("roster_partly", days=len(covered), of=len(days), through=numbers.short_day(max(covered)))
    return {
        "name": context.text["no_team"] if plan.team == "unknown" else plan.team,
        "lead": lead,
        "week": _week(context, plan),
        "worst": [_worst(context, plan, row) for row in short[:WORST_HOURS]],
        "worst_note": context.say("worst_note", shown=WORST_HOURS, count=len(short))
        if len(short) > WORST_HOURS
        else "",
        "groups": _groups(context, plan),
    }


def _worst(context: Context, plan: TeamPlan, row: Row) -> View:
    numbers = context.numbers
    return {
        "when": context.say("hour_of", day=day_name(context, row["date_day"]), hour=f"{row['hour_of_day']:02d}:00"),
        "event": event_of(context, row["date_day"]),
        "expected": numbers.number(row["expected_count"]),
        "required": numbers.count(row["required_agents"]),
        "rostered": numbers.number(row["rostered_agents"]),
        "gap": numbers.number(row["gap_agents"]),
        "consequence": consequence(context, plan, row),
    }


@dataclass(frozen=True)
class _Cell:
    """Means of the same hour of the week; rostered and gap None where no roster is there."""

    required: float
    rostered: float | None
    gap: float | None


def _cells(plan: TeamPlan) -> dict[tuple[int, int], _Cell]:
    """By hour of the day and ISO weekday; hours in which nobody is needed or rostered are left out."""
    rows: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in plan.hours:
        rows[row["hour_of_day"], row["date_day"].isoweekday()].append(row)
    cells = {}
    for place, same in rows.items():
        known = [row for row in same if row["gap_agents"] is not None]
        # Where rosters are there for some of the weeks, both figures are of these.
        required = sum(row["required_agents"] for row in known or same) / len(known or same)
        rostered = sum(row["rostered_agents"] for row in known) / len(known) if known else None
        cells[place] = _Cell(required, rostered, None if rostered is None else rostered - required)
    return cells


def _hours_shown(cells: dict[tuple[int, int], _Cell]) -> list[int]:
    busy = [hour for (hour, _), cell in cells.items() if cell.required or cell.rostered]
    return list(range(min(busy), max(busy) + 1)) if busy else []


def _week(context: Context, plan: TeamPlan) -> View:
    """Rows by hour, columns by weekday: the gap where rosters are there, else the agents required."""
    numbers, cells = context.numbers, _cells(plan)

    def cell(hour: int, weekday: int) -> View:
        found = cells.get((hour, weekday))
        if found is None or not (found.required or found.rostered):
            return {"value": "", "level": 0, "title": ""}
        if found.gap is None:
            return {"value": numbers.number(found.required), "level": 0, "title": ""}
        missing = -found.gap / found.required if found.required and found.gap <= _NO_GAP else 0.0
        return {
            "value": f"{'+' if round(found.gap, 1) > 0 else ''}{numbers.number(found.gap)}",
            "level": sum(missing > level for level in _LEVELS),
            "title": context.say(
                "week_cell",
                weekday=context.name("weekday", weekday),
                hour=f"{hour:02d}:00",
                required=numbers.number(found.required),
                rostered=numbers.number(found.rostered),
            ),
        }

    return {
        "caption": context.text["week_gap" if plan.rostered else "week_required"],
        "is_gap": bool(plan.rostered),
        "weekdays": [context.name("weekday", weekday) for weekday in range(1, 8)],
        "rows": [
            {"hour": f"{hour:02d}:00", "cells": [cell(hour, weekday) for weekday in range(1, 8)]}
            for hour in _hours_shown(cells)
        ],
    }


def _groups(context: Context, plan: TeamPlan) -> list[View]:
    """What each group promises, what it would get with the agents required, and what it gets from the roster."""
    numbers, text = context.numbers, context.text
    promises: dict[str, Row] = {}
    planned: dict[str, list[tuple[float, float]]] = defaultdict(list)
    given: dict[str, list[Served]] = defaultdict(list)
    for rows in plan.groups.values():
        promises |= {row["staffing_group"]: row for row in rows}
    for row in plan.rostered:
        for outcome, group in zip(plan.outcome(row), plan.groups[_hour(row)], strict=True):
            given[outcome.staffing_group].append(outcome)
            planned[outcome.staffing_group].append((outcome.contacts, group["service_level"]))
    views = []
    for code, promise in sorted(promises.items()):
        found, can_wait = given[code], promise["method"] == "workload"
        level = _weighted([(one.contacts, one.service_level) for one in found])
        steady = [
            (one.contacts, one.mean_wait_seconds)
            for one in found
            if one.mean_wait_seconds is not None and not math.isinf(one.mean_wait_seconds)
        ]
        wait, left = _weighted(steady), sum(one.left_contacts for one in found)
        target = _seconds(context, promise["target_seconds"])
        views.append(
            {
                "name": promise["group_zh"],
                "method": context.name("staffing_method", promise["method"]),
                "promise": context.say("promise_work", target=target)
                if can_wait
                else context.say(
                    "promise_queue", level=numbers.share(promise["target_service_level"], 0), target=target
                ),
                "contacts": numbers.count(round(sum(one.contacts for one in found))) if found else "—",
                "planned": numbers.share(_weighted(planned[code])),
                "level": numbers.share(level),
                "is_kept": None if level is None else level >= (promise["target_service_level"] or 1.0) - 0.0005,
                "wait": text["can_wait"] if can_wait else "—" if wait is None else _seconds(context, wait),
                "broken": numbers.count(sum(not _is_kept(one, promise) for one in found)) if found else "—",
                "left": numbers.number(left) if found else "—",
            }
        )
    return views


def _weighted(pairs: list[tuple[float, float]]) -> float | None:
    total = sum(weight for weight, _ in pairs)
    return sum(weight * value for weight, value in pairs) / total if total else None


def staffing_chart(context: Context) -> View | None:
    """Agents required and rostered over the hours of a mean week, of the team that is shortest; None without a plan."""
    plans = team_plans(context)
    if not plans:
        return None
    text, numbers, cells = context.text, context.numbers, _cells(plans[0])
    places = [(weekday, hour) for weekday in range(1, 8) for hour in _hours_shown(cells)]
    if not places:
        return None
    found = [cells.get((hour, weekday)) for weekday, hour in places]
    rostered = [None if cell is None else rounded(cell.rostered) for cell in found]
    required = [None if cell is None else rounded(cell.required) for cell in found]
    labels = [f"{context.name('weekday', weekday)} {hour:02d}:00" for weekday, hour in places]
    bar = {
        "type": "bar",
        "name": text["rostered"],
        "data": rostered,
        "itemStyle": {"color": PALE_BLUE},
        "barCategoryGap": "10%",
    }
    step = line(text["required"], BLUE, required, step="middle", showSymbol=False)
    return {
        "height": CHART_HEIGHT,
        "team": plans[0].team,
        "option": base(
            xAxis=categories(labels),
            yAxis=scale(min=0),
            series=[bar, step] if any(value is not None for value in rostered) else [step],
        ),
        "header": [text["hour"], text["required"], text["rostered"]],
        "rows": [
            [
                label,
                numbers.number(None if cell is None else cell.required),
                numbers.number(None if cell is None else cell.rostered),
            ]
            for label, cell in zip(labels, found, strict=True)
        ],
    }
