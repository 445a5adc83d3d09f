"""What the ops database knows of a card beyond the mart: frozen verbatims and the parts of its priority."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from zoneinfo import ZoneInfo

from sqlalchemy import select

from huiyin.config import Settings
from improvement.ops.database import open_ops
from improvement.ops.models import Card, CardEvidence


@dataclass(frozen=True)
class Verbatim:
    """One masked text of a customer, as it was when the card opened; the day is local."""

    voice_id: str
    text: str
    occurred_on: date


@dataclass(frozen=True)
class Factor:
    """One part of a priority: ``points`` = 100 × ``value`` (0…1) × ``weight`` ÷ the sum of the weights."""

    name: str
    value: float
    weight: float
    points: float


@dataclass
class Evidence:
    """Verbatims of the newest freeze, where they come from, and the parts of the priority."""

    verbatims: list[Verbatim] = field(default_factory=list)
    query: str = ""
    data_version: str = ""
    factors: list[Factor] = field(default_factory=list)


def read_evidence(settings: Settings, card_ids: Sequence[str]) -> dict[str, Evidence]:
    """Evidence of these cards; a card that the ops database lacks has none."""
    found = {card_id: Evidence() for card_id in card_ids}
    if not card_ids:
        return found
    zone = ZoneInfo(settings.timezone)
    with open_ops(settings) as session:
        factors = select(Card.card_id, Card.priority_factors).where(Card.card_id.in_(card_ids))
        for card_id, parts in session.execute(factors):
            found[card_id].factors = [
                Factor(part["factor"], part["value"], part["weight"], part["contribution"])
                for part in json.loads(parts or "[]")
            ]
        frozen = (
            select(CardEvidence)
            .where(CardEvidence.card_id.in_(card_ids))
            .order_by(CardEvidence.card_id, CardEvidence.frozen_on.desc(), CardEvidence.position)
        )
        newest: dict[str, object] = {}
        for row in session.scalars(frozen):
            if newest.setdefault(row.card_id, row.frozen_on) == row.frozen_on:
                occurred_on = row.occurred_at.replace(tzinfo=UTC).astimezone(zone).date()
                found[row.card_id].verbatims.append(Verbatim(row.voice_id, row.text, occurred_on))
                found[row.card_id].query, found[row.card_id].data_version = row.query, row.data_version
    return found
