"""How soon does a subject nobody spoke of before get a topic of its own, and how often is one born without a cause?

    python benchmarks/topics_emerging.py [--data ../shared/data]

Texts of known classes arrive for some weeks, the same number each; then one class more, which the topics have never
seen, begins with a few texts a day. Each week topics are learnt as by the DAG `learning`. A birth is right if most of
the texts it takes are of the new class. Printed: the days from the class's first text to the first right birth, and the
births without a cause, also over as many weeks without any new class. Beside it, complaints of citizens week by week,
where nobody knows the truth: births and how they are called.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from huiyin.config import NlpSettings, Settings
from nlp.runtime import keep_numba_code
from nlp.topics.learning import learn
from nlp.topics.store import TopicStore

CASES = {"user_intents": ("weather", "cookbook", "lottery"), "news_titles": ("realty", "sports", "game")}
START = date(2026, 1, 5)
WEEKS = 5
_FIRST, _WEEKLY, _NEW_WEEKLY = 1_500, 150, 12
_COMPLAINTS_FROM, _COMPLAINTS_WEEKS = "2019-09-01", 12


def born_of(store: TopicStore, known: set[int], sample: list[str]) -> dict[int, list[str]]:
    """The texts of each active topic that was not known before."""
    registry = store.registry()
    model = store.model(registry.version)
    rows, _ = model.centroids.nearest(model.embedder.embed(sample))
    ids = np.where(rows >= 0, model.topic_ids[rows], -1)
    return {
        topic: [text for text, found in zip(sample, ids.tolist(), strict=True) if found == topic]
        for topic in registry.active()
        if topic not in known
    }


def replay(settings: Settings, folder: Path, frame: pd.DataFrame, new: str | None) -> tuple[int | None, int]:
    """Days until the new class has a topic (None: never), and births without a cause."""
    store = TopicStore(settings, folder)
    old = frame[frame["category"] != new]["text"].tolist()
    fresh = frame[frame["category"] == new]["text"].tolist() if new else []
    seen = old[:_FIRST]
    learn(store, store.sample(seen), today=START)
    known, named, wrong = set(store.registry().active()), None, 0
    of_new = set(store.sample(fresh))
    for week in range(1, WEEKS + 1):
        begin = _FIRST + (week - 1) * _WEEKLY
        seen = seen + old[begin : begin + _WEEKLY] + fresh[(week - 1) * _NEW_WEEKLY : week * _NEW_WEEKLY]
        sample = store.sample(seen)
        learn(store, sample, today=START + timedelta(days=7 * week))
        for topic, texts in born_of(store, known, sample).items():
            known.add(topic)
            if sum(text in of_new for text in texts) * 2 > len(texts):
                named = named or 7 * week
            elif store.registry().topic(topic).split_from is None:
                wrong += 1
    return named, wrong


def complaints(settings: Settings, folder: Path, data: Path) -> None:
    """Print the births of each week among the complaints."""
    frame = pd.read_csv(data / "citizen_complaints.csv.gz", dtype=str).dropna(subset=["text", "created_at"])
    frame["text"] = frame["title"].fillna("") + " " + frame["text"]
    frame["created_at"] = pd.to_datetime(frame["created_at"], errors="coerce")
    frame = frame.dropna(subset=["created_at"]).sort_values("created_at", kind="stable")
    store = TopicStore(settings, folder)
    start = pd.Timestamp(_COMPLAINTS_FROM)
    learn(store, store.sample(frame.loc[frame["created_at"] < start, "text"].tail(2_500)), today=start.date())
    print(f"citizen_complaints: {len(store.registry().active())} topics until {start.date()}")
    for week in range(1, _COMPLAINTS_WEEKS + 1):
        now = start + pd.Timedelta(days=7 * week)
        recent = frame.loc[frame["created_at"] < now, "text"].tail(2_500)
        before = set(store.registry().active())
        learn(store, store.sample(recent), today=now.date())
        active = store.registry().active()
        labels = [f"{active[topic].shown} ({active[topic].text_count})" for topic in sorted(set(active) - before)]
        print(f"  week to {now.date()}: {len(labels)} born: {'; '.join(labels) or '–'}")


def main() -> int:
    """Print a line a class, then the complaints."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    given = options.parse_args()
    if not given.data.is_dir():
        print(f"shared data is absent at {given.data}; give its folder with --data")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(var=Path(folder), mask_key="benchmark", nlp=NlpSettings(topic_fit_texts=4_000))
        keep_numba_code(settings.models_dir)
        for name, classes in CASES.items():
            frame = pd.read_csv(given.data / f"{name}.csv.gz", usecols=["text", "category"], dtype=str).dropna()
            frame = frame.drop_duplicates("text").sample(frac=1, random_state=settings.nlp.seed)
            for new in (*classes, None):
                named, wrong = replay(settings, Path(folder) / f"{name}-{new}", frame, new)
                found = "–" if new is None else "not within the time" if named is None else f"{named} days"
                print(f"{name}, new: {new or 'nothing'}: named after {found}; births without a cause: {wrong}")
        complaints(settings, Path(folder) / "complaints", given.data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
