"""The business rules that people edit, read from the CSV seeds (``settings.rules_dir``)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, cast

from huiyin.config import Settings
from huiyin.errors import HuiyinError

RuleKind = Literal["count", "target", "trend"]
DIMENSIONS = (
    "all", "channel", "customer_tier", "team", "region", "problem_type", "problem_subtype", "product", "tenure_band",
    "topic",
)  # fmt: skip


class RulesError(HuiyinError):
    """A rules file is missing or holds something unusable; the message names file, line and remedy."""


@dataclass(frozen=True)
class AlertRule:
    """One line of ``alert_rules.csv``; the three thresholds are shares over target or expectation."""

    rule_code: str
    kind: RuleKind
    metric: str
    dimensions: tuple[str, ...]
    minimum_count: int
    significance: float
    yellow_over: float
    orange_over: float
    red_over: float
    window_days: int

    def severity(self, over_ratio: float) -> str | None:
        """The colour of that much over target or expectation; None below yellow."""
        for colour, threshold in (("red", self.red_over), ("orange", self.orange_over), ("yellow", self.yellow_over)):
            if over_ratio >= threshold:
                return colour
        return None


@dataclass(frozen=True)
class Campaign:
    """A planned event that multiplies the volume by ``expected_lift`` from its first to its last day."""

    name: str
    starts_on: date
    ends_on: date
    expected_lift: float


@dataclass(frozen=True)
class Route:
    """Who is asked first about a problem, and the class of cause to look at first."""

    team: str
    owner: str
    root_cause_class: str


@dataclass(frozen=True)
class Target:
    """What an indicator shall reach; ``scale`` turns numerator ÷ denominator into the target's unit."""

    value: float
    direction: Literal["at_most", "at_least"]
    scale: float
    effective_from_on: date | None


@dataclass(frozen=True)
class ProblemName:
    """The Chinese names of a problem subtype."""

    subtype_zh: str
    problem_type: str
    type_zh: str


@dataclass(frozen=True)
class Rules:
    """All rules of this room."""

    alerts: tuple[AlertRule, ...]
    campaigns: tuple[Campaign, ...]
    routing: dict[str, Route]
    weights: dict[str, float]
    weights_version: str
    targets: dict[str, tuple[Target, ...]]
    indicator_names: dict[str, str]
    indicator_units: dict[str, str]
    problems: dict[str, ProblemName]
    channels: dict[str, str]

    def route(self, problem_subtype: str | None) -> Route | None:
        """The route of the subtype, else that of ``*``."""
        return self.routing.get(problem_subtype or "*") or self.routing.get("*")

    def target(self, indicator_code: str, on: date) -> Target | None:
        """The indicator's target in force on that day."""
        found = None
        for target in self.targets.get(indicator_code, ()):
            if target.effective_from_on is None or target.effective_from_on <= on:
                found = target
        return found


class _Row:
    """One line of a rules file with conversions that name the place of what is wrong."""

    def __init__(self, file: Path, line: int, values: dict[str, str | None]) -> None:
        self.file, self.line, self.values = file, line, values

    def text(self, column: str) -> str:
        return (self.values[column] or "").strip()

    def required(self, column: str) -> str:
        value = self.text(column)
        if not value:
            raise self.error(column, "is empty")
        return value

    def number(self, column: str) -> float:
        try:
            return float(self.required(column))
        except ValueError:
            raise self.error(column, f"{self.text(column)!r} is no number") from None

    def day(self, column: str) -> date:
        try:
            return date.fromisoformat(self.required(column))
        except ValueError:
            raise self.error(column, f"{self.text(column)!r} is no date; write YYYY-MM-DD") from None

    def one_of(self, column: str, allowed: tuple[str, ...]) -> str:
        value = self.required(column)
        if value not in allowed:
            raise self.error(column, f"{value!r} is none of {', '.join(allowed)}")
        return value

    def error(self, column: str, what: str) -> RulesError:
        return RulesError(f"{self.file} line {self.line}, column {column}: {what}")


def _rows(folder: Path, name: str, columns: tuple[str, ...]) -> Iterator[_Row]:
    file = folder / f"{name}.csv"
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise RulesError(f"{file} lacks the column(s) {', '.join(missing)}; see docs/improvement.md")
            for values in reader:
                yield _Row(file, reader.line_num, values)
    except FileNotFoundError as error:
        raise RulesError(f"rules file {file} is missing; copy it from dbt_project/seeds") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError(f"rules file {file} can't be read: {error}; save it as CSV in UTF-8") from error


