"""How far the figures can be trusted: what was received, what was left out, how far the data reach."""

from __future__ import annotations

import hashlib
from collections import defaultdict

from improvement.report.mart import Row
from improvement.report.sections.context import Context, View, in_order

REASONS = ("reportable", "test", "abandoned", "duplicate", "merged", "spam", "outbound", "mis_operation")


def quality(context: Context) -> View:
    """Reconciliation by source, extent, versions and definitions."""
    extent, numbers = context.rows.extent, context.numbers
    summary = context.rows.summary_month or context.rows.summary_week
    return {
        "reconciliation": _reconciliation(context),
        "tickets_through": numbers.day(extent["tickets_through_on"]),
        "feedback_through": numbers.day(extent["feedback_through_on"]),
        "volumes": context.say(
            "volumes_value",
            tickets=numbers.count(extent["tickets"]),
            feedback=numbers.count(extent["feedback"]),
            voices=numbers.count(extent["voices"]),
        ),
        "fingerprint": _fingerprint(extent),
        "sentiment_version": extent["sentiment_version"] or "—",
        "topic_version": extent["topic_version"] or "—",
        "definitions": [
            {
                "name": context.indicator_name(row),
                "code": row["indicator_code"],
                "formula": row["formula"] or "—",
                "source": row["data_source"] or "—",
            }
            for row in in_order(summary)
        ],
    }


def _fingerprint(extent: Row) -> str:
    """A short digest of the mart's extent: two reports with the same one were written from equally much data."""
    return hashlib.sha256("|".join(f"{key}={extent[key]}" for key in sorted(extent)).encode()).hexdigest()[:12]


def _reconciliation(context: Context) -> View:
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for row in context.rows.reconciliation:
        counts[row["source"]][row["reason"]] = row["ticket_count"]
    present = {reason for found in counts.values() for reason in found}
    reasons = [reason for reason in REASONS if reason in present] + sorted(present - set(REASONS))
    return {
        "header": [context.name("reason", reason) for reason in reasons],
        "rows": [
            {
                "source": source,
                "cells": [context.numbers.count(found.get(reason, 0)) for reason in reasons],
                "received": context.numbers.count(sum(found.values())),
            }
            for source, found in sorted(counts.items())
        ],
    }
