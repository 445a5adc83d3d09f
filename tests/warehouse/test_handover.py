"""Texts go out to NLP once per model version, and results come back by merge; on DuckDB and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from huiyin.config import NlpSettings, Settings
from warehouse import handover
from warehouse.connection import MergeCounts, open_warehouse


@pytest.fixture(params=["duckdb", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A warehouse with five voices, one of them without text."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    settings = Settings(var=tmp_path, warehouse=url, mask_key="k", nlp=NlpSettings(chunk_size=100))
    with open_warehouse(settings) as warehouse:
        warehouse.execute("CREATE SCHEMA intermediate")
        warehouse.execute(
            "CREATE TABLE intermediate.int_voices (voice_id VARCHAR, voice_kind VARCHAR, text VARCHAR,"
            " occurred_at TIMESTAMP)"
        )
        rows = {
            "ticket:a:1": "物流太慢😡",
            "ticket:a:2": "客服态度好",
            "feedback:b:1": "漏水",
            "feedback:b:2": "",
            "c": None,
        }
        table = pa.table({"voice_id": list(rows), "text": list(rows.values())})
        warehouse.append("intermediate", "int_voices", table)
    return settings


def exported(settings: Settings, sentiment: str = "s1", topics: str = "t1") -> list[dict[str, Any]]:
    versions = handover.ModelVersions(sentiment, topics, "o1")
    files = handover.export_unscored(settings, versions, settings.handover_dir / "run")
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def score(
    settings: Settings, rows: list[dict[str, Any]], sentiment: str = "s1", topics: str = "t1"
) -> list[MergeCounts]:
    """What the NLP room would bring back for these rows."""
    ids = {"voice_id": [r["voice_id"] for r in rows], "text_hash": [r["text_hash"] for r in rows]}
    n = len(rows)
    scores, assigned = settings.var_dir / "scores.parquet", settings.var_dir / "assigned.parquet"
    judged = {"score": [0.2] * n, "label": ["negative"] * n, "noise": [None] * n, "noise_reason": [None] * n}
    pq.write_table(pa.table(ids | judged | {"model_version": [sentiment] * n}), scores)
    pq.write_table(
        pa.table(ids | {"topic_id": [7] * n, "similarity": [0.9] * n, "model_version": [topics] * n}), assigned
    )
    give_opinions(settings, ids, [{"kind": "none", "code": "", "polarity": ""}] * n)
    return [handover.load_scores(settings, [scores]), handover.load_assignments(settings, [assigned])]


def give_opinions(settings: Settings, ids: dict[str, list[Any]], opinions: list[dict[str, Any]]) -> int:
    file = settings.var_dir / "opinions.parquet"
    schema = handover.NLP_TABLES["opinions"][0]
    keys = zip(ids["voice_id"], ids["text_hash"], strict=True)
    rows = [
        {"voice_id": voice, "text_hash": digest, "model_version": "o1"} | opinion
        for (voice, digest), opinion in zip(keys, opinions, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
    return handover.load_opinions(settings, [file])


def test_all_opinions_of_a_text_are_replaced_together(store: Settings) -> None:
    rows = exported(store)
    score(store, rows)
    ids = {"voice_id": ["ticket:a:1"] * 2 + ["ticket:a:2"], "text_hash": ["h", "h", "g"]}
    slow = {"kind": "aspect", "code": "speed", "polarity": "negative", "words": "慢"}
    angry = {"kind": "emotion", "code": "anger", "polarity": "", "strength": 0.6, "words": "😡"}
    kind = {"kind": "aspect", "code": "attitude", "polarity": "positive", "words": "态度好"}
    query = "SELECT voice_id, kind, code FROM nlp.opinions ORDER BY 1, 2"
    nothing = {"voice_id": "feedback:b:1", "kind": "none", "code": ""}
    second = {"voice_id": "ticket:a:2", "kind": "aspect", "code": "attitude"}
    for _ in range(2):
        assert give_opinions(store, ids, [slow, angry, kind]) == 3
        with open_warehouse(store) as warehouse:
            assert warehouse.rows(query) == [
                nothing,
                {"voice_id": "ticket:a:1", "kind": "aspect", "code": "speed"},
                {"voice_id": "ticket:a:1", "kind": "emotion", "code": "anger"},
                second,
            ]
    # Its text has another hash by now, so it is handed over again; what isn't said any more goes.
    assert [row["voice_id"] for row in exported(store)] == ["ticket:a:1", "ticket:a:2"]
    give_opinions(store, {"voice_id": ["ticket:a:1"], "text_hash": ["h2"]}, [angry])
    with open_warehouse(store) as warehouse:
        found = warehouse.rows(query)
    assert found == [nothing, {"voice_id": "ticket:a:1", "kind": "emotion", "code": "anger"}, second]


def test_a_text_is_handed_over_once_per_model_version_and_empty_texts_never(store: Settings) -> None:
    first = exported(store)
    assert [row["voice_id"] for row in first] == ["feedback:b:1", "ticket:a:1", "ticket:a:2"]
    assert first[1]["text"] == "物流太慢😡"
    assert score(store, first) == [MergeCounts(3, 0, 0), MergeCounts(3, 0, 0)]
    assert exported(store) == []
    assert len(exported(store, sentiment="s2")) == 3
    assert len(exported(store, topics="t2")) == 3


def test_a_changed_text_is_handed_over_and_its_results_replaced(store: Settings) -> None:
    score(store, exported(store))
    with open_warehouse(store) as warehouse:
        warehouse.execute("UPDATE intermediate.int_voices SET text = '物流很快' WHERE voice_id = 'ticket:a:1'")
    changed = exported(store)
    assert [row["text"] for row in changed] == ["物流很快"]
    assert score(store, changed) == [MergeCounts(0, 1, 0), MergeCounts(0, 1, 0)]
    assert exported(store) == []
    with open_warehouse(store) as warehouse:
        assert warehouse.rows("SELECT count(*) AS n FROM nlp.sentiment") == [{"n": 3}]


def test_loading_the_same_results_again_changes_nothing_and_keeps_the_instant_of_scoring(store: Settings) -> None:
    rows = exported(store)
    score(store, rows)
    query = "SELECT voice_id, scored_at FROM nlp.sentiment ORDER BY voice_id"
    with open_warehouse(store) as warehouse:
        before = warehouse.rows(query)
    assert score(store, rows) == [MergeCounts(0, 0, 3), MergeCounts(0, 0, 3)]
    with open_warehouse(store) as warehouse:
        assert warehouse.rows(query) == before


def test_a_new_topic_model_replaces_the_assignment_but_keeps_the_old_sentiment(store: Settings) -> None:
    rows = exported(store)
    score(store, rows)
    assert score(store, rows, sentiment="s2", topics="t2") == [MergeCounts(3, 0, 0), MergeCounts(0, 3, 0)]
    with open_warehouse(store) as warehouse:
        counts = "SELECT (SELECT count(*) FROM nlp.sentiment) AS s, (SELECT count(*) FROM nlp.topic_assignment) AS t"
        assert warehouse.rows(counts) == [{"s": 6, "t": 3}]


def test_topics_are_merged_by_id(store: Settings) -> None:
    file = store.var_dir / "topics.parquet"
    row = {"topic_id": 1, "label": "物流延误", "keywords": "快递、慢", "text_count": 5, "state": "active"}
    schema = handover.NLP_TABLES["topics"][0]
    row |= {"born_on": None, "model_version": "t1", "parent_id": 1, "parent_label": "物流", "class_confidence": 0.4}
    pq.write_table(pa.Table.from_pylist([row], schema=schema), file)
    assert handover.load_topics(store, file) == MergeCounts(1, 0, 0)
    pq.write_table(pa.Table.from_pylist([row | {"text_count": 6}], schema=schema), file)
    assert handover.load_topics(store, file) == MergeCounts(0, 1, 0)


def test_chunks_hold_at_most_the_configured_number_of_texts(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, mask_key="k", nlp=NlpSettings(chunk_size=100))
    with open_warehouse(settings) as warehouse:
        warehouse.execute("CREATE SCHEMA intermediate")
        warehouse.execute(
            "CREATE TABLE intermediate.int_voices AS"
            " SELECT 'v' || i AS voice_id, '文' || i AS text FROM range(250) t(i)"
        )
    folder = settings.handover_dir / "run"
    files = handover.export_unscored(settings, handover.ModelVersions("s1", "t1", "o1"), folder)
    assert [pq.read_metadata(file).num_rows for file in files] == [100, 100, 50]
    assert len(handover.export_texts(settings, folder)) == 3
    assert sorted(path.name.split("-")[0] for path in folder.iterdir()) == ["texts"] * 3


def test_a_damaged_result_file_is_refused_by_name(store: Settings) -> None:
    file = store.var_dir / "bad.parquet"
    file.write_bytes(b"PAR1 half")
    with pytest.raises(handover.HandoverError, match=r"bad\.parquet"):
        handover.load_scores(store, [file])
    pq.write_table(pa.table({"voice_id": ["a"]}), file)
    with pytest.raises(handover.HandoverError, match="text_hash"):
        handover.load_scores(store, [file])
