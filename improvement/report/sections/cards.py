"""Improvement cards, the most urgent first, with their evidence and why they rank where they do."""

from __future__ import annotations

from improvement.report.evidence import Factor
from improvement.report.mart import Row
from improvement.report.sections.context import Context, View
from improvement.report.sections.effects import effect_words

SHOWN_IN_FULL = 8


def open_cards(context: Context) -> list[Row]:
    """Cards that are being worked on, by priority."""
    return [row for row in context.rows.cards if row["closed_on"] is None]


def alert_of(context: Context, card: Row) -> Row | None:
    """The newest alert of the card's own scope and metric, else of the card at all (others may hang on it)."""
    found = [row for row in context.rows.card_alerts if row["card_id"] == card["card_id"]]
    own = [row for row in found if (row["scope_key"], row["metric"]) == (card["scope_key"], card["metric"])]
    return next(iter(own or found), None)


def alert_words(context: Context, alert: Row | None) -> str:
    """Whether the card's alert still fires, or since when it doesn't."""
    if alert is None:
        return ""
    if alert["resolved_on"] is None:
        return context.text["card_alert_open"]
    return context.say("card_alert_resolved", day=context.numbers.short_day(alert["resolved_on"]))


def cards(context: Context) -> View:
    """Open cards in full, the rest and the recently closed as lines."""
    opened = open_cards(context)
    closed = sorted(
        (row for row in context.rows.cards if row["closed_on"] is not None),
        key=lambda row: (row["closed_on"], row["card_id"]),
        reverse=True,
    )
    return {
        "full": [_card(context, rank, row) for rank, row in enumerate(opened[:SHOWN_IN_FULL], 1)],
        "more": [_line(context, row) for row in opened[SHOWN_IN_FULL:]],
        "closed": [_line(context, row) for row in closed],
    }


def _line(context: Context, row: Row) -> View:
    numbers = context.numbers
    return {
        "card_id": row["card_id"],
        "title": row["title"],
        "severity": row["severity"],
        "severity_name": context.name("severity", row["severity"]),
        "state": context.name("card_state", row["state"]),
        "priority": numbers.number(row["priority_score"]),
        "voices": numbers.count(row["voice_count"]),
        "owner": row["owner"] or context.text["card_unassigned"],
        "team": row["team"] or "—",
        "opened": numbers.day(row["opened_on"]),
        "due": numbers.day(row["due_on"]),
        "closed": numbers.day(row["closed_on"]),
        "days_overdue": context.days_overdue(row["due_on"], row["closed_on"]),
    }


def _card(context: Context, rank: int, row: Row) -> View:
    numbers, text, say = context.numbers, context.text, context.say
    alert = alert_of(context, row)
    evidence = context.evidence[row["card_id"]]
    recurrences = row["recurrence_count"] or 0
    facts = [
        (text["card_voices"], numbers.count(row["voice_count"]), "voice_count"),
        (text["card_customers"], numbers.count(row["customer_count"]), "customer_count"),
        (text["card_vip"], numbers.share(row["vip_share"], 0), "vip_share"),
        (text["card_negative"], numbers.share(row["negative_share"], 0), "negative_share"),
        (text["card_revenue"], numbers.money(row["revenue_at_risk"]), "revenue_at_risk"),
    ]
    if alert:
        seen = numbers.observed(alert["metric"], alert["observed"])
        expected = numbers.observed(alert["metric"], alert["expected"])
        facts.insert(1, (text["card_expected"], f"{seen} / {expected}", "fct_alerts.observed / expected"))
    return _line(context, row) | {
        "rank": say("rank", rank=rank),
        "scope": row["scope_label"],
        "metric": context.name("metric", row["metric"]),
        "cause": context.name("cause", row["root_cause_class"]),
        "recurrence": say("card_recurrence", count=recurrences) if recurrences else "",
        "alert": alert_words(context, alert),
        "is_alert_open": alert is not None and alert["resolved_on"] is None,
        "facts": [
            {"label": label, "value": value, "title": f"mart.{'' if '.' in source else 'fct_cards.'}{source}"}
            for label, value, source in facts
        ],
        "version": row["priority_version"],
        "factors": _factors(context, evidence.factors),
        "actions": [
            {
                "measure": action["measure"],
                "status": context.name("action_status", action["status"]),
                "progress": numbers.share((action["progress_percent"] or 0) / 100, 0),
                "effect": effect_words(context, action),
                "verdict": action["effect_verdict"],
            }
            for action in context.rows.actions
            if action["card_id"] == row["card_id"]
        ],
        "verbatims": [
            {
                "text": found.text,
                "day": numbers.short_day(found.occurred_on),
                "voice_id": found.voice_id,
                "times": _times(context, found.voice_id),
            }
            for found in evidence.verbatims
        ],
        "query": evidence.query,
        "query_caption": say("card_query", version=evidence.data_version),
    }


def _times(context: Context, voice_id: str) -> str:
    """How often the text was sent, where it was more than once."""
    size = context.copies.sizes.get(voice_id)
    return context.say("copy_times", count=size) if size else ""


def _factors(context: Context, factors: list[Factor]) -> list[View]:
    """What contributes, in points, the largest first, with the width of the bars."""
    largest = max((factor.points for factor in factors), default=0.0)
    return [
        {
            "name": context.name("factor", factor.name),
            "points": context.numbers.number(factor.points),
            "width": round(100 * factor.points / largest) if largest > 0 else 0,
            "title": context.say(
                "card_factor",
                value=context.numbers.number(factor.value, 2),
                weight=context.numbers.number(factor.weight, 2),
            ),
        }
        for factor in sorted(factors, key=lambda factor: (-factor.points, factor.name))
        if factor.points > 0
    ]
