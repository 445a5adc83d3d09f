"""The verdict on a measure in plain words."""

from __future__ import annotations

from improvement.report.mart import Row
from improvement.report.sections.context import Context


def effect_words(context: Context, row: Row) -> str:
    """What the latest evaluation of a measure says, with its interval; that there is none otherwise."""
    verdict, numbers, say = row["effect_verdict"], context.numbers, context.say
    if verdict is None:
        return context.text["effect_none"]
    if verdict == "not_yet_knowable":
        knowable_on = row["knowable_on"]
        return say(
            "effect_not_yet_knowable", when=say("effect_when", day=numbers.day(knowable_on)) if knowable_on else ""
        )
    interval = ""
    if row["change_ratio_low"] is not None and row["change_ratio_high"] is not None:
        low, high = numbers.ratio(row["change_ratio_low"]), numbers.ratio(row["change_ratio_high"])
        interval = say("effect_interval", low=low, high=high)
    return say(
        f"effect_{verdict}",
        metric=context.name("metric", row["metric"]),
        change=numbers.ratio(row["effect_change_ratio"]),
        interval=interval,
    )


def effect_windows(context: Context, row: Row) -> str:
    """Which days were compared and how, for the tooltip; empty without an evaluation."""
    if row["baseline_from_on"] is None or row["evaluation_from_on"] is None:
        return ""
    return context.say(
        "effect_windows",
        baseline_from=row["baseline_from_on"],
        baseline_to=row["baseline_to_on"],
        evaluation_from=row["evaluation_from_on"],
        evaluation_to=row["evaluation_to_on"],
        method=row["method"] or "—",
    )
