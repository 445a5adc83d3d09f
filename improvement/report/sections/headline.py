"""What the committee reads first: four figures and three sentences."""

from __future__ import annotations

from collections import Counter

from improvement.report.sections.cards import alert_of, alert_words, open_cards
from improvement.report.sections.context import Context, View

NOT_RESOLVED = ("firing", "acknowledged")


def headline(context: Context) -> View:
    """Facts and sentences, all from the mart."""
    return {"facts": _facts(context), "sentences": [_indicators(context), _card(context), _actions(context)]}


def _verdicts(context: Context) -> Counter[str]:
    return Counter(row["effect_verdict"] for row in context.rows.actions if row["effect_verdict"])


def _facts(context: Context) -> list[View]:
    say, numbers, rows = context.say, context.numbers, context.rows
    week = next((row for row in rows.summary_week if row["indicator_code"] == "ticket_count"), None)
    cards = open_cards(context)
    alerts = [row for row in rows.alerts if row["state"] in NOT_RESOLVED]
    red = sum(row["severity"] == "red" for row in alerts)
    overdue = sum(context.days_overdue(row["due_on"], row["closed_on"]) > 0 for row in cards)
    verdicts = _verdicts(context)
    judged = verdicts["improved"] + verdicts["not_improved"] + verdicts["worse"]
    change = numbers.change("ticket_count", week["actual_value"], week["previous_value"]) if week else "—"
    return [
        {
            "label": context.text["fact_tickets"],
            "value": numbers.count(week["actual_value"] if week else None),
            "detail": say("fact_tickets_detail", change=change),
            "anchor": "indicators",
            "tone": "flat",
        },
        {
            "label": context.text["fact_cards"],
            "value": numbers.count(len(cards)),
            "detail": say("fact_cards_detail", overdue=numbers.count(overdue)),
            "anchor": "cards",
            "tone": "bad" if overdue else "flat",
        },
        {
            "label": context.text["fact_red"],
            "value": numbers.count(red),
            "detail": say("fact_red_detail", open=numbers.count(len(alerts))),
            "anchor": "alerts",
            "tone": "bad" if red else "flat",
        },
        {
            "label": context.text["fact_verdicts"],
            "value": say("fact_verdicts_value", improved=numbers.count(verdicts["improved"])),
            "detail": say("fact_verdicts_detail", judged=numbers.count(judged)),
            "anchor": "tables",
            "tone": "good" if verdicts["improved"] else "flat",
        },
    ]


def _indicators(context: Context) -> str:
    rows = [row for row in context.rows.summary_month if row["is_target_met"] is not None]
    if not rows:
        starts_on = context.periods.month_start_on
        return context.say("say_indicators_none", month=context.numbers.month(starts_on))
    month = context.numbers.month(rows[0]["period_start_on"])
    missed = [row for row in rows if not row["is_target_met"]]
    if not missed:
        return context.say("say_indicators_all_met", month=month, total=len(rows))
    worst = max(missed, key=lambda row: (row["deviation_ratio"] or 0.0, row["indicator_code"]))
    code, unit = worst["indicator_code"], worst["unit"]
    return context.say(
        "say_indicators",
        month=month,
        total=len(rows),
        met=len(rows) - len(missed),
        worst=context.indicator_name(worst),
        actual=context.numbers.indicator(code, worst["actual_value"], unit),
        target=context.numbers.indicator(code, worst["target_value"], unit),
        deviation=context.numbers.ratio(worst["deviation_ratio"]).lstrip("+"),
    )


def _card(context: Context) -> str:
    cards = open_cards(context)
    if not cards:
        return context.text["say_card_none"]
    card, numbers, say = cards[0], context.numbers, context.say
    alert = alert_of(context, card)
    expected = vip = due = ""
    if alert and alert["observed"] is not None and alert["expected"] is not None:
        expected = say(
            "say_card_expected",
            metric=context.name("metric", alert["metric"]),
            observed=numbers.observed(alert["metric"], alert["observed"]),
            expected=numbers.observed(alert["metric"], alert["expected"]),
            alert=alert_words(context, alert),
        )
    if card["vip_share"] is not None:
        vip = say("say_card_vip", vip=numbers.share(card["vip_share"], 0))
    days = context.days_overdue(card["due_on"], card["closed_on"])
    if days:
        due = say("say_card_overdue", days=days)
    elif card["due_on"] is not None:
        due = say("say_card_due", due=numbers.short_day(card["due_on"]))
    return say(
        "say_card",
        title=card["title"],
        voices=numbers.count(card["voice_count"]),
        expected=expected,
        customers=numbers.count(card["customer_count"]),
        vip=vip,
        state=context.name("card_state", card["state"]),
        owner=card["owner"] or card["team"] or context.text["card_unassigned"],
        due=due,
    )


def _actions(context: Context) -> str:
    rows = context.rows.actions
    if not rows:
        return context.text["say_actions_none"]
    verdicts = _verdicts(context)
    failed = verdicts["not_improved"] + verdicts["worse"]
    overdue = sum(bool(row["is_overdue"]) for row in rows)
    return context.say(
        "say_actions",
        judged=verdicts["improved"] + failed,
        improved=verdicts["improved"],
        failed=failed,
        pending=verdicts["not_yet_knowable"],
        overdue=context.say("say_actions_overdue", count=overdue) if overdue else context.text["say_actions_in_time"],
    )
