"""Tables of the ops database.

Columns that the raw contract names (``ingest.contract``) carry the contract's names, so that the built-in source
``decisions`` reads them as they are; the others serve this room only.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, DateTime, Float, ForeignKey, Integer, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables of the ops database."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {str: String, date: Date, datetime: DateTime, float: Float, int: Integer}  # noqa: RUF012


class Alert(Base):
    """One condition over one spell."""

    __tablename__ = "alerts"

    alert_id: Mapped[str] = mapped_column(primary_key=True)
    rule_code: Mapped[str]
    metric: Mapped[str]
    scope_key: Mapped[str] = mapped_column(index=True)
    scope_label: Mapped[str]
    severity: Mapped[str]
    state: Mapped[str]
    started_on: Mapped[date]
    fired_on: Mapped[date]
    resolved_on: Mapped[date | None]
    observed: Mapped[float | None]
    expected: Mapped[float | None]
    over_expected_ratio: Mapped[float | None]
    p_value: Mapped[float | None]
    window_days: Mapped[int | None]
    card_id: Mapped[str | None] = mapped_column(index=True)
    note: Mapped[str | None] = mapped_column(Text)
    # The last day on which the condition was seen, the most telling explanation, and how fresh this row is.
    last_seen_on: Mapped[date]
    inhibited_by: Mapped[str | None]
    evaluated_on: Mapped[date]
    acknowledged_by: Mapped[str | None]
    acknowledged_at: Mapped[datetime | None]


class Card(Base):
    """One improvement card."""

    __tablename__ = "cards"

    card_id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    scope_key: Mapped[str] = mapped_column(index=True)
    scope_label: Mapped[str]
    metric: Mapped[str]
    problem_type: Mapped[str | None]
    problem_subtype: Mapped[str | None]
    root_cause_class: Mapped[str | None]
    state: Mapped[str] = mapped_column(index=True)
    severity: Mapped[str | None]
    priority_score: Mapped[float | None]
    priority_version: Mapped[str | None]
    owner: Mapped[str | None]
    team: Mapped[str | None]
    opened_on: Mapped[date]
    due_on: Mapped[date | None]
    closed_on: Mapped[date | None]
    updated_at: Mapped[datetime]
    voice_count: Mapped[int | None]
    customer_count: Mapped[int | None]
    vip_share: Mapped[float | None]
    negative_share: Mapped[float | None]
    revenue_at_risk: Mapped[float | None]
    recurrence_count: Mapped[int | None]
    # First day of the spike that opened the card: effect baselines end before it.
    started_on: Mapped[date]
    last_seen_on: Mapped[date]
    sla_breached_share: Mapped[float | None]
    priority_factors: Mapped[str | None] = mapped_column(Text)
    duplicate_of: Mapped[str | None]
    # Rows of this card in the audit chain: a cut-off end of the chain shows here.
    transition_count: Mapped[int]


class CardTransition(Base):
    """One change of a card: a link of the append-only hash chain over all cards."""

    __tablename__ = "card_transitions"
    __table_args__ = (UniqueConstraint("card_id", "sequence"), UniqueConstraint("previous_hash"))

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    card_id: Mapped[str] = mapped_column(ForeignKey("cards.card_id"))
    sequence: Mapped[int]
    occurred_at: Mapped[datetime]
    kind: Mapped[str]
    from_value: Mapped[str | None]
    to_value: Mapped[str | None]
    actor: Mapped[str]
    reason: Mapped[str | None] = mapped_column(Text)
    previous_hash: Mapped[str]
    hash: Mapped[str]


class CardEvidence(Base):
    """One masked verbatim, frozen when the card was opened or reopened."""

    __tablename__ = "card_evidence"

    card_id: Mapped[str] = mapped_column(ForeignKey("cards.card_id"), primary_key=True)
    frozen_on: Mapped[date] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    voice_id: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime]
    sentiment_score: Mapped[float | None]
    query: Mapped[str] = mapped_column(Text)
    data_version: Mapped[str]


class Action(Base):
    """One measure taken to improve."""

    __tablename__ = "actions"

    action_id: Mapped[str] = mapped_column(primary_key=True)
    card_id: Mapped[str | None] = mapped_column(ForeignKey("cards.card_id"), index=True)
    measure: Mapped[str] = mapped_column(Text)
    scope_key: Mapped[str]
    metric: Mapped[str]
    owner: Mapped[str | None]
    team: Mapped[str | None]
    started_on: Mapped[date]
    due_on: Mapped[date | None]
    done_on: Mapped[date | None]
    status: Mapped[str]
    progress_percent: Mapped[float | None]
    target_change_ratio: Mapped[float | None]
    note: Mapped[str | None] = mapped_column(Text)


class ActionEffect(Base):
    """One evaluation of one action; actions of the company's own ledger are evaluated too, hence no foreign key."""

    __tablename__ = "action_effects"

    action_id: Mapped[str] = mapped_column(primary_key=True)
    evaluated_on: Mapped[date] = mapped_column(primary_key=True)
    metric: Mapped[str]
    baseline_from_on: Mapped[date | None]
    baseline_to_on: Mapped[date | None]
    evaluation_from_on: Mapped[date | None]
    evaluation_to_on: Mapped[date | None]
    baseline_mean: Mapped[float | None]
    observed_mean: Mapped[float | None]
    change_ratio: Mapped[float | None]
    change_ratio_low: Mapped[float | None]
    change_ratio_high: Mapped[float | None]
    p_value: Mapped[float | None]
    verdict: Mapped[str]
    knowable_on: Mapped[date | None]
    method: Mapped[str | None] = mapped_column(Text)
    card_id: Mapped[str | None] = mapped_column(index=True)
