"""What people do with cards; each call is one transaction and leaves its trace in the audit chain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from improvement.cards import states
from improvement.ops.audit import append_transition
from improvement.ops.database import open_ops
from improvement.ops.models import Action, ActionEffect, Alert, Card, CardEvidence, CardTransition

METRICS = ("ticket_count", "resolution_hours", "csat_mean", "negative_share")
ACTION_STATUSES = ("planned", "in_progress", "done", "cancelled")


class CardError(HuiyinError):
    """The card or action is unknown or the order makes no sense; the message says what to do."""


@dataclass(frozen=True)
class CardDetail:
    """A card with everything that belongs to it."""

    card: Card
    transitions: list[CardTransition]
    evidence: list[CardEvidence]
    alerts: list[Alert]
    actions: list[Action]
    effects: list[ActionEffect]


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _today(settings: Settings) -> date:
    return datetime.now(ZoneInfo(settings.timezone)).date()


def _card(session: Session, card_id: str) -> Card:
    # PostgreSQL: two people on one card wait for each other; SQLite has one writer anyway.
    card = session.get(Card, card_id.upper(), with_for_update=True)
    if card is None:
        raise CardError(f"there is no card {card_id!r}; `huiyin cards list` shows them")
    return card


def list_cards(settings: Settings, state: str | None = None) -> list[Card]:
    """Cards, the most urgent first; of one state where ``state`` is given. Raises :class:`CardError`."""
    if state is not None and state not in states.STATES:
        raise CardError(f"there is no state {state!r}; the states are {' '.join(states.STATES)}")
    query = select(Card).order_by(
        case((Card.state.in_(states.ENDED), 1), else_=0), func.coalesce(Card.priority_score, 0).desc(), Card.card_id
    )
    if state is not None:
        query = query.where(Card.state == state)
    with open_ops(settings) as session:
        return list(session.scalars(query))


def show_card(settings: Settings, card_id: str) -> CardDetail:
    """The card with its trail, frozen evidence, alerts, actions and effects. Raises :class:`CardError`."""
    with open_ops(settings) as session:
        card = _card(session, card_id)
        of_card = card.card_id
        return CardDetail(
            card,
            list(
                session.scalars(
                    select(CardTransition).where(CardTransition.card_id == of_card).order_by(CardTransition.sequence)
                )
            ),
            list(
                session.scalars(
                    select(CardEvidence)
                    .where(CardEvidence.card_id == of_card)
                    .order_by(CardEvidence.frozen_on.desc(), CardEvidence.position)
                )
            ),
            list(session.scalars(select(Alert).where(Alert.card_id == of_card).order_by(Alert.fired_on))),
            list(session.scalars(select(Action).where(Action.card_id == of_card).order_by(Action.action_id))),
            _latest_effects(session, of_card),
        )


def _latest_effects(session: Session, card_id: str) -> list[ActionEffect]:
    latest: dict[str, ActionEffect] = {}
    rows = session.scalars(
        select(ActionEffect).where(ActionEffect.card_id == card_id).order_by(ActionEffect.evaluated_on)
    )
    for effect in rows:
        latest[effect.action_id] = effect
    return list(latest.values())


def move_card(
    settings: Settings, card_id: str, to_state: str, actor: str, reason: str | None = None, *, override: bool = False
) -> Card:
    """Move a card to another state.

    Closing needs the verdict ``improved`` of one of the card's actions and ``worse`` of none, or ``override`` by a
    named person with a reason. Moving to 重复 needs a reason that names the other card. Raises
    :class:`~improvement.cards.states.IllegalMoveError` with the moves that are possible, :class:`CardError`.
    """
    with open_ops(settings) as session:
        card = _card(session, card_id)
        states.check_move(card.card_id, card.state, to_state, actor, reason)
        if to_state == states.CLOSED:
            _check_closing(session, card, reason, override)
            card.closed_on = _today(settings)
            if override:
                reason = f"人工核准关闭：{reason}"
        elif card.closed_on is not None:
            card.closed_on = None
        card.duplicate_of = _duplicate_of(session, card, reason or "") if to_state == states.DUPLICATE else None
        from_state, card.state = card.state, to_state
        append_transition(
            session,
            card,
            "moved",
            occurred_at=_now(),
            actor=actor,
            from_value=from_state,
            to_value=to_state,
            reason=reason,
        )
        return card


def _check_closing(session: Session, card: Card, reason: str | None, override: bool) -> None:
    if override:
        if not (reason or "").strip():
            raise states.IllegalMoveError(f"closing {card.card_id} by override needs a reason; give --reason TEXT")
        return
    verdicts = {effect.action_id: effect.verdict for effect in _latest_effects(session, card.card_id)}
    if "improved" in verdicts.values() and "worse" not in verdicts.values():
        return
    found = "、".join(f"{action}: {verdict}" for action, verdict in verdicts.items()) or "none is evaluated yet"
    raise states.IllegalMoveError(
        f"{card.card_id} can't be closed: no action of it has a measured improvement ({found});"
        f" legal now: {'、'.join(m for m in states.MOVES[card.state] if m != states.CLOSED)};"
        " or close it by --override with your name (--actor) and --reason"
    )


def _duplicate_of(session: Session, card: Card, reason: str) -> str:
    for word in reason.upper().replace(",", " ").replace(",", " ").replace("。", " ").split():
        if word != card.card_id and session.get(Card, word) is not None:
            return word
    raise states.IllegalMoveError(
        f"moving {card.card_id} to {states.DUPLICATE} needs the other card in the reason, such as --reason HY-0001"
    )


def assign_card(settings: Settings, card_id: str, owner: str, actor: str) -> Card:
    """Make ``owner`` (a role or an employee) responsible. Raises :class:`CardError`."""
    if not owner.strip() or not actor.strip():
        raise CardError("an assignment needs an owner and the name of who assigns (--actor)")
    with open_ops(settings) as session:
        card = _card(session, card_id)
        before, card.owner = card.owner, owner
        append_transition(session, card, "assigned", occurred_at=_now(), actor=actor, from_value=before, to_value=owner)
        return card


def add_action(
    settings: Settings,
    card_id: str,
    measure: str,
    actor: str,
    *,
    metric: str = "ticket_count",
    started_on: date | None = None,
    due_on: date | None = None,
    done_on: date | None = None,
    owner: str | None = None,
    team: str | None = None,
    scope_key: str | None = None,
    target_change_ratio: float | None = None,
    note: str | None = None,
) -> Action:
    """Plan a measure on a card; what it is measured by is fixed here, before the fix. Raises :class:`CardError`.

    ``target_change_ratio``: −0.4 means forty per cent fewer. The scope is the card's unless given.
    """
    if metric not in METRICS:
        raise CardError(f"metric {metric!r} can't be evaluated; use one of {', '.join(METRICS)}")
    if not measure.strip() or not actor.strip():
        raise CardError("an action needs a text that says what is done, and the name of who plans it (--actor)")
    begins = started_on or _today(settings)
    if done_on is not None and done_on < begins:
        raise CardError(f"the action can't be done on {done_on}, before it starts on {begins}")
    with open_ops(settings) as session:
        card = _card(session, card_id)
        number = session.scalar(select(func.count()).where(Action.card_id == card.card_id)) or 0
        action = Action(
            action_id=f"{card.card_id}-A{number + 1}",
            card_id=card.card_id,
            measure=measure,
            scope_key=scope_key or card.scope_key,
            metric=metric,
            owner=owner or card.owner,
            team=team or card.team,
            started_on=begins,
            due_on=due_on or card.due_on,
            done_on=done_on,
            status="done" if done_on else "in_progress",
            progress_percent=100.0 if done_on else 0.0,
            target_change_ratio=target_change_ratio,
            note=note,
        )
        session.add(action)
        append_transition(
            session, card, "noted", occurred_at=_now(), actor=actor, to_value=action.action_id, reason=measure
        )
        return action


def update_action(
    settings: Settings,
    action_id: str,
    actor: str,
    *,
    status: str | None = None,
    progress_percent: float | None = None,
    done_on: date | None = None,
    note: str | None = None,
) -> Action:
    """Report the progress of an action. ``done_on`` also makes it done. Raises :class:`CardError`."""
    if status is not None and status not in ACTION_STATUSES:
        raise CardError(f"status {status!r} is unknown; use one of {', '.join(ACTION_STATUSES)}")
    if progress_percent is not None and not 0 <= progress_percent <= 100:
        raise CardError(f"progress is 0 to 100 per cent, not {progress_percent:g}")
    with open_ops(settings) as session:
        action = session.get(Action, action_id.upper(), with_for_update=True)
        if action is None or action.card_id is None:
            raise CardError(f"there is no action {action_id!r} on a card; `huiyin cards show CARD` lists them")
        if status == "done" and done_on is None:
            done_on = action.done_on or _today(settings)
        if done_on is not None:
            if done_on < action.started_on:
                raise CardError(f"{action_id} can't be done on {done_on}, before it started on {action.started_on}")
            action.done_on, status, progress_percent = done_on, "done", 100.0
        action.status = status or action.status
        action.progress_percent = action.progress_percent if progress_percent is None else progress_percent
        action.note = note or action.note
        append_transition(
            session,
            _card(session, action.card_id),
            "noted",
            occurred_at=_now(),
            actor=actor,
            to_value=action.action_id,
            reason=f"{action.status} {action.progress_percent or 0:.0f}%" + (f" {note}" if note else ""),
        )
        return action


def acknowledge_alert(settings: Settings, alert_id: str, actor: str, note: str | None = None) -> Alert:
    """Say that somebody has seen the alert and takes care. Raises :class:`CardError`."""
    with open_ops(settings) as session:
        alert = session.get(Alert, alert_id, with_for_update=True)
        if alert is None:
            raise CardError(f"there is no alert {alert_id!r}")
        if not actor.strip():
            raise CardError("an acknowledgement needs the name of who gives it (--actor)")
        alert.acknowledged_by, alert.acknowledged_at = actor, _now()
        if alert.state == "firing":
            alert.state = "acknowledged"
        if note:
            alert.note = note
        return alert
