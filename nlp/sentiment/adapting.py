"""Fit a model to a company: to its texts without labels (self-training), and to its own ratings.

Both move the weights away from the model at hand no further than the texts call for (a Gaussian prior around it), so
neither needs the data that model was trained on, and few texts change little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.sparse import csr_matrix
from scipy.special import expit

from nlp.embed import Vectors
from nlp.sentiment.default_engine import DefaultEngine
from nlp.sentiment.engine import SentimentEngine
from nlp.sentiment.linear import features, fit, prepare
from nlp.sentiment.model import SentimentModel, as_sure_as
from nlp.text import text_hash

ENOUGH_TEXTS = 500
"""With fewer different texts there is nothing to adapt to."""
MOST_TEXTS = 30_000
"""Of more texts a sample is learnt from, chosen by hash."""
ROUNDS = 4
SPREAD = 4.0
"""Prior deviation of an n-gram's weight; like the other numbers chosen on left-out domains of the training data."""
LEFT_OUT = 0.3
"""Share of the texts, those nearest to a coin toss, that a round doesn't learn from."""
VECTOR_SHARE = 0.5
"""What the second view's logit counts beside the first's."""
VECTOR_PRECISION = 20.0
"""Inverse regularisation of the second view."""

Floats = npt.NDArray[np.float64]
Embed = Callable[[Sequence[str]], Vectors]
"""Sentence vectors of customers' texts, one row each."""


def adapt(model: SentimentModel, texts: Sequence[str], embed: Embed | None = None) -> SentimentModel:
    """Self-training (Scudder 1965; Yarowsky 1995): the model labels the texts and is fitted to its surer labels, again.

    With ``embed`` there is a second view, a linear model on sentence vectors that learns from the same labels, and both
    label together (co-training: Blum and Mitchell 1998); only labels come from it, the model stays as fast as it is.
    The share of positive texts is held where the model first saw it, so that rounds don't drift to one side. The result
    is calibrated to be as sure of these texts on average as the model was: having repeated itself is no evidence.
    Returns the model unchanged for fewer than :data:`ENOUGH_TEXTS` different texts.
    """
    sample = distinct(texts)
    if len(sample) < ENOUGH_TEXTS:
        return model
    rows = features(list(sample))
    vectors = embed(list(sample.values())) if embed else None
    first = model.calibration.probabilities(model.weights.logits(rows))
    share = float(first.mean())
    probabilities, weights = first, model.weights
    for _ in range(ROUNDS):
        doubt = np.abs(probabilities - 0.5)
        kept = doubt >= np.quantile(doubt, LEFT_OUT)
        labels, row_weights = probabilities[kept] > 0.5, 2 * doubt[kept]
        weights = fit(rows[kept], labels, row_weights, SPREAD, prior=model.weights)
        logits, shift = _hold_share(weights.logits(rows), share)
        weights = replace(weights, intercept=weights.intercept + shift)
        if vectors is not None and labels.any() and not labels.all():
            other, _ = _hold_share(_second_view(vectors, kept, labels, row_weights), share)
            logits = logits + VECTOR_SHARE * other
        probabilities = expit(logits)
    sureness = float(np.maximum(first, 1 - first).mean())
    facts = model.facts | {"adapted_to_texts": len(sample), "adapted_with_vectors": vectors is not None}
    return SentimentModel(weights, as_sure_as(weights.logits(rows), sureness), facts).rounded()


def _second_view(
    vectors: Vectors, kept: npt.NDArray[np.bool_], labels: npt.NDArray[np.bool_], row_weights: Floats
) -> Floats:
    """Logits of all texts by a linear model on their vectors, fitted to the labels of some."""
    from sklearn.linear_model import LogisticRegression

    view = LogisticRegression(C=VECTOR_PRECISION, max_iter=1000).fit(vectors[kept], labels, row_weights)
    return np.asarray(view.decision_function(vectors), np.float64)


def adapted(engine: SentimentEngine, texts: Sequence[str], embed: Embed | None = None) -> SentimentEngine:
    """The engine adapted to the texts; the very engine where it can't adapt or the texts are too few."""
    if not isinstance(engine, DefaultEngine):
        return engine
    model = adapt(engine.model, texts, embed)
    return engine if model is engine.model else DefaultEngine(model, engine.models_dir)


def distinct(texts: Sequence[str]) -> dict[str, str]:
    """Texts by their prepared form, each once, none empty, at most :data:`MOST_TEXTS`.

    The same ones in the same order, however they came.
    """
    by_prepared: dict[str, str] = {}
    for text in texts:
        prepared = prepare(text)
        if prepared:
            by_prepared[prepared] = min(text, by_prepared.get(prepared, text))
    return {prepared: by_prepared[prepared] for prepared in sorted(by_prepared, key=text_hash)[:MOST_TEXTS]}


def _hold_share(logits: Floats, share: float) -> tuple[Floats, float]:
    """Logits shifted so that the mean probability is ``share``, and by how much."""
    shift = float(brentq(lambda move: expit(logits + move).mean() - share, -60, 60))
    return logits + shift, shift


def learn(model: SentimentModel, rows: csr_matrix, targets: Floats, spread: float) -> SentimentModel:
    """The model fitted to rated texts (features and targets); its calibration is left as it is."""
    weights = fit(rows, targets, np.ones(len(targets)), spread, prior=model.weights)
    return replace(model, weights=weights)
