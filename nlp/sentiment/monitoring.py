"""Watch the model week by week: words it has never met, drift of its scores, doubt.

Written to ``models/sentiment/monitoring.json``, one entry a week and model version; no text stands in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from huiyin.config import Settings
from nlp.files import replacing
from nlp.runtime import keep_numba_code
from nlp.sentiment.default_engine import CERTAIN_FROM
from nlp.sentiment.linear import features, prepare
from nlp.sentiment.snownlp_tables import code_points
from nlp.sentiment.store import current_model, sentiment_dir
from nlp.sentiment.training import own_corpus, review_lines

DRIFTED_FROM = 0.25
"""Population stability index from which a distribution counts as another (the usual reading of the index)."""
FEWEST_TEXTS = 30
_BINS = np.linspace(0, 1, 11)

Floats = npt.NDArray[np.float64]


def watch(settings: Settings, latest_file: Path) -> list[dict[str, Any]]:
    """Measure each whole week of the file (text, occurred_on); the entries, oldest first.

    ``unknown_share``: share of the character pairs that the training data of the shipped model lack. ``drift``:
    population stability index of the scores against the weeks of the file before; None where there are too few texts.
    """
    keep_numba_code(settings.models_dir)
    model = current_model(settings.models_dir)
    table = pq.read_table(latest_file, columns=["text", "occurred_on"])
    weeks = np.array([day - timedelta(days=day.weekday()) for day in table["occurred_on"].to_pylist()], dtype=object)
    entries: list[dict[str, Any]] = []
    if len(weeks):
        texts = [text or "" for text in table["text"].to_pylist()]
        scores = model.calibration.probabilities(model.weights.logits(features([prepare(text) for text in texts])))
        known = np.unique(_pairs([*review_lines().texts, *own_corpus().texts]))
        for week in sorted(set(weeks.tolist())):
            inside, before = weeks == week, np.array([other < week for other in weeks])
            own = _pairs([text for text, found in zip(texts, inside, strict=True) if found])
            unknown = float((~np.isin(own, known)).mean()) if len(own) else 0.0
            entries.append(_entry(week, model.version, scores, inside, before, unknown))
    _merge(sentiment_dir(settings.models_dir) / "monitoring.json", entries)
    return entries


def _entry(
    week: date,
    version: str,
    scores: Floats,
    inside: npt.NDArray[np.bool_],
    before: npt.NDArray[np.bool_],
    unknown: float,
) -> dict[str, Any]:
    own = scores[inside]
    enough = inside.sum() >= FEWEST_TEXTS and before.sum() >= FEWEST_TEXTS
    drift = round(stability_index(scores[before], own), 4) if enough else None
    return {
        "week_start_on": week.isoformat(),
        "model_version": version,
        "texts": int(inside.sum()),
        "mean_score": round(float(own.mean()), 4),
        "uncertain_share": round(float((np.maximum(own, 1 - own) < CERTAIN_FROM).mean()), 4),
        "unknown_share": round(float(unknown), 4),
        "drift": drift,
        "has_drifted": drift is not None and drift >= DRIFTED_FROM,
    }


def _pairs(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Neighbouring characters of the prepared texts as numbers; the mark between two texts pairs with nothing."""
    points = code_points("\0".join(prepare(text) for text in texts)).astype(np.uint64)
    left, right = points[:-1], points[1:]
    pairs: npt.NDArray[np.uint64] = ((left << np.uint64(32)) | right)[(left > 0) & (right > 0)]
    return pairs


def stability_index(expected: Floats, found: Floats) -> float:
    """Population stability index of scores over ten equal bins; half a text is added to each, so none is empty."""
    shares = []
    for values in (expected, found):
        counts = np.histogram(values, _BINS)[0] + 0.5
        shares.append(counts / counts.sum())
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def _merge(file: Path, entries: list[dict[str, Any]]) -> None:
    kept = json.loads(file.read_text("utf-8")) if file.exists() else []
    by_key = {(entry["week_start_on"], entry["model_version"]): entry for entry in [*kept, *entries]}
    with replacing(file) as beside:
        beside.write_text(
            json.dumps([by_key[key] for key in sorted(by_key)], ensure_ascii=False, indent=1) + "\n", "utf-8"
        )
