"""Fit, assign, refit: what the DAGs call."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from huiyin.config import Settings
from nlp.embed import Embedder, TfidfEmbedder, prepare, sentence_embedder
from nlp.files import lock
from nlp.handover import read_voices, write_results
from nlp.runtime import keep_numba_code
from nlp.segment import segmenter
from nlp.text import TEXT_VERSION, text_hash
from nlp.topics.cluster import Labels
from nlp.topics.discovery import Discovery, discover
from nlp.topics.matching import Matching, match
from nlp.topics.model import TopicModel
from nlp.topics.registry import Registry, Topic

logger = logging.getLogger(__name__)

CODE_VERSION = f"topics-3+{TEXT_VERSION}"
"""Raise it when the same texts would give other topics."""

FEWEST_TEXTS = 200
"""With fewer different texts there are no topics yet."""

NO_MODEL = "none"
"""Version of assignments made without a model; never current, so these texts come again once there is one."""

NO_TOPIC = -1

ASSIGNMENT_SCHEMA = pa.schema(
    [
        pa.field("voice_id", pa.string(), nullable=False),
        pa.field("text_hash", pa.string(), nullable=False),
        pa.field("topic_id", pa.int64(), nullable=False),
        pa.field("similarity", pa.float64()),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("assigned_at", pa.timestamp("us"), nullable=False),
    ]
)
TOPICS_SCHEMA = pa.schema(
    [
        pa.field("topic_id", pa.int64(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("keywords", pa.string()),
        pa.field("text_count", pa.int64()),
        pa.field("state", pa.string()),
        pa.field("born_on", pa.date32()),
        pa.field("model_version", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class RefitReport:
    """What a fit did to the registry."""

    version: str
    texts: int
    continued: int
    born: int
    retired: int

    def __str__(self) -> str:
        if not self.version:
            return f"no topics: {self.texts} different texts, {FEWEST_TEXTS} are needed"
        return (
            f"{self.version}: {self.continued} topics continued, {self.born} new, {self.retired} retired,"
            f" from {self.texts} texts"
        )


def current_version(settings: Settings) -> str:
    """The version of the model that :func:`assign_chunk` uses; empty before the first fit."""
    return Registry.load(_registry_file(settings)).version


def ensure_model(settings: Settings, texts_files: Sequence[Path]) -> None:
    """Fit a first model on a sample of the files' texts, unless one for the configured embedder exists.

    With fewer than :data:`FEWEST_TEXTS` different texts nothing is fitted and the log says so.
    """
    with lock(_folder(settings) / ".lock"):
        registry = Registry.load(_registry_file(settings))
        if registry.version:
            model = TopicModel.load(settings, _folder(settings) / registry.version)
            if model.manifest["embedder"] == settings.nlp.embedder:
                return
            logger.info("nlp.embedder is now %s: topics are refitted", settings.nlp.embedder)
        logger.info("%s", _fit(settings, registry, texts_files))


def refit(settings: Settings, texts_files: Sequence[Path]) -> RefitReport:
    """Discover topics anew and match them to the registry, so that ids persist. Repeating it changes nothing."""
    with lock(_folder(settings) / ".lock"):
        report = _fit(settings, Registry.load(_registry_file(settings)), texts_files)
    logger.info("%s", report)
    return report


def assign_chunk(settings: Settings, in_file: Path, out_file: Path) -> None:
    """Read Parquet (voice_id, text), write Parquet of :data:`ASSIGNMENT_SCHEMA`; topic −1 where none is near enough."""
    voice_ids, texts = read_voices(in_file)
    version = current_version(settings)
    if version:
        model = TopicModel.load(settings, _folder(settings) / version)
        rows, similarity = model.centroids.nearest(model.embedder.embed([prepare(text) for text in texts]))
        topic_ids = np.where(rows >= 0, model.topic_ids[rows], NO_TOPIC).tolist()
        similarities = similarity.astype(float).tolist()
    else:
        logger.warning("no topic model yet: %d texts of %s stay without topic", len(texts), in_file.name)
        topic_ids, similarities = [NO_TOPIC] * len(texts), [None] * len(texts)
    table = pa.table(
        {
            "voice_id": voice_ids,
            "text_hash": [text_hash(text) for text in texts],
            "topic_id": topic_ids,
            "similarity": similarities,
            "model_version": [version or NO_MODEL] * len(texts),
            "assigned_at": [datetime.now(UTC).replace(tzinfo=None)] * len(texts),
        },
        schema=ASSIGNMENT_SCHEMA,
    )
    write_results(table, out_file)


def topics_table(settings: Settings) -> pa.Table:
    """The registry, retired topics included, with the columns of ``nlp.topics``."""
    registry = Registry.load(_registry_file(settings))
    rows = [
        {
            "topic_id": topic.topic_id,
            "label": topic.label,
            "keywords": "、".join(topic.keywords),
            "text_count": topic.text_count,
            "state": topic.state,
            "born_on": date.fromisoformat(topic.born_on),
            "model_version": registry.version,
        }
        for topic in registry.topics
    ]
    return pa.Table.from_pylist(rows, schema=TOPICS_SCHEMA)


def write_topics(settings: Settings, out_file: Path) -> None:
    """Write :func:`topics_table` as Parquet."""
    write_results(topics_table(settings), out_file)


def _folder(settings: Settings) -> Path:
    return settings.models_dir / "topics"


def _registry_file(settings: Settings) -> Path:
    return _folder(settings) / "registry.json"


def _fit(settings: Settings, registry: Registry, texts_files: Iterable[Path]) -> RefitReport:
    sample = _sample(settings, texts_files)
    if len(sample) < FEWEST_TEXTS:
        return RefitReport("", len(sample), 0, 0, 0)
    keep_numba_code(settings.models_dir)
    embedder: Embedder = (
        TfidfEmbedder.fit(sample, settings.nlp.seed)
        if settings.nlp.embedder == "tfidf"
        else sentence_embedder(settings)
    )
    fingerprint = hashlib.sha256(
        "\0".join([CODE_VERSION, embedder.version, str(settings.nlp.seed), *sample]).encode("utf-8", "replace")
    ).hexdigest()[:8]
    if registry.version.endswith(fingerprint):
        return RefitReport(registry.version, len(sample), len(registry.active()), 0, 0)

    vectors = embedder.embed(sample)
    found = discover(sample, vectors, settings.nlp.seed)
    today = datetime.now(ZoneInfo(settings.timezone)).date()
    version = f"topics-{today:%Y%m%d}-{fingerprint}"
    old_ids, old_labels = _old_assignment(settings, registry, sample)
    matching = match(old_labels, found.labels, vectors, len(old_ids))
    topic_ids, retired = _update(registry, found, matching, old_ids, today)

    born = len(topic_ids) - len(matching.continues)
    report = RefitReport(version, len(sample), len(matching.continues), born, retired)
    manifest = {
        "version": version,
        "code_version": CODE_VERSION,
        "embedder": settings.nlp.embedder,
        "embedder_version": embedder.version,
        "seed": settings.nlp.seed,
        "data_fingerprint": fingerprint,
        "fitted_on": today.isoformat(),
        "method": found.method,
        "metrics": found.metrics,
    }
    TopicModel(topic_ids, found.centroids, embedder, manifest).save(_folder(settings) / version)
    registry.version = version
    registry.history.append(
        {"version": version, "texts": len(sample), "continued": report.continued, "born": born, "retired": retired}
    )
    registry.save(_registry_file(settings))
    return report


def _sample(settings: Settings, texts_files: Iterable[Path]) -> list[str]:
    """Different prepared texts that say something, at most ``nlp.topic_fit_texts``.

    Chosen by the hash of the text: two fits on overlapping data share most of their sample, whatever the order.
    """
    prepared = {prepare(text) for file in texts_files for text in read_voices(file)[1]}
    ranked = sorted(prepared, key=lambda text: text_hash(f"{settings.nlp.seed}:{text}"))
    chosen: list[str] = []
    for text in ranked:
        if len(chosen) == settings.nlp.topic_fit_texts:
            break
        if segmenter().words(text):
            chosen.append(text)
    return chosen


def _old_assignment(settings: Settings, registry: Registry, sample: list[str]) -> tuple[list[int], Labels]:
    """Ids of the current topics, and the row of them that each text of the sample is assigned to."""
    if not registry.version:
        return [], np.full(len(sample), -1)
    model = TopicModel.load(settings, _folder(settings) / registry.version)
    rows, _ = model.centroids.nearest(model.embedder.embed(sample))
    return model.topic_ids.tolist(), rows


def _update(
    registry: Registry, found: Discovery, matching: Matching, old_ids: list[int], today: date
) -> tuple[Labels, int]:
    """Continue, add and retire topics; the id of each found topic, and how many were retired."""
    known = {topic.topic_id: topic for topic in registry.topics}
    topic_ids: list[int] = []
    for row, words in enumerate(found.topics):
        if row in matching.continues:
            # The name stays: people have learnt it.
            topic = known[old_ids[matching.continues[row]]]
            topic.keywords, topic.text_count = words.keywords, words.text_count
        else:
            origin = matching.split_from.get(row)
            topic = Topic(
                registry.next_id,
                words.label,
                words.keywords,
                words.text_count,
                today.isoformat(),
                split_from=None if origin is None else old_ids[origin],
            )
            registry.topics.append(topic)
        topic_ids.append(topic.topic_id)
    ended = set(old_ids) - set(topic_ids)
    for row, topic_id in enumerate(old_ids):
        if topic_id in ended:
            heir = matching.merged_into.get(row)
            registry.retire(known[topic_id], today, None if heir is None else topic_ids[heir])
    return np.array(topic_ids, np.int64), len(ended)
