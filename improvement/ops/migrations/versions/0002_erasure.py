"""Evidence stays append-only but for one change: a person's words may be replaced by the note that they were erased."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

# The text of improvement.ops.erasure.ERASED_TEXT; a migration says what it did, whatever becomes of the constant.
_NOTE = "（应当事人要求已删除）"
_OTHERS = (
    "card_id", "frozen_on", "position", "voice_id", "occurred_at", "sentiment_score", "query", "data_version",
)  # fmt: skip


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        same = " AND ".join(f"NEW.{column} IS OLD.{column}" for column in _OTHERS)
        op.execute("DROP TRIGGER card_evidence_no_update")
        op.execute(
            "CREATE TRIGGER card_evidence_no_update BEFORE UPDATE ON card_evidence"
            f" WHEN NOT (NEW.text = '{_NOTE}' AND {same})"
            " BEGIN SELECT RAISE(ABORT, 'card_evidence is append-only'); END"
        )
        return
    same = " AND ".join(f"NEW.{column} IS NOT DISTINCT FROM OLD.{column}" for column in _OTHERS)
    op.execute(
        "CREATE OR REPLACE FUNCTION card_evidence_no_change() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF TG_OP = 'UPDATE' THEN IF NEW.text = '{_NOTE}' AND {same} THEN RETURN NEW; END IF; END IF;"
        " RAISE EXCEPTION 'card_evidence is append-only'; END $$"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER card_evidence_no_update")
        op.execute(
            "CREATE TRIGGER card_evidence_no_update BEFORE UPDATE ON card_evidence"
            " BEGIN SELECT RAISE(ABORT, 'card_evidence is append-only'); END"
        )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION card_evidence_no_change() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'card_evidence is append-only'; END $$"
    )
