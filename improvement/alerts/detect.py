"""The three kinds of rules, each from daily series to spells. Every day is judged by data up to that day only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from improvement.alerts.baseline import Floats, screen
from improvement.alerts.spells import Measure, Spell, find_spells
from improvement.mart import MartData, SeriesSet, daily_counts, indicator_series
from improvement.rules import AlertRule, Rules, RulesError, Target
from improvement.scope import Scope

CALM_DAYS = 5
# Targets are judged over overlapping weeks, so that leaving takes a week of calm.
TARGET_CALM_DAYS = 7
TREND_CALM_DAYS = 28
# A trend needs the newest weeks and most of the others.
NEWEST_WEEKS = 3
TREND_LEAST_KNOWN = 0.75
# With fewer other series to compare with, each is taken as it is.
LEAST_OTHERS = 5
# Where the 3-day window is less surprising than this, nothing is left of a spike.
CALM_P_VALUE = 0.05
COUNT_METRICS = ("ticket_count", "voice_count", "dissatisfied_count")


def detect(rule: AlertRule, mart: MartData, rules: Rules) -> list[Spell]:
    """All spells of one rule up to the mart's ``as_of_on``. Raises :class:`~improvement.rules.RulesError`."""
    if rule.kind == "count":
        return _count_spells(rule, _count_series(rule, mart), mart)
    if len(rule.dimensions) != 1:
        raise RulesError(f"alert rule {rule.rule_code}: indicators are known by one dimension; only counts cross two")
    series = indicator_series(mart, rule.metric, rule.dimensions[0])
    if rule.kind == "target":
        return _target_spells(rule, series, mart, rules)
    target = rules.targets.get(rule.metric)
    return _trend_spells(rule, series, mart, "at_most" if target is None else target[-1].direction)


def _count_series(rule: AlertRule, mart: MartData) -> SeriesSet:
    length = len(mart.calendar)
    if rule.metric not in COUNT_METRICS:
        raise RulesError(f"alert rule {rule.rule_code}: {rule.metric!r} is none of {', '.join(COUNT_METRICS)}")
    frame = {"ticket_count": mart.tickets, "voice_count": mart.voices, "dissatisfied_count": mart.ratings}[rule.metric]
    lacking = [d for d in rule.dimensions if d != "all" and d not in frame.columns]
    if lacking:
        raise RulesError(f"alert rule {rule.rule_code}: {rule.metric} isn't known by {lacking[0]}")
    if rule.metric != "dissatisfied_count":
        values, counts = daily_counts(frame, rule.dimensions, length, rule.minimum_count)
        return SeriesSet(values, counts, np.ones_like(counts))
    # Bad ratings are counted from the ratings given.
    values, given = daily_counts(frame, rule.dimensions, length, rule.minimum_count)
    bad_values, bad = daily_counts(frame[~frame["is_satisfied"].astype(bool)], rule.dimensions, length, 0)
    row = {value: i for i, value in enumerate(bad_values)}
    counts = np.array([bad[row[value]] if value in row else np.zeros(length) for value in values])
    return SeriesSet(values, counts.reshape(len(values), length), given)


def _count_spells(rule: AlertRule, series: SeriesSet, mart: MartData) -> list[Spell]:
    if not series.values:
        return []
    screening = screen(
        series.counts,
        mart.calendar,
        exposure=series.exposure,
        significance=rule.significance,
        minimum_over=rule.yellow_over,
    )
    with np.errstate(invalid="ignore"):
        over = screening.observed / screening.expected - 1.0
        met = (
            (screening.p_value < rule.significance)
            & (screening.observed >= rule.minimum_count)
            & (over >= rule.yellow_over)
        )
    still = (screening.recent_p < CALM_P_VALUE) & (screening.recent_ratio >= rule.yellow_over / 2)
    spells = []
    for row, fired, resolved in find_spells(met, still, CALM_DAYS):
        stop = len(mart.calendar) if resolved is None else resolved
        history = [
            Measure(
                int(day),
                float(screening.observed[row, day]),
                float(screening.expected[row, day]),
                float(over[row, day]),
                float(screening.p_value[row, day]),
                int(screening.window[row, day]),
            )
            for day in range(fired, stop)
            if met[row, day]
        ]
        counts, expected = series.counts[row], screening.daily_expected[row]
        first = fired - history[0].window_days + 1
        started = next((d for d in range(first, fired + 1) if counts[d] > expected[d]), fired)
        scope = Scope.of(rule.dimensions, series.values[row])
        spells.append(Spell(rule, scope, started, fired, history, resolved, counts, expected))
    return spells


def _trailing(values: Floats, days: int) -> Floats:
    """Sums over the last ``days`` days, fewer at the beginning."""
    total = np.cumsum(values, axis=1)
    total[:, days:] -= total[:, :-days].copy()
    return total


