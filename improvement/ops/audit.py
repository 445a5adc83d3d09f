"""The audit trail of the cards: an append-only chain of hashes over all cards."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from huiyin.config import Settings
from improvement.ops.database import open_ops, take_lock
from improvement.ops.models import Card, CardTransition

GENESIS = "0" * 64


@dataclass(frozen=True)
class AuditReport:
    """What :func:`verify_audit` found; ``problems`` is empty where the trail is whole."""

    entries: int
    problems: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was changed, removed or inserted."""
        return not self.problems


def _hash(entry: CardTransition) -> str:
    content = [
        entry.previous_hash,
        entry.position,
        entry.card_id,
        entry.sequence,
        entry.occurred_at.isoformat(timespec="microseconds"),
        entry.kind,
        entry.from_value,
        entry.to_value,
        entry.actor,
        entry.reason,
    ]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def append_transition(
    session: Session,
    card: Card,
    kind: str,
    *,
    occurred_at: datetime,
    actor: str,
    from_value: str | None = None,
    to_value: str | None = None,
    reason: str | None = None,
) -> CardTransition:
    """Add one link to the chain, in the session's transaction. ``occurred_at`` is naive UTC."""
    take_lock(session.connection())
    last = session.execute(
        select(CardTransition.position, CardTransition.hash).order_by(CardTransition.position.desc()).limit(1)
    ).first()
    card.transition_count += 1
    card.updated_at = occurred_at
    entry = CardTransition(
        position=1 if last is None else last.position + 1,
        card_id=card.card_id,
        sequence=card.transition_count,
        occurred_at=occurred_at,
        kind=kind,
        from_value=from_value,
        to_value=to_value,
        actor=actor,
        reason=reason,
        previous_hash=GENESIS if last is None else last.hash,
    )
    entry.hash = _hash(entry)
    session.add(entry)
    session.flush()
    return entry


def verify_audit(settings: Settings) -> AuditReport:
    """Recompute the whole chain and compare each card with its last links."""
    with open_ops(settings) as session:
        return verify(session)


def verify(session: Session) -> AuditReport:
    """As :func:`verify_audit`, on an open session."""
    problems: list[str] = []
    previous, position = GENESIS, 0
    states: dict[str, str | None] = {}
    counts: dict[str, int] = {}
    for entry in session.scalars(select(CardTransition).order_by(CardTransition.position)):
        position += 1
        where = f"entry {entry.position} ({entry.card_id} #{entry.sequence})"
        if entry.position != position:
            problems.append(f"{where}: entries {position} to {entry.position - 1} are missing")
            position = entry.position
        if entry.previous_hash != previous:
            problems.append(f"{where}: doesn't follow the entry before it")
        if entry.hash != _hash(entry):
            problems.append(f"{where}: its content was changed")
        previous = entry.hash
        counts[entry.card_id] = counts.get(entry.card_id, 0) + 1
        if entry.kind in ("opened", "moved"):
            states[entry.card_id] = entry.to_value
    for card in session.scalars(select(Card).order_by(Card.card_id)):
        if counts.get(card.card_id, 0) != card.transition_count:
            problems.append(
                f"{card.card_id}: has {counts.get(card.card_id, 0)} entries, should have {card.transition_count}"
            )
        if states.get(card.card_id) != card.state:
            problems.append(f"{card.card_id}: is {card.state}, but the trail says {states.get(card.card_id)}")
    return AuditReport(position, tuple(problems))
