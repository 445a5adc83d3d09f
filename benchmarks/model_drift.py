"""How often the watch over the models cries wolf, and what it sees: by resampling real texts.

    python benchmarks/model_drift.py [--data ../shared/data] [--draws 400]

False alarms: a reference of 800 texts and a week of 60, 200 or 1,000, all drawn from the same set; so whatever is
called a drift is chance. Power: the same with 30 or 60 % of the week from another set. Rules: the stability index from
0.25 and from 0.1; the G-test at 5 %; and ours, both, with the index corrected for size. Measures: scores,
unknown words, uncertain, and the category of shopping reviews in the place of topics.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency

from huiyin.config import Settings
from nlp.sentiment import get_engine
from nlp.watching.drift import compare_counts
from nlp.watching.profile import read_texts

ROOT = Path(__file__).resolve().parents[1]
SEED = 20250101
REFERENCE = 800
Counts = dict[str, int]


def plain_index(reference: Counts, own: Counts) -> float:
    """The population stability index with half a text in each bin, not corrected."""
    names = sorted({*reference, *own})
    table = np.array([[side.get(name, 0) for name in names] for side in (reference, own)], float) + 0.5
    shares = table / table.sum(axis=1, keepdims=True)
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def chance_only(reference: Counts, own: Counts) -> float:
    """The G-test without merging small bins."""
    names = sorted({*reference, *own})
    if len(names) < 2:
        return 1.0
    table = np.array([[side.get(name, 0) for name in names] for side in (reference, own)], float)
    return float(chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue)


RULES: dict[str, Callable[[Counts, Counts], bool]] = {
    "index ≥ 0.25": lambda reference, own: plain_index(reference, own) >= 0.25,
    "index ≥ 0.1": lambda reference, own: plain_index(reference, own) >= 0.1,
    "G-test 5 %": lambda reference, own: chance_only(reference, own) < 0.05,
    "ours": lambda reference, own: compare_counts(reference, own).is_drift,
}


def bins(data: Path, models: Path) -> dict[str, dict[str, list[str]]]:
    """By set and measure the bin of each of 4,000 texts."""
    settings = Settings(var=models)
    engine = get_engine("default", settings.models_dir)
    found = {}
    for name in ("takeaway_reviews", "shopping_reviews", "weibo_posts"):
        frame = pd.read_csv(data / f"{name}.csv.gz").dropna(subset=["text"]).sample(4000, random_state=SEED)
        texts = frame["text"].astype(str).tolist()
        readings = read_texts(settings, texts, engine.score(texts), np.zeros(len(texts), np.int64), "s", "t")
        found[name] = {
            measure: [each for each in readings[measure].bins if each]
            for measure in ("scores", "unknown_words", "uncertain")
        }
        if name == "shopping_reviews":
            found[name]["topics"] = frame["category"].tolist()
    return found


def alarms(reference: Sequence[str], others: Sequence[str], share: float, size: int, draws: int) -> dict[str, float]:
    """By rule the share of draws that it calls a drift; ``share`` of the week comes from ``others``."""
    random = np.random.default_rng(SEED)
    own, other = np.array(reference), np.array(others)
    said = dict.fromkeys(RULES, 0)
    for _ in range(draws):
        drawn = own[random.permutation(len(own))[: REFERENCE + size]]
        week = drawn[REFERENCE:]
        strange = round(share * size)
        if strange:
            week = np.concatenate([week[strange:], other[random.integers(0, len(other), strange)]])
        sides = Counter(drawn[:REFERENCE].tolist()), Counter(week.tolist())
        for rule, judge in RULES.items():
            said[rule] += judge(*sides)
    return {rule: count / draws for rule, count in said.items()}


def main() -> int:
    """Print all shares; 2 where the data are absent."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options.add_argument("--draws", type=int, default=400)
    given = options.parse_args()
    if not given.data.is_dir():
        print(f"shared data is absent at {given.data}; give its folder with --data")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        found = bins(given.data, Path(folder))
    print(f"{'':56}" + "".join(f"{rule:>14}" for rule in RULES))
    for size in (60, 200, 1000):
        for name, measures in found.items():
            for measure, values in measures.items():
                shares = alarms(values, values, 0.0, size, given.draws)
                line = f"no drift, {size} texts, {name}, {measure}"
                print(f"{line:56}" + "".join(f"{share:14.3f}" for share in shares.values()), flush=True)
    for size in (60, 200, 1000):
        for share in (0.3, 0.6):
            for measure in ("scores", "unknown_words"):
                own, other = found["takeaway_reviews"][measure], found["weibo_posts"][measure]
                shares = alarms(own, other, share, size, given.draws)
                line = f"{share:.0%} microblogs, {size} texts, takeaway, {measure}"
                print(f"{line:56}" + "".join(f"{each:14.3f}" for each in shares.values()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
