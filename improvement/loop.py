"""The improvement loop: alerts, cards and effects of all days up to a date, in order.

Everything is computed anew from the published mart and then brought in line with the ops database in one
transaction, so that a call may be repeated, killed and repeated, or follow a correction of old data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select

from huiyin.config import Settings
from improvement.alerts.detect import detect
from improvement.alerts.inhibition import explain
from improvement.alerts.spells import Spell
from improvement.cards import matching, opening, states
from improvement.effects.evaluate import evaluate_actions
from improvement.mart import EmptyMartError, load_mart
from improvement.ops.database import open_ops
from improvement.ops.models import Alert, Card
from improvement.rules import load_rules
from warehouse.connection import open_published


@dataclass
class LoopReport:
    """What one run found and did."""

    as_of_on: date
    alerts_active: int = 0
    alerts_total: int = 0
    cards_opened: list[str] = field(default_factory=list)
    cards_reopened: list[str] = field(default_factory=list)
    cards_open: int = 0
    effects_evaluated: int = 0
    verdicts: dict[str, str] = field(default_factory=dict)


def last_day_of_data(settings: Settings) -> date:
    """The local date of the newest ticket or text in the published mart.

    Raises ``warehouse.connection.WarehouseError``, :class:`~improvement.mart.EmptyMartError`.
    """
    with open_published(settings) as warehouse:
        newest = warehouse.rows(
            "select max(day) as newest from (select max(created_on) as day from mart.fct_tickets"
            " union all select max(occurred_on) as day from mart.fct_sentiment) d"
        )[0]["newest"]
    if newest is None:
        raise EmptyMartError("the published mart holds no ticket and no text; load data first (`huiyin run`)")
    day: date = newest
    return day


def run(settings: Settings, as_of_on: date) -> LoopReport:
    """Bring alerts, cards and effects up to the end of ``as_of_on`` (a local date).

    Reads the published mart; writes the ops database in one transaction. Running it again changes nothing; a later
    date extends and resolves what is there; what people did to alerts and cards is kept. Raises
    ``warehouse.connection.WarehouseError``, :class:`~improvement.rules.RulesError`,
    :class:`~improvement.mart.EmptyMartError`, :class:`~improvement.ops.database.OpsDatabaseError`.
    """
    rules = load_rules(settings)
    mart = load_mart(settings, as_of_on, rules.campaigns)
    spells = [spell for rule in rules.alerts for spell in detect(rule, mart, rules)]
    report = LoopReport(as_of_on)
    with open_published(settings) as warehouse, open_ops(settings) as session:
        desk = opening.Desk(settings, session, warehouse, mart, rules)
        play(spells, desk, report)
        effects = evaluate_actions(settings, session, warehouse, mart, rules)
        report.effects_evaluated = len(effects)
        report.verdicts = {effect.action_id: effect.verdict for effect in effects}
        report.alerts_total = len(spells)
        report.alerts_active = sum(spell.resolved is None for spell in spells)
        report.cards_open = len(session.scalars(select(Card.card_id).where(Card.state.not_in(states.ENDED))).all())
    return report


def _bind(spells: list[Spell], desk: opening.Desk) -> dict[int, Alert]:
    """The row of each spell (by its id()): the one that is there, or a new one.

    Corrected data may move the start of a spell by some days; it stays the same alert. Alerts that corrected data no
    longer show are resolved, not deleted.
    """
    calendar = desk.mart.calendar
    as_of_on = calendar.day(len(calendar) - 1)
    known: dict[tuple[str, str], list[Alert]] = {}
    for alert in desk.session.scalars(select(Alert).order_by(Alert.started_on)):
        known.setdefault((alert.rule_code, alert.scope_key), []).append(alert)
    bound: dict[int, Alert] = {}
    taken: set[str] = set()
    for spell in sorted(spells, key=lambda s: (s.started, s.rule.rule_code, s.scope.key)):
        started_on = calendar.day(spell.started)
        ends_on = as_of_on if spell.resolved is None else calendar.day(spell.resolved)
        candidates = [
            alert
            for alert in known.get((spell.rule.rule_code, spell.scope.key), ())
            if alert.alert_id not in taken
            and alert.started_on <= ends_on
            and (alert.resolved_on or date.max) >= started_on
        ]
        exact = [alert for alert in candidates if alert.started_on == started_on]
        found = next(iter(exact or candidates), None)
        if found is None:
            found = Alert(
                alert_id=spell.alert_id(calendar.first_on),
                rule_code=spell.rule.rule_code,
                metric=spell.rule.metric,
                scope_key=spell.scope.key,
                started_on=started_on,
                fired_on=calendar.day(spell.fired),
                state="firing",
            )
        taken.add(found.alert_id)
        bound[id(spell)] = found
    for alerts in known.values():
        for alert in alerts:
            if alert.alert_id not in taken and alert.resolved_on is None and alert.fired_on <= as_of_on:
                if alert.evaluated_on > as_of_on:
                    continue
                alert.state, alert.resolved_on, alert.evaluated_on = "resolved", as_of_on, as_of_on
                alert.note = "数据更正后不再成立"
    return bound


def play(spells: list[Spell], desk: opening.Desk, report: LoopReport) -> None:
    """Play the days forward: who explains whom, which alerts get a card, what the alert rows say at the end."""
    rows = _bind(spells, desk)
    last = len(desk.mart.calendar) - 1
    owner: dict[int, Spell] = {}
    for day in range(last + 1):
        active = [spell for spell in spells if spell.is_active(day)]
        if not active:
            continue
        explain(active, day, desk.mart)
        for spell in active:
            if spell.inhibited_by is not None:
                owner[id(spell)] = spell.inhibited_by
            else:
                owner.pop(id(spell), None)
        for spell in active:
            row = rows[id(spell)]
            if row.card_id is None and opening.deserves_card(spell, day):
                opened = opening.card_for(spell, day, _relatives(spell, active, rows, desk), desk)
                if opened is not None:
                    row.card_id = opened.card.card_id
                    if opened.kind == "opened":
                        report.cards_opened.append(opened.card.card_id)
                    elif opened.kind == "reopened":
                        report.cards_reopened.append(opened.card.card_id)
        for spell in active:
            if (
                spell.inhibited_by is not None
                and rows[id(spell)].card_id is not None
                and _is_news(rows[id(spell)], day, desk)
            ):
                opening.sharpen(rows[id(spell)].card_id, spell, day, desk)
            if spell.inhibited_by is not None and rows[id(spell)].card_id is None:
                rows[id(spell)].card_id = rows[id(spell.inhibited_by)].card_id
        for spell in active:
            if spell.last_seen == day:
                _refresh(spell, rows[id(spell)], day, desk)
    for spell in spells:
        _write(spell, rows[id(spell)], owner.get(id(spell)), rows, desk)


def _is_news(row: Alert, day: int, desk: opening.Desk) -> bool:
    """Whether no earlier run has seen the alert on that day: what was described then isn't described again."""
    return row.evaluated_on is None or row.evaluated_on < desk.day(day)


