"""How topics go on: they move with their texts, split, merge, end; new ones are born from what fits none.

Warm, that is from the topics there are: fitting anew would number half of the texts differently though nothing changed.
What counts as different is read from the topics themselves: a split's halves must differ as much as neighbouring topics
usually do, merged topics as little as the halves of one topic.
"""

from __future__ import annotations

import logging
from collections.abc import Set
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from nlp.embed import Vectors, unit
from nlp.topics.centroids import Centroids
from nlp.topics.communities import Labels
from nlp.topics.matching import LEAST_LIKENESS
from nlp.topics.reduce import Neighbours, reduce

logger = logging.getLogger(__name__)

SMALLEST_BIRTH = 10
"""Different texts that a new topic needs."""
_SMALLEST_BIRTH_SHARE = 0.002
# A topic keeps this much of its old place, so that texts at its border stay.
_INERTIA = 0.5
_SMALLEST_PART = 20
_SMALLEST_PART_SHARE = 0.25
_FEWEST_TEXTS = 3
_KMEANS_STARTS = 3


@dataclass
class Evolution:
    """The topics afterwards; ``origins``: the row before of each row now, −1: new."""

    centroids: Centroids
    origins: Labels
    split_from: dict[int, int] = field(default_factory=dict)
    """New row → the row before that it was split from."""
    merged_into: dict[int, int] = field(default_factory=dict)
    """Row before that ended → the row before that goes on with its texts."""
    retired: list[int] = field(default_factory=list)
    """Rows before that have no texts any more."""


def evolve(centroids: Centroids, owners: Labels, vectors: Vectors, apart: Set[tuple[int, int]], seed: int) -> Evolution:
    """Let the topics follow their texts.

    ``owners``: the topic id of each row; rows of one id are what people merged. ``apart``: pairs of ids that people
    split (smaller id first), which stay apart.
    """
    rows, _ = centroids.nearest(vectors)
    centred = centroids.centre(vectors)
    sizes = np.bincount(rows[rows >= 0], minlength=len(owners))
    halves = {row: _halves(centred[rows == row], seed) for row in range(len(owners)) if sizes[row] >= 2}
    alike = _merges(centroids, owners, sizes, halves, apart)
    retired = [row for row in range(len(owners)) if sizes[row] < _FEWEST_TEXTS and row not in alike]

    labels = np.full(len(vectors), -1)
    origins: list[int] = []
    split_from: dict[int, int] = {}
    usual = _usual_neighbour(centroids)
    for row in range(len(owners)):
        if row in alike or row in retired:
            continue
        heirs = [row, *(ended for ended, heir in alike.items() if heir == row)]
        members = np.flatnonzero(np.isin(rows, heirs))
        origins.append(row)
        labels[members] = len(origins) - 1
        half = halves.get(row)
        if len(heirs) > 1 or half is None or not _is_split(half, usual):
            continue
        new = np.flatnonzero(half.labels == 1)
        split_from[len(origins)] = row
        labels[members[new]] = len(origins)
        origins.append(-1)
    moved = Centroids.of(vectors, labels, centroids)
    means = moved.means.copy()
    minimum = moved.minimum.copy()
    for now, before in enumerate(origins):
        if before >= 0 and now + 1 not in split_from:
            means[now] = _INERTIA * centroids.means[before] + (1 - _INERTIA) * moved.means[now]
            minimum[now] = _INERTIA * centroids.minimum[before] + (1 - _INERTIA) * moved.minimum[now]
    return Evolution(
        replace(centroids, means=means, minimum=minimum), np.array(origins, np.int64), split_from, alike, retired
    )


