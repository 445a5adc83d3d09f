"""What an engine offers and what it says of a text: the small protocol behind which every engine stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Label = Literal["positive", "neutral", "negative", "mixed"]
LABELS: tuple[Label, ...] = ("positive", "neutral", "negative", "mixed")

POSITIVE_FROM = 0.6
"""Scores of at least this are labelled positive."""
NEGATIVE_BELOW = 0.4
"""Scores below this are labelled negative; between the two, neutral."""


@dataclass(frozen=True)
class Judgements:
    """What an engine says of texts, in their order.

    ``scores``: probability of positive. ``labels``: the word for it; mixed where praise and blame stand side by side.
    ``uncertain``: the engine may well be wrong, a person should look. ``intensity``: 0 (matter of fact) … 1 (strong),
    an ordinal measure.
    """

    scores: npt.NDArray[np.float64]
    labels: list[Label]
    uncertain: npt.NDArray[np.bool_]
    intensity: npt.NDArray[np.float64]


class SentimentEngine(Protocol):
    """Judges texts. ``version`` changes whenever a text could get another score."""

    @property
    def version(self) -> str:
        """Engine and data, such as ``snownlp-0.12.3-1a2b3c4d``."""
        ...

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The probability (0…1) of each text being positive."""
        ...

    def judge(self, texts: Sequence[str]) -> Judgements:
        """Scores with label, doubt and intensity."""
        ...


def label_of(score: float) -> Label:
    """positive, neutral or negative by :data:`POSITIVE_FROM` and :data:`NEGATIVE_BELOW`."""
    if score >= POSITIVE_FROM:
        return "positive"
    return "negative" if score < NEGATIVE_BELOW else "neutral"


def judge_by_score(scores: npt.NDArray[np.float64]) -> Judgements:
    """The judgements of an engine that knows nothing but a probability: uncertain means neutral."""
    labels = [label_of(score) for score in scores.tolist()]
    return Judgements(scores, labels, np.array([label == "neutral" for label in labels], bool), np.abs(2 * scores - 1))
