"""A fitted sentiment model as one small file, and its calibration."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from huiyin.errors import HuiyinError
from nlp.files import replacing
from nlp.sentiment.linear import Weights, feature_count
from nlp.sentiment.phrases import phrases
from nlp.text import TEXT_VERSION

LAYOUT = 1
"""Raise it when the features change, so that no file is read with others than it was fitted on."""

Floats = npt.NDArray[np.float64]


class SentimentModelError(HuiyinError):
    """A model file can't be used; the message says what to do."""


@dataclass(frozen=True)
class Calibration:
    """From logit to probability: ``expit(slope × logit + shift)``."""

    slope: float = 1.0
    shift: float = 0.0

    def probabilities(self, logits: Floats) -> Floats:
        """The calibrated probability of positive."""
        probabilities: Floats = expit(self.slope * logits + self.shift)
        return probabilities


def fit_calibration(logits: Floats, targets: Floats) -> Calibration:
    """Platt scaling by maximum likelihood, with Platt's own smoothing of the targets (Platt 1999)."""
    positive = targets.sum()
    high, low = (positive + 1) / (positive + 2), 1 / (len(targets) - positive + 2)
    smooth = np.where(targets > 0.5, high, low)

    def loss(parameters: Floats) -> float:
        scaled = parameters[0] * logits + parameters[1]
        return float(np.mean(np.logaddexp(0, scaled) - smooth * scaled))

    slope, shift = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return Calibration(float(max(slope, 0.05)), float(shift))


def as_sure_as(logits: Floats, sureness: float, shift: float = 0.0) -> Calibration:
    """The slope under which these texts are on average as sure (mean of max(p, 1 − p)) as told."""
    low, high = 0.01, 20.0
    for _ in range(60):
        middle = (low * high) ** 0.5
        probability = expit(middle * logits + shift)
        if np.maximum(probability, 1 - probability).mean() < sureness:
            low = middle
        else:
            high = middle
    return Calibration(middle, shift)


@dataclass(frozen=True)
class SentimentModel:
    """Weights, calibration, and what they were made from (``facts``: JSON values, for the model card)."""

    weights: Weights
    calibration: Calibration
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """``default-`` and the hash of everything that decides a score."""
        digest = hashlib.sha256(f"{LAYOUT} {TEXT_VERSION} {self.calibration}".encode())
        digest.update(np.float32(self.weights.intercept).tobytes())
        digest.update(self.weights.values.astype(np.float16).tobytes())
        digest.update("\0".join(phrases().names).encode())
        for name in ("polarity.tsv", "emoji.tsv", "rules.tsv"):
            digest.update(phrases().source(name))
        return f"default-{digest.hexdigest()[:10]}"

    def save(self, file: Path) -> None:
        """Write one ``.npz``: the weights that aren't zero, in half precision."""
        rounded = self.weights.values.astype(np.float16)
        used = np.flatnonzero(rounded)
        header = {
            "layout": LAYOUT,
            "intercept": self.weights.intercept,
            "calibration": [self.calibration.slope, self.calibration.shift],
            "phrases": list(phrases().names),
            "facts": self.facts,
        }
        with replacing(file) as beside:
            np.savez_compressed(
                beside,
                header=np.array(json.dumps(header, ensure_ascii=False)),
                gaps=np.diff(used, prepend=0).astype(np.uint32),
                values=rounded[used],
            )

    @classmethod
    def load(cls, file: Path) -> SentimentModel:
        """Read what :meth:`save` wrote. Raises :class:`SentimentModelError`."""
        try:
            with np.load(file, allow_pickle=False) as stored:
                header = json.loads(str(stored["header"]))
                used, rounded = np.cumsum(stored["gaps"], dtype=np.int64), stored["values"]
        except (OSError, KeyError, ValueError) as error:
            raise SentimentModelError(f"sentiment model {file} can't be read: {error}; remove it") from error
        if header["layout"] != LAYOUT or header["phrases"] != list(phrases().names):
            raise SentimentModelError(
                f"sentiment model {file} was made for other features; remove it, or for the shipped one run"
                " `python -m nlp.sentiment.training`"
            )
        values = np.zeros(feature_count(), np.float32)
        values[used] = rounded
        return cls(Weights(values, header["intercept"]), Calibration(*header["calibration"]), header["facts"])

    def rounded(self) -> SentimentModel:
        """The model as it will be after saving and loading, so that a score doesn't change by that."""
        values = self.weights.values.astype(np.float16).astype(np.float32)
        return SentimentModel(Weights(values, self.weights.intercept), self.calibration, self.facts)
