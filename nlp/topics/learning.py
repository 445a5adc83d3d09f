"""Learn topics from a sample: the first time from nothing, afterwards from the topics there are.

Each time new topics are born from what fits none; once a month all follow their texts, split, merge and end. Only
another embedder, in whose space the old directions mean nothing, makes everything be found anew and matched.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import date

import numpy as np

from nlp.cards import write_card
from nlp.embed import Embedder, TfidfEmbedder, Vectors, sentence_embedder, unit
from nlp.runtime import keep_numba_code
from nlp.text import TEXT_VERSION
from nlp.topics.card import topics_card
from nlp.topics.centroids import Centroids
from nlp.topics.communities import Labels
from nlp.topics.discovery import Wording, discover, word
from nlp.topics.evolution import births, evolve
from nlp.topics.matching import match
from nlp.topics.model import TopicModel, TopicModelError
from nlp.topics.registry import Group, Registry, Topic
from nlp.topics.store import TopicStore
from nlp.topics.taxonomy import Taxonomy

logger = logging.getLogger(__name__)

CODE_VERSION = f"topics-5+{TEXT_VERSION}"
"""Raise it when the same texts would give other topics."""

FEWEST_TEXTS = 200
"""With fewer different texts there are no topics yet."""
MOVES_EVERY_DAYS = 28
"""How long topics stay where they are; births don't wait for it."""
_RETURNS_FROM = 0.8
"""Likeness to a retired topic from which a new one is that topic again."""


@dataclass(frozen=True)
class RefitReport:
    """What a fit did to the registry."""

    version: str
    texts: int
    continued: int
    born: int
    retired: int
    revived: int = 0

    def __str__(self) -> str:
        if not self.version:
            return f"no topics: {self.texts} different texts, {FEWEST_TEXTS} are needed"
        return (
            f"{self.version}: {self.continued} topics continued, {self.born} new, {self.revived} back,"
            f" {self.retired} retired, from {self.texts} texts"
        )


def learn(store: TopicStore, sample: list[str], *, today: date | None = None, move: bool | None = None) -> RefitReport:
    """Learn from prepared texts and make the result current. Repeating it changes nothing.

    ``move``: whether all topics follow their texts; by default once in :data:`MOVES_EVERY_DAYS`. The caller holds the
    store's lock. With fewer than :data:`FEWEST_TEXTS` texts nothing is learnt.
    """
    registry = store.registry()
    settings = store.settings
    if len(sample) < FEWEST_TEXTS:
        return RefitReport("", len(sample), 0, 0, 0)
    keep_numba_code(settings.models_dir)
    today = today or store.today()
    embedder = _embedder(store, sample)
    made_of = [CODE_VERSION, store.segmenter.version, embedder.version, str(settings.nlp.seed), *sample]
    fingerprint = hashlib.sha256("\0".join(made_of).encode("utf-8", "replace")).hexdigest()[:8]
    if move is None:
        move = bool(registry.moved_on) and (today - date.fromisoformat(registry.moved_on)).days >= MOVES_EVERY_DAYS
    if registry.fingerprint == fingerprint and not move:
        return RefitReport(registry.version, len(sample), len(registry.active()), 0, 0)

    before = _current(store, registry)
    vectors = embedder.embed(sample)
    step = _Step(store, registry, sample, vectors, today)
    registry.version = f"topics-{today:%Y%m%d}-{fingerprint}{_revision(registry, today, fingerprint)}"
    if before is None or before.manifest["embedder_version"] != embedder.version:
        topic_ids, centroids, method, metrics = step.anew(before)
        registry.moved_on = today.isoformat()
        retired_ids, retired_means = np.empty(0, np.int64), centroids.means[:0]
    else:
        topic_ids, centroids, retired_ids, retired_means = step.onwards(before, move)
        method = "moved and grown" if move else "grown"
        rows, _ = centroids.nearest(vectors)
        metrics = {"texts": float(len(sample)), "outlier_share": float((rows < 0).mean())}
        if move:
            registry.moved_on = today.isoformat()
    step.describe(topic_ids, centroids)
    manifest = {
        "version": registry.version,
        "code_version": CODE_VERSION,
        "embedder": settings.nlp.embedder,
        "embedder_version": embedder.version,
        "seed": settings.nlp.seed,
        "data_fingerprint": fingerprint,
        "fitted_on": today.isoformat(),
        "method": method,
        "metrics": metrics | {"topics": float(len(set(topic_ids.tolist())))},
    }
    store.save_model(TopicModel(topic_ids, centroids, embedder, manifest, retired_ids, retired_means), registry.version)
    registry.fingerprint = fingerprint
    report = RefitReport(registry.version, len(sample), step.continued, step.born, step.retired, step.revived)
    registry.history.append(
        {
            "version": registry.version,
            "texts": len(sample),
            "continued": step.continued,
            "born": step.born,
            "retired": step.retired,
            "revived": step.revived,
        }
    )
    store.save(registry)
    if store.is_default:
        write_card(settings, topics_card(manifest, report.continued, report.born, report.retired))
    return report


