"""What is counted of many texts: by measure, how many fall into which bin. No text stands in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from huiyin.config import Settings
from nlp.files import replacing
from nlp.noise import noise_detector
from nlp.sentiment.default_engine import CERTAIN_FROM, shipped_model
from nlp.sentiment.linear import prepare
from nlp.sentiment.snownlp_tables import code_points
from nlp.sentiment.training import own_corpus, review_lines

MEASURES = ("unknown_words", "unknown_characters", "scores", "uncertain", "noise", "topics", "no_topic")
"""unknown_words: share of a text's character pairs that the training texts lack; unknown_characters: a character is one
they lack; scores; uncertain: less than 75 % sure; noise; topics; no_topic: none fits."""
_SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
_SCORES = tuple(round(0.1 * step, 1) for step in range(1, 10))
_NO_TOPIC = -1

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """One measure of each text: its bin and its value, whose mean is what people are told."""

    bins: Sequence[str]
    values: Floats
    version: str
    """Of the model that said so; readings of two versions aren't compared. Empty: of the texts themselves."""


@dataclass(frozen=True)
class Profile:
    """The texts in each bin, and the mean value."""

    bins: dict[str, int]
    mean: float
    version: str

    @property
    def texts(self) -> int:
        """How many."""
        return sum(self.bins.values())

    def as_json(self) -> dict[str, Any]:
        """For :meth:`of_json`."""
        return {"bins": self.bins, "mean": self.mean, "version": self.version}

    @classmethod
    def of_json(cls, stored: dict[str, Any]) -> Profile:
        """What :meth:`as_json` gave."""
        return cls(stored["bins"], stored["mean"], stored["version"])


def profile_of(reading: Reading, chosen: npt.NDArray[np.bool_] | None = None) -> Profile:
    """The profile of the texts, or of the chosen ones."""
    places = np.arange(len(reading.bins)) if chosen is None else np.flatnonzero(chosen)
    counts = Counter(reading.bins[place] for place in places.tolist())
    mean = float(reading.values[places].mean()) if len(places) else 0.0
    return Profile(dict(sorted(counts.items())), mean, reading.version)


def read_texts(
    settings: Settings,
    texts: Sequence[str],
    scores: Floats,
    topic_ids: npt.NDArray[np.int64],
    sentiment_version: str,
    topic_version: str,
) -> dict[str, Reading]:
    """The readings by measure. What noise is scored and assigned by rule says nothing of the models and isn't counted.

    ``scores``: probability of positive, NaN where a text has none.
    """
    pairs, characters = _unknown(settings, texts)
    is_noise = np.array([found is not None for found in noise_detector(settings).find_all(list(texts))], np.bool_)
    doubt = np.maximum(scores, 1 - scores) < CERTAIN_FROM
    without = topic_ids == _NO_TOPIC
    judged = ~is_noise & ~np.isnan(scores)
    return {
        "unknown_words": Reading(_binned(pairs, _SHARES), pairs, ""),
        "unknown_characters": Reading(_yes(characters > 0), (characters > 0).astype(float), ""),
        "noise": Reading(_yes(is_noise), is_noise.astype(float), ""),
        "scores": _only(Reading(_binned(scores, _SCORES), scores, sentiment_version), judged),
        "uncertain": _only(Reading(_yes(doubt), doubt.astype(float), sentiment_version), judged),
        "topics": _only(Reading([str(topic) for topic in topic_ids], without.astype(float), topic_version), ~is_noise),
        "no_topic": _only(Reading(_yes(without), without.astype(float), topic_version), ~is_noise),
    }


def _only(reading: Reading, kept: npt.NDArray[np.bool_]) -> Reading:
    """The others get no bin and the value NaN, so that rows stay where they are."""
    bins = [name if keep else "" for name, keep in zip(reading.bins, kept.tolist(), strict=True)]
    return Reading(bins, np.where(kept, reading.values, np.nan), reading.version)


def counted(reading: Reading) -> npt.NDArray[np.bool_]:
    """Which texts have a bin."""
    return np.array([bool(name) for name in reading.bins], np.bool_)


def _binned(values: Floats, edges: Sequence[float]) -> list[str]:
    places = np.searchsorted(np.asarray(edges), values, side="right")
    names = [f"from {low:g}" for low in (0.0, *edges)]
    return [names[place] for place in places.tolist()]


def _yes(flags: npt.NDArray[np.bool_]) -> list[str]:
    return ["yes" if flag else "no" for flag in flags.tolist()]


def _unknown(settings: Settings, texts: Sequence[str]) -> tuple[Floats, Floats]:
    """Of each text the shares of its character pairs and of its characters that the training texts lack."""
    known = _known_pairs(settings.models_dir)
    known_characters = np.unique(np.concatenate([known >> np.uint64(32), known & np.uint64(0xFFFFFFFF)]))
    prepared = [prepare(text) for text in texts]
    points = code_points("\0".join([*prepared, ""])).astype(np.uint64)
    owner = np.cumsum(points == 0)
    inside = points > 0
    strange = ~np.isin(points, known_characters) & inside
    pairs = (points[:-1] << np.uint64(32)) | points[1:]
    is_pair = inside[:-1] & inside[1:]
    strange_pairs = is_pair & ~np.isin(pairs, known)
    count = len(texts)

    def share(flags: npt.NDArray[np.bool_], of: npt.NDArray[np.bool_], owners: npt.NDArray[np.int64]) -> Floats:
        all_of = np.bincount(owners[of], minlength=count + 1)[:count]
        return np.bincount(owners[flags], minlength=count + 1)[:count] / np.maximum(all_of, 1)

    return share(strange_pairs, is_pair, owner[:-1]), share(strange, inside, owner)


@cache
def _known_pairs(models_dir: Path) -> npt.NDArray[np.uint64]:
    """The character pairs of the texts that the shipped model was trained on, sorted; kept in the model store."""
    file = models_dir / "watching" / f"known-{shipped_model().version}.npy"
    if file.exists():
        stored: npt.NDArray[np.uint64] = np.load(file)
        return stored
    lines = [prepare(text) for text in (*review_lines().texts, *own_corpus().texts)]
    points = code_points("\0".join(lines)).astype(np.uint64)
    pairs = ((points[:-1] << np.uint64(32)) | points[1:])[(points[:-1] > 0) & (points[1:] > 0)]
    known: npt.NDArray[np.uint64] = np.unique(pairs)
    with replacing(file) as beside:
        np.save(beside, known)
    return known
