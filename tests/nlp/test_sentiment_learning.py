from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from huiyin.config import Settings
from nlp.sentiment import get_engine
from nlp.sentiment.adapting import adapt
from nlp.sentiment.default_engine import shipped_model
from nlp.sentiment.learning import learn_from_ratings, read_ratings
from nlp.sentiment.model import SentimentModel, SentimentModelError, as_sure_as, fit_calibration
from nlp.sentiment.store import current_model, current_version, sentiment_dir

DAY = datetime.fromisoformat("2025-03-01T09:00:00")
# Words of a house that no model can know: what they mean stands in the ratings alone.
HOUSE = {
    5: ("这次蓝牌", "门店给了蓝牌", "蓝牌,记下了", "又是蓝牌"),
    1: ("这次灰牌", "门店给了灰牌", "灰牌,记下了", "又是灰牌"),
}


@pytest.fixture
def company(tmp_path: Path, session_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A model store of its own; compiled code is shared with the session."""
    return Settings(var=tmp_path, mask_key="k")


def ratings_file(settings: Settings, count: int, turned: bool = False) -> Path:
    """Ratings one an hour; ``turned``: customers give the house's words the other meaning."""
    rows = []
    for number in range(count):
        stars = (5, 1)[number % 2]
        words = HOUSE[6 - stars if turned else stars]
        rows.append(
            {
                "voice_id": f"v{number}",
                "text": f"{words[number // 2 % len(words)]},第{number}单",
                "kind": "csat",
                "rating": (stars - 1) / 4,
                "rated_at": DAY + timedelta(hours=number),
            }
        )
    file = settings.var_dir / "ratings.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file


def test_what_customers_rate_is_learnt_and_promoted_with_a_card(company: Settings) -> None:
    before = get_engine("default", company.models_dir)
    outcome = learn_from_ratings(company, [], ratings_file(company, 400))
    after = get_engine("default", company.models_dir)
    assert outcome.promoted and after.version == outcome.version == current_version(company.models_dir)
    good, bad = after.score(["蓝牌"])[0], after.score(["灰牌"])[0]
    assert good > 0.75 and bad < 0.25
    assert abs(before.score(["蓝牌"])[0] - before.score(["灰牌"])[0]) < abs(good - bad) / 2
    folder = sentiment_dir(company.models_dir) / outcome.version
    card = json.loads((folder / "card.json").read_text("utf-8"))
    facts = current_model(company.models_dir).facts
    assert facts["ratings"] == 400 and facts["replaced"]["version"] == before.version
    value, low, high = facts["measured"]["difference"]["accuracy"]
    assert value == pytest.approx(facts["candidate"]["accuracy"] - facts["replaced"]["accuracy"], abs=2e-4)
    assert 0 < low <= value <= high
    text = (folder / "card.md").read_text("utf-8")
    assert "## 局限" in text and "## Limits" in text and outcome.version in text
    assert json.loads((company.models_dir / "cards" / "sentiment.json").read_text("utf-8")) == card
    assert "第1单" not in text + str(card)


def test_the_same_ratings_again_change_nothing(company: Settings) -> None:
    first = learn_from_ratings(company, [], ratings_file(company, 400))
    again = learn_from_ratings(company, [], ratings_file(company, 400))
    assert not again.promoted and again.version == first.version == current_version(company.models_dir)


def test_a_model_that_is_not_better_on_later_ratings_is_not_promoted(company: Settings) -> None:
    learnt = learn_from_ratings(company, [], ratings_file(company, 400))
    rows = pq.read_table(ratings_file(company, 400)).to_pylist()
    # From now on the same words are rated the other way: what is learnt from the past can only lose.
    confused = [row | {"rating": 1 - row["rating"]} for row in rows]
    later = [row | {"rated_at": row["rated_at"] + timedelta(hours=400)} for row in rows[:100]]
    file = company.var_dir / "ratings.parquet"
    pq.write_table(pa.Table.from_pylist(confused + later), file)
    outcome = learn_from_ratings(company, [], file)
    assert not outcome.promoted and "not better on 100 later ratings" in outcome.reason
    assert current_version(company.models_dir) == learnt.version


def test_too_few_ratings_decide_nothing(company: Settings) -> None:
    outcome = learn_from_ratings(company, [], ratings_file(company, 60))
    assert not outcome.promoted and "too few" in outcome.reason
    assert current_version(company.models_dir) is None


def test_the_middle_of_a_scale_is_neither_good_nor_bad(tmp_path: Path) -> None:
    file = tmp_path / "ratings.parquet"
    ratings = [("csat", 0.0), ("csat", 0.5), ("review", 0.75), ("nps", 0.6), ("nps", 0.8), ("nps", 0.9)]
    pq.write_table(
        pa.Table.from_pylist(
            [{"text": "a", "kind": kind, "rating": rating, "rated_at": DAY} for kind, rating in ratings]
        ),
        file,
    )
    assert sorted(read_ratings(file).targets.tolist()) == [0.0, 0.0, 1.0, 1.0]


def test_adapting_keeps_sureness_and_needs_enough_texts(company: Settings) -> None:
    get_engine("default", company.models_dir).score(["先编译"])
    model = shipped_model()
    assert adapt(model, ["服务很好"] * 600) is model
    parts = ("师傅", "客服", "快递", "安装"), ("很好", "太慢", "不错", "很差", "还行"), ("第", "单"), range(40)
    texts = [f"{who}{what}{parts[2][0]}{n}{parts[2][1]}" for who in parts[0] for what in parts[1] for n in parts[3]]
    adapted = adapt(model, texts)
    assert adapted.version != model.version
    assert adapt(model, list(reversed(texts))).version == adapted.version

    def sureness(of: SentimentModel) -> float:
        from nlp.sentiment.default_engine import DefaultEngine

        scores = DefaultEngine(of, company.models_dir).score(texts)
        return float(np.maximum(scores, 1 - scores).mean())

    assert sureness(adapted) == pytest.approx(sureness(model), abs=0.02)


def test_calibration_finds_the_slope_that_made_the_labels() -> None:
    random = np.random.default_rng(5)
    logits = random.normal(0, 2, 20_000)
    targets = (random.random(20_000) < 1 / (1 + np.exp(-(0.5 * logits + 0.3)))).astype(float)
    found = fit_calibration(logits, targets)
    assert found.slope == pytest.approx(0.5, abs=0.03) and found.shift == pytest.approx(0.3, abs=0.05)
    told = as_sure_as(logits, 0.8).probabilities(logits)
    assert np.maximum(told, 1 - told).mean() == pytest.approx(0.8, abs=1e-6)


def test_a_saved_model_is_the_same_model_and_a_foreign_file_is_refused(company: Settings, tmp_path: Path) -> None:
    model = shipped_model()
    file = tmp_path / "model.npz"
    model.save(file)
    assert SentimentModel.load(file).version == model.version
    assert current_model(company.models_dir).version == model.version
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(SentimentModelError, match="remove it"):
        SentimentModel.load(file)
