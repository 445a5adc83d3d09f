"""From alerts to cards: which alert deserves one, which old card it belongs to, and what is written on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from huiyin.config import Settings
from improvement.alerts.spells import SEVERITY_RANK, Spell
from improvement.cards import states
from improvement.cards.evidence import Evidence, gather, sample
from improvement.cards.priority import prioritise
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
# One scope may have several kinds of trouble; each is a card of its own.
TROUBLES = {
    "volume": ("ticket_count", "voice_count"),
    "satisfaction": ("dissatisfied_count", "csat_mean", "csat_satisfied_share", "nps", "negative_share"),
    "speed": ("first_response_minutes", "first_response_sla_met_share", "resolution_hours", "resolution_sla_met_share"),
    "quality": ("first_contact_resolution_share", "reopen_share", "repeat_contact_share"),
}
RECURRENCE_DAYS = 180
REFRESH_DAYS = 7
DUE_DAYS = {"red": 7, "orange": 14, "yellow": 30}
# What only social media talk about is no service problem.
LEAST_TICKETS = 5
LEAST_TICKET_SHARE = 0.25


@dataclass(frozen=True)
class Desk:
    """What opening a card needs."""

    settings: Settings
    session: Session
    warehouse: Warehouse
    mart: MartData
    rules: Rules

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
        and spell.is_active(day)
        and day - spell.fired >= lasting_days(spell)[spell.severity(day)]
        and spell.is_high(day)
    )


def lasting_days(spell: Spell) -> dict[str, int]:
    """How many days each colour must last before it deserves a card."""
    return {"count": LASTING_DAYS, "target": LASTING_DAYS_TARGET, "trend": LASTING_DAYS_TREND}[spell.rule.kind]


def is_kindred(card: Card, spell: Spell) -> bool:
    """Whether the card is about the alert's kind of trouble."""
    return card.metric in _kindred(spell.rule.metric)


def _kindred(metric: str) -> tuple[str, ...]:
    """Metrics of the same kind of trouble."""
    return next((metrics for metrics in TROUBLES.values() if metric in metrics), (metric,))


def card_for(spell: Spell, day: int, siblings: list[Card], desk: Desk) -> Opened | None:
    """The card of an alert that deserves one: a sibling's, the old one of its scope, or a new one; None if none.

    ``siblings``: cards of related alerts that are active now.
    """
    calendar = desk.mart.calendar
    today, started_on = calendar.day(day), calendar.day(spell.started)
    evidence = gather(desk.warehouse, spell.scope, spell.rule.metric, started_on, today)
    if not _is_service_problem(spell, evidence):
        return None
    card = _same_scope(spell, started_on, desk.session)
    kind = "attached"
    if card is not None and card.last_seen_on < started_on:
        kind = _recur(card, spell, today, desk)
    elif card is None and siblings:
        card = siblings[0]
    elif card is None:
        card = _open(spell, today, started_on, desk)
        kind = "opened"
    if kind != "attached":
        _freeze(card, evidence, today, desk)
    refresh(card, spell, day, evidence, desk)
    return Opened(card, kind)


def _is_service_problem(spell: Spell, evidence: Evidence) -> bool:
    if spell.rule.metric != "voice_count":
        return evidence.voice_count > 0
    enough = evidence.ticket_count >= max(LEAST_TICKETS, LEAST_TICKET_SHARE * evidence.voice_count)
    return enough and evidence.negative_share is not None and evidence.negative_share >= 0.2


def _same_scope(spell: Spell, started_on: date, session: Session) -> Card | None:
    return session.scalars(
        select(Card)
        .where(
            Card.scope_key == spell.scope.key,
            Card.metric.in_(_kindred(spell.rule.metric)),
            Card.state != states.DUPLICATE,
            Card.last_seen_on >= started_on - timedelta(days=RECURRENCE_DAYS),
        )
        .order_by(Card.last_seen_on.desc(), Card.card_id.desc())
        .limit(1)
        .with_for_update()
    ).first()


def _recur(card: Card, spell: Spell, today: date, desk: Desk) -> str:
    card.recurrence_count = (card.recurrence_count or 0) + 1
    card.started_on = desk.mart.calendar.day(spell.started)
    card.title = title(spell, desk)
    reason = f"第 {card.recurrence_count} 次复发,{card.started_on} 起"
    if card.state in states.REOPENABLE:
        states.check_move(card.card_id, card.state, states.REOPENED, states.SYSTEM, reason)
        before, card.state, card.closed_on = card.state, states.REOPENED, None
        card.due_on = today + timedelta(days=DUE_DAYS[spell.severity(spell.last_seen)])
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
        return "reopened"
    append_transition(desk.session, card, "noted", occurred_at=desk.end_of(today), actor=states.SYSTEM, reason=reason)
    return "recurred"


