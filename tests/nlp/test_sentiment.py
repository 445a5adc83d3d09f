from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huiyin.config import PROJECT_ROOT
from nlp.sentiment import SentimentEngine, UnknownEngineError, get_engine, label_of
from nlp.sentiment.snownlp_tables import hash_table

# Characters SnowNLP knows, Han it has never seen, borders of its range, white space of all kinds, the rest of Unicode.
PIECES = st.one_of(
    st.text(alphabet="的一是不了我有服务态度差好评退款快递安装师傅太慢谢谢！，。", max_size=20),
    st.text(alphabet=st.characters(min_codepoint=0x4DF0, max_codepoint=0x9FB0), max_size=12),
    st.text(alphabet=" \t\n\r\x1c\x85\u00a0\u2003\u3000", max_size=3),
    st.text(alphabet=st.characters(codec=None), max_size=12),
)


def snownlp_score(text: str) -> float:
    from snownlp import SnowNLP

    score: float = SnowNLP(text).sentiments
    return score


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=6).map("".join).filter(bool))
def test_any_text_scores_exactly_as_snownlp_scores_it(snownlp_engine: SentimentEngine, text: str) -> None:
    assert snownlp_engine.score([text])[0] == snownlp_score(text)


@pytest.mark.slow
def test_two_thousand_real_texts_score_exactly_as_snownlp_scores_them(
    snownlp_engine: SentimentEngine, shared_data: Path
) -> None:
    texts: list[str] = []
    for name in ("takeaway_reviews", "weibo_posts", "citizen_complaints", "news_titles"):
        column = pd.read_csv(shared_data / f"{name}.csv.gz", usecols=["text"], dtype=str)["text"].dropna()
        texts += column[column.str.len().between(1, 80)].sample(500, random_state=3).tolist()
    own = snownlp_engine.score(texts)
    assert own.tolist() == [snownlp_score(text) for text in texts]


def test_random_runs_of_rare_characters_score_exactly_as_snownlp_scores_them(snownlp_engine: SentimentEngine) -> None:
    generator = random.Random(7)
    texts = [
        "".join(chr(generator.randint(0x4E00, 0x9FA5)) for _ in range(generator.randint(1, 9))) for _ in range(800)
    ]
    assert snownlp_engine.score(texts).tolist() == [snownlp_score(text) for text in texts]


def test_an_empty_text_gets_what_snownlps_classifier_gives_to_no_words(snownlp_engine: SentimentEngine) -> None:
    from snownlp import sentiment

    scores = snownlp_engine.score(["", "  \n", "很好"])
    assert scores[0] == scores[1] == sentiment.classify("")
    assert snownlp_engine.score([]).shape == (0,)


def test_a_score_does_not_depend_on_the_texts_beside_it(snownlp_engine: SentimentEngine) -> None:
    texts = ["服务很好", "", "等了三天没人管", "A" * 5_000, "物流慢" * 400]
    together = snownlp_engine.score(texts)
    assert together.tolist() == [snownlp_engine.score([text])[0] for text in texts]


def test_the_engine_works_where_the_installation_is_read_only_and_starts_from_saved_tables(
    snownlp_engine: SentimentEngine, models_dir: Path, tmp_path: Path
) -> None:
    snownlp_engine.score(["先建好"])
    script = (
        "import sys; from pathlib import Path; from nlp.sentiment import get_engine;"
        "print(get_engine('snownlp', Path(sys.argv[1])).score(['服务很好'])[0]);"
        "assert 'snownlp' not in sys.modules, 'the original package was loaded';"
        "import nlp; assert Path(nlp.__file__).is_relative_to(Path.cwd())"
    )
    # A copy of its own: tests of the other process compile beside the code meanwhile.
    installation = tmp_path / "installation"
    shutil.copytree(PROJECT_ROOT / "nlp", installation / "nlp", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(models_dir)],
        check=True, capture_output=True, text=True, env=environment, cwd=installation,
    )  # fmt: skip
    assert float(done.stdout) == snownlp_score("服务很好")
    assert list((models_dir / "numba").rglob("*.nbi")), "machine code is kept in the model store"
    assert not list(installation.rglob("*.nbi")), "none beside the code"


def test_an_unknown_engine_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownEngineError, match=r"nlp\.sentiment_engine.*'nope'.*snownlp"):
        get_engine("nope", tmp_path)


def test_labels_follow_the_documented_thresholds() -> None:
    assert [label_of(score) for score in (0.0, 0.3999, 0.4, 0.5999, 0.6, 1.0)] == [
        "negative", "negative", "neutral", "neutral", "positive", "positive",
    ]  # fmt: skip


def test_a_full_hash_table_finds_every_key() -> None:
    keys = np.unique(np.random.default_rng(1).integers(0, 1 << 40, 5_000))
    table, slots = hash_table(keys)
    filled = slots >= 0
    assert np.array_equal(np.sort(table[filled]), keys)
    assert np.array_equal(keys[slots[filled]], table[filled])
