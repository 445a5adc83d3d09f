"""Topics of any CSV file, apart from those of the marts: each model folder has topics of its own."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from huiyin.errors import HuiyinError
from nlp.files import replacing
from nlp.noise import noise_detector
from nlp.topics.learning import FEWEST_TEXTS, RefitReport, learn
from nlp.topics.store import TopicStore

logger = logging.getLogger(__name__)

Level = Literal["group", "topic"]


class TopicFileError(HuiyinError):
    """The CSV file can't be used; the message says why."""


@dataclass(frozen=True)
class AssignReport:
    """How many rows, to how many different topics, and how many of them no topic fits well."""

    rows: int
    topics: int
    unfit: int


def read_csv(file: Path, column: str) -> pd.DataFrame:
    """A CSV file in UTF-8 or GB18030, all columns as text. Raises :class:`TopicFileError`."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding=encoding)
            break
        except UnicodeDecodeError:
            continue
        except (OSError, ValueError) as error:
            raise TopicFileError(f"{file} can't be read as CSV: {type(error).__name__}") from error
    else:
        raise TopicFileError(f"{file} is no CSV in UTF-8 or GB18030")
    if column not in frame:
        raise TopicFileError(f"{file} has no column {column}; it has: {', '.join(frame.columns)}")
    return frame


def fit_csv(store: TopicStore, file: Path, column: str, *, onwards: bool) -> RefitReport:
    """Learn topics from a file. Unless ``onwards``, the folder's former topics are dropped and ids begin at 1.

    Raises :class:`TopicFileError` where the file has too few different texts.
    """
    frame = read_csv(file, column)
    with store.lock():
        # A file may be about anything, also about greetings.
        texts = frame[column].tolist()
        store.learn_boilerplate(texts)
        sample = store.sample(texts, wordless=True)
        if len(sample) < FEWEST_TEXTS:
            raise TopicFileError(f"{file} has {len(sample)} different texts, {FEWEST_TEXTS} are needed for topics")
        if not onwards:
            store.registry_file.unlink(missing_ok=True)
            for old in store.folder.glob("topics-*"):
                shutil.rmtree(old)
        return learn(store, sample, move=True if onwards else None)


def assign_csv(
    store: TopicStore, file: Path, out: Path, column: str, *, level: Level, keep_outliers: bool = False
) -> AssignReport:
    """Write the file with the topic of each text added: ``topic_id``, ``topic_label``, ``topic_fits``, ``noise``.

    ``level``: coarse groups or the topics inside them. A text that no topic fits gets the nearest one and
    ``topic_fits`` false, or with ``keep_outliers`` the id −1; so does noise, whose kind and reason ``noise`` tells. A
    text without words gets −1 in any case.
    """
    frame = read_csv(file, column)
    registry = store.registry()
    if not registry.version:
        raise TopicFileError(f"{store.folder} has no topics yet; run `huiyin topics fit` first")
    model = store.model(registry.version)
    topics, groups = registry.active(), registry.group_labels()
    texts = frame[column].tolist()
    prepared = store.prepared(texts)
    vectors = model.embedder.embed(prepared)
    rows, _ = model.centroids.best(vectors)
    fitting, _ = model.centroids.nearest(vectors)
    if level == "group":
        ids = np.array([topics[int(topic_id)].parent_id for topic_id in model.topic_ids], np.int64)
        labels = {group_id: groups[group_id] for group_id in set(ids.tolist())}
    else:
        ids = model.topic_ids
        labels = {topic_id: topic.shown for topic_id, topic in topics.items()}
    is_empty = np.array([not text for text in prepared], bool)
    noise = noise_detector(store.settings).find_all(texts)
    is_noise = np.array([found is not None and found.says_nothing for found in noise], bool)
    fitting = np.where(is_empty | is_noise, -1, fitting)
    without = is_empty | ((fitting < 0) & keep_outliers)
    found = np.where(without, -1, ids[rows])
    frame["topic_id"] = found
    frame["topic_label"] = [labels.get(topic_id, "") for topic_id in found.tolist()]
    frame["topic_fits"] = np.where(fitting >= 0, "true", "false")
    frame["noise"] = [str(found or "") for found in noise]
    with replacing(out) as beside:
        frame.to_csv(beside, index=False)
    return AssignReport(len(frame), len(set(found.tolist()) - {-1}), int((fitting < 0).sum()))