class _Step:
    """One change of the registry and the model, with its counts."""

    def __init__(self, store: TopicStore, registry: Registry, sample: list[str], vectors: Vectors, today: date) -> None:
        self._store, self._registry, self._sample, self._vectors, self._today = store, registry, sample, vectors, today
        self._seed, self._cutter = store.settings.nlp.seed, store.segmenter
        self.continued = self.born = self.retired = self.revived = 0

    def anew(self, before: TopicModel | None) -> tuple[Labels, Centroids, str, dict[str, float]]:
        """Find all topics, and match them with the old ones on the sample, which both models can assign."""
        found = discover(self._sample, self._vectors, self._seed, self._cutter)
        registry = self._registry
        old_ids: list[int] = []
        old_labels: Labels = np.full(len(self._sample), -1)
        if before is not None:
            old_ids = sorted(set(before.topic_ids.tolist()))
            rows, _ = before.centroids.nearest(before.embedder.embed(self._sample))
            old_labels = np.where(rows >= 0, np.searchsorted(old_ids, before.topic_ids[rows]), -1)
        matching = match(old_labels, found.labels, self._vectors, len(old_ids))
        groups = {group: self._new_group(wording.label) for group, wording in enumerate(found.group_wordings)}
        known = {topic.topic_id: topic for topic in registry.topics}
        topic_ids: list[int] = []
        for row, wording in enumerate(found.topics):
            if row in matching.continues:
                topic = known[old_ids[matching.continues[row]]]
                topic.keywords, topic.text_count = wording.keywords, wording.text_count
                self.continued += 1
            else:
                origin = matching.split_from.get(row)
                topic = self._new_topic(wording, None if origin is None else old_ids[origin])
            topic.parent_id = groups[int(found.groups[row])]
            topic_ids.append(topic.topic_id)
        # A model that can't be read any more leaves topics that nothing can be compared with.
        ended = {topic.topic_id for topic in registry.topics if topic.state == "active"} - set(topic_ids)
        heirs = {old_ids[old]: topic_ids[new] for old, new in matching.merged_into.items()}
        for topic_id in sorted(ended):
            self._retire(known[topic_id], heirs.get(topic_id))
        used = {topic.parent_id for topic in registry.topics}
        registry.groups = [group for group in registry.groups if group.group_id in used]
        return np.array(topic_ids, np.int64), found.centroids, found.method, found.metrics

    def onwards(self, before: TopicModel, move: bool) -> tuple[Labels, Centroids, Labels, Vectors]:
        """Let the topics move if it is time, and new ones be born."""
        known = {topic.topic_id: topic for topic in self._registry.topics}
        centroids, topic_ids = before.centroids, before.topic_ids.copy()
        retired = dict(zip(before.retired_ids.tolist(), before.retired_means, strict=True))
        if move:
            centroids, topic_ids = self._move(before, known, retired)
        self.continued = len(set(topic_ids.tolist()) & set(before.topic_ids.tolist()))
        new = births(centroids, self._vectors, self._seed)
        if new:
            labels: Labels = np.full(len(self._sample), -1)
            for number, members in enumerate(new):
                labels[members] = number
            born = Centroids.of(self._vectors, labels, centroids)
            words = word(self._sample, labels, self._taken(), self._cutter)
            born_ids = [self._bear(words[row], born.directions[row], known, retired) for row in range(len(new))]
            nearest = (born.directions @ centroids.directions.T).argmax(axis=1)
            for topic_id, row in zip(born_ids, nearest.tolist(), strict=True):
                active = self._registry.active()
                if active[topic_id].parent_id is None:
                    active[topic_id].parent_id = active[int(topic_ids[row])].parent_id
            centroids, topic_ids = centroids.add(born), np.concatenate([topic_ids, np.array(born_ids, np.int64)])
        ids = np.array(sorted(retired), np.int64)
        means = np.stack([retired[topic_id] for topic_id in ids.tolist()]) if len(ids) else centroids.means[:0]
        return topic_ids, centroids, ids, means

    def describe(self, topic_ids: Labels, centroids: Centroids) -> None:
        """Count the texts of each topic and find its place among the problem types."""
        rows, _ = centroids.nearest(self._vectors)
        taxonomy = Taxonomy(self._store.settings.rules_dir)
        texts: dict[int, list[str]] = {}
        for text, row in zip(self._sample, rows.tolist(), strict=True):
            if row >= 0:
                texts.setdefault(int(topic_ids[row]), []).append(text)
        for topic in self._registry.active().values():
            own = texts.get(topic.topic_id, [])
            topic.text_count = len(own)
            topic.problem_class = taxonomy.classify(own)

    def _move(
        self, before: TopicModel, known: dict[int, Topic], retired: dict[int, Vectors]
    ) -> tuple[Centroids, Labels]:
        step = evolve(before.centroids, before.topic_ids, self._vectors, self._registry.kept_apart(), self._seed)
        owner = before.topic_ids.tolist()
        words: dict[int, Wording] = {}
        if step.split_from:
            rows, _ = step.centroids.nearest(self._vectors)
            named = np.where(step.origins[rows] < 0, rows, -1)
            words = dict(enumerate(word(self._sample, np.where(rows >= 0, named, -1), self._taken(), self._cutter)))
        topic_ids = [
            owner[origin] if origin >= 0 else self._new_topic(words[row], owner[step.split_from[row]]).topic_id
            for row, origin in enumerate(step.origins.tolist())
        ]
        for row in sorted({*step.merged_into, *step.retired}):
            if owner[row] in topic_ids or known[owner[row]].state == "retired":
                continue
            heir = step.merged_into.get(row)
            retired[owner[row]] = before.centroids.means[row]
            self._retire(known[owner[row]], None if heir is None else owner[heir])
        for row, topic_id in enumerate(topic_ids):
            topic = known.get(topic_id)
            if topic is None:
                child = self._registry.active()[topic_id]
                child.parent_id = known[owner[step.split_from[row]]].parent_id
        return step.centroids, np.array(topic_ids, np.int64)

    def _bear(self, wording: Wording, direction: Vectors, known: dict[int, Topic], retired: dict[int, Vectors]) -> int:
        """A new topic, or a retired one that is back."""
        likeness = {
            topic_id: float(direction @ unit(mean[None])[0])
            for topic_id, mean in retired.items()
            if known[topic_id].merged_into is None
        }
        best = max(likeness, key=lambda topic_id: likeness[topic_id], default=None)
        if best is not None and likeness[best] >= _RETURNS_FROM:
            topic = known[best]
            topic.state, topic.retired_on, topic.keywords = "active", None, wording.keywords
            self._registry.record("revival", best)
            retired.pop(best)
            self.revived += 1
            return best
        return self._new_topic(wording, None).topic_id

    def _new_topic(self, wording: Wording, split_from: int | None) -> Topic:
        topic = Topic(
            self._registry.next_id,
            wording.label,
            wording.keywords,
            wording.text_count,
            self._today.isoformat(),
            split_from=split_from,
        )
        self._registry.topics.append(topic)
        self._registry.record("birth" if split_from is None else "split", topic.topic_id, other_id=split_from)
        self.born += 1
        return topic

    def _new_group(self, label: str) -> int:
        group = Group(self._registry.next_group_id, label)
        self._registry.groups.append(group)
        return group.group_id

    def _retire(self, topic: Topic, heir: int | None) -> None:
        self._registry.retire(topic, self._today, heir)
        self.retired += 1

    def _taken(self) -> set[str]:
        return {topic.shown for topic in self._registry.topics}


def _embedder(store: TopicStore, sample: list[str]) -> Embedder:
    settings = store.settings
    return (
        TfidfEmbedder.fit(sample, settings.nlp.seed)
        if settings.nlp.embedder == "tfidf"
        else sentence_embedder(settings)
    )


def _current(store: TopicStore, registry: Registry) -> TopicModel | None:
    if not registry.version:
        return None
    try:
        return store.model(registry.version)
    except TopicModelError as error:
        logger.warning("%s; topics are found anew", error)
        return None


def _revision(registry: Registry, today: date, fingerprint: str) -> str:
    """Tells versions apart that people's decisions made on one day from the same data."""
    stem = f"topics-{today:%Y%m%d}-{fingerprint}"
    return f".{len(registry.lineage)}" if registry.version.startswith(stem) else ""
