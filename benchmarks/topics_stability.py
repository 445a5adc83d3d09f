"""Do texts keep their topic id when topics are learnt again a month later?

    python benchmarks/topics_stability.py [--texts 6000] [--data ../shared/data]

Topics are found on the first half of the texts (complaints: by date, else at random) and learnt again on all of them.
Counted are the texts of the first half that had a topic which still exists: the share that has the same id as before.
Beside it, found anew on all texts: with the ids the clustering gives, and matched to the old ones (Hungarian).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from huiyin.config import NlpSettings, Settings
from nlp.embed import sentence_embedder
from nlp.runtime import keep_numba_code
from nlp.segment import segmenter
from nlp.topics.communities import Labels
from nlp.topics.discovery import discover
from nlp.topics.learning import learn
from nlp.topics.matching import match
from nlp.topics.store import TopicStore

FILES = ("citizen_complaints", "user_intents", "news_titles", "shopping_reviews")
FIRST, LATER = date(2026, 1, 1), date(2026, 2, 1)


def kept(before: Labels, after: Labels) -> str:
    """The share with the same id, among those whose topic before is still there."""
    exists = (before >= 0) & np.isin(before, after)
    return f"{(before[exists] == after[exists]).mean():.1%} of {exists.sum()}"


def assigned(store: TopicStore, sample: list[str]) -> Labels:
    """Topic ids by the current model."""
    model = store.model(store.registry().version)
    rows, _ = model.centroids.nearest(model.embedder.embed(sample))
    return np.where(rows >= 0, model.topic_ids[rows], -1)


def main() -> int:
    """Print the shares for each data set."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--texts", type=int, default=6_000)
    options.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    given = options.parse_args()
    if not given.data.is_dir():
        print(f"shared data is absent at {given.data}; give its folder with --data")
        return 2
    for name in FILES:
        frame = pd.read_csv(given.data / f"{name}.csv.gz", dtype=str).dropna(subset=["text"])
        frame = frame.sample(min(given.texts, len(frame)), random_state=1)
        if "created_at" in frame:
            frame = frame.sort_values("created_at", kind="stable")
        texts = frame["text"].tolist()
        with tempfile.TemporaryDirectory() as folder:
            nlp = NlpSettings(topic_fit_texts=given.texts)
            settings = Settings(var=Path(folder), mask_key="benchmark", nlp=nlp)
            keep_numba_code(settings.models_dir)
            store = TopicStore(settings)
            first = store.sample(texts[: len(texts) // 2])
            everything = store.sample(texts)
            learn(store, first, today=FIRST)
            before = assigned(store, first)
            report = learn(store, everything, today=LATER)
            print(f"{name}: {len(first)} texts, then {len(everything)}; {report}")
            print(f"  Huiyin:                       {kept(before, assigned(store, first))}")

            embedder = sentence_embedder(settings)
            vectors = embedder.embed(everything)
            anew = discover(everything, vectors, settings.nlp.seed, segmenter())
            rows, _ = anew.centroids.nearest(embedder.embed(first))
            old = discover(first, embedder.embed(first), settings.nlp.seed, segmenter())
            old_rows, _ = old.centroids.nearest(vectors)
            matching = match(old_rows, anew.labels, vectors, len(old.topics))
            names = np.array([matching.continues.get(row, 1_000 + row) for row in range(len(anew.topics))])
            old_first, _ = old.centroids.nearest(embedder.embed(first))
            print(f"  found anew, ids as they come: {kept(old_first, rows)}")
            print(f"  found anew, matched:          {kept(old_first, np.where(rows >= 0, names[rows], -1))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
