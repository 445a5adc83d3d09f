"""Learn from the company's own ratings, each week, and promote only what is better on ratings of a later time.

A rating is a star review, a CSAT or an NPS answer with a text. The candidate always starts from the shipped model, so
weeks don't pile up: fitted to the company's ratings up to a day, then adapted to its texts. It is compared with the
current model on ratings after that day, which neither has seen, and promoted if it is less wrong there. Then it is
fitted to all ratings, kept with its card, and becomes the current model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from scipy.sparse import csr_matrix

from huiyin.config import Settings
from nlp.cards import write_card
from nlp.evaluation import Estimate, compare, measure
from nlp.handover import HandoverFileError, read_voices
from nlp.runtime import keep_numba_code
from nlp.sentiment.adapting import Embed, adapt, learn
from nlp.sentiment.card import sentiment_card
from nlp.sentiment.default_engine import shipped_model
from nlp.sentiment.linear import features, prepare
from nlp.sentiment.model import SentimentModel, fit_calibration
from nlp.sentiment.store import current_model, current_version, promote, save_model

FEWEST_RATINGS = 200
"""Clearly good or bad ratings from which learning begins."""
FEWEST_LATER = 50
"""Ratings that a comparison needs; fewer decide nothing."""
LATER_SHARE = 0.2
MOST_RATINGS = 20_000
SPREADS = (0.5, 1.0, 2.0, 4.0)
"""How far weights may move; chosen by cross-validation on the ratings that are learnt from."""
FOLDS = 4

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rated:
    """Rated texts, oldest first. ``targets``: 1 good, 0 bad."""

    texts: list[str]
    targets: Floats
    rated_at: list[datetime]

    def part(self, begin: int, end: int | None = None) -> Rated:
        """Those of the positions from ``begin`` to ``end``."""
        return Rated(self.texts[begin:end], self.targets[begin:end], self.rated_at[begin:end])


@dataclass(frozen=True)
class Outcome:
    """What a week's learning came to."""

    promoted: bool
    version: str
    reason: str

    def __str__(self) -> str:
        return f"{'promoted' if self.promoted else 'kept'} {self.version}: {self.reason}"


def read_ratings(file: Path) -> Rated:
    """The clear ratings of a hand-over file: 4–5 stars, NPS 9–10 are good; 1–2 stars, NPS 0–6 are bad.

    Raises :class:`nlp.handover.HandoverFileError` where the columns text, kind, rating and rated_at aren't there.
    """
    table = pq.read_table(file)
    if missing := {"text", "kind", "rating", "rated_at"} - set(table.column_names):
        raise HandoverFileError(f"ratings {file} lack {', '.join(sorted(missing))}; export them again")
    rows = sorted(table.to_pylist(), key=lambda row: (row["rated_at"], row["text"]))
    clear = [(row, target) for row in rows if (target := _target(row["kind"], float(row["rating"]))) is not None]
    clear = clear[-MOST_RATINGS:]
    return Rated(
        [row["text"] for row, _ in clear],
        np.array([target for _, target in clear]),
        [row["rated_at"] for row, _ in clear],
    )


def _target(kind: str, rating: float) -> float | None:
    good, bad = (0.9, 0.6) if kind == "nps" else (0.75, 0.25)
    if rating >= good - 1e-9:
        return 1.0
    return 0.0 if rating <= bad + 1e-9 else None


def fit_ratings(model: SentimentModel, texts: Sequence[str], targets: Floats) -> SentimentModel:
    """The model fitted to rated texts, and calibrated on what it says of ratings it hasn't seen (cross-fitting)."""
    rows = features([prepare(text) for text in texts])
    fold = np.arange(len(targets)) % FOLDS
    unseen = {spread: _unseen_logits(model, rows, targets, spread, fold) for spread in SPREADS}
    losses = {
        spread: _log_loss(fit_calibration(logits, targets).probabilities(logits), targets)
        for spread, logits in unseen.items()
    }
    best = min(losses, key=lambda spread: losses[spread])
    learnt = learn(model, rows, targets, best)
    facts = model.facts | {"kind": "learnt", "ratings": len(targets), "ratings_spread": best}
    return replace(learnt, calibration=fit_calibration(unseen[best], targets), facts=facts).rounded()


def _unseen_logits(
    model: SentimentModel, rows: csr_matrix, targets: Floats, spread: float, fold: npt.NDArray[np.int64]
) -> Floats:
    logits = np.zeros(len(targets))
    for part in range(FOLDS):
        inside = fold != part
        logits[~inside] = learn(model, rows[inside], targets[inside], spread).weights.logits(rows[~inside])
    return logits


