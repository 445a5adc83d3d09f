"""First version: alerts, cards, their audit chain and evidence, actions and effects."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_APPEND_ONLY = ("card_transitions", "card_evidence")


def _forbid_changes(table: str) -> None:
    """Rows of the audit trail are never changed nor deleted; the database itself says so."""
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_no_change() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION {table}_no_change()"
    )


def upgrade() -> None:
    op.create_table(
        "action_effects",
        sa.Column("action_id", sa.String(), nullable=False),
        sa.Column("evaluated_on", sa.Date(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("baseline_from_on", sa.Date(), nullable=True),
        sa.Column("baseline_to_on", sa.Date(), nullable=True),
        sa.Column("evaluation_from_on", sa.Date(), nullable=True),
        sa.Column("evaluation_to_on", sa.Date(), nullable=True),
        sa.Column("baseline_mean", sa.Float(), nullable=True),
        sa.Column("observed_mean", sa.Float(), nullable=True),
        sa.Column("change_ratio", sa.Float(), nullable=True),
        sa.Column("change_ratio_low", sa.Float(), nullable=True),
        sa.Column("change_ratio_high", sa.Float(), nullable=True),
        sa.Column("p_value", sa.Float(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("knowable_on", sa.Date(), nullable=True),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("card_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("action_id", "evaluated_on", name=op.f("pk_action_effects")),
    )
    op.create_index("ix_action_effects_card_id", "action_effects", ["card_id"])
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("rule_code", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("scope_key", sa.String(), nullable=False),
        sa.Column("scope_label", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("fired_on", sa.Date(), nullable=False),
        sa.Column("resolved_on", sa.Date(), nullable=True),
        sa.Column("observed", sa.Float(), nullable=True),
        sa.Column("expected", sa.Float(), nullable=True),
        sa.Column("over_expected_ratio", sa.Float(), nullable=True),
        sa.Column("p_value", sa.Float(), nullable=True),
        sa.Column("window_days", sa.Integer(), nullable=True),
        sa.Column("card_id", sa.String(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("last_seen_on", sa.Date(), nullable=False),
        sa.Column("inhibited_by", sa.String(), nullable=True),
        sa.Column("evaluated_on", sa.Date(), nullable=False),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_card_id"), "alerts", ["card_id"], unique=False)
    op.create_index(op.f("ix_alerts_scope_key"), "alerts", ["scope_key"], unique=False)
    op.create_table(
        "cards",
        sa.Column("card_id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("scope_key", sa.String(), nullable=False),
        sa.Column("scope_label", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("problem_type", sa.String(), nullable=True),
        sa.Column("problem_subtype", sa.String(), nullable=True),
        sa.Column("root_cause_class", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=True),
        sa.Column("priority_score", sa.Float(), nullable=True),
        sa.Column("priority_version", sa.String(), nullable=True),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("team", sa.String(), nullable=True),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.Column("voice_count", sa.Integer(), nullable=True),
        sa.Column("customer_count", sa.Integer(), nullable=True),
        sa.Column("vip_share", sa.Float(), nullable=True),
        sa.Column("negative_share", sa.Float(), nullable=True),
        sa.Column("revenue_at_risk", sa.Float(), nullable=True),
        sa.Column("recurrence_count", sa.Integer(), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("last_seen_on", sa.Date(), nullable=False),
        sa.Column("sla_breached_share", sa.Float(), nullable=True),
        sa.Column("priority_factors", sa.Text(), nullable=True),
        sa.Column("duplicate_of", sa.String(), nullable=True),
        sa.Column("transition_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_cards")),
    )
    op.create_index(op.f("ix_cards_scope_key"), "cards", ["scope_key"], unique=False)
    op.create_index(op.f("ix_cards_state"), "cards", ["state"], unique=False)
    op.create_table(
        "actions",
        sa.Column("action_id", sa.String(), nullable=False),
        sa.Column("card_id", sa.String(), nullable=True),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("scope_key", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("team", sa.String(), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("progress_percent", sa.Float(), nullable=True),
        sa.Column("target_change_ratio", sa.Float(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["card_id"], ["cards.card_id"], name=op.f("fk_actions_card_id")),
        sa.PrimaryKeyConstraint("action_id", name=op.f("pk_actions")),
    )
    op.create_index(op.f("ix_actions_card_id"), "actions", ["card_id"], unique=False)
    op.create_table(
        "card_evidence",
        sa.Column("card_id", sa.String(), nullable=False),
        sa.Column("frozen_on", sa.Date(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("voice_id", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(), nullable=False),
        sa.Column("sentiment_score", sa.Float(), nullable=True),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("data_version", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["cards.card_id"], name=op.f("fk_card_evidence_card_id")),
        sa.PrimaryKeyConstraint("card_id", "frozen_on", "position", name=op.f("pk_card_evidence")),
    )
    op.create_table(
        "card_transitions",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("card_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("from_value", sa.String(), nullable=True),
        sa.Column("to_value", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["cards.card_id"], name=op.f("fk_card_transitions_card_id")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_card_transitions")),
        sa.UniqueConstraint("card_id", "sequence", name=op.f("uq_card_transitions_card_id")),
        sa.UniqueConstraint("previous_hash", name=op.f("uq_card_transitions_previous_hash")),
    )
    for table in _APPEND_ONLY:
        _forbid_changes(table)
