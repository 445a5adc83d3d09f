"""Time and memory of topics at a large company: fit on 100,000 texts, assign 100,000 more.

    python benchmarks/topics_scale.py [--texts 100000] [--data ../shared/data]

Texts and their vectors are made from the shared sets: each vector is that of a real text moved a little at random (to a
cosine of about 0.9), so that no two are equal; embedding is not part of the time. Fitting covers the sample, the graph,
UMAP, the groups, the words and the saved model; assigning is what the daily run does with vectors from the cache.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from huiyin.config import Settings
from nlp.embed import Vectors, prepare, sentence_embedder, unit
from nlp.runtime import keep_numba_code
from nlp.segment import segmenter
from nlp.topics.discovery import discover
from nlp.topics.store import TopicStore

FILES = ("news_titles", "shopping_reviews", "user_intents")
_BASE = 2_000
_MOVED = 0.45
_ROWS = 10_000


def main() -> int:
    """Print seconds and the peak of memory."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--texts", type=int, default=100_000)
    options.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    given = options.parse_args()
    if not given.data.is_dir():
        print(f"shared data is absent at {given.data}; give its folder with --data")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(var=Path(folder), mask_key="benchmark")
        keep_numba_code(settings.models_dir)
        base = [
            prepare(text)
            for name in FILES
            for text in pd.read_csv(given.data / f"{name}.csv.gz", usecols=["text"], dtype=str, nrows=_BASE)["text"]
        ]
        embedded = sentence_embedder(settings).embed(base)
        generator = np.random.default_rng(settings.nlp.seed)

        def resampled() -> tuple[list[str], Vectors]:
            rows = generator.integers(0, len(base), given.texts)
            noise = unit(generator.normal(size=(given.texts, embedded.shape[1])).astype(np.float32))
            texts = [f"{base[row][:240]} {number}" for number, row in enumerate(rows.tolist())]
            return texts, unit(embedded[rows] + _MOVED * noise)

        texts, vectors = resampled()
        began, cpu = time.perf_counter(), time.process_time()
        sample = TopicStore(settings).sample(texts)
        rows = [int(text.rsplit(maxsplit=1)[-1]) for text in sample]
        found = discover(sample, vectors[rows], settings.nlp.seed, segmenter())
        for begin in range(0, len(vectors), _ROWS):
            found.centroids.nearest(vectors[begin : begin + _ROWS])
        print(
            f"fit {given.texts:,} texts ({len(sample):,} sampled): {time.perf_counter() - began:.0f} s,"
            f" {time.process_time() - cpu:.0f} s CPU, {len(found.topics)} topics"
        )
        _, more = resampled()
        began, cpu = time.perf_counter(), time.process_time()
        for begin in range(0, len(more), _ROWS):
            found.centroids.nearest(more[begin : begin + _ROWS])
        print(
            f"assign {given.texts:,} more: {time.perf_counter() - began:.1f} s, {time.process_time() - cpu:.1f} s CPU;"
            f" peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.1f} GB"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
