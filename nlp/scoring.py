"""Score one hand-over file: sentiment out, embeddings into the cache."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from huiyin.config import Settings
from nlp.embed import Vectors, prepare, sentence_embedder
from nlp.handover import read_voices, write_results
from nlp.noise import NoiseDetector, noise_detector
from nlp.sentiment import SentimentEngine, get_engine
from nlp.text import text_hash

logger = logging.getLogger(__name__)

SENTIMENT_SCHEMA = pa.schema(
    [
        pa.field("voice_id", pa.string(), nullable=False),
        pa.field("text_hash", pa.string(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("label", pa.string()),
        pa.field("scored_at", pa.timestamp("us")),
        pa.field("noise", pa.string()),
        pa.field("noise_reason", pa.string()),
    ]
)
NO_POLARITY = 0.5
"""The score of noise: neither praise nor blame."""


def sentiment_engine(settings: Settings, name: str = "") -> SentimentEngine:
    """The configured engine, or the one of that name. Raises :class:`nlp.sentiment.UnknownEngineError`."""
    return get_engine(
        name or settings.nlp.sentiment_engine,
        settings.models_dir,
        settings.nlp.snownlp_model,
        settings.nlp.endpoint,
    )


def text_embedder(settings: Settings, kept: bool = True) -> Callable[[Sequence[str]], Vectors] | None:
    """Sentence vectors of customers' texts; None where the configured embedder has to be fitted first.

    ``kept``: in the model store, so that they are computed once; else nothing of the texts stays.
    """
    if settings.nlp.embedder == "tfidf":
        return None
    embedder = sentence_embedder(settings, kept)
    return lambda texts: embedder.embed([prepare(text) for text in texts])


def sentiment_version(settings: Settings) -> str:
    """The version of engine, data and noise words that :func:`score_chunk` writes; a text is scored once for each."""
    return _version(sentiment_engine(settings), noise_detector(settings))


def score_chunk(settings: Settings, in_file: Path, out_file: Path) -> None:
    """Read Parquet (voice_id, text), write Parquet of :data:`SENTIMENT_SCHEMA`; fill the embedding cache.

    Noise (:mod:`nlp.noise`) is neutral with score 0.5, and told with kind and reason in the columns ``noise`` and
    ``noise_reason``. The output appears at once when complete, so a killed call may be repeated. A NULL text counts as
    empty.
    Raises :class:`nlp.handover.HandoverFileError` for a file without those columns.
    """
    voice_ids, texts = read_voices(in_file)
    engine = sentiment_engine(settings)
    judged = engine.judge(texts)
    detector = noise_detector(settings)
    noise = detector.find_all(texts)
    is_noise = np.array([found is not None for found in noise], bool)
    if is_noise.any():
        kinds = Counter(found.kind for found in noise if found)
        logger.info("%s: noise, without polarity: %s", in_file.name, dict(kinds.most_common()))
    if (embed := text_embedder(settings)) is not None:
        # Topics need them next; here the work is spread over the mapped tasks. TF-IDF is fitted with the topics.
        embed(texts)
    table = pa.table(
        {
            "voice_id": voice_ids,
            "text_hash": [text_hash(text) for text in texts],
            "model_version": [_version(engine, detector)] * len(texts),
            "score": np.where(is_noise, NO_POLARITY, judged.scores),
            "label": ["neutral" if found else label for found, label in zip(noise, judged.labels, strict=True)],
            "scored_at": [datetime.now(UTC).replace(tzinfo=None)] * len(texts),
            "noise": [found.kind if found else None for found in noise],
            "noise_reason": [found.reason if found else None for found in noise],
        },
        schema=SENTIMENT_SCHEMA,
    )
    write_results(table, out_file)


def _version(engine: SentimentEngine, detector: NoiseDetector) -> str:
    return f"{engine.version}+{detector.version}"
