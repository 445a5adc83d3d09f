"""Take a person's words out of the backlog's evidence."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import text, update

from huiyin.config import Settings
from improvement.ops.database import open_ops
from improvement.ops.models import CardEvidence

ERASED_TEXT = "（应当事人要求已删除）"
_AT_ONCE = 500


def erase_voices(settings: Settings, voice_ids: Collection[str]) -> int:
    """Replace the frozen verbatims of these voices by a note that they were erased; how many there were.

    The audit chain holds no verbatims and stays as it is. Raises ``OpsDatabaseError``.
    """
    ordered = sorted(voice_ids)
    erased = 0
    with open_ops(settings) as session:
        if session.connection().dialect.name == "sqlite":
            session.execute(text("PRAGMA secure_delete = ON"))
        for start in range(0, len(ordered), _AT_ONCE):
            chosen = CardEvidence.voice_id.in_(ordered[start : start + _AT_ONCE])
            result = session.execute(
                update(CardEvidence).where(chosen, CardEvidence.text != ERASED_TEXT).values(text=ERASED_TEXT)
            )
            erased += result.rowcount  # type: ignore[attr-defined]
    return erased
