from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.evaluation import measure
from nlp.sentiment import LABELS, SentimentEngine, get_engine
from nlp.sentiment.default_engine import DefaultEngine
from nlp.sentiment.linear import prepare
from nlp.sentiment.phrases import phrases
from nlp.sentiment.training import own_sentences

SENTENCES = Path(__file__).resolve().parent / "service_sentences.tsv"


@pytest.fixture(scope="session")
def engine(models_dir: Path) -> DefaultEngine:
    found = get_engine("default", models_dir)
    assert isinstance(found, DefaultEngine)
    return found


@pytest.fixture(scope="session")
def held_out() -> pd.DataFrame:
    return pd.read_csv(SENTENCES, sep="\t", comment="#", quoting=3, dtype=str)


def test_the_default_engine_is_right_on_held_out_service_sentences_far_more_often_than_snownlp(
    engine: DefaultEngine, snownlp_engine: SentimentEngine, held_out: pd.DataFrame
) -> None:
    clear = held_out[held_out["label"].isin(["positive", "negative"])]
    truth = (clear["label"] == "positive").to_numpy()
    own = measure(engine.score(clear["text"].tolist()), truth)
    baseline = measure(snownlp_engine.score(clear["text"].tolist()), truth)
    assert len(held_out) >= 300
    assert own["accuracy"] >= 0.83
    assert own["macro_f1"] >= baseline["macro_f1"] + 0.15


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("安装师傅上门准时,服务态度好,点赞", "positive"),
        ("客服态度挺好就是解决不了问题", "mixed"),
        ("等了一个星期终于给退款了", "negative"),
        ("能不能快点", "negative"),
    ],
)
def test_service_language_is_understood(engine: DefaultEngine, text: str, label: str) -> None:
    assert engine.judge([text]).labels == [label]


def test_no_sentence_that_engines_are_judged_by_is_one_they_learn_from(held_out: pd.DataFrame) -> None:
    def letters(text: str) -> str:
        return "".join(filter(str.isalnum, prepare(text)))

    learnt = {letters(text) for _, text in own_sentences()} | {letters(word) for word in phrases().words}
    assert not learnt & {letters(text) for text in held_out["text"]}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(codec=None), max_size=40), max_size=5))
def test_any_text_gets_a_probability_a_label_and_an_intensity(engine: DefaultEngine, texts: list[str]) -> None:
    judged = engine.judge(texts)
    assert len(judged.labels) == len(judged.scores) == len(judged.uncertain) == len(judged.intensity) == len(texts)
    assert ((judged.scores >= 0) & (judged.scores <= 1)).all()
    assert ((judged.intensity >= 0) & (judged.intensity <= 1)).all()
    assert set(judged.labels) <= set(LABELS)


def test_a_score_depends_on_nothing_but_its_text(engine: DefaultEngine) -> None:
    texts = ["服务很好", "", "等了三天没人管", "物流慢" * 300, "服務很好", "👍", "味道不错，就是送得慢"]
    together = engine.score(texts)
    assert np.allclose(together, [engine.score([text])[0] for text in texts], atol=1e-9)
    assert together[0] == together[4], "traditional characters mean the same"


def test_the_words_that_decided_add_up_to_the_logit(engine: DefaultEngine) -> None:
    text = "客服态度很好,可惜等了三天才修好,太慢了!"
    reasons = engine.explain(text, limit=100)
    assert sum(reason.weight for reason in reasons) + engine.model.weights.intercept == pytest.approx(
        engine.logits([text])[0], abs=1e-4
    )
    assert any(reason.weight < 0 for reason in reasons[:3])
    assert engine.explain("") == []
