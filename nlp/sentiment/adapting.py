"""Fit a model to a company: to its texts without labels (self-training), and to its own ratings.

Both move the weights away from the model at hand no further than the texts call for (a Gaussian prior around it), so
neither needs the data that model was trained on, and few texts change little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.sparse import csr_matrix
from scipy.special import expit

from nlp.sentiment.default_engine import DefaultEngine
from nlp.sentiment.engine import SentimentEngine
from nlp.sentiment.linear import features, fit, prepare
from nlp.sentiment.model import SentimentModel, as_sure_as
from nlp.text import text_hash

ENOUGH_TEXTS = 500
"""With fewer different texts there is nothing to adapt to."""
MOST_TEXTS = 30_000
"""Of more texts a sample is learnt from, chosen by hash."""
ROUNDS = 3
SPREAD = 4.0
LEFT_OUT = 0.3
"""Share of the texts, those nearest to a coin toss, that a round doesn't learn from."""

Floats = npt.NDArray[np.float64]


def adapt(model: SentimentModel, texts: Sequence[str]) -> SentimentModel:
    """Self-training (Scudder 1965; Yarowsky 1995): the model labels the texts and is fitted to its surer labels, again.

    The share of positive texts is held where the model first saw it, so that rounds don't drift to one side. The result
    is calibrated to be as sure of these texts on average as the model was: having repeated itself is no evidence.
    Returns the model unchanged for fewer than :data:`ENOUGH_TEXTS` different texts.
    """
    prepared = distinct(texts)
    if len(prepared) < ENOUGH_TEXTS:
        return model
    rows = features(prepared)
    first = model.calibration.probabilities(model.weights.logits(rows))
    probabilities, weights = first, model.weights
    for _ in range(ROUNDS):
        doubt = np.abs(probabilities - 0.5)
        kept = doubt >= np.quantile(doubt, LEFT_OUT)
        weights = fit(
            rows[kept],
            probabilities[kept] > 0.5,
            2 * doubt[kept],
            SPREAD,
            prior=model.weights,
        )
        probabilities, shift = _hold_share(weights.logits(rows), float(first.mean()))
        weights = replace(weights, intercept=weights.intercept + shift)
    sureness = float(np.maximum(first, 1 - first).mean())
    facts = model.facts | {"adapted_to_texts": len(prepared)}
    return SentimentModel(weights, as_sure_as(weights.logits(rows), sureness), facts).rounded()


def adapted(engine: SentimentEngine, texts: Sequence[str]) -> SentimentEngine:
    """The engine adapted to the texts; the very engine where it can't adapt or the texts are too few."""
    if not isinstance(engine, DefaultEngine):
        return engine
    model = adapt(engine.model, texts)
    return engine if model is engine.model else DefaultEngine(model, engine.models_dir)


def distinct(texts: Sequence[str]) -> list[str]:
    """Prepared, each once, none empty, at most :data:`MOST_TEXTS`; the same in the same order, however they came."""
    return sorted(set(filter(None, map(prepare, texts))), key=text_hash)[:MOST_TEXTS]


def _hold_share(logits: Floats, share: float) -> tuple[Floats, float]:
    """Probabilities whose mean is ``share``, and by how much the logits were shifted for that."""
    shift = float(brentq(lambda move: expit(logits + move).mean() - share, -30, 30))
    probabilities: Floats = expit(logits + shift)
    return probabilities, shift


def learn(model: SentimentModel, rows: csr_matrix, targets: Floats, spread: float) -> SentimentModel:
    """The model fitted to rated texts (features and targets); its calibration is left as it is."""
    weights = fit(rows, targets, np.ones(len(targets)), spread, prior=model.weights)
    return replace(model, weights=weights)
