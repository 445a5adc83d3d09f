"""Groups of questions against known intents, beside TF-IDF with KMeans; which texts ask for knowledge at all.

    python benchmarks/knowledge_quality.py [--data ../shared/data]

user_intents: every text counts as a question, its intent as the truth. Purity: share of the grouped texts that have
the commonest intent of their group; covered: share of texts in a group of at least five; NMI and ARI over the grouped
texts, and over all texts with each ungrouped one as a group of its own. KMeans gets as many groups as there are
intents, and as many as ours has (which raises its purity); character 1–3-grams as in the other benchmarks.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from huiyin.config import Settings
from nlp.embed import sentence_embedder
from nlp.knowledge import group_questions, how_to
from nlp.knowledge.clustering import SAME_FROM
from nlp.text import topic_text

ROOT = Path(__file__).resolve().parents[1]
SMALLEST = 5
Labels = npt.NDArray[np.int64]


def told(name: str, labels: Labels, truth: Labels) -> None:
    """Print how the groups agree with the intents."""
    counts = np.bincount(labels[labels >= 0])
    labels = np.where((labels >= 0) & (counts[np.maximum(labels, 0)] >= SMALLEST), labels, -1)
    grouped = labels >= 0
    purest = sum(int(np.bincount(truth[labels == group]).max()) for group in set(labels[grouped].tolist()))
    alone = np.where(grouped, labels, labels.max() + 1 + np.arange(len(labels)))
    print(
        f"  {name:30} groups {len(set(labels[grouped].tolist())):4}, covered {grouped.mean():.3f},"
        f" purity {purest / grouped.sum():.3f},"
        f" NMI/ARI {normalized_mutual_info_score(truth[grouped], labels[grouped]):.3f}"
        f"/{adjusted_rand_score(truth[grouped], labels[grouped]):.3f},"
        f" all texts {normalized_mutual_info_score(truth, alone):.3f}/{adjusted_rand_score(truth, alone):.3f}"
    )


def questions() -> None:
    """Precision and recall of telling questions for knowledge, beside a question mark or question word."""
    lines = (ROOT / "tests" / "nlp" / "questions.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
    marks = ("?", "吗", "怎么", "什么", "哪", "能不能", "如何")
    for name, judge in (
        ("question word or mark", lambda text: any(mark in text for mark in marks)),
        ("ours", lambda text: bool(how_to(text))),
    ):
        counts = Counter((asks == "yes", judge(text)) for asks, text in rows)
        right = counts[True, True]
        print(
            f"  {name:30} precision {right / (right + counts[False, True]):.3f},"
            f" recall {right / (right + counts[True, False]):.3f} ({len(rows)} texts)"
        )


def main() -> int:
    """Print the comparisons."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    given = options.parse_args()
    print("which texts ask for knowledge (own sentences, written before the rules by the same hand)")
    questions()
    if not given.data.is_dir():
        print(f"shared data is absent at {given.data}; give its folder with --data")
        return 2
    frame = pd.read_csv(given.data / "user_intents.csv.gz", usecols=["text", "category"], dtype=str).dropna()
    texts = [topic_text(text) for text in frame["text"]]
    truth = frame["category"].astype("category").cat.codes.to_numpy().astype(np.int64)
    with tempfile.TemporaryDirectory() as folder:
        embed = sentence_embedder(Settings(var=Path(folder), mask_key="benchmark")).embed
        embed(texts)
        began = time.process_time()
        ours = group_questions(texts, embed, smallest=SMALLEST)
        seconds = time.process_time() - began
        print(
            f"user_intents, {len(texts)} texts of {truth.max() + 1} intents; ours {seconds:.1f} s CPU without embedding"
        )
        matrix = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True).fit_transform(texts)
        for count in (int(truth.max()) + 1, int(ours.max()) + 1):
            found = KMeans(count, n_init=3, random_state=1).fit_predict(matrix).astype(np.int64)
            told(f"TF-IDF + KMeans, {count}", found, truth)
        for same_from in (0.4, SAME_FROM, 0.6):
            labels = group_questions(texts, embed, smallest=SMALLEST, same_from=same_from)
            told(f"ours, same from {same_from}", labels, truth)
        half = len(texts) // 2
        order = np.random.default_rng(1).permutation(len(texts))
        part = [texts[place] for place in order[:half]]
        told("ours, on one half", group_questions(part, embed, smallest=SMALLEST), truth[order[:half]])
    return 0


if __name__ == "__main__":
    sys.exit(main())