def load_rules(settings: Settings) -> Rules:
    """Read and check all rules of this room. Raises :class:`RulesError`."""
    folder = settings.rules_dir
    weights, versions = _weights(folder)
    targets, names, units = _targets(folder)
    return Rules(
        alerts=tuple(_alert_rules(folder)),
        campaigns=tuple(_campaigns(folder)),
        routing={
            row.required("problem_subtype"): Route(
                row.text("team"), row.text("owner"), row.one_of("root_cause_class", ROOT_CAUSES)
            )
            for row in _rows(folder, "routing", ("problem_subtype", "team", "owner", "root_cause_class"))
        },
        weights=weights,
        weights_version=versions,
        targets=targets,
        indicator_names=names,
        indicator_units=units,
        problems={
            row.required("problem_subtype"): ProblemName(
                row.text("subtype_zh"), row.text("problem_type"), row.text("type_zh")
            )
            for row in _rows(folder, "problem_types", ("problem_subtype", "subtype_zh", "problem_type", "type_zh"))
        },
        channels={
            row.required("channel"): row.text("name_zh") for row in _rows(folder, "channels", ("channel", "name_zh"))
        },
    )


ROOT_CAUSES = ("people", "process", "system", "customer", "product")
_ALERT_COLUMNS = (
    "rule_code", "kind", "metric", "dimension", "minimum_count", "significance", "yellow_over", "orange_over",
    "red_over", "window_days",
)  # fmt: skip
FACTORS = (
    "severity", "volume", "growth", "revenue_at_risk", "vip_share", "negative_share", "sla_damage", "recurrence",
)  # fmt: skip


def _alert_rules(folder: Path) -> Iterator[AlertRule]:
    seen = set()
    for row in _rows(folder, "alert_rules", _ALERT_COLUMNS):
        dimensions = tuple(row.required("dimension").split("×"))
        unknown = [dimension for dimension in dimensions if dimension not in DIMENSIONS]
        if unknown:
            raise row.error("dimension", f"{unknown[0]!r} is none of {', '.join(DIMENSIONS)} (joined by ×)")
        rule = AlertRule(
            row.required("rule_code"),
            cast(RuleKind, row.one_of("kind", ("count", "target", "trend"))),
            row.required("metric"),
            dimensions,
            int(row.number("minimum_count")),
            row.number("significance"),
            row.number("yellow_over"),
            row.number("orange_over"),
            row.number("red_over"),
            int(row.number("window_days")),
        )
        if not 0 < rule.yellow_over <= rule.orange_over <= rule.red_over:
            raise row.error("yellow_over", "thresholds must be positive and rise from yellow to red")
        if not 0 < rule.significance < 0.5:
            raise row.error("significance", f"{rule.significance:g} is no probability between 0 and 0.5")
        if rule.rule_code in seen:
            raise row.error("rule_code", f"{rule.rule_code!r} is there twice")
        seen.add(rule.rule_code)
        yield rule


def _campaigns(folder: Path) -> Iterator[Campaign]:
    for row in _rows(folder, "campaigns", ("name", "starts_on", "ends_on", "expected_lift")):
        campaign = Campaign(row.required("name"), row.day("starts_on"), row.day("ends_on"), row.number("expected_lift"))
        if campaign.ends_on < campaign.starts_on or campaign.expected_lift <= 0:
            raise row.error("ends_on", "a campaign ends after it starts and has a positive lift")
        yield campaign


def _weights(folder: Path) -> tuple[dict[str, float], str]:
    weights, version = {}, ""
    for row in _rows(folder, "priority_weights", ("factor", "weight", "version")):
        weights[row.one_of("factor", FACTORS)] = row.number("weight")
        version = row.required("version")
    if not weights or sum(weights.values()) <= 0:
        raise RulesError(f"{folder / 'priority_weights.csv'} holds no positive weight")
    return weights, version


def _targets(folder: Path) -> tuple[dict[str, tuple[Target, ...]], dict[str, str], dict[str, str]]:
    targets: dict[str, list[Target]] = {}
    names: dict[str, str] = {}
    units: dict[str, str] = {}
    columns = ("indicator_code", "indicator_zh", "unit", "direction", "target_value", "effective_from_on", "scale")
    for row in _rows(folder, "indicators", columns):
        code = row.required("indicator_code")
        names[code], units[code] = row.text("indicator_zh"), row.text("unit")
        if not row.text("target_value"):
            continue
        direction = row.one_of("direction", ("at_most", "at_least"))
        targets.setdefault(code, []).append(
            Target(
                row.number("target_value"),
                cast(Literal["at_most", "at_least"], direction),
                row.number("scale") if row.text("scale") else 1.0,
                row.day("effective_from_on") if row.text("effective_from_on") else None,
            )
        )
    ordered = {
        code: tuple(sorted(found, key=lambda target: target.effective_from_on or date.min))
        for code, found in targets.items()
    }
    return ordered, names, units
