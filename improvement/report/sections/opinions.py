"""What customers praise and blame, how they feel, and what is urgent."""

from __future__ import annotations

from improvement.report.mart import Row
from improvement.report.sections.context import Context, View


def opinions(context: Context) -> View:
    """Aspects by the voices that blame them, and feelings by the voices that show them, of the last 28 days."""
    rows = context.rows.opinions
    aspects = [row for row in rows if row["opinion_kind"] == "aspect" and row["blamed"] + row["praised"]]
    feelings = [row for row in rows if row["opinion_kind"] != "aspect" and row["voices"]]
    most = max((row["blamed"] + row["praised"] for row in aspects), default=0)
    return {
        "aspects": [_aspect(context, row, most) for row in sorted(aspects, key=lambda row: -row["blamed"])],
        "feelings": [_feeling(context, row) for row in sorted(feelings, key=_urgent_first)],
    }


def _aspect(context: Context, row: Row, most: int) -> View:
    numbers = context.numbers
    judged = row["blamed"] + row["praised"]
    before = row["blamed_before"]
    return {
        "code": row["opinion_code"],
        "label": context.opinion_name(row),
        "blamed": numbers.count(row["blamed"]),
        "praised": numbers.count(row["praised"]),
        "blamed_width": round(100 * row["blamed"] / most),
        "praised_width": round(100 * row["praised"] / most),
        "share": numbers.share(row["blamed"] / judged, 0),
        "change": numbers.change("voice_count", row["blamed"], before) if before else "—",
        "title": f"mart.fct_voice_opinions · aspect {row['opinion_code']} · {row['blamed']} / {before}",
    }


def _feeling(context: Context, row: Row) -> View:
    numbers = context.numbers
    return {
        "code": row["opinion_code"],
        "is_urgent": row["opinion_kind"] == "urgency",
        "label": context.opinion_name(row),
        "voices": numbers.count(row["voices"]),
        "customers": numbers.count(row["customers"]),
        "change": numbers.change("voice_count", row["voices"], row["voices_before"]) if row["voices_before"] else "—",
        "title": f"mart.fct_voice_opinions · {row['opinion_kind']} {row['opinion_code']} · {row['voices']} / "
        f"{row['voices_before']}",
    }


def _urgent_first(row: Row) -> tuple[bool, int]:
    return row["opinion_kind"] != "urgency", -row["voices"]