def _log_loss(probabilities: Floats, targets: Floats) -> float:
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return float(-np.mean(targets * np.log(clipped) + (1 - targets) * np.log(1 - clipped)))


def learn_from_ratings(
    settings: Settings, texts_files: Sequence[Path], ratings_file: Path, embed: Embed | None = None
) -> Outcome:
    """One week's learning; see the module. ``embed``: a second view for adapting.

    The same data give the same model, so a repetition changes nothing.

    Raises :class:`nlp.handover.HandoverFileError` and :class:`nlp.sentiment.model.SentimentModelError`.
    """
    keep_numba_code(settings.models_dir)
    current = current_model(settings.models_dir)
    rated = read_ratings(ratings_file)
    begin = _later_begins(rated, current)
    later = rated.part(begin)
    if begin < FEWEST_RATINGS or len(later.texts) < FEWEST_LATER or len(set(later.targets)) < 2:
        return Outcome(
            False,
            current.version,
            f"{begin} ratings to learn from and {len(later.texts)} later ones are too few to decide",
        )
    texts = [text for file in texts_files for text in read_voices(file)[1]]
    candidate = _learnt(rated.part(0, begin), texts, embed)
    rows = features([prepare(text) for text in later.texts])
    figures = {
        name: _figures(model, rows, later.targets) for name, model in (("candidate", candidate), ("current", current))
    }
    said = ", ".join(
        f"{name} log loss {own['log_loss']:.3f}, macro-F1 {own['macro_f1']:.3f}" for name, own in figures.items()
    )
    if not _is_better(figures["candidate"], figures["current"]):
        return Outcome(False, current.version, f"not better on {len(later.texts)} later ratings: {said}")
    final = _learnt(rated, texts, embed)
    final = replace(
        final,
        facts=final.facts
        | {
            "learnt_until": rated.rated_at[-1].isoformat(),
            "later_ratings": len(later.texts),
            "later_from": later.rated_at[0].isoformat(),
            "candidate": figures["candidate"],
            "replaced": {"version": current.version} | figures["current"],
            "measured": _measured(candidate, current, rows, later.targets, settings.nlp.seed),
        },
    )
    folder = save_model(settings.models_dir, final)
    write_card(settings, sentiment_card(final), folder)
    if current_version(settings.models_dir) != final.version:
        promote(settings.models_dir, final.version)
    return Outcome(True, final.version, f"better on {len(later.texts)} later ratings: {said}")


def _learnt(rated: Rated, texts: Sequence[str], embed: Embed | None) -> SentimentModel:
    """Ratings first: a model that knows the house labels its texts better, so there is more to adapt to."""
    return adapt(fit_ratings(shipped_model(), rated.texts, rated.targets), texts, embed)


def _later_begins(rated: Rated, current: SentimentModel) -> int:
    """Position of the first rating to compare by: what came after the current model learnt, at first the last fifth."""
    if until := current.facts.get("learnt_until"):
        return sum(instant <= datetime.fromisoformat(until) for instant in rated.rated_at)
    return round(len(rated.texts) * (1 - LATER_SHARE))


def _figures(model: SentimentModel, rows: csr_matrix, targets: Floats) -> dict[str, float]:
    probabilities = model.calibration.probabilities(model.weights.logits(rows))
    figures = measure(probabilities, targets > 0.5) | {"log_loss": _log_loss(probabilities, targets)}
    return {name: round(value, 4) for name, value in figures.items()}


def _measured(
    candidate: SentimentModel, current: SentimentModel, rows: csr_matrix, targets: Floats, seed: int
) -> dict[str, dict[str, list[float]]]:
    """Value, low, high of each figure of both models and of their paired difference, for the card."""
    scores = {
        name: model.calibration.probabilities(model.weights.logits(rows))
        for name, model in (("current", current), ("candidate", candidate))
    }
    found = compare(scores, (targets > 0.5).tolist(), seed)

    def told(estimates: dict[str, Estimate]) -> dict[str, list[float]]:
        return {
            key: [round(number, 4) for number in (each.value, each.low, each.high)] for key, each in estimates.items()
        }

    return {name: told(own) for name, own in found.figures.items()} | {
        "difference": told(found.differences["candidate"])
    }


def _is_better(candidate: dict[str, float], current: dict[str, float]) -> bool:
    return candidate["log_loss"] < current["log_loss"] and candidate["macro_f1"] >= current["macro_f1"]
