"""The linear model of the default engine: features of a text, and fitting by maximum a posteriori.

Logistic regression on hashed n-grams (binary, divided by the root of their number) and phrase features. Its prior is
Gaussian around given weights: zero when the base model is trained, the base model when it is adapted to a company's
texts or learns from its ratings. So learning needs none of the data that the base model was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit

from nlp.sentiment.phrases import phrases, turn_of
from nlp.sentiment.snownlp_tables import code_points
from nlp.text import normalise

BUCKET_BITS = 19
BUCKETS = 1 << BUCKET_BITS
"""Hashed features; collisions are harmless at this size."""
LONGEST_GRAM = 4

Floats = npt.NDArray[np.float64]


def prepare(text: str) -> str:
    """What the engine reads: the normalised text in lower case."""
    return normalise(text).lower()


def feature_count() -> int:
    """Columns of :func:`features`."""
    return BUCKETS + len(phrases().names)


def polarity_columns() -> list[int]:
    """The columns of :func:`features` for good and bad words, good and bad emoji."""
    names = phrases().names
    return [BUCKETS + names.index(name) for name in ("好词", "坏词", "好表情", "坏表情")]


def features(prepared: Sequence[str]) -> csr_matrix:
    """Texts × (hashed n-grams, then phrases), for texts that went through :func:`prepare`.

    Call :func:`nlp.runtime.keep_numba_code` before the first call.
    """
    from nlp.sentiment.grams import gram_features

    ends = np.cumsum([0, *map(len, prepared)], dtype=np.int64)
    turns = [turn_of(text) for text in prepared]
    buckets, starts = gram_features(code_points("".join(prepared)), ends, ends[:-1] + np.array(turns, np.int64))
    sizes = np.diff(starts)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
    grams = csr_matrix((values, buckets, starts), shape=(len(prepared), BUCKETS))
    reader = phrases()
    told = csr_matrix(
        np.array([reader.values(text, turn) for text, turn in zip(prepared, turns, strict=True)], np.float32).reshape(
            len(prepared), len(reader.names)
        )
    )
    return _beside(grams, told)


def _beside(left: csr_matrix, right: csr_matrix) -> csr_matrix:
    from scipy.sparse import hstack

    return hstack([left, right], format="csr")


@dataclass(frozen=True)
class Weights:
    """A fitted model: the logit of being positive is ``features @ values + intercept``."""

    values: npt.NDArray[np.float32]
    intercept: float

    def logits(self, matrix: csr_matrix) -> Floats:
        """One logit for each row."""
        return np.asarray(matrix @ self.values, np.float64) + self.intercept


def fit(
    matrix: csr_matrix,
    targets: npt.ArrayLike,
    row_weights: npt.ArrayLike,
    spread: float,
    prior: Weights | None = None,
    phrase_spread: float = 0.2,
) -> Weights:
    """Fit by L-BFGS; ``targets`` are probabilities of positive, so labels may be soft.

    ``spread`` is the prior's standard deviation of an n-gram's weight, ``phrase_spread`` that of a phrase's, both
    around ``prior`` (None: around zero).
    """
    y, weight = np.asarray(targets, np.float64), np.asarray(row_weights, np.float64)
    # Only columns that occur can move away from the prior.
    used = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]))
    narrow = matrix[:, used].astype(np.float64)
    transposed = narrow.T.tocsr()
    precision = np.where(used < BUCKETS, 1 / spread**2, 1 / phrase_spread**2)
    base = prior.logits(matrix) if prior else np.zeros(len(y))

    def loss(moved: Floats) -> tuple[float, Floats]:
        logits = base + narrow @ moved[:-1] + moved[-1]
        probability = expit(logits)
        value = float(weight @ (np.logaddexp(0, logits) - y * logits) + 0.5 * precision @ moved[:-1] ** 2)
        slope = weight * (probability - y)
        return value, np.append(transposed @ slope + precision * moved[:-1], slope.sum())

    moved = minimize(
        loss, np.zeros(len(used) + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200, "maxfun": 260}
    ).x
    values = prior.values.copy() if prior else np.zeros(matrix.shape[1], np.float32)
    values[used] += moved[:-1].astype(np.float32)
    return Weights(values, float(moved[-1]) + (prior.intercept if prior else 0.0))
