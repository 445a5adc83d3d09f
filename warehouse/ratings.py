"""What customers said of their own texts (stars, CSAT, NPS), and the latest texts, for models that learn from them."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from huiyin.config import Settings
from warehouse.connection import open_warehouse

WATCHED_WEEKS = 9
"""So many weeks up to the last text are handed over to watch a model."""
_RATINGS = """
    SELECT 'feedback:' || feedback_key AS voice_id, text, kind,
        (score - low) / (high - low) AS rating, created_at AS rated_at
    FROM (
        SELECT feedback_key, text, kind, score, created_at,
            coalesce(scale_min, CASE WHEN kind = 'nps' THEN 0 ELSE 1 END) AS low,
            coalesce(scale_max, CASE WHEN kind = 'nps' THEN 10 ELSE 5 END) AS high
        FROM staging.stg_feedback
        WHERE score IS NOT NULL AND trim(text) <> ''
    ) AS scaled
    WHERE high > low AND score BETWEEN low AND high
    ORDER BY created_at, feedback_key
"""
_LATEST = f"""
    SELECT v.voice_id, v.text, v.occurred_on, s.score, s.model_version AS sentiment_version,
        t.topic_id, t.model_version AS topic_version
    FROM intermediate.int_voices v
    LEFT JOIN staging.stg_sentiment s ON s.voice_id = v.voice_id
    LEFT JOIN staging.stg_topic_assignments t ON t.voice_id = v.voice_id
    WHERE trim(v.text) <> ''
        AND v.occurred_on > (SELECT max(occurred_on) FROM intermediate.int_voices) - {WATCHED_WEEKS * 7}
    ORDER BY v.voice_id
"""


def export_ratings(settings: Settings, file: Path) -> int:
    """Write rated texts as Parquet (voice_id, text, kind, rating 0…1, rated_at), oldest first; how many there are."""
    return _write(settings, _RATINGS, file)


def export_latest_texts(settings: Settings, file: Path) -> int:
    """Write the texts of the last :data:`WATCHED_WEEKS` weeks and what the models said of them; how many there are.

    Columns voice_id, text, occurred_on, score, sentiment_version, topic_id, topic_version; NULL where not yet judged.
    """
    return _write(settings, _LATEST, file)


def _write(settings: Settings, query: str, file: Path) -> int:
    with open_warehouse(settings) as warehouse:
        rows = warehouse.query(query)
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, file)
    return int(rows.num_rows)