def _relatives(spell: Spell, active: list[Spell], rows: dict[int, Alert], desk: opening.Desk) -> list[Card]:
    """Cards of active alerts that this one explains, is a part of, or is the whole of."""
    found: dict[str, Card] = {}
    for other in active:
        card_id = rows[id(other)].card_id
        is_part = other.scope.contains(spell.scope) or spell.scope.contains(other.scope)
        if card_id and other is not spell and (other.inhibited_by is spell or (is_part and other.scope.pairs)):
            card = desk.session.get(Card, card_id)
            if card is not None and card.state not in states.ENDED and matching.is_kindred(card, spell):
                found[card_id] = card
    return sorted(found.values(), key=lambda card: card.card_id)


def _write(spell: Spell, row: Alert, owner: Spell | None, rows: dict[int, Alert], desk: opening.Desk) -> None:
    calendar = desk.mart.calendar
    last = len(calendar) - 1
    as_of_on = calendar.day(last)
    if row.evaluated_on is not None and row.evaluated_on > as_of_on:
        return  # a rerun of the past doesn't undo what is known since
    worst = spell.worst(last)
    row.scope_label = desk.label(spell)
    row.severity = spell.severity(last)
    row.observed, row.expected = worst.observed, worst.expected
    row.over_expected_ratio, row.p_value, row.window_days = worst.over_ratio, worst.p_value, worst.window_days
    row.last_seen_on = calendar.day(spell.last_seen)
    row.resolved_on = None if spell.resolved is None else calendar.day(spell.resolved)
    row.evaluated_on = as_of_on
    row.inhibited_by = None if owner is None else rows[id(owner)].alert_id
    if owner is not None and not row.acknowledged_by:
        row.note = f"由「{desk.label(owner)}」解释"
    if spell.resolved is not None:
        row.state = "resolved"
    else:
        row.state = "acknowledged" if row.acknowledged_by else "firing"
    desk.session.add(row)


def _refresh(spell: Spell, row: Alert, day: int, desk: opening.Desk) -> None:
    card = desk.session.get(Card, row.card_id) if row.card_id else None
    if card is not None and card.state not in states.ENDED:
        opening.refresh(card, spell, day, desk)
