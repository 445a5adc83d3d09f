"""From alerts to cards: which alert deserves one, which old card it belongs to, and what is written on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from huiyin.config import Settings
from improvement.alerts.spells import SEVERITY_RANK, Spell
from improvement.cards import matching, states
from improvement.cards.evidence import Evidence, gather, sample
from improvement.cards.priority import prioritise
from improvement.cards.titles import title
from improvement.mart import MartData
from improvement.ops.audit import append_transition
from improvement.ops.models import Card, CardEvidence
from improvement.rules import Rules
from warehouse.connection import Warehouse

# A spike must still be there the day after it was found; what is only yellow must last. Indicators are judged over
# whole weeks: a bad week (the one around a long holiday, say) is no lasting problem yet.
LASTING_DAYS = {"red": 1, "orange": 1, "yellow": 7}
LASTING_DAYS_TARGET = {"red": 14, "orange": 14, "yellow": 21}
LASTING_DAYS_TREND = {"red": 0, "orange": 7, "yellow": 14}
# A card's trouble comes back when it was away for longer than this; before, it goes on.
CALM_DAYS = 14
DUE_DAYS = {"red": 7, "orange": 14, "yellow": 30}
# What only strangers talk about, as on social media, is no service problem.
LEAST_OWN_VOICES = 5
LEAST_OWN_SHARE = 0.25


@dataclass(frozen=True)
class Desk:
    """What opening a card needs."""

    settings: Settings
    session: Session
    warehouse: Warehouse
    mart: MartData
    rules: Rules

    def day(self, index: int) -> date:
        """The local date at a position of the mart's calendar."""
        return self.mart.calendar.day(index)

    def label(self, spell: Spell) -> str:
        """The spell's scope in Chinese."""
        return spell.scope.label(self.rules, self.mart.topic_labels)

    def end_of(self, day: date) -> datetime:
        """The end of that local day, naive UTC: when the system, having seen the whole day, decides."""
        midnight = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(self.settings.timezone))
        return midnight.astimezone(timezone.utc).replace(tzinfo=None)  # noqa: UP017


@dataclass
class Opened:
    """What :func:`card_for` did."""

    card: Card
    kind: str  # opened, recurred, reopened, attached


def deserves_card(spell: Spell, day: int) -> bool:
    """Whether it has lasted long enough for its colour; everything else is for the evidence to say."""
    return (
        spell.inhibited_by is None
        and not is_workload(spell)
        and spell.is_active(day)
        and day - spell.fired >= lasting_days(spell)[spell.severity(day)]
        and spell.is_high(day)
    )


def is_workload(spell: Spell) -> bool:
    """Whether it is a rise of all contacts together: a matter of staffing, not a problem to be solved."""
    return spell.rule.metric in ("ticket_count", "voice_count") and not spell.scope.pairs


def lasting_days(spell: Spell) -> dict[str, int]:
    """How many days each colour must last before it deserves a card."""
    return {"count": LASTING_DAYS, "target": LASTING_DAYS_TARGET, "trend": LASTING_DAYS_TREND}[spell.rule.kind]


def card_for(spell: Spell, day: int, siblings: list[Card], desk: Desk) -> Opened | None:
    """The card of an alert that deserves one; None where it is about no service problem.

    In this order: the open card of its scope, that of an alert it explains or belongs to (``siblings``), one that
    holds most of its excess, an ended one of its scope, which is reopened, or a new one. So no scope ever gets a
    second open card.
    """
    today, started_on = desk.day(day), desk.day(spell.started)
    evidence = gather(desk.warehouse, spell.scope, spell.rule.metric, started_on, today)
    if not _is_service_problem(spell, evidence):
        return None
    card = matching.open_card(spell.scope.key, desk.session)
    card = card or next(iter(siblings), None) or matching.overlapping_card(spell, day, desk.mart, desk.session)
    kind = "attached"
    if card is None:
        card = matching.ended_card(spell, started_on, desk.session)
        if card is not None:
            _reopen(card, spell, day, desk)
            kind = "reopened"
        else:
            card = _open(spell, day, desk)
            kind = "opened"
    elif _is_about(card, spell) and started_on > card.last_seen_on + timedelta(days=CALM_DAYS):
        _note_recurrence(card, spell, day, desk)
        kind = "recurred"
    if kind != "attached":
        _freeze(card, evidence, today, desk)
    refresh(card, spell, day, desk)
    return Opened(card, kind)


def _is_about(card: Card, spell: Spell) -> bool:
    return (card.scope_key, card.metric) == (spell.scope.key, spell.rule.metric)


def _is_service_problem(spell: Spell, evidence: Evidence) -> bool:
    if spell.rule.metric != "voice_count":
        return evidence.voice_count > 0
    enough = evidence.own_count >= max(LEAST_OWN_VOICES, LEAST_OWN_SHARE * evidence.voice_count)
    return enough and evidence.negative_share is not None and evidence.negative_share >= 0.2


def _recurrence(card: Card, spell: Spell, desk: Desk) -> str:
    """Count it; the words for the trail."""
    card.recurrence_count = (card.recurrence_count or 0) + 1
    return f"第 {card.recurrence_count} 次复发，{desk.day(spell.started)} 起"


def _note_recurrence(card: Card, spell: Spell, day: int, desk: Desk) -> None:
    append_transition(
        desk.session,
        card,
        "noted",
        occurred_at=desk.end_of(desk.day(day)),
        actor=states.SYSTEM,
        reason=_recurrence(card, spell, desk),
    )


