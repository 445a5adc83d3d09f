"""Fit, assign, refit: what the DAGs call."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from huiyin.config import Settings
from nlp.handover import read_voices, write_results
from nlp.noise import noise_detector
from nlp.text import text_hash
from nlp.topics.learning import RefitReport, learn
from nlp.topics.store import TopicStore
from nlp.topics.tables import ASSIGNMENT_SCHEMA, registry_table

logger = logging.getLogger(__name__)

NO_MODEL = "none"
"""Version of assignments made without a model; never current, so these texts come again once there is one."""

NO_TOPIC = -1


def current_version(settings: Settings) -> str:
    """The version of the model that :func:`assign_chunk` uses; empty before the first fit."""
    return TopicStore(settings).registry().version


def ensure_model(settings: Settings, texts_files: Sequence[Path]) -> None:
    """Fit a first model on a sample of the files' texts, unless one for the configured embedder exists.

    With fewer than :data:`nlp.topics.learning.FEWEST_TEXTS` different texts nothing is fitted and the log says so.
    """
    store = TopicStore(settings)
    with store.lock():
        version = store.registry().version
        if version:
            if store.model(version).manifest["embedder"] == settings.nlp.embedder:
                return
            logger.info("nlp.embedder is now %s: topics are refitted", settings.nlp.embedder)
        logger.info("%s", _learn(store, texts_files))


def refit(settings: Settings, texts_files: Sequence[Path]) -> RefitReport:
    """Let new topics be born and, once a month, all follow their texts; ids persist. Repeating it changes nothing."""
    store = TopicStore(settings)
    with store.lock():
        report = _learn(store, texts_files)
    logger.info("%s", report)
    return report


def assign_chunk(settings: Settings, in_file: Path, out_file: Path) -> None:
    """Read Parquet (voice_id, text), write Parquet of :data:`nlp.topics.tables.ASSIGNMENT_SCHEMA`.

    The topic is −1 where none is near enough, and for noise that says nothing (:mod:`nlp.noise`), however near.
    """
    voice_ids, texts = read_voices(in_file)
    store = TopicStore(settings)
    version = store.registry().version
    if version:
        model = store.model(version)
        prepared = store.prepared(texts)
        rows, similarity = model.centroids.nearest(model.embedder.embed(prepared))
        noise = noise_detector(settings).find_all(texts)
        is_noise = np.array(
            [not own or (found is not None and found.says_nothing) for own, found in zip(prepared, noise, strict=True)],
            bool,
        )
        topic_ids = np.where((rows >= 0) & ~is_noise, model.topic_ids[rows], NO_TOPIC).tolist()
        if is_noise.any():
            logger.info("%s: %d texts of noise stay without topic", in_file.name, is_noise.sum())
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
    return registry_table(TopicStore(settings).registry())


def write_topics(settings: Settings, out_file: Path) -> None:
    """Write :func:`topics_table` as Parquet."""
    write_results(topics_table(settings), out_file)


def _learn(store: TopicStore, files: Sequence[Path]) -> RefitReport:
    texts = [text for file in files for text in read_voices(file)[1]]
    store.learn_boilerplate(texts)
    return learn(store, store.sample(texts))
