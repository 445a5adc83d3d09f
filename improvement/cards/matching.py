"""Which card an alert belongs to: a scope has one open card at most, and so has a cause."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from improvement.alerts.overlap import Overlap, overlap
from improvement.alerts.spells import Spell
from improvement.cards import states
from improvement.mart import MartData
from improvement.ops.models import Card
from improvement.scope import Scope

# An ended card is reopened by its own kind of trouble only.
TROUBLES = {
    "volume": ("ticket_count", "voice_count"),
    "satisfaction": ("dissatisfied_count", "csat_mean", "csat_satisfied_share", "nps", "negative_share"),
    "speed": ("first_response_minutes", "first_response_sla_met_share", "resolution_hours", "resolution_sla_met_share"),
    "quality": ("first_contact_resolution_share", "reopen_share", "repeat_contact_share"),
}
RECURRENCE_DAYS = 180
# A card, seen not long before, shares its cause with an alert where it holds most of the alert's excess, or a good part
# of it without which the rest wouldn't have raised the alert.
MOST_OF_EXCESS, GOOD_PART = 0.5, 0.25
SAME_TIME_DAYS = 28


def is_kindred(card: Card, spell: Spell) -> bool:
    """Whether the card is about the alert's kind of trouble."""
    return card.metric in _kindred(spell.rule.metric)


def _kindred(metric: str) -> tuple[str, ...]:
    """Metrics of the same kind of trouble."""
    return next((metrics for metrics in TROUBLES.values() if metric in metrics), (metric,))


def open_card(scope_key: str, session: Session) -> Card | None:
    """The open card of a scope, or the open one that people said a card of the scope is the same as."""
    cards = session.scalars(select(Card).where(Card.scope_key == scope_key).order_by(Card.card_id)).all()
    for card in cards:
        if card.state not in states.ENDED:
            return card
    for card in reversed(cards):
        other = session.get(Card, card.duplicate_of) if card.duplicate_of else None
        if other is not None and other.state not in states.ENDED:
            return other
    return None


def overlapping_card(spell: Spell, day: int, mart: MartData, session: Session) -> Card | None:
    """The open card of the same problem that the alert's excess belongs to; of several the one that holds most."""
    since = mart.calendar.day(spell.started) - timedelta(days=SAME_TIME_DAYS)
    cards = session.scalars(
        select(Card).where(Card.state.not_in(states.ENDED), Card.last_seen_on >= since).order_by(Card.card_id)
    )
    best, most = None, 0.0
    for card in cards:
        scope = Scope.parse(card.scope_key)
        if not _may_share_a_cause(scope, spell.scope):
            continue
        found = overlap(spell, scope, mart.calendar.index(card.started_on), day, mart)
        if found is not None and _belongs(found, spell) and found.share > most:
            best, most = card, found.share
    return best


def _belongs(found: Overlap, spell: Spell) -> bool:
    if found.excess <= 0 or found.share < GOOD_PART:
        return False
    return found.share >= MOST_OF_EXCESS or found.p_value_outside >= spell.rule.significance


def _may_share_a_cause(scope: Scope, other: Scope) -> bool:
    """Only a scope that names a problem or topic has a cause; a team or region holds tickets of any kind."""
    subtype, wanted = scope.get("problem_subtype"), other.get("problem_subtype")
    if subtype is None:
        return scope.get("topic") is not None
    return wanted in (None, subtype)


def ended_card(spell: Spell, started_on: date, session: Session) -> Card | None:
    """The closed or rejected card of the same scope and kind of trouble, where that was not long ago."""
    return session.scalars(
        select(Card)
        .where(
            Card.scope_key == spell.scope.key,
            Card.metric.in_(_kindred(spell.rule.metric)),
            Card.state.in_(states.REOPENABLE),
            Card.last_seen_on >= started_on - timedelta(days=RECURRENCE_DAYS),
        )
        .order_by(Card.last_seen_on.desc(), Card.card_id.desc())
        .limit(1)
        .with_for_update()
    ).first()