def _reopen(card: Card, spell: Spell, day: int, desk: Desk) -> None:
    today, reason = desk.day(day), _recurrence(card, spell, desk)
    states.check_move(card.card_id, card.state, states.REOPENED, states.SYSTEM, reason)
    before, card.state, card.closed_on = card.state, states.REOPENED, None
    card.due_on = today + timedelta(days=DUE_DAYS[spell.severity(day)])
    _describe(card, spell, day, desk)
    append_transition(
        desk.session,
        card,
        "moved",
        occurred_at=desk.end_of(today),
        actor=states.SYSTEM,
        from_value=before,
        to_value=states.REOPENED,
        reason=reason,
    )


def sharpen(card_id: str | None, spell: Spell, day: int, desk: Desk) -> None:
    """Let a card that nobody works on yet follow to the alert that explains the one it was opened for.

    Not where that alert has a card already, is about the workload, or began after the card was opened.
    """
    source = spell.inhibited_by
    card = desk.session.get(Card, card_id)
    if source is None or card is None or card.state != states.NEW or not matching.is_kindred(card, source):
        return
    if card.scope_key != spell.scope.key or card.scope_key == source.scope.key or is_workload(source):
        return
    if desk.day(source.started) > card.opened_on or matching.open_card(source.scope.key, desk.session) is not None:
        return
    before = card.scope_label
    _describe(card, source, day, desk)
    append_transition(
        desk.session,
        card,
        "evidence",
        occurred_at=desk.end_of(desk.day(day)),
        actor=states.SYSTEM,
        from_value=before,
        to_value=card.scope_label,
        reason="范围更准确",
    )
    refresh(card, source, day, desk)


def _open(spell: Spell, day: int, desk: Desk) -> Card:
    today = desk.day(day)
    last = desk.session.scalar(select(func.max(Card.card_id)).where(Card.card_id.like("HY-____")))
    longest = desk.session.scalar(select(func.max(Card.card_id)).where(Card.card_id.like("HY-_____")))
    number = int((longest or last or "HY-0000").removeprefix("HY-")) + 1
    card = Card(
        card_id=f"HY-{number:04d}",
        state=states.NEW,
        opened_on=today,
        due_on=today + timedelta(days=DUE_DAYS[spell.severity(day)]),
        last_seen_on=desk.day(spell.seen_until(day)),
        updated_at=desk.end_of(today),
        recurrence_count=0,
        transition_count=0,
    )
    _describe(card, spell, day, desk)
    desk.session.add(card)
    desk.session.flush()
    append_transition(
        desk.session,
        card,
        "opened",
        occurred_at=desk.end_of(today),
        actor=states.SYSTEM,
        to_value=states.NEW,
        reason=card.title,
    )
    return card


def _describe(card: Card, spell: Spell, day: int, desk: Desk) -> None:
    subtype = spell.scope.get("problem_subtype")
    problem = desk.rules.problems.get(subtype or "")
    route = desk.rules.route(subtype)
    team = spell.scope.get("team")
    is_people = team is not None or spell.scope.get("tenure_band") is not None
    card.started_on = desk.day(spell.started)
    card.title = title(spell, day, desk.label(spell), desk.mart.calendar, desk.rules)
    card.scope_key, card.scope_label, card.metric = spell.scope.key, desk.label(spell), spell.rule.metric
    card.problem_subtype = subtype
    card.problem_type = problem.problem_type if problem else spell.scope.get("problem_type")
    card.root_cause_class = "people" if is_people else (route.root_cause_class if route else None)
    card.team = team or (route.team if route else None)
    card.owner = f"{team}主管" if team else (route.owner if route else None)


def _freeze(card: Card, evidence: Evidence, today: date, desk: Desk) -> None:
    copies = evidence.text_count - evidence.voice_count
    also = f"（另有同文 {copies} 条）" if copies else ""
    figures = f"声音 {evidence.voice_count} 条{also}、客户 {evidence.customer_count} 位"
    verbatims = sample(desk.warehouse, evidence.query, desk.settings.improvement.verbatims_per_card)
    for position, verbatim in enumerate(verbatims, start=1):
        desk.session.add(
            CardEvidence(
                card_id=card.card_id,
                frozen_on=today,
                position=position,
                voice_id=verbatim.voice_id,
                text=verbatim.text,
                occurred_at=verbatim.occurred_at,
                sentiment_score=verbatim.sentiment_score,
                query=evidence.query,
                data_version=desk.mart.version,
            )
        )
    append_transition(
        desk.session,
        card,
        "evidence",
        occurred_at=desk.end_of(today),
        actor=states.SYSTEM,
        to_value=f"{len(verbatims)} 条原声",
        reason=f"冻结证据：{figures}，数据版本 {desk.mart.version}",
    )


def refresh(card: Card, spell: Spell, day: int, desk: Desk) -> None:
    """Bring figures, title and priority up to date; what people decided stays, and no older day undoes a newer one."""
    until_on = desk.day(spell.seen_until(day))
    if until_on < card.last_seen_on:
        return
    card.last_seen_on = until_on
    if not _is_about(card, spell):
        return  # related evidence
    severity = spell.severity(day)
    if card.severity is None or SEVERITY_RANK[severity] > SEVERITY_RANK[card.severity]:
        card.severity = severity
    if desk.day(spell.started) == card.started_on:
        card.title = title(spell, day, desk.label(spell), desk.mart.calendar, desk.rules)
    evidence = gather(desk.warehouse, spell.scope, spell.rule.metric, card.started_on, until_on)
    card.voice_count, card.customer_count = evidence.voice_count, evidence.customer_count
    card.vip_share, card.negative_share = evidence.vip_share, evidence.negative_share
    card.revenue_at_risk, card.sla_breached_share = evidence.revenue_at_risk, evidence.sla_breached_share
    priority = prioritise(evidence, card.severity, spell.worst(day).over_ratio, card.recurrence_count or 0, desk.rules)
    card.priority_score, card.priority_version = priority.score, priority.version
    card.priority_factors = priority.to_json()
