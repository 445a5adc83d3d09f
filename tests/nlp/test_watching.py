"""Weeks and runs are called another population when they are one, and hardly ever by chance."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import chi2

from huiyin.config import Settings
from ingest.model_alerts import settle_models
from nlp.watching import watch_run, watch_weeks
from nlp.watching.drift import compare_counts
from nlp.watching.profile import MEASURES
from nlp.watching.weeks import WATCH_SCHEMA
from warehouse.connection import open_warehouse
from warehouse.handover import NLP_TABLES, load_watch

MONDAY = date(2025, 3, 3)


@pytest.fixture
def company(tmp_path: Path, session_settings: Settings) -> Settings:
    return Settings(var=tmp_path, mask_key="k")


def week(number: int, texts: list[str], score: float, topic: int) -> list[dict[str, Any]]:
    return [
        {"text": text, "occurred_on": MONDAY + timedelta(days=7 * number + n % 7), "score": score,
         "sentiment_version": "s1", "topic_id": topic if n % 2 else 0, "topic_version": "t1"}
        for n, text in enumerate(texts)
    ]  # fmt: skip


def watched(file: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["window_id"], row["measure"]): row for row in pq.read_table(file).to_pylist()}


def test_weeks_of_other_words_scores_and_topics_are_told_apart_and_alert_until_they_end(company: Settings) -> None:
    latest, out = company.var_dir / "latest.parquet", company.var_dir / "watched.parquet"
    rows = week(0, ["服务很好"] * 100, 0.9, 1) + week(1, ["服务很好"] * 80, 0.9, 1)
    rows += week(2, ["ꙮꙮꙮꙮ很好"] * 60, 0.55, 7) + week(3, ["服务很好"] * 20, 0.1, 1)
    pq.write_table(pa.Table.from_pylist(rows[:240]), latest)
    assert watch_weeks(company, latest, out) == 3 * len(MEASURES)
    found = watched(out)
    third = f"{MONDAY + timedelta(days=14)}"
    drifting = {measure for (window, measure), row in found.items() if window == third and row["is_drift"]}
    assert drifting == {"unknown_words", "unknown_characters", "scores", "uncertain", "topics"}
    assert not any(row["is_drift"] for (window, _), row in found.items() if window != third)
    assert found[third, "unknown_characters"]["mean_value"] == 1.0
    assert found[third, "scores"]["reference_mean"] == pytest.approx(0.9)
    for _ in range(2):  # loading again changes nothing
        load_watch(company, out)
    assert "model/scores" in settle_models(company).opened
    # A short week says nothing, and a calm one ends it.
    pq.write_table(pa.Table.from_pylist(rows), latest)
    watch_weeks(company, latest, out)
    assert watched(out)[f"{MONDAY + timedelta(days=21)}", "scores"]["is_drift"] is None
    load_watch(company, out)
    assert settle_models(company) == settle_models(company)
    pq.write_table(
        pa.Table.from_pylist(week(4, ["服务很好"] * 90, 0.9, 1) + week(5, ["服务很好"] * 90, 0.9, 1)), latest
    )
    watch_weeks(company, latest, out)
    load_watch(company, out)
    assert "model/scores" in settle_models(company).closed
    with open_warehouse(company) as warehouse:
        alerts = warehouse.rows("select message, remedy from raw.operator_alerts where alert_key = 'model/scores'")
    assert "another population" in alerts[0]["message"] and "huiyin evaluate" in alerts[0]["remedy"]


def test_a_run_is_compared_with_the_last_weeks_and_a_new_model_begins_anew(company: Settings) -> None:
    folder = company.var_dir

    def run(name: str, text: str, score: float, version: str, count: int = 300) -> dict[str, dict[str, Any]]:
        files = [folder / f"{kind}.parquet" for kind in ("texts", "sentiment", "topics", "out")]
        ids = [f"v{n}" for n in range(count)]
        pq.write_table(pa.table({"voice_id": ids, "text": [text] * count}), files[0])
        pq.write_table(pa.table({"score": [score] * count, "model_version": [version] * count}), files[1])
        pq.write_table(pa.table({"topic_id": [1] * count, "model_version": ["t1"] * count}), files[2])
        watch_run(company, name, [files[0]], [files[1]], [files[2]], files[3])
        return {measure: row for (_, measure), row in watched(files[3]).items()}

    assert all(row["is_drift"] is None for row in run("first", "服务很好", 0.9, "s1").values())
    assert not any(row["is_drift"] for row in run("second", "服务很好", 0.9, "s1", 60).values())
    assert run("third", "服务很好", 0.2, "s1")["scores"]["is_drift"]
    promoted = run("fourth", "服务很好", 0.2, "s2")
    assert promoted["scores"]["is_drift"] is None and promoted["topics"]["is_drift"] is False
    assert run("fifth", "服务很好", 0.2, "s2")["scores"]["is_drift"] is False


def test_two_samples_of_one_population_are_hardly_ever_two(company: Settings) -> None:
    """By resampling: under no drift the G-test's p is uniform, so with the size of the index both say so in ≤ 0.2 %."""
    random = np.random.default_rng(1)
    shares = random.dirichlet(np.ones(10))
    alarms, chances = 0, []
    for _ in range(2_000):
        sides = [dict(enumerate(random.multinomial(size, shares).tolist())) for size in (800, 60)]
        found = compare_counts(*({str(name): count for name, count in side.items()} for side in sides))
        alarms += found.is_drift
        chances.append(found.chance)
    assert alarms <= 4
    assert 0.02 < np.mean(np.array(chances) < 0.05) < 0.09


def test_the_test_of_chance_is_the_g_test() -> None:
    """2 · Σ observed · ln(observed / expected) of 40:60 beside 90:10, worked out by hand."""
    table = np.array([[40, 60], [90, 10]])
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    g = 2 * float((table * np.log(table / expected)).sum())
    found = compare_counts({"a": 40, "b": 60}, {"a": 90, "b": 10})
    assert found.chance == pytest.approx(chi2.sf(g, 1))
    assert found.is_drift and compare_counts({"a": 40}, {"a": 90}).chance == 1.0


def test_the_warehouse_holds_what_watching_writes() -> None:
    assert NLP_TABLES["model_watch"][0] == WATCH_SCHEMA
