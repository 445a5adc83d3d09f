from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from topic_texts import NEW_SUBJECT, SUBJECTS, company, write_voices

from huiyin.config import NlpSettings, Settings
from nlp import topics
from nlp.embed import unit
from nlp.handover import HandoverFileError
from nlp.scoring import SENTIMENT_SCHEMA, score_chunk, sentiment_version
from nlp.segment import segmenter
from nlp.text import text_hash
from nlp.topics.cluster import cluster, is_collapsed
from nlp.topics.matching import match
from nlp.topics.registry import RegistryError
from nlp.topics.wording import TopicWords, label, segment


def topic_of(settings: Settings, voices: dict[str, str], folder: Path) -> dict[str, int]:
    """voice id → assigned topic."""
    out_file = folder / "assigned.parquet"
    topics.assign_chunk(settings, write_voices(dict(voices), folder / "voices.parquet"), out_file)
    rows = pq.read_table(out_file).to_pylist()
    return {row["voice_id"]: row["topic_id"] for row in rows}


def main_topic(assigned: dict[str, int], subject: str) -> int:
    """The topic most texts of a subject have."""
    return Counter(topic for voice, topic in assigned.items() if voice.startswith(subject)).most_common(1)[0][0]


@pytest.fixture(scope="module")
def fitted(session_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A model fitted on the made company."""
    file = write_voices(dict(company(90, 1, SUBJECTS)), tmp_path_factory.mktemp("fit") / "voices.parquet")
    topics.ensure_model(session_settings, [file])
    return session_settings


@pytest.mark.slow
def test_topics_follow_the_subjects_of_texts_never_seen(fitted: Settings, tmp_path: Path) -> None:
    assigned = topic_of(fitted, company(60, 2, SUBJECTS), tmp_path)
    for subject in SUBJECTS:
        of_subject = [topic for voice, topic in assigned.items() if voice.startswith(subject)]
        topics_of_others = {topic for voice, topic in assigned.items() if not voice.startswith(subject)} - {-1}
        own = set(of_subject) - {-1}
        strayed = sum(topic in topics_of_others and topic != main_topic(assigned, subject) for topic in of_subject)
        assert own, subject
        assert strayed <= len(of_subject) * 0.15, subject
    mains = [main_topic(assigned, subject) for subject in SUBJECTS]
    assert len(set(mains)) == len(SUBJECTS)
    assert -1 not in mains


@pytest.mark.slow
def test_labels_are_short_chinese_words_that_name_the_subject(fitted: Settings, tmp_path: Path) -> None:
    table = {row["topic_id"]: row for row in topics.topics_table(fitted).to_pylist()}
    assigned = topic_of(fitted, company(60, 3, SUBJECTS), tmp_path)
    telling = {
        "refund": {"退款", "到账"},
        "logistics": {"物流", "快递", "派送", "中转站", "包裹"},
        "login": {"登录", "验证码", "app", "闪退", "密码"},
        "leak": {"漏水", "渗水", "滴水", "净水器", "水管"},
        "installer": {"安装", "师傅", "高空费"},
    }
    for subject, words in telling.items():
        name = table[main_topic(assigned, subject)]["label"]
        assert any(word in name for word in words), (subject, name)
    names = [row["label"] for row in table.values()]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 24 and "[" not in name and "谢谢" not in name for name in names)
    assert all(row["state"] == "active" and row["text_count"] > 0 for row in table.values())


@pytest.mark.slow
def test_fitting_again_on_the_same_texts_gives_the_same_model(fitted: Settings, tmp_path: Path) -> None:
    before = (fitted.models_dir / "topics" / "registry.json").read_text("utf-8")
    file = write_voices(dict(company(90, 1, SUBJECTS)), tmp_path / "voices.parquet")
    topics.ensure_model(fitted, [file])
    topics.refit(fitted, [file])
    assert (fitted.models_dir / "topics" / "registry.json").read_text("utf-8") == before
    other = Settings(var=tmp_path / "other", mask_key="test-key")
    (other.models_dir).mkdir(parents=True)
    (other.models_dir / "embeddings").symlink_to(fitted.models_dir / "embeddings")
    topics.ensure_model(other, [file])
    assert topics.topics_table(other) == topics.topics_table(fitted)


@pytest.mark.slow
def test_a_refit_keeps_ids_and_names_and_records_what_is_new(fitted: Settings, tmp_path: Path) -> None:
    own = Settings(var=tmp_path / "own", mask_key="test-key")
    own.models_dir.mkdir(parents=True)
    for part in ("topics", "embeddings"):
        (own.models_dir / part).mkdir()
        for source in (fitted.models_dir / part).rglob("*"):
            target = own.models_dir / part / source.relative_to(fitted.models_dir / part)
            target.mkdir(parents=True, exist_ok=True) if source.is_dir() else target.write_bytes(source.read_bytes())
    later = company(60, 5, SUBJECTS)
    before, names = (
        topic_of(own, later, tmp_path),
        {r["topic_id"]: r["label"] for r in topics.topics_table(own).to_pylist()},
    )
    everything = company(70, 1, SUBJECTS) | later | company(90, 6, {"invoice": NEW_SUBJECT})
    report = topics.refit(own, [write_voices(dict(everything), tmp_path / "all.parquet")])
    after = topic_of(own, later, tmp_path)
    table = {row["topic_id"]: row for row in topics.topics_table(own).to_pylist()}

    assert report.continued >= len(SUBJECTS)
    assert all(table[topic_id]["label"] == name for topic_id, name in names.items())
    kept = [v for v in later if before[v] == after[v]]
    alive = [v for v in later if before[v] != -1 and table[before[v]]["state"] == "active"]
    assert len(kept) >= 0.85 * len(alive)
    invoice = main_topic(topic_of(own, company(40, 7, {"invoice": NEW_SUBJECT}), tmp_path), "invoice")
    assert invoice not in names
    assert invoice != -1
    assert topics.current_version(own) != topics.current_version(fitted)
    assert set(names) <= set(table), "retired topics stay in the registry"


def test_few_texts_give_no_topics_and_come_again_later(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_voices(dict(company(8, 1, SUBJECTS)), tmp_path / "voices.parquet")
    with caplog.at_level(logging.INFO, logger="nlp.topics.lifecycle"):
        topics.ensure_model(settings, [file])
        topics.assign_chunk(settings, file, tmp_path / "assigned.parquet")
    assert "40 different texts, 200 are needed" in caplog.text
    assert topics.current_version(settings) == ""
    assigned = pq.read_table(tmp_path / "assigned.parquet")
    assert set(assigned["topic_id"].to_pylist()) == {-1}
    # Another version than the current one, so that the hand-over exports these texts again.
    assert set(assigned["model_version"].to_pylist()) == {"none"}
    topics.write_topics(settings, tmp_path / "topics.parquet")
    assert pq.read_table(tmp_path / "topics.parquet").num_rows == 0


@pytest.mark.slow
def test_the_fallback_embedder_finds_topics_too(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / "var", mask_key="test-key", nlp=NlpSettings(embedder="tfidf"))
    file = write_voices(dict(company(60, 1, SUBJECTS)), tmp_path / "voices.parquet")
    topics.ensure_model(settings, [file])
    assigned = topic_of(settings, company(30, 2, SUBJECTS), tmp_path)
    mains = {main_topic(assigned, subject) for subject in SUBJECTS}
    assert len(mains) >= 4
    manifest = json.loads(next(settings.models_dir.glob("topics/*/manifest.json")).read_text("utf-8"))
    assert manifest["embedder"] == "tfidf"
    assert manifest["metrics"]["topics"] >= 4


def test_scoring_a_chunk_gives_one_row_a_voice_with_the_announced_version(
    session_settings: Settings, tmp_path: Path
) -> None:
    voices = {"ticket:a:1": "安装师傅很专业，谢谢", "ticket:a:2": None, "feedback:b:1": "退款拖了一个月"}
    score_chunk(session_settings, write_voices(voices, tmp_path / "in.parquet"), tmp_path / "out" / "scored.parquet")
    scored = pq.read_table(tmp_path / "out" / "scored.parquet")
    assert scored.schema.equals(SENTIMENT_SCHEMA)
    assert scored["voice_id"].to_pylist() == list(voices)
    assert set(scored["model_version"].to_pylist()) == {sentiment_version(session_settings)}
    assert scored["text_hash"].to_pylist()[2] == text_hash("退款拖了一个月")
    assert scored["label"].to_pylist()[1] == "neutral"
    score_chunk(session_settings, write_voices({}, tmp_path / "in.parquet"), tmp_path / "empty.parquet")
    assert pq.read_table(tmp_path / "empty.parquet").num_rows == 0


def test_a_file_that_is_no_handover_is_named_and_nothing_is_written(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"not parquet")
    with pytest.raises(HandoverFileError, match=r"bad\.parquet"):
        score_chunk(settings, tmp_path / "bad.parquet", tmp_path / "out.parquet")
    with pytest.raises(HandoverFileError, match=r"absent\.parquet"):
        topics.assign_chunk(settings, tmp_path / "absent.parquet", tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_a_damaged_registry_is_reported_with_the_remedy(settings: Settings) -> None:
    file = settings.models_dir / "topics" / "registry.json"
    file.parent.mkdir(parents=True)
    file.write_text("{", "utf-8")
    with pytest.raises(RegistryError, match=r"registry\.json is damaged .* restore"):
        topics.current_version(settings)


def test_what_has_no_structure_is_still_divided_into_readable_parts() -> None:
    # One dense blob: density-based clustering makes a single giant of it.
    blob = unit(np.random.default_rng(1).normal(0, 1, (900, 16)).astype(np.float32))
    found = cluster(blob, seed=1)
    assert not is_collapsed(found.labels)
    assert 9 <= found.labels.max() + 1 <= 60
    assert np.array_equal(np.bincount(found.labels), np.sort(np.bincount(found.labels))[::-1])
    assert cluster(blob, seed=1).labels.tolist() == found.labels.tolist()
    assert is_collapsed(np.array([0] * 50 + [1] * 30 + [-1] * 20))
    assert is_collapsed(np.array([0] * 30 + [1] * 25 + [-1] * 45))
    assert not is_collapsed(np.array([0] * 30 + [1] * 30 + [2] * 30 + [-1] * 10))


def test_matching_keeps_permuted_topics_and_tells_splits_and_merges() -> None:
    generator = np.random.default_rng(2)
    directions = np.eye(6, 16, dtype=np.float32)
    truth = np.repeat(np.arange(6), 40)
    vectors = (directions[truth] + generator.normal(0, 0.1, (240, 16))).astype(np.float32)
    # Old: 0…4, where 4 holds the texts of 4 and 5. New: permuted; 0 and 1 have become one, 4 and 5 two.
    old = np.minimum(truth, 4)
    new = np.array([2, 2, 0, 1, 3, 4])[truth]
    found = match(old, new, vectors, old_count=5)
    assert found.continues[0] == 2
    assert found.continues[1] == 3
    assert found.continues[2] in (0, 1)
    assert found.merged_into == {({0, 1} - {found.continues[2]}).pop(): 2}
    continued = [row for row in (3, 4) if row in found.continues]
    assert len(continued) == 1
    assert found.split_from == {({3, 4} - set(continued)).pop(): 4}


def test_a_label_joins_words_that_stand_together_and_skips_rare_ones() -> None:
    counts, everywhere = TopicWords(), TopicWords()
    for text in segment(segmenter(), ["小区下水道堵塞", "下水道堵塞没人修", "下水道堵塞了", "物业不管下水道堵塞"] * 5):
        counts.add(text)
        everywhere.add(text)
    for text in segment(segmenter(), ["公交车不准时", "学校收费"] * 20):
        everywhere.add(text)
    name = label(["下水道", "堵塞", "罕见词", "物业"], counts, everywhere, set(), segmenter().service_words)
    assert name == "下水道堵塞·物业"
    assert label(["下水道", "堵塞", "罕见词", "物业"], counts, everywhere, {name}, set()) not in {name, ""}