def births(centroids: Centroids, vectors: Vectors, seed: int) -> list[Labels]:
    """Groups of rows that make new topics: dense among what fits no topic, and unlike each topic there is."""
    from hdbscan import HDBSCAN

    rows, _ = centroids.nearest(vectors)
    candidates = np.flatnonzero((rows < 0) & vectors.any(axis=1))
    smallest = max(SMALLEST_BIRTH, int(len(vectors) * _SMALLEST_BIRTH_SHARE))
    if len(candidates) < 2 * smallest:
        return []
    centred = centroids.centre(vectors[candidates])
    # Fewer neighbours than for all texts: what is new is small.
    reduced = reduce(centred, Neighbours.exact(centred, smallest), seed)
    labels = HDBSCAN(min_cluster_size=smallest, core_dist_n_jobs=1).fit_predict(reduced.astype(np.float64))
    least_cohesion, usual_neighbour = float(np.quantile(centroids.cohesion, 0.05)), _usual_neighbour(centroids)
    found: list[npt.NDArray[np.bool_]] = []
    for label in np.argsort(-np.bincount(labels[labels >= 0]), kind="stable").tolist():
        members = labels == label
        mean = centred[members].mean(axis=0)
        cohesion = float(np.linalg.norm(mean))
        nearest = float((centroids.directions @ mean).max()) / max(cohesion, 1e-9)
        if cohesion < least_cohesion or nearest > usual_neighbour:
            logger.info("%d texts are no new topic: cohesion %.2f, likeness %.2f", members.sum(), cohesion, nearest)
            continue
        # Two wordings of one new subject come together.
        means = unit(np.stack([mean, *(centred[other].mean(axis=0) for other in found)]))
        likeness = means[1:] @ means[0]
        if len(found) and likeness.max() > usual_neighbour:
            found[int(likeness.argmax())] |= members
        else:
            found.append(members)
    return [candidates[members] for members in found]


def halve(centred: Vectors, seed: int) -> Labels:
    """The two main parts of a topic's centred unit vectors, 0 the larger: what a person's split gives."""
    return _halves(centred, seed).labels


@dataclass(frozen=True)
class _Halves:
    labels: Labels
    likeness: float


def _halves(centred: Vectors, seed: int) -> _Halves:
    """Two parts by KMeans, the larger is 0, and the cosine of their means."""
    from sklearn.cluster import KMeans

    labels = KMeans(2, n_init=_KMEANS_STARTS, random_state=seed).fit_predict(centred).astype(np.int64)
    if (labels == 0).sum() * 2 < len(labels):
        labels = 1 - labels
    if not labels.any():
        return _Halves(labels, 1.0)
    first, second = unit(np.stack([centred[labels == part].mean(axis=0) for part in (0, 1)]))
    return _Halves(labels, float(first @ second))


def _is_split(half: _Halves, usual: float) -> bool:
    smaller = int((half.labels == 1).sum())
    enough = max(_SMALLEST_PART, _SMALLEST_PART_SHARE * len(half.labels))
    return smaller >= enough and half.likeness <= usual


def _merges(
    centroids: Centroids,
    owners: Labels,
    sizes: Labels,
    halves: dict[int, _Halves],
    apart: Set[tuple[int, int]],
) -> dict[int, int]:
    """Rows that end in another because both are as alike as the halves of one topic: row → heir."""
    likely = [half.likeness for half in halves.values() if half.labels.any()]
    if not likely:
        return {}
    bound = max(float(np.median(likely)), 0.8)
    likeness = centroids.directions @ centroids.directions.T
    first, second = np.where(np.triu(likeness >= bound, 1))
    merged: dict[int, int] = {}
    for a, b in sorted(zip(first.tolist(), second.tolist(), strict=True), key=lambda pair: -likeness[pair]):
        ids = sorted((int(owners[a]), int(owners[b])))
        if a in merged or b in merged or {a, b} & set(merged.values()) or ids[0] == ids[1] or tuple(ids) in apart:
            continue
        heir, ended = (a, b) if sizes[a] >= sizes[b] else (b, a)
        merged[ended] = heir
    return merged


def _usual_neighbour(centroids: Centroids) -> float:
    """The median likeness of a topic to the one nearest to it, where topics are near each other at all."""
    likeness = centroids.directions @ centroids.directions.T
    np.fill_diagonal(likeness, -1.0)
    return max(float(np.median(likeness.max(axis=1))), LEAST_LIKENESS)
