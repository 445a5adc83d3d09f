"""SnowNLP 0.12.3's sentiment score, equal to the last bit, some hundred times as fast.

``score([text])[0] == SnowNLP(text).sentiments`` for every text but the empty one, where SnowNLP's constructor
divides by zero; there the score is what its classifier gives for a text without words (0.526, its prior).
SnowNLP was trained on shopping reviews and is a baseline more than a judge: see ``docs/nlp.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nlp.runtime import keep_numba_code
from nlp.sentiment.engine import Judgements, judge_by_score
from nlp.sentiment.snownlp_tables import SUPPORTED_VERSION, Tables, code_points, fingerprint, load_tables


class SnowNlpEngine:
    """Loads its tables and its machine code when it first scores."""

    def __init__(self, models_dir: Path, retrained: Path | None = None) -> None:
        """``retrained``: models that SnowNLP saved, see :func:`nlp.sentiment.snownlp_tables.load_tables`."""
        self._models_dir = models_dir
        self._retrained = retrained
        self.version = f"snownlp-{SUPPORTED_VERSION}-{fingerprint(retrained)}"

    @cached_property
    def _tables(self) -> Tables:
        return load_tables(self._models_dir, self._retrained)

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """SnowNLP's ``sentiments`` of each text."""
        keep_numba_code(self._models_dir)
        from nlp.sentiment.snownlp_kernel import log_sums

        if not texts:
            return np.empty(0)
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        sums = log_sums(self._tables, code_points("".join(texts)), ends)
        positive = int(self._tables.positive_class)
        return np.array([_probability(pair, positive) for pair in sums.tolist()])

    def judge(self, texts: Sequence[str]) -> Judgements:
        """SnowNLP's scores; uncertain means neutral."""
        return judge_by_score(self.score(texts))


def _probability(log_sums: list[float], positive: int) -> float:
    """SnowNLP's Bayes rule with Python's ``exp``, its order of operations and its handling of overflow."""
    winner, highest = -1, 0.0
    for label, own in enumerate(log_sums):
        total = 0.0
        try:
            for other in log_sums:
                total += math.exp(other - own)
            probability = 1 / total
        except OverflowError:
            probability = 0.0
        if probability > highest:
            winner, highest = label, probability
    return highest if winner == positive else 1 - highest