def _target_spells(rule: AlertRule, series: SeriesSet, mart: MartData, rules: Rules) -> list[Spell]:
    length = len(mart.calendar)
    by_day = [rules.target(rule.metric, mart.calendar.day(day)) for day in range(length)]
    if not series.values or not any(by_day):
        return []
    target = np.array([np.nan if t is None else t.value / t.scale for t in by_day])
    sign = np.array([-1.0 if t is not None and t.direction == "at_least" else 1.0 for t in by_day])
    numerator, denominator = _trailing(series.counts, rule.window_days), _trailing(series.exposure, rule.window_days)
    # The adverse distance from target, and how sure it is given how much the days differ among themselves.
    daily = sign * (series.counts - target * series.exposure)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = numerator / denominator
        over = sign * (value - target) / np.abs(target)
        score = _trailing(np.nan_to_num(daily), rule.window_days) / np.sqrt(
            _trailing(np.nan_to_num(daily) ** 2, rule.window_days)
        )
    p_value = stats.t.sf(_studentised(score, rule.window_days), rule.window_days - 1)
    full_window = np.arange(length) >= rule.window_days - 1
    enough = (denominator >= rule.minimum_count) & full_window
    met = enough & (over >= rule.yellow_over) & (p_value < rule.significance)
    still = enough & (over >= 0.8 * rule.yellow_over)
    scale = _scale(by_day)
    return [
        Spell(
            rule,
            Scope.of(rule.dimensions, series.values[row]),
            max(0, fired - rule.window_days + 1),
            fired,
            [
                Measure(
                    day, float(value[row, day]) * scale, float(target[day]) * scale, float(over[row, day]),
                    float(p_value[row, day]), rule.window_days,
                )
                for day in range(fired, length if resolved is None else resolved)
                if met[row, day]
            ],
            resolved,
        )
        for row, fired, resolved in find_spells(met, still, TARGET_CALM_DAYS)
    ]  # fmt: skip


def _studentised(score: Floats, days: int) -> Floats:
    """From Σd/√Σd² to the t statistic of the mean of the ``days`` differences."""
    bounded = np.clip(np.nan_to_num(score), -np.sqrt(days) + 1e-6, np.sqrt(days) - 1e-6)
    result: Floats = bounded * np.sqrt((days - 1) / (days - bounded**2))
    return result


def _scale(targets: list[Target | None]) -> float:
    return next((t.scale for t in reversed(targets) if t is not None), 1.0)


def _trend_spells(rule: AlertRule, series: SeriesSet, mart: MartData, direction: str) -> list[Spell]:
    """A rise over weeks: Mann-Kendall's test on weekly values, sized by the Theil-Sen slope.

    Means are taken relative to the other series of the rule: what rises everywhere is for the targets to see.
    """
    length, weeks = len(mart.calendar), max(rule.window_days // 7, 4)
    if not series.values or length < 7 * weeks:
        return []
    numerator, denominator = _trailing(series.counts, 7), _trailing(series.exposure, 7)
    shape = (len(series.values), length)
    p_value, over = np.ones(shape), np.zeros(shape)
    newest, oldest = np.full(shape, np.nan), np.full(shape, np.nan)
    is_count = rule.metric == "ticket_count"
    for day in range(7 * weeks - 1, length):
        at = np.arange(day - 7 * (weeks - 1), day + 1, 7)
        with np.errstate(invalid="ignore", divide="ignore"):
            weekly = numerator[:, at] if is_count else _own_means(numerator[:, at], denominator[:, at])
        known = (numerator if is_count else denominator)[:, at] >= rule.minimum_count
        # Few tickets are a fact about a count, but no measure of a mean: such weeks are left out of a mean's trend.
        needed = np.full(weeks, is_count)
        needed[-NEWEST_WEEKS:] = True
        enough = known[:, needed].all(axis=1) & (known.mean(axis=1) >= TREND_LEAST_KNOWN)
        for row in np.flatnonzero(enough):
            week = np.flatnonzero(known[row])
            sign = -1.0 if direction == "at_least" else 1.0
            p_value[row, day], slope = _mann_kendall(week, sign * weekly[row, week])
            start = float(np.median(weekly[row, week] - sign * slope * week))
            newest[row, day], oldest[row, day] = float(weekly[row, -NEWEST_WEEKS:].mean()), start
            over[row, day] = slope * (weeks - 1) / max(abs(start), 1e-9)
    met = (p_value < rule.significance) & (over >= rule.yellow_over)
    still = (p_value < 0.05) & (over >= rule.yellow_over / 2)
    return [
        Spell(
            rule,
            Scope.of(rule.dimensions, series.values[row]),
            max(0, fired - 7 * weeks + 1),
            fired,
            [
                Measure(
                    day, float(newest[row, day]), float(oldest[row, day]), float(over[row, day]),
                    float(p_value[row, day]), 7 * weeks,
                )
                for day in range(fired, length if resolved is None else resolved)
                if met[row, day]
            ],
            resolved,
        )
        for row, fired, resolved in find_spells(met, still, TREND_CALM_DAYS)
    ]  # fmt: skip


def _own_means(numerator: Floats, denominator: Floats) -> Floats:
    """Weekly means (S × weeks) less what moved all other series alike, such as weeks with holidays.

    The others' index is what they summed up to ÷ what they would have at their own means over all these weeks.
    """
    usual = denominator * (numerator.sum(axis=1) / denominator.sum(axis=1))[:, None]
    found: Floats = numerator / denominator
    if len(numerator) > LEAST_OTHERS:
        usual = np.nan_to_num(usual)
        found *= (usual.sum(axis=0) - usual) / (numerator.sum(axis=0) - numerator)
    return found


def _mann_kendall(step: npt.NDArray[np.int64], values: Floats) -> tuple[float, float]:
    """One-sided p-value of a rise, and the Theil-Sen slope per step. Source: Hirsch, Slack and Smith 1982."""
    n = len(values)
    later, earlier = np.triu_indices(n, 1)[::-1]
    difference = values[later] - values[earlier]
    s = float(np.sign(difference).sum())
    variance = n * (n - 1) * (2 * n + 5) / 18.0
    p_value = float(stats.norm.sf((s - 1.0) / np.sqrt(variance))) if s > 0 else 1.0
    return p_value, float(np.median(difference / (step[later] - step[earlier])))
