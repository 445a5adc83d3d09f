"""What customers talk about, how it moves, and what is new."""

from __future__ import annotations

import math
from datetime import date, timedelta

from improvement.report.mart import Row
from improvement.report.periods import SPARKLINE_WEEKS, TOPIC_DAYS
from improvement.report.sections.context import Context, View
from improvement.report.sections.copies import copies
from improvement.report.sections.drawing import sparkline

SHOWN = 15
NEW_FOR_DAYS = 56
# The difference of two Poisson counts has variance now + before; three standard deviations and a change that matters.
RISING_DEVIATIONS = 3.0
RISING_RATIO = 1.3


def topics(context: Context) -> View:
    """The topics with most voices, and emerging ones even where they are small."""
    rows = context.rows.topics
    known = [row for row in rows if row["topic_id"] >= 0]
    ranked = [row for row in known if row["voices"]]
    shown = ranked[:SHOWN] + [row for row in ranked[SHOWN:] if _is_new(context, row) or is_rising(row)]
    largest = max((row["voices"] for row in shown), default=0)
    unassigned = sum(row["voices"] for row in rows if row["topic_id"] < 0)
    total = sum(row["voices"] for row in rows)
    return {
        "span": context.say(
            "topics_span",
            from_day=context.numbers.short_day(context.periods.days_before(TOPIC_DAYS)),
            to_day=context.numbers.short_day(context.periods.as_of_on),
        ),
        "rows": [_topic(context, row, largest) for row in shown],
        "unassigned": context.say(
            "topic_unassigned",
            count=context.numbers.count(unassigned),
            share=context.numbers.share(unassigned / total if total else None),
        )
        if unassigned
        else "",
        "copies": copies(context),
    }


def is_rising(row: Row) -> bool:
    """Whether the last four weeks are significantly and noticeably above the four before."""
    now, before = row["voices"], row["voices_before"]
    return bool(
        now >= RISING_RATIO * before and now + before and (now - before) / math.sqrt(now + before) >= RISING_DEVIATIONS
    )


def _is_new(context: Context, row: Row) -> bool:
    """Discovered lately, and not by the very first fit."""
    born_on: date | None = row["born_on"]
    if born_on is None or born_on == row["first_born_on"]:
        return False
    return born_on > context.periods.as_of_on - timedelta(days=NEW_FOR_DAYS)


def _topic(context: Context, row: Row, largest: int) -> View:
    numbers = context.numbers
    weeks = {found["week_on"]: found["voices"] for found in context.rows.topic_weeks if _same(found, row)}
    first = context.periods.sparkline_start_on
    before = row["voices_before"]
    return {
        "topic_id": row["topic_id"],
        "label": row["label"] or str(row["topic_id"]),
        "keywords": [word for word in (row["keywords"] or "").split("、") if word][:8],
        "voices": numbers.count(row["voices"]),
        "width": round(100 * row["voices"] / largest) if largest else 0,
        "change": numbers.change("voice_count", row["voices"], before) if before else "—",
        "copies": context.say("copy_times", count=row["texts"]) if row["texts"] > row["voices"] else "",
        "negative": numbers.share(row["negatives"] / row["voices"], 0),
        "negative_width": round(100 * row["negatives"] / row["voices"]),
        "is_new": _is_new(context, row),
        "is_rising": is_rising(row),
        # A week without a voice is a zero, not a gap.
        "sparkline": sparkline([weeks.get(first + timedelta(days=7 * week), 0) for week in range(SPARKLINE_WEEKS)]),
        "title": f"mart.fct_topic_daily · topic_id {row['topic_id']} · {row['voices']} / {before}",
    }


def _same(one: Row, other: Row) -> bool:
    return bool(one["topic_id"] == other["topic_id"])
