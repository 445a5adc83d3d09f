"""What a committee reads of a driver: one Chinese sentence with its uncertainty."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any

from nlp.drivers.roles import Outcome
from nlp.drivers.thresholds import Threshold

_OUTCOMES = {"csat": "满意度", "nps": "NPS", "repeat": "重复来电率", "churn": "流失率"}
_COLUMNS = {
    "first_response": "首次响应时间",
    "resolution": "解决时间",
    "transfer_count": "转派次数",
    "handover_count": "转派次数",
    "reopen_count": "重开次数",
}
_FULL_WIDTH = {ord(half): ord(half) + 0xFEE0 for half in "(),;"}
_UNITS = {"seconds": "秒", "minutes": "分钟", "hours": "小时", "days": "天"}
_SECONDS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86400.0}


def column_name(column: str) -> str:
    """Chinese name of a wait or count, or the column's own."""
    bare = re.sub(r"_(business_)?(seconds|minutes|hours|days)$", "", column)
    return typeset(_COLUMNS.get(bare, bare) + ("(工作时间)" if "_business_" in column else ""))


def duration(column: str, value: float) -> str:
    """A wait in the unit people would say."""
    unit = next((name for name in _UNITS if column.endswith(name)), "")
    if not unit:
        return f"{value:.3g}"
    seconds = value * _SECONDS[unit]
    said = next((name for name in ("days", "hours", "minutes") if seconds >= 2 * _SECONDS[name]), "seconds")
    return f"{seconds / _SECONDS[said]:.3g} {_UNITS[said]}"


def sentence(outcome: Outcome, row: Mapping[Hashable, Any], threshold: Threshold | None) -> str:
    """Effect, gain and threshold of one row of the table."""
    name = _OUTCOMES.get(outcome.name, outcome.name)
    effect = _range(outcome, row["effect"], row["effect_low"], row["effect_high"])
    gain = _range(outcome, row["gain"], row["gain_low"], row["gain_high"])
    share = f"占 {100 * row['affected_share']:.1f}%"
    if row["kind"] == "topic":
        said = f"「{row['level']}」({share})比谈其他问题的{name}{effect}"
        lever = "减半"
    elif row["kind"] == "aspect":
        said = f"提到「{row['level']}」({share})时{name}{effect}"
        lever = "减半"
    elif row["kind"] == "wait":
        goal = duration(row["column"], row["goal"])
        said = f"{column_name(row['column'])}超过 {goal} 的({share}),{name}比在此以内时{effect}"
        lever = "都在此以内"
    else:
        said = f"{column_name(row['column'])}超过 {row['goal']:.0f} 次的({share}),{name}{effect}"
        lever = "都降到该次数"
    certain = row["effect_low"] * row["effect_high"] > 0
    said += f";若{lever},整体预计{gain}" if certain else ";尚不能确定有无影响"
    if certain and not row["is_certain"]:
        said += ";同时检验多个因素时证据不足,宜再观察"
    return typeset(said + _threshold(row["column"], name, threshold) + "。")


def typeset(sentence: str) -> str:
    """The sentence with the full-width punctuation of Chinese."""
    return sentence.translate(_FULL_WIDTH)


def _range(outcome: Outcome, value: float, low: float, high: float) -> str:
    """Signed change with its interval, rates in percentage points."""
    if outcome.name in ("repeat", "churn") or outcome.span == 1.0:
        return f"{100 * value:+.1f} 个百分点(95% 区间 {100 * low:+.1f} 至 {100 * high:+.1f})"
    # A small gain of the whole company's mean is still worth seeing.
    digits = (1 if outcome.span > 20 else 2) + (abs(value) < outcome.span / 400)
    return f" {value:+.{digits}f} 分(95% 区间 {low:+.{digits}f} 至 {high:+.{digits}f})"


def _threshold(column: str, name: str, threshold: Threshold | None) -> str:
    if threshold is None:
        return ""
    if threshold.verdict == "threshold":
        low, at, high = (duration(column, value) for value in (threshold.low, threshold.at, threshold.high))
        how = "骤然变差" if threshold.kind == "step" else "开始变差"
        return f";等待超过约 {at}(95% 区间 {low} 至 {high})后{name}{how}"
    return {
        "gradual": f";{name}随等待逐渐变差,没有明显门槛",
        "none": f";未见{name}与等待时长有关",
        "improves": f";等得久的{name}反而更好,可能另有原因",
    }[threshold.verdict]
