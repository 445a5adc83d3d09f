"""Aspects and feelings against plain keywords: precision, recall, F1, texts per second.

    python benchmarks/aspects_quality.py [--set heldout|development] [--data ../shared/data] [--engine NAME] [--errors]

The sentences are hand-written (tests/nlp/aspects_*.tsv), the held-out ones before any rule. Where the shared data is
present, emotions are also measured on weibo_emotions, whose seven labels are mapped: Anger and Disgust to anger, Fear
to anxiety, Sadness to disappointment, Gratitude to thanks; its texts carry one label each, and a text may well have
more, so that precision there is a lower bound. The baseline looks for the same words anywhere in the text: without
clauses, negation, turns, irony, politeness or questions.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from nlp.aspects import AspectExtractor, EmotionDetector, shipped_taxonomy
from nlp.sentiment import get_engine
from nlp.text import normalise

ROOT = Path(__file__).resolve().parents[1]
SIGNS = {"+": "positive", "-": "negative", "0": "neutral"}
WEIBO = {
    "Anger": "anger", "Disgust": "anger", "Fear": "anxiety", "Sadness": "disappointment", "Gratitude": "thanks",
}  # fmt: skip
Found = list[set[str]]


def read_sentences(file: Path) -> tuple[list[str], Found, Found]:
    """Texts, their aspects (``attitude positive``) and their feelings (``anger``, ``urgency:leave``)."""
    rows = [line.split("\t") for line in file.read_text("utf-8").splitlines() if not line.startswith("#")][1:]
    aspects = [{f"{code[:-1]} {SIGNS[code[-1]]}" for code in row[1].split()} for row in rows]
    return [row[0] for row in rows], aspects, [set(row[2].split()) for row in rows]


def keyword_aspects(texts: Sequence[str]) -> Found:
    """The baseline: words of aspects and of judgement, wherever they stand."""
    taxonomy = shipped_taxonomy()
    found: Found = []
    for text in (normalise(text).lower() for text in texts):
        general = sum(word in text for word in taxonomy.judging["good"]) - sum(
            word in text for word in taxonomy.judging["bad"]
        )
        said: set[str] = set()
        for aspect in taxonomy.aspects:
            own = sum(word in text for word in aspect.praise) - sum(word in text for word in aspect.blame)
            if own or any(word in text for word in aspect.terms):
                balance = own or general
                said.add(f"{aspect.code} {'positive' if balance > 0 else 'negative' if balance < 0 else 'neutral'}")
        found.append(said)
    return found


def keyword_feelings(texts: Sequence[str]) -> Found:
    """The baseline: words of feelings, wherever they stand."""
    lists = shipped_taxonomy().feelings
    return [
        {_feeling(words.feeling, words.kind) for words in lists if any(word in text for word in words.words)}
        for text in (normalise(text).lower() for text in texts)
    ]


def _feeling(name: str, kind: str) -> str:
    return f"urgency:{name}" if kind == "urgency" else name


def print_scores(title: str, truth: Found, found: Found, keep: Callable[[str], bool]) -> None:
    """One line: precision, recall, F1 over all (text, code) pairs that ``keep`` lets through."""
    hits = claimed = real = 0
    for true, said in zip(truth, found, strict=True):
        true, said = set(filter(keep, true)), set(filter(keep, said))
        hits, claimed, real = hits + len(true & said), claimed + len(said), real + len(true)
    precision, recall = hits / max(claimed, 1), hits / max(real, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    print(f"  {title:42} P {precision:.3f}  R {recall:.3f}  F1 {f1:.3f}  ({real} true)")


def names_only(found: Found) -> Found:
    """The aspects without their polarity."""
    return [{code.split()[0] for code in said} for said in found]


def print_by_code(truth: Found, found: Found) -> None:
    """Precision and recall of each code, most frequent first."""
    real = Counter(code for true in truth for code in true)
    claimed = Counter(code for said in found for code in said)
    hits = Counter(code for true, said in zip(truth, found, strict=True) for code in true & said)
    for code, count in real.most_common():
        print(f"    {code:26} P {hits[code]}/{claimed[code]}  R {hits[code]}/{count}")


def print_errors(texts: Sequence[str], truth: Found, found: Found) -> None:
    """The texts that come out wrongly; only for the development set."""
    for text, true, said in zip(texts, truth, found, strict=True):
        if true != said:
            print(f"    {text} | missed {sorted(true - said)} | too many {sorted(said - true)}")


def weibo(data: Path, detector: EmotionDetector) -> None:
    """Emotions of microblog posts."""
    frame = pd.read_csv(data / "weibo_emotions.csv.gz", dtype=str).dropna(subset=["text", "emotion"])
    texts = frame["text"].tolist()
    truth: Found = [{WEIBO[emotion]} if emotion in WEIBO else set() for emotion in frame["emotion"]]
    own: Found = [
        {feeling.feeling for feeling in said if feeling.kind == "emotion"} for said in detector.predict(texts)
    ]
    words = [{code for code in said if not code.startswith("urgency")} for said in keyword_feelings(texts)]
    print(f"weibo_emotions, {len(texts)} posts")
    for emotion in ("anger", "anxiety", "disappointment", "thanks"):
        print_scores(f"{emotion}, rules", truth, own, emotion.__eq__)
        print_scores(f"{emotion}, keywords", truth, words, emotion.__eq__)


def speed(texts: Sequence[str], models: Iterable[tuple[str, Callable[[Sequence[str]], object]]]) -> None:
    """Texts per second of CPU time, one core."""
    for name, predict in models:
        began = time.process_time()
        predict(texts)
        seconds = time.process_time() - began
        length = sum(map(len, texts)) / len(texts)
        print(f"  {name:20} {len(texts) / seconds:8,.0f} texts/s a core ({length:.0f} characters)")


def main() -> int:
    """Print the comparison."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--set", choices=("heldout", "development"), default="heldout")
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options.add_argument("--engine", help="sentiment engine for clauses that the lists say nothing of")
    options.add_argument("--errors", action="store_true", help="show what is wrong (development set only)")
    given = options.parse_args()

    texts, aspects, feelings = read_sentences(ROOT / "tests" / "nlp" / f"aspects_{given.set}.tsv")
    taxonomy = shipped_taxonomy()
    extractor, detector = AspectExtractor(taxonomy), EmotionDetector(taxonomy)
    models = {"rules": extractor}
    with tempfile.TemporaryDirectory() as folder:
        if given.engine:
            models[f"rules + {given.engine}"] = AspectExtractor(taxonomy, get_engine(given.engine, Path(folder)))
        found = {
            name: [{f"{opinion.aspect} {opinion.polarity}" for opinion in said} for said in model.predict(texts)]
            for name, model in models.items()
        }
    found["keywords"] = keyword_aspects(texts)
    print(f"aspects, {len(texts)} {given.set} sentences")
    for name, said in found.items():
        print_scores(f"aspect and polarity + -, {name}", aspects, said, lambda code: not code.endswith("neutral"))
        print_scores(f"aspect and polarity + - 0, {name}", aspects, said, lambda code: True)
        print_scores(f"aspect named, {name}", names_only(aspects), names_only(said), lambda code: True)
    print_by_code(names_only(aspects), names_only(found["rules"]))
    own = [{_feeling(feeling.feeling, feeling.kind) for feeling in said} for said in detector.predict(texts)]
    print(f"feelings, {len(texts)} {given.set} sentences")
    for name, said in (("rules", own), ("keywords", keyword_feelings(texts))):
        print_scores(f"emotion, {name}", feelings, said, lambda code: ":" not in code)
        print_scores(f"urgency, {name}", feelings, said, lambda code: ":" in code)
    print_by_code(feelings, own)
    if given.errors and given.set == "development":
        print_errors(texts, aspects, found["rules"])
        print_errors(texts, feelings, own)
    if given.data.is_dir() and given.set == "heldout":
        weibo(given.data, detector)
        reviews = pd.read_csv(given.data / "takeaway_reviews.csv.gz", usecols=["text"], dtype=str).dropna()
        sample = reviews["text"].sample(4000, random_state=1).tolist()
        print("speed, takeaway reviews")
        speed(sample, [("aspects", extractor.predict), ("feelings", detector.predict)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