def sharpen(card_id: str | None, spell: Spell, day: int, desk: Desk) -> None:
    """Let a card that nobody works on yet follow to the alert that explains the one it was opened for."""
    source = spell.inhibited_by
    card = desk.session.get(Card, card_id)
    if source is None or card is None or card.state != states.NEW or not is_kindred(card, source):
        return
    if card.scope_key != spell.scope.key or card.scope_key == source.scope.key:
        return
    before = card.scope_label
    _describe(card, source, desk)
    append_transition(
        desk.session,
        card,
        "evidence",
        occurred_at=desk.end_of(desk.mart.calendar.day(day)),
        actor=states.SYSTEM,
        from_value=before,
        to_value=card.scope_label,
        reason="范围更准确",
    )
    refresh(card, source, day, None, desk)


def _open(spell: Spell, today: date, started_on: date, desk: Desk) -> Card:
    last = desk.session.scalar(select(func.max(Card.card_id)).where(Card.card_id.like("HY-____")))
    longest = desk.session.scalar(select(func.max(Card.card_id)).where(Card.card_id.like("HY-_____")))
    number = int((longest or last or "HY-0000").removeprefix("HY-")) + 1
    card = Card(
        card_id=f"HY-{number:04d}",
        state=states.NEW,
        opened_on=today,
        due_on=today + timedelta(days=DUE_DAYS[spell.severity(spell.last_seen)]),
        started_on=started_on,
        last_seen_on=today,
        updated_at=desk.end_of(today),
        recurrence_count=0,
        transition_count=0,
    )
    _describe(card, spell, desk)
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


def _describe(card: Card, spell: Spell, desk: Desk) -> None:
    subtype = spell.scope.get("problem_subtype")
    problem = desk.rules.problems.get(subtype or "")
    route = desk.rules.route(subtype)
    team = spell.scope.get("team")
    is_people = team is not None or spell.scope.get("tenure_band") is not None
    card.title = title(spell, desk)
    card.scope_key, card.scope_label, card.metric = spell.scope.key, desk.label(spell), spell.rule.metric
    card.problem_subtype = subtype
    card.problem_type = problem.problem_type if problem else spell.scope.get("problem_type")
    card.root_cause_class = "people" if is_people else (route.root_cause_class if route else None)
    card.team = team or (route.team if route else None)
    card.owner = f"{team}主管" if team else (route.owner if route else None)


def title(spell: Spell, desk: Desk) -> str:
    """One line without jargon, such as 「华东 物流延误 咨询投诉激增:11-13 起为预期的 4.2 倍」."""
    label, worst = desk.label(spell), spell.worst(spell.last_seen)
    if spell.rule.kind == "count":
        what = {"voice_count": "讨论激增", "dissatisfied_count": "不满意评价激增"}.get(
            spell.rule.metric, "咨询投诉激增"
        )
        since = desk.mart.calendar.day(spell.started)
        if worst.expected < 1.0:
            return f"{label} {what}:{since:%m-%d} 起由几乎没有到 {worst.window_days} 天 {worst.observed:.0f} 件"
        return f"{label} {what}:{since:%m-%d} 起为预期的 {1.0 + worst.over_ratio:.1f} 倍"
    name = desk.rules.indicator_names.get(spell.rule.metric, spell.rule.metric)
    unit = desk.rules.indicator_units.get(spell.rule.metric, "")
    observed, expected = _figure(worst.observed, unit), _figure(worst.expected, unit)
    if spell.rule.kind == "trend":
        return f"{label} {name}持续变差:{worst.window_days // 7} 周由 {expected} 到 {observed}"
    return f"{label} {name}未达目标:近 {worst.window_days} 天 {observed},目标 {expected}"


def _figure(value: float, unit: str) -> str:
    if unit in ("%", "比例", "比率"):
        return f"{value * 100 if abs(value) <= 1 else value:.1f}%"
    return f"{value:,.1f} {unit}".strip()


def _freeze(card: Card, evidence: Evidence, today: date, desk: Desk) -> None:
    figures = f"声音 {evidence.voice_count} 条、客户 {evidence.customer_count} 位"
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
        reason=f"冻结证据:{figures},数据版本 {desk.mart.version}",
    )


def refresh(card: Card, spell: Spell, day: int, evidence: Evidence | None, desk: Desk) -> None:
    """Bring figures and priority up to date; what people decided stays."""
    calendar = desk.mart.calendar
    until = min(day, spell.last_seen)
    if evidence is None:
        evidence = gather(
            desk.warehouse, spell.scope, spell.rule.metric, calendar.day(spell.started), calendar.day(until)
        )
    severity = spell.severity(day)
    if card.severity is None or SEVERITY_RANK[severity] > SEVERITY_RANK[card.severity]:
        card.severity = severity
    card.last_seen_on = max(card.last_seen_on, calendar.day(until))
    if (card.scope_key, card.metric) != (spell.scope.key, spell.rule.metric):
        return
    card.voice_count, card.customer_count = evidence.voice_count, evidence.customer_count
    card.vip_share, card.negative_share = evidence.vip_share, evidence.negative_share
    card.revenue_at_risk, card.sla_breached_share = evidence.revenue_at_risk, evidence.sla_breached_share
    priority = prioritise(evidence, card.severity, spell.worst(day).over_ratio, card.recurrence_count or 0, desk.rules)
    card.priority_score, card.priority_version = priority.score, priority.version
    card.priority_factors = priority.to_json()
