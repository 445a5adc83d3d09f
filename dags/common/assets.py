"""The assets that tie the DAGs together. Who updates one doesn't know who waits for it."""

from __future__ import annotations

from airflow.sdk import Asset

MART = Asset(name="mart", uri="huiyin://mart", group="huiyin")
TOPIC_MODEL = Asset(name="topic_model", uri="huiyin://topic_model", group="huiyin")
SENTIMENT_MODEL = Asset(name="sentiment_model", uri="huiyin://sentiment_model", group="huiyin")
MEANING = Asset(name="meaning", uri="huiyin://meaning", group="huiyin")
DECISIONS_MART = Asset(name="decisions_mart", uri="huiyin://decisions_mart", group="huiyin")
REPORT = Asset(name="report", uri="huiyin://report", group="huiyin")


def raw_asset(source: str) -> Asset:
    """The asset of one source's raw tables."""
    return Asset(name=f"raw_{source}", uri=f"huiyin://raw/{source}", group="huiyin")
