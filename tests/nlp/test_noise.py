"""Noise is told from voices, and costs no text: it is only flagged."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from huiyin.cli import app
from huiyin.config import Settings
from nlp.language import foreign_language
from nlp.noise import NoiseFileError, noise_detector
from nlp.opinions import opinions_chunk
from nlp.scoring import score_chunk
from nlp.text import normalise
from nlp.topics.lifecycle import assign_chunk, ensure_model
from nlp.topics.store import TopicStore

HELD_OUT = Path(__file__).parent / "noise_heldout.tsv"


def labelled(file: Path) -> list[tuple[str, str]]:
    """Kind and text of each row of a set."""
    rows = [line.split("\t") for line in file.read_text("utf-8").splitlines() if not line.startswith("#")]
    return [(kind, text.replace("\\n", "\n")) for kind, text in rows[1:]]


def test_held_out_noise_is_found_and_voices_are_left_alone() -> None:
    counts = Counter(
        (kind, found.kind if (found := noise_detector().find(text)) else "voice") for kind, text in labelled(HELD_OUT)
    )
    voices = sum(count for (kind, _), count in counts.items() if kind == "voice")
    noise = sum(count for (kind, _), count in counts.items() if kind != "voice")
    assert voices + noise >= 150
    assert counts["voice", "voice"] / voices >= 0.97
    assert sum(count for (kind, found), count in counts.items() if kind != "voice" and found != "voice") / noise >= 0.9


@given(st.text(alphabet=st.characters(codec=None), max_size=80))
def test_any_text_has_an_answer_and_always_the_same(text: str) -> None:
    first = noise_detector().find(text)
    assert first == noise_detector().find(text)
    if not normalise(text):
        assert first is not None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我的iPhone 14 Pro Max连不上WiFi", ""),
        ("冇人理我,点解咁耐", ""),
        ("very good", ""),
        ("the parcel never arrived", "英文"),
        ("まだ届いていません", "日文"),
        ("zhe ge kong tiao huai le", "拼音"),
    ],
)
def test_the_language_is_told_by_scripts_and_common_words(text: str, language: str) -> None:
    assert foreign_language(text) == language


def test_a_companys_own_words_take_the_place_of_the_shipped_ones(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, rules=tmp_path, mask_key="k")
    text = "来我们拍卖行竞拍,联系[手机号1]"
    assert noise_detector(settings).find(text) is None
    (tmp_path / "noise.csv").write_text("role,weight,words\noffer,4,拍卖行；竞拍\n", "utf-8")
    found = noise_detector(settings).find(text)
    assert found is not None and found.kind == "advertising" and "拍卖行" in found.reason
    (tmp_path / "noise.csv").write_text("role,weight,words\noffers,4,竞拍\n", "utf-8")
    with pytest.raises(NoiseFileError, match="row 2: role must be one of offer"):
        noise_detector(settings)


def test_noise_gets_neither_polarity_nor_topic_and_is_reported(
    session_settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = {
        "v1": "客服态度恶劣,再也不买了",
        "v2": "专业代开发票,加微信[微信1]",
        "v3": "The parcel never arrived",
        "v4": "。。",
    }
    file = tmp_path / "in.parquet"
    pq.write_table(pa.table({"voice_id": list(texts), "text": list(texts.values())}), file)
    with caplog.at_level("INFO"):
        score_chunk(session_settings, file, tmp_path / "out.parquet")
    rows = {row["voice_id"]: row for row in pq.read_table(tmp_path / "out.parquet").to_pylist()}
    assert rows.keys() == texts.keys()
    assert rows["v1"]["label"] == "negative" and rows["v1"]["noise"] is None
    assert {name: rows[name]["noise"] for name in ("v2", "v3", "v4")} == {
        "v2": "advertising",
        "v3": "foreign",
        "v4": "empty",
    }
    assert all(rows[name]["score"] == 0.5 and rows[name]["label"] == "neutral" for name in ("v2", "v3", "v4"))
    assert rows["v2"]["noise_reason"] == "推销用语 专业代开"
    assert "advertising" in caplog.text


def test_what_an_advertisement_praises_is_no_opinion(session_settings: Settings, tmp_path: Path) -> None:
    texts = {"v1": "师傅很专业,就是收费太贵", "v2": "专业空调清洗,收费便宜,师傅态度好,上门服务,联系[手机号1]"}
    file = tmp_path / "in.parquet"
    pq.write_table(pa.table({"voice_id": list(texts), "text": list(texts.values())}), file)
    opinions_chunk(session_settings, file, tmp_path / "out.parquet")
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert {row["kind"] for row in rows if row["voice_id"] == "v1"} == {"aspect"}
    assert [row["kind"] for row in rows if row["voice_id"] == "v2"] == ["none"]


def test_the_command_judges_noise_all_the_same_but_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUIYIN_VAR", str(tmp_path / "var"))
    file, out = tmp_path / "in.csv", tmp_path / "out.csv"
    file.write_text("text\n师傅很专业、点赞\nThe parcel never arrived\n", "utf-8")
    result = CliRunner().invoke(app, ["nlp", "score", str(file), "--out", str(out)])
    assert result.exit_code == 0, result.output
    with out.open(encoding="utf-8", newline="") as stream:
        voice, foreign = csv.DictReader(stream)
    assert voice["noise"] == "" and voice["label"] == "positive"
    assert foreign["noise"] == "foreign: 英文" and foreign["uncertain"] == "True" and 0 <= float(foreign["score"]) <= 1


@pytest.mark.slow
def test_noise_is_no_sample_for_topics_and_is_assigned_to_none(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, mask_key="k", nlp={"embedder": "tfidf", "topic_fit_texts": 400})
    things, faults = (
        ["空调", "冰箱", "洗衣机", "热水器", "油烟机", "电视", "路由器", "电饭煲"],
        ["漏水", "异响", "不启动", "断电", "生锈", "发烫"],
    )
    voices = [f"{thing}{fault}了,第{number}次报修" for thing in things for fault in faults for number in range(2, 8)]
    spam = [f"专业回收二手{thing},高价上门,联系[手机号{number}]" for thing in things for number in range(1, 9)]
    sample = TopicStore(settings).sample([*voices, *spam])
    assert len(sample) == len(voices) and not any("回收" in text for text in sample)
    file = tmp_path / "in.parquet"
    texts = [*voices, *spam]
    pq.write_table(pa.table({"voice_id": [str(number) for number in range(len(texts))], "text": texts}), file)
    ensure_model(settings, [file])
    assign_chunk(settings, file, tmp_path / "out.parquet")
    topic_ids = pq.read_table(tmp_path / "out.parquet")["topic_id"].to_pylist()
    assert len(topic_ids) == len(texts)
    assert set(topic_ids[len(voices) :]) == {-1}
    assert sum(topic_id >= 0 for topic_id in topic_ids[: len(voices)]) > 0.8 * len(voices)
