"""Own sentiment engine against SnowNLP 0.12.3 itself: equality, texts per second, start-up, memory.

    python benchmarks/sentiment_speed.py [--texts 10000] [--data ../shared/data]

The baseline runs in the same process on the same texts; first build and later start run in fresh processes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

FILES = {
    "takeaway_reviews": "text",
    "shopping_reviews": "text",
    "weibo_posts": "text",
    "citizen_complaints": "text",
    "news_titles": "text",
}
START = """
import resource, sys, time
from pathlib import Path
began = time.perf_counter()
from nlp.sentiment import get_engine
engine = get_engine("snownlp", Path(sys.argv[1]))
engine.score(["今天的服务很好"])
print(f"{time.perf_counter() - began:.1f} s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
"""


def texts_of(data: Path, count: int, seed: int) -> list[str]:
    """Real texts, evenly from each file."""
    parts = []
    for name, column in FILES.items():
        frame = pd.read_csv(data / f"{name}.csv.gz", usecols=[column], dtype=str).dropna()
        parts.append(frame[column].sample(min(count // len(FILES), len(frame)), random_state=seed))
    return pd.concat(parts).tolist()


def main() -> int:
    """Print the comparison; exit 1 where a score differs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--texts", type=int, default=10_000)
    options.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    given = options.parse_args()
    if not given.data.is_dir():
        print(f"shared data is absent at {given.data}; give its folder with --data")
        return 2

    with tempfile.TemporaryDirectory() as models:
        for what in ("first start, builds and compiles", "later start"):
            done = subprocess.run([sys.executable, "-c", START, models], check=True, capture_output=True, text=True)
            print(f"{what}: {done.stdout.strip()}")

        from nlp.sentiment import get_engine

        texts = texts_of(given.data, given.texts, seed=1)
        engine = get_engine("snownlp", Path(models))
        engine.score(texts[:1])
        began = time.process_time()
        own = engine.score(texts)
        own_seconds = time.process_time() - began

    from snownlp import SnowNLP

    began = time.process_time()
    reference = [SnowNLP(text).sentiments for text in texts]
    reference_seconds = time.process_time() - began
    different = sum(a != b for a, b in zip(own.tolist(), reference, strict=True))
    characters = sum(map(len, texts))
    print(f"texts: {len(texts)}, {characters / len(texts):.0f} characters on average")
    print(f"different scores: {different}")
    print(f"SnowNLP 0.12.3: {len(texts) / reference_seconds:,.0f} texts/s")
    print(f"own engine:     {len(texts) / own_seconds:,.0f} texts/s, {reference_seconds / own_seconds:,.0f} times")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
