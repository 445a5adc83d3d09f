"""Rated texts and the latest texts go out to the learning, on DuckDB and on PostgreSQL."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from huiyin.config import Settings
from warehouse.connection import open_warehouse
from warehouse.ratings import export_latest_texts, export_ratings

DAY = datetime.fromisoformat("2025-01-09")


@pytest.fixture(params=["duckdb", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    settings = Settings(var=tmp_path, warehouse=url, mask_key="k")
    scores = [
        ("csat", 5.0, None, None, "好"),
        ("nps", 3.0, None, None, "差"),
        ("review", 7.0, 0.0, 10.0, "还行"),
        ("csat", 4.0, None, None, " "),
        ("csat", None, None, None, "没打分"),
        ("csat", 9.0, None, None, "越界"),
    ]
    kinds, values, lows, highs, texts = zip(*scores, strict=True)
    feedback = pa.table(
        {
            "feedback_key": [f"s:{number}" for number in range(len(scores))],
            "kind": kinds,
            "score": pa.array(values, pa.float64()),
            "scale_min": pa.array(lows, pa.float64()),
            "scale_max": pa.array(highs, pa.float64()),
            "text": texts,
            "created_at": [DAY - timedelta(days=number) for number in range(len(scores))],
        }
    )
    voices = pa.table(
        {
            "voice_id": ["a", "b", "c"],
            "text": ["旧", "新", ""],
            "occurred_on": [date(2025, 1, 1), date(2025, 6, 1), date(2025, 6, 2)],
        }
    )
    with open_warehouse(settings) as warehouse:
        warehouse.execute("CREATE SCHEMA staging")
        warehouse.execute("CREATE SCHEMA intermediate")
        warehouse.execute(
            "CREATE TABLE staging.stg_feedback (feedback_key VARCHAR, kind VARCHAR, score DOUBLE PRECISION,"
            " scale_min DOUBLE PRECISION, scale_max DOUBLE PRECISION, text VARCHAR, created_at TIMESTAMP)"
        )
        warehouse.execute("CREATE TABLE intermediate.int_voices (voice_id VARCHAR, text VARCHAR, occurred_on DATE)")
        for results, result in (
            ("stg_sentiment", "score DOUBLE PRECISION"),
            ("stg_topic_assignments", "topic_id INTEGER"),
        ):
            warehouse.execute(f"CREATE TABLE staging.{results} (voice_id VARCHAR, {result}, model_version VARCHAR)")
        warehouse.execute("INSERT INTO staging.stg_sentiment VALUES ('b', 0.75, 's1')")
        warehouse.append("staging", "stg_feedback", feedback)
        warehouse.append("intermediate", "int_voices", voices)
    return settings


def test_ratings_are_brought_to_one_scale_oldest_first(store: Settings) -> None:
    file = store.handover_dir / "ratings.parquet"
    assert export_ratings(store, file) == 3
    rows = pq.read_table(file).to_pylist()
    assert [(row["text"], row["rating"]) for row in rows] == [("还行", 0.7), ("差", 0.3), ("好", 1.0)]
    assert rows[0]["voice_id"] == "feedback:s:2" and rows[0]["rated_at"] == DAY - timedelta(days=2)


def test_only_the_latest_weeks_are_handed_over_to_watch_a_model(store: Settings) -> None:
    file = store.handover_dir / "latest.parquet"
    assert export_latest_texts(store, file) == 1
    assert pq.read_table(file).to_pylist() == [
        {"voice_id": "b", "text": "新", "occurred_on": date(2025, 6, 1), "score": 0.75, "sentiment_version": "s1",
         "topic_id": None, "topic_version": None}
    ]  # fmt: skip
