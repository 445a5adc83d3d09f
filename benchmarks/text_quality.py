"""How well noise is told from customers' voices: precision and recall by kind, beside a simple baseline.

    python benchmarks/text_quality.py [--data ../shared/data]

On the held-out texts of ``tests/nlp/noise_heldout.tsv``, written before the rules, and on those the rules were
developed on. The baseline is what one would write in five minutes: no Han characters is foreign, under two
characters is empty, five words of advertising. On real data sets, which hold next to no noise by their nature, the
share of texts that are flagged bounds the false alarms from above.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from nlp.noise import noise_detector

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("voice", "empty", "advertising", "machine", "foreign")
REAL = ("takeaway_reviews", "shopping_reviews", "weibo_posts", "citizen_complaints", "user_intents", "news_titles")
_AD = re.compile(r"加微信|优惠|兼职|代理|点击")
_HAN = re.compile(r"[\u4e00-\u9fff]")


def baseline(text: str) -> str:
    """The kind by the simplest rules."""
    if len(text.strip()) < 2:
        return "empty"
    if not _HAN.search(text):
        return "foreign"
    return "advertising" if _AD.search(text) else "voice"


def ours(text: str) -> str:
    """The kind by the project's detector."""
    found = noise_detector().find(text)
    return found.kind if found else "voice"


def report(name: str, judge: Callable[[str], str], rows: list[tuple[str, str]]) -> None:
    """Print precision and recall of each kind, and of noise at all."""
    counts = Counter((kind, judge(text)) for kind, text in rows)
    parts = []
    for kind in KINDS:
        right = counts[kind, kind]
        said = sum(count for (_, found), count in counts.items() if found == kind)
        true = sum(count for (truth, _), count in counts.items() if truth == kind)
        parts.append(f"{kind} {right / max(said, 1):.3f}/{right / max(true, 1):.3f} ({true})")
    noise = sum(count for (kind, found), count in counts.items() if kind != "voice" and found != "voice")
    said = sum(count for (_, found), count in counts.items() if found != "voice")
    true = sum(count for (kind, _), count in counts.items() if kind != "voice")
    print(f"  {name:9} noise at all {noise / max(said, 1):.3f}/{noise / true:.3f}; " + ", ".join(parts))


def main() -> int:
    """Print precision / recall (texts) by kind."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    given = options.parse_args()
    for title, name in (("held out", "noise_heldout"), ("developed on", "noise_development")):
        lines = (ROOT / "tests" / "nlp" / f"{name}.tsv").read_text("utf-8").splitlines()
        cells = [line.split("\t") for line in lines if not line.startswith("#")][1:]
        rows = [(kind, text.replace("\\n", "\n")) for kind, text in cells]
        print(f"{title}: {len(rows)} texts; precision/recall (texts)")
        report("baseline", baseline, rows)
        report("ours", ours, rows)
    if not given.data.is_dir():
        print(f"shared data is absent at {given.data}; give its folder with --data")
        return 0
    for name in REAL:
        frame = pd.read_csv(given.data / f"{name}.csv.gz", usecols=["text"], dtype=str).dropna()
        texts = frame["text"].sample(min(5_000, len(frame)), random_state=1).tolist()
        began = time.process_time()
        kinds = Counter(map(ours, texts))
        seconds = time.process_time() - began
        plain = Counter(map(baseline, texts))
        print(
            f"{name}: flagged {1 - kinds['voice'] / len(texts):.4f} {dict(kinds.most_common()[1:])},"
            f" baseline {1 - plain['voice'] / len(texts):.4f}; {len(texts) / seconds:,.0f} texts/s a core"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
