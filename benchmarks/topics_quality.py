"""Topics of the default settings against known classes, beside TF-IDF + SVD + KMeans on the same texts.

    python benchmarks/topics_quality.py [--texts 8000] [--data ../shared/data]

NMI and ARI over all texts, each given the nearest topic, as `huiyin topics fit` does: at the level of groups (its
default) and of topics. Half: found on one half of the texts, measured on the other, as by `topics assign`. No label
is used for finding topics. KMeans is told the true number of classes; Huiyin isn't.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from huiyin.config import Settings
from nlp.embed import TfidfEmbedder, prepare, sentence_embedder
from nlp.runtime import keep_numba_code
from nlp.segment import segmenter
from nlp.topics.discovery import discover

FILES = ("user_intents", "news_titles", "shopping_reviews")


def scores(truth: pd.Series, labels: np.ndarray) -> str:
    """NMI/ARI as text."""
    return f"{normalized_mutual_info_score(truth, labels):.3f}/{adjusted_rand_score(truth, labels):.3f}"


def main() -> int:
    """Print one line a data set and method."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--texts", type=int, default=8_000)
    options.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    given = options.parse_args()
    if not given.data.is_dir():
        print(f"shared data is absent at {given.data}; give its folder with --data")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(var=Path(folder), mask_key="benchmark")
        keep_numba_code(settings.models_dir)
        seed = settings.nlp.seed
        for name in FILES:
            frame = pd.read_csv(given.data / f"{name}.csv.gz", usecols=["text", "category"], dtype=str).dropna()
            frame = frame.sample(min(given.texts, len(frame)), random_state=seed)
            frame["text"] = frame["text"].map(prepare)
            frame = frame[frame["text"] != ""].drop_duplicates("text")
            texts, truth = frame["text"].tolist(), frame["category"]
            print(f"{name}: {len(texts)} texts, {truth.nunique()} classes")

            began = time.process_time()
            tfidf = TfidfEmbedder.fit(texts, seed).embed(texts)
            labels = KMeans(truth.nunique(), n_init=4, random_state=seed).fit_predict(tfidf)
            print(f"  TF-IDF + SVD + KMeans: {scores(truth, labels)}, {time.process_time() - began:.0f} s CPU")

            vectors = sentence_embedder(settings).embed(texts)
            began = time.process_time()
            found = discover(texts, vectors, seed, segmenter())
            seconds = time.process_time() - began
            rows, _ = found.centroids.best(vectors)
            outside = (found.labels < 0).mean()
            print(
                f"  Huiyin, groups:        {scores(truth, found.groups[rows])}, {seconds:.0f} s CPU after embedding,"
                f" {found.groups.max() + 1} groups ({found.method}), without topic {outside:.1%}"
            )
            print(f"  Huiyin, topics:        {scores(truth, rows)}, {len(found.topics)} topics")
            half = len(texts) // 2
            first = discover(texts[:half], vectors[:half], seed, segmenter())
            later, _ = first.centroids.best(vectors[half:])
            print(f"  Huiyin, half, groups:  {scores(truth[half:], first.groups[later])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
