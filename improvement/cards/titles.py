"""What a card is called: one line for people who know neither rule nor statistic."""

from __future__ import annotations

from improvement.alerts.spells import Measure, Spell
from improvement.mart import Calendar
from improvement.rules import Rules

_COUNTED = {"voice_count": "讨论激增", "dissatisfied_count": "不满意评价激增"}
_TIMES = ("分钟", "小时", "天")


def title(spell: Spell, day: int, label: str, calendar: Calendar, rules: Rules) -> str:
    """Such as 「华东 物流延误 咨询投诉激增：11-13 起为预期的 4.2 倍」, as the alert stands on that day."""
    worst = spell.worst(day)
    if spell.rule.kind == "count":
        what, since = _COUNTED.get(spell.rule.metric, "咨询投诉激增"), calendar.day(spell.started)
        if worst.expected < 1.0:
            return f"{label} {what}：{since:%m-%d} 起由几乎没有到 {worst.window_days} 天 {worst.observed:.0f} 件"
        return f"{label} {what}：{since:%m-%d} 起为预期的 {1.0 + worst.over_ratio:.1f} 倍"
    name = rules.indicator_names.get(spell.rule.metric, spell.rule.metric)
    unit = rules.indicator_units.get(spell.rule.metric, "")
    if spell.rule.kind == "trend":
        return f"{label} {_trend(name, unit, worst)}"
    observed, target = _figure(worst.observed, unit), _figure(worst.expected, unit)
    return f"{label} {name}未达目标：近 {worst.window_days} 天为 {observed}，目标 {target}"


def _trend(name: str, unit: str, worst: Measure) -> str:
    rises = worst.observed >= worst.expected
    how, to = ("变长" if unit in _TIMES else "上升", "升到") if rises else ("下降", "降到")
    weekly = "每周 " if unit == "件" else ""
    begin, end = _figure(worst.expected, unit), _figure(worst.observed, unit)
    return f"{name}持续{how}：{worst.window_days // 7} 周内由{weekly or ' '}{begin}{to} {end}"


def _figure(value: float, unit: str) -> str:
    if unit in ("%", "比例", "比率"):
        return f"{value * 100 if abs(value) <= 1 else value:.1f}%"
    return f"{value:,.0f} {unit}" if unit == "件" else f"{value:,.1f} {unit}".strip()
