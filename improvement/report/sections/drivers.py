"""What moves satisfaction, and which customers are at risk of leaving."""

from __future__ import annotations

from improvement.report.mart import Row
from improvement.report.sections.context import Context, View

_SHOWN_DRIVERS, _SHOWN_CUSTOMERS = 8, 10
# Units of the outcomes, as reports show them.
_DIGITS = {"csat": 2, "nps": 1, "repeat": 3}


def drivers(context: Context) -> View:
    """The certain and harmful drivers by what would be gained, relative to the range of their target."""
    found = [row for row in context.rows.drivers if row["is_certain"] and row["is_harmful"]]
    first = sorted(found, key=lambda row: -abs(row["gain"]) / _RANGES[row["target"]])[:_SHOWN_DRIVERS]
    computed_on = max((row["computed_on"] for row in context.rows.drivers), default=None)
    return {
        "rows": [_driver(context, row) for row in first],
        "span": context.say("drivers_span", day=context.numbers.day(computed_on)) if computed_on else "",
        "customers": [_customer(context, row) for row in context.rows.customers_at_risk[:_SHOWN_CUSTOMERS]],
    }


_RANGES = {"csat": 4.0, "nps": 200.0, "repeat": 1.0}


def _driver(context: Context, row: Row) -> View:
    digits = _DIGITS[row["target"]]
    is_chinese = context.text["lang"].startswith("zh")
    return {
        "driver": row["driver"],
        "target": context.text[f"driver_of_{row['target']}"],
        "effect": _interval(row, "effect", digits),
        "gain": _interval(row, "gain", digits),
        "share": context.numbers.share(row["affected_share"]),
        # The finding is worded in Chinese; the figures beside it say the same.
        "sentence": row["sentence_zh"] if is_chinese else "",
        "title": f"mart.agg_drivers · {row['target']} · {row['driver_column']} · n = {row['affected_count']}",
    }


def _customer(context: Context, row: Row) -> View:
    return {
        "customer_ref": row["customer_ref"],
        "tier": context.name("tier", row["customer_tier"]) or "—",
        "revenue": context.numbers.count(row["annual_revenue"]),
        "risk": context.numbers.share(row["risk"], 0) if row["risk_method"] == "calibrated" else "—",
        "segment": row["segment_zh"] or "—",
        "reasons": row["reasons_zh"],
    }


def _interval(row: Row, name: str, digits: int) -> str:
    low, high = sorted((row[f"{name}_low"], row[f"{name}_high"]))
    return f"{row[name]:+.{digits}f} ({low:+.{digits}f}…{high:+.{digits}f})".replace("-", "−")
