"""Evaluate every action of the mart: those of the cards and those of the company's own ledger alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from huiyin.config import Settings
from improvement.effects.estimate import Estimate, Floats, estimate_counts, estimate_means
from improvement.mart import HOLIDAY, MAKEUP, MartData
from improvement.ops.models import ActionEffect, Alert
from improvement.rules import Rules
from improvement.scope import Scope, ScopeError
from warehouse.connection import Warehouse

PERIOD_DAYS = 14
PERIODS = 2
# Rare problems are watched longer; decided by the baseline alone, so that nobody waits for a wanted result.
PERIODS_RARE = 4
RARE_EXPECTED = {"ticket_count": 25.0, "resolution_hours": 250.0, "negative_share": 60.0, "csat_mean": 60.0}
LEAST_BASELINE = 10.0
LEAST_BASELINE_DAYS = 21
# A problem that was there this long after it was found is no chance spike: its days describe what the action met.
SUSTAINED_DAYS = 28
# Tickets of the last days must get the chance to be resolved.
RESOLUTION_LAG_DAYS = 10
LEAST_CONTROL_A_DAY = 15.0
WINSORISED_QUANTILE = 0.95
LOWER_IS_BETTER = {"ticket_count": True, "resolution_hours": True, "negative_share": True, "csat_mean": False}


@dataclass(frozen=True)
class Windows:
    """Days (positions in the calendar): baseline from … up to, evaluation from … up to; ends exclusive."""

    baseline_from: int
    baseline_to: int
    evaluation_from: int
    evaluation_to: int


def evaluate_actions(
    settings: Settings, session: Session, warehouse: Warehouse, mart: MartData, rules: Rules
) -> list[ActionEffect]:
    """One row per action that has begun, replacing what was not yet knowable. Returns the rows, in order of id."""
    calendar = mart.calendar
    as_of_on = calendar.day(len(calendar) - 1)
    if not warehouse.has_table("mart", "fct_actions"):
        return []
    actions = warehouse.rows(
        "select action_id, card_id, scope_key, metric, started_on, due_on, done_on, status from mart.fct_actions"
        f" where started_on <= date '{as_of_on}' and status in ('in_progress', 'done') order by action_id"
    )
    alerts = list(session.scalars(select(Alert).where(Alert.inhibited_by.is_(None))))
    results = []
    for action in actions:
        effect = _evaluate(action, alerts, settings, warehouse, mart)
        later = session.scalars(
            select(ActionEffect.evaluated_on).where(
                ActionEffect.action_id == effect.action_id, ActionEffect.evaluated_on > effect.evaluated_on
            )
        ).first()
        if later is not None:
            continue  # a rerun of the past doesn't undo what is known since
        session.execute(
            delete(ActionEffect).where(
                ActionEffect.action_id == effect.action_id,
                (ActionEffect.verdict == "not_yet_knowable") | (ActionEffect.evaluated_on == effect.evaluated_on),
            )
        )
        session.add(effect)
        session.flush()
        results.append(effect)
    return results


def _evaluate(
    action: dict[str, Any], alerts: list[Alert], settings: Settings, warehouse: Warehouse, mart: MartData
) -> ActionEffect:
    calendar = mart.calendar
    last = len(calendar) - 1
    metric = str(action["metric"])

    def result(verdict: str, evaluated_on: date, **figures: Any) -> ActionEffect:
        return ActionEffect(
            action_id=action["action_id"],
            card_id=action["card_id"] or _card_of(action, alerts),
            metric=metric,
            verdict=verdict,
            evaluated_on=evaluated_on,
            **figures,
        )

    today = calendar.day(last)
    try:
        scope = Scope.parse(str(action["scope_key"]))
        series = _Series.load(scope, metric, warehouse, mart)
    except ScopeError as error:
        return result("not_yet_knowable", today, method=f"范围无法识别：{error}")
    if action["done_on"] is None:
        planned = max(action["due_on"] or action["started_on"], today)
        return result(
            "not_yet_knowable", today, knowable_on=planned + timedelta(PERIOD_DAYS * PERIODS), method="措施尚未完成"
        )
    begins, done = calendar.index(action["started_on"]), calendar.index(action["done_on"])
    baseline_from, baseline_to = _baseline(begins, scope, alerts, settings.improvement.effect_baseline_days, mart)
    days = np.arange(max(baseline_from, 0), max(baseline_to, 0))
    amount = float(series.number[days].sum())
    if len(days) < LEAST_BASELINE_DAYS or amount < LEAST_BASELINE:
        return result("not_yet_knowable", today, method=f"基线不足：{len(days)} 天、{amount:.0f} 件")
    expected = amount / len(days) * PERIOD_DAYS * PERIODS
    periods = PERIODS if expected >= RARE_EXPECTED[metric] else PERIODS_RARE
    windows = Windows(int(days[0]), int(days[-1]) + 1, done + 1, done + 1 + PERIOD_DAYS * periods)
    lag = RESOLUTION_LAG_DAYS if metric == "resolution_hours" else 0
    knowable = windows.evaluation_to - 1 + lag
    frame: dict[str, Any] = {
        "baseline_from_on": calendar.day(windows.baseline_from),
        "baseline_to_on": calendar.day(windows.baseline_to - 1),
        "evaluation_from_on": calendar.day(windows.evaluation_from),
        "evaluation_to_on": calendar.day(windows.evaluation_to - 1),
        "knowable_on": calendar.day(knowable),
    }
    if knowable > last:
        return result("not_yet_knowable", today, method="评估期未满", **frame)
    estimate = series.estimate(windows, mart)
    if estimate is None:
        return result("not_yet_knowable", today, method="评估期内没有可比的数据", **frame)
    return result(
        estimate.verdict(LOWER_IS_BETTER[metric]),
        calendar.day(knowable),
        baseline_mean=estimate.baseline_mean,
        observed_mean=estimate.observed_mean,
        change_ratio=estimate.change_ratio,
        change_ratio_low=estimate.change_ratio_low,
        change_ratio_high=estimate.change_ratio_high,
        p_value=estimate.p_value,
        method=estimate.method,
        **frame,
    )


def _card_of(action: dict[str, Any], alerts: list[Alert]) -> str | None:
    """The card of the latest spike of the same scope that the action may answer to."""
    scope = Scope.parse(str(action["scope_key"])) if "=" in str(action["scope_key"]) else None
    fitting = [
        alert
        for alert in alerts
        if scope is not None
        and alert.card_id
        and alert.fired_on <= action["started_on"]
        and (alert.resolved_on is None or alert.resolved_on >= action["started_on"] - timedelta(days=56))
        and _same_matter(scope, Scope.parse(alert.scope_key))
    ]
    return max(fitting, key=lambda alert: (alert.fired_on, alert.alert_id)).card_id if fitting else None


def _same_matter(scope: Scope, other: Scope) -> bool:
    """One contains the other and they name something in common."""
    return bool(set(scope.pairs) & set(other.pairs)) and (scope.contains(other) or other.contains(scope))


def _baseline(begins: int, scope: Scope, alerts: list[Alert], length: int, mart: MartData) -> tuple[int, int]:
    """The ``length`` days before the action, or before the spike that led to it, or of the lasting problem itself.

    A card opens on a spike, and a spike falls back by itself; measured against the spike every action would "help".
    Only where the problem is still there ``SUSTAINED_DAYS`` after it was found do the days after the finding, which
    no longer were selected for being high, describe it without that bias.
    """
    calendar = mart.calendar
    start, end = begins - length, begins
    for alert in sorted(alerts, key=lambda a: (a.started_on, a.alert_id), reverse=True):
        if alert.metric not in ("ticket_count", "voice_count", "dissatisfied_count"):
            continue
        spike, found = calendar.index(alert.started_on), calendar.index(alert.fired_on)
        over = len(calendar) if alert.resolved_on is None else calendar.index(alert.resolved_on)
        if not (spike < end and over >= start) or not _same_matter(scope, Scope.parse(alert.scope_key)):
            continue
        if over >= begins and begins - (found + 1) >= SUSTAINED_DAYS:
            return max(found + 1, begins - length), begins
        start, end = spike - length, spike
    return start, end


@dataclass
class _Series:
    """Daily ``total`` over ``number`` observations in scope, and the count of the control."""

    metric: str
    total: Floats
    number: Floats
    control: Floats

    @classmethod
    def load(cls, scope: Scope, metric: str, warehouse: Warehouse, mart: MartData) -> _Series:
        length = len(mart.calendar)
        if metric not in LOWER_IS_BETTER:
            raise ScopeError(f"metric {metric!r} is none of {', '.join(LOWER_IS_BETTER)}")
        zeros = np.zeros(length)
        if metric == "ticket_count":
            inside = scope.mask(mart.tickets)
            count = _by_day(mart.tickets[inside], length)
            return cls(metric, count, count, _by_day(mart.tickets[~_neighbours(scope, mart.tickets)], length))
        if metric == "negative_share":
            voices = mart.voices[scope.mask(mart.voices) & mart.voices["sentiment_label"].notna()]
            negative = voices[voices["sentiment_label"] == "negative"]
            return cls(metric, _by_day(negative, length), _by_day(voices, length), zeros)
        if metric == "resolution_hours":
            frame = mart.tickets.merge(_ticket_hours(warehouse), on="ticket_key")
            # Robust: single tickets that lie around for months don't decide.
            frame["hours"] = frame["hours"].clip(upper=frame["hours"].quantile(WINSORISED_QUANTILE))
            within = frame.loc[scope.mask(frame)]
            others = frame.loc[~_neighbours(scope, frame)]
            return cls(
                metric,
                _by_day(within, length, within["hours"].to_numpy()),
                _by_day(within, length),
                _weekly_mean(_by_day(others, length, others["hours"].to_numpy()), _by_day(others, length)),
            )
        scores = warehouse.query("select feedback_key, csat_score from mart.fct_feedback where csat_score is not null")
        frame = mart.ratings.merge(scores.to_pandas(), on="feedback_key")
        frame = frame[scope.mask(frame)]
        return cls(
            metric,
            _by_day(frame, length, frame["csat_score"].to_numpy(dtype=float)),
            _by_day(frame, length),
            zeros,
        )

    def estimate(self, windows: Windows, mart: MartData) -> Estimate | None:
        """The effect, or None where a window holds nothing."""
        calendar = mart.calendar
        period = np.full(len(calendar), -1)
        period[windows.baseline_from : windows.baseline_to] = 0
        after = np.arange(windows.evaluation_from, windows.evaluation_to)
        period[after] = 1 + (after - windows.evaluation_from) // PERIOD_DAYS
        period = _without_campaigns(period, calendar.campaign_lift)
        used = period >= 0
        weekday = np.asarray(calendar.days.dayofweek)[used]
        total, number, chosen = self.total[used], self.number[used], period[used]
        weekday = np.where(calendar.day_class[used] == HOLIDAY, 6, weekday)
        weekday = np.where(calendar.day_class[used] == MAKEUP, 0, weekday)
        if self.metric != "ticket_count" and min(number[chosen == p].sum() for p in range(chosen.max() + 1)) < 3:
            return None
        if self.metric == "ticket_count":
            control = self.control[used]
            has_control = control.mean() >= LEAST_CONTROL_A_DAY
            exposure = (control + 1.0) / (control.mean() + 1.0) if has_control else np.ones_like(total)
            what = "准泊松回归" + ("，其余问题作对照" if has_control else "，无对照")
            return estimate_counts(total, exposure, weekday, chosen, what + "，星期效应，稳健标准误", is_a_day=True)
        if self.metric == "negative_share":
            return estimate_counts(total, number, weekday, chosen, "准泊松回归（占比），星期效应，稳健标准误")
        if self.metric == "resolution_hours":
            # How long everything else takes carries staffing and backlog; where there is nothing else, it is level.
            given, usual = number > 0, self.control[used]
            has_control = bool((usual[given] > 0).all())
            exposure = number * (usual / usual.mean()) if has_control else number
            what = "准泊松回归（均值之比，截尾）" + ("，其余问题作对照" if has_control else "，无对照")
            return estimate_counts(
                total[given], exposure[given], weekday[given], chosen[given], what + "，星期效应，稳健标准误"
            )
        return estimate_means(total, number, weekday, chosen, "得分加权回归，星期效应，稳健标准误")


def _without_campaigns(period: npt.NDArray[np.int64], lift: Floats) -> npt.NDArray[np.int64]:
    """Leave out campaign days, whose tides differ from problem to problem, where enough ordinary days remain."""
    kept = np.where(lift > 1.0, -1, period)
    groups = np.unique(period[period >= 0])
    enough = all((kept == group).sum() >= (LEAST_BASELINE_DAYS if group == 0 else 7) for group in groups)
    return kept if enough else period


def _by_day(frame: pd.DataFrame, length: int, weights: npt.NDArray[Any] | None = None) -> Floats:
    result: Floats = np.bincount(frame["day"].to_numpy(), weights=weights, minlength=length).astype(float)
    return result


def _weekly_mean(total: Floats, number: Floats) -> Floats:
    """The mean of the week around each day; 0 where there is nothing."""
    week = np.ones(7)
    around = np.convolve(number, week, mode="same")
    mean: Floats = np.convolve(total, week, mode="same") / np.maximum(around, 1.0)
    return mean


def _neighbours(scope: Scope, tickets: pd.DataFrame) -> pd.Series:
    """What can't be control: the same problem anywhere; without a problem in the scope, the scope itself."""
    subtype = scope.get("problem_subtype")
    return Scope((("problem_subtype", subtype),)).mask(tickets) if subtype else scope.mask(tickets)


def _ticket_hours(warehouse: Warehouse) -> pd.DataFrame:
    frame: pd.DataFrame = warehouse.query(
        "select ticket_key, resolution_business_seconds / 3600.0 as hours from mart.fct_tickets"
        " where resolution_business_seconds is not null order by ticket_key"
    ).to_pandas()
    frame["hours"] = frame["hours"].astype(float)
    return frame
