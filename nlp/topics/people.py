"""What people decide about topics: names, merges, splits. It is kept with who and when, and outlives every refit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nlp.topics.centroids import Centroids
from nlp.topics.discovery import word
from nlp.topics.evolution import halve
from nlp.topics.model import TopicModel
from nlp.topics.registry import Registry, RegistryError, Topic
from nlp.topics.store import TopicStore

_LONGEST_NAME = 40
_SMALLEST_SPLIT = 10


def rename(store: TopicStore, topic_id: int, name: str, by: str) -> Topic:
    """Give a topic a name. Raises :class:`nlp.topics.registry.RegistryError`."""
    name = " ".join(name.split())
    if not 0 < len(name) <= _LONGEST_NAME:
        raise RegistryError(f"a topic's name has 1 to {_LONGEST_NAME} characters")
    with store.lock():
        registry = store.registry()
        topic = registry.topic(topic_id)
        other = next((t for t in registry.active().values() if t.shown == name and t.topic_id != topic_id), None)
        if other is not None:
            raise RegistryError(f"topic {other.topic_id} is called {name} already; merge the two if they are one")
        registry.record("rename", topic_id, by=by, note=f"{topic.shown} → {name}")
        topic.name = name
        store.save(registry)
    return topic


def merge(store: TopicStore, into_id: int, ended_id: int, by: str) -> Topic:
    """Let one topic take all texts of another, which ends. Raises :class:`nlp.topics.registry.RegistryError`."""
    if into_id == ended_id:
        raise RegistryError("a topic can't be merged with itself")
    with store.lock():
        registry = store.registry()
        heir, ended = registry.topic(into_id), registry.topic(ended_id)
        model = store.model(registry.version)
        topic_ids = np.where(model.topic_ids == ended_id, into_id, model.topic_ids)
        registry.retire(ended, store.today(), into_id, by)
        heir.text_count += ended.text_count
        _save(store, registry, model, topic_ids, model.centroids)
    return heir


def split(store: TopicStore, topic_id: int, texts: Sequence[str], by: str) -> Topic:
    """Divide a topic into its two main parts; the larger keeps the id, the other is returned.

    ``texts``: customers' texts, among which the topic's are looked for. Raises
    :class:`nlp.topics.registry.RegistryError`.
    """
    with store.lock():
        registry = store.registry()
        topic = registry.topic(topic_id)
        model = store.model(registry.version)
        sample = store.sample(texts)
        vectors = model.embedder.embed(sample)
        rows, _ = model.centroids.nearest(vectors)
        members = np.flatnonzero((rows >= 0) & (model.topic_ids[rows] == topic_id))
        if len(members) < 2 * _SMALLEST_SPLIT:
            raise RegistryError(
                f"topic {topic_id} has {len(members)} of these texts; {2 * _SMALLEST_SPLIT} are needed to split it"
            )
        halves = halve(model.centroids.centre(vectors[members]), store.settings.nlp.seed)
        parts = Centroids.of(vectors[members], halves, model.centroids)
        if len(parts.means) < 2:
            raise RegistryError(f"topic {topic_id} can't be split: its texts are all alike")
        labels = np.full(len(sample), -1)
        labels[members] = halves
        words = word(sample, labels, {other.shown for other in registry.topics if other is not topic}, store.segmenter)
        new = Topic(
            registry.next_id,
            words[1].label,
            words[1].keywords,
            words[1].text_count,
            store.today().isoformat(),
            split_from=topic_id,
            parent_id=topic.parent_id,
            problem_class=topic.problem_class,
        )
        registry.topics.append(new)
        topic.keywords, topic.text_count = words[0].keywords, words[0].text_count
        registry.record("split", new.topic_id, other_id=topic_id, by=by)
        kept = np.flatnonzero(model.topic_ids != topic_id)
        topic_ids = np.concatenate([model.topic_ids[kept], np.array([topic_id, new.topic_id], np.int64)])
        _save(store, registry, model, topic_ids, model.centroids.take(kept).add(parts))
    return new


def _save(
    store: TopicStore, registry: Registry, model: TopicModel, topic_ids: np.ndarray, centroids: Centroids
) -> None:
    """Keep the changed model beside the old one, under a version of its own: all texts are then assigned anew."""
    stem = registry.version.split(".")[0]
    registry.version = f"{stem}.{len(registry.lineage)}"
    manifest = model.manifest | {"version": registry.version}
    changed = TopicModel(topic_ids, centroids, model.embedder, manifest, model.retired_ids, model.retired_means)
    store.save_model(changed, registry.version)
    store.save(registry)
