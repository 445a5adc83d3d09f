"""How good probabilities of positive are on labelled texts, with confidence intervals, engines side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 500
ECE_BINS = 15
ABSTAINED = 0.2
_POSITIVE = frozenset(("1", "1.0", "positive", "pos", "good", "正面", "正向", "积极", "好", "好评", "满意", "true"))
_NEGATIVE = frozenset(
    ("0", "0.0", "-1", "-1.0", "negative", "neg", "bad", "负面", "负向", "消极", "差", "差评", "不满意", "false")
)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"


def parse_labels(values: Sequence[str]) -> list[bool | None]:
    """True positive, False negative, None neither, for the spellings in use."""
    found = [value.strip().lower() for value in values]
    return [True if value in _POSITIVE else False if value in _NEGATIVE else None for value in found]


@dataclass(frozen=True)
class Comparison:
    """Figures by engine, and how far each of the others is from the first, by the same samples of the texts."""

    figures: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]]
    """Engine minus the first one. An interval without zero: they really differ on texts such as these."""


def compare(scores: Mapping[str, Floats], truth: Sequence[bool], seed: int, resamples: int = RESAMPLES) -> Comparison:
    """By engine: macro_f1, accuracy, ece, accuracy_at_80 (of the surer 80 %), each with its percentile interval.

    All engines are measured on the same bootstrap samples of the texts (Efron 1979), so differences are paired: what
    makes a sample easy makes it easy for all, and intervals of differences are narrower than those of the figures.
    """
    labels = np.asarray(truth, bool)
    random = np.random.default_rng(seed)
    samples = [random.integers(0, len(labels), len(labels)) for _ in range(resamples)]
    whole = {name: measure(np.asarray(own, np.float64), labels) for name, own in scores.items()}
    drawn = {
        name: [measure(np.asarray(own, np.float64)[sample], labels[sample]) for sample in samples]
        for name, own in scores.items()
    }
    first = next(iter(scores))
    figures = {
        name: {key: _estimate(value, [sample[key] for sample in drawn[name]]) for key, value in whole[name].items()}
        for name in scores
    }
    differences = {
        name: {
            key: _estimate(
                value - whole[first][key],
                [own[key] - other[key] for own, other in zip(drawn[name], drawn[first], strict=True)],
            )
            for key, value in whole[name].items()
        }
        for name in list(scores)[1:]
    }
    return Comparison(figures, differences)


def _estimate(value: float, drawn: Sequence[float]) -> Estimate:
    low, high = np.quantile(drawn, (0.025, 0.975)) if drawn else (value, value)
    return Estimate(value, float(low), float(high))


def measure(scores: Floats, labels: npt.NDArray[np.bool_]) -> dict[str, float]:
    """The four figures of :func:`compare` without intervals."""
    said = scores >= 0.5
    right = said == labels
    sureness = np.maximum(scores, 1 - scores)
    surest = np.argsort(-sureness, kind="stable")[: max(1, round(len(scores) * (1 - ABSTAINED)))]
    return {
        "macro_f1": macro_f1(said, labels),
        "accuracy": float(right.mean()),
        "ece": expected_calibration_error(sureness, right),
        "accuracy_at_80": float(right[surest].mean()),
    }


def macro_f1(said: npt.NDArray[np.bool_], labels: npt.NDArray[np.bool_]) -> float:
    """The mean of the two classes' F1; a class that is neither there nor said has F1 0."""
    scores = []
    for value in (True, False):
        hits = int(((said == value) & (labels == value)).sum())
        counted = int((said == value).sum() + (labels == value).sum())
        scores.append(2 * hits / counted if counted else 0.0)
    return sum(scores) / 2


def expected_calibration_error(sureness: Floats, right: npt.NDArray[np.bool_], bins: int = ECE_BINS) -> float:
    """Mean distance of sureness (0.5…1) and accuracy over equally wide bins, weighted by texts (Guo et al. 2017)."""
    places = np.minimum(((sureness - 0.5) * 2 * bins).astype(np.int64), bins - 1)
    counts = np.bincount(places, minlength=bins)
    gaps = np.abs(np.bincount(places, sureness, bins) - np.bincount(places, right, bins))
    return float(gaps.sum() / max(1, counts.sum()))
