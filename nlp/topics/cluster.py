"""Groups of texts at two levels: subjects as a reader would file them, and the topics inside them.

How many there are comes from the data: communities of the graph of similar texts give the number, KMeans in UMAP's
space started from them gives the borders, and a part is split further as long as the halves stand clearly apart.
"""

from __future__ import annotations

import heapq
import logging
from dataclasses import dataclass

import numpy as np

from nlp.topics.communities import Labels, by_size, communities
from nlp.topics.reduce import Neighbours, Vectors, reduce, similarity_graph

logger = logging.getLogger(__name__)

LARGEST_SHARE = 0.35
"""One topic with a larger share of the texts is a collapse."""
OUTLIER_SHARE = 0.40
"""With more texts outside every topic, too little is explained."""
FEWEST_TOPICS, MOST_TOPICS = 20, 60
"""What a committee can read; fewer where there are few texts."""

# L. Kaufman, P. J. Rousseeuw, "Finding Groups in Data" (1990), on silhouettes: a strong and a reasonable structure.
_STRONG, _REASONABLE = 0.7, 0.5
_SMALLEST = 10
_SMALLEST_SHARE = 1 / 400
_PARTS = (2, 3, 4)
_SILHOUETTE_TEXTS = 1_500
# Tried in turn when one community holds too much.
_RESOLUTIONS = (1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Clustering:
    """``labels``: topic of each text, the largest is 0; ``groups``: group of each topic; how they came about."""

    labels: Labels
    groups: Labels
    method: str


def cluster(vectors: Vectors, seed: int) -> Clustering:
    """Group centred unit vectors (texts × dimensions). Every text gets a topic. Reproducible under the seed."""
    neighbours = Neighbours.exact(vectors)
    reduced = reduce(vectors, neighbours, seed)
    graph = similarity_graph(vectors, neighbours, seed)
    labels, method = np.zeros(len(vectors), np.int64), ""
    for resolution in _RESOLUTIONS:
        method = f"communities resolution={resolution:g}"
        labels = _with_borders(reduced, communities(graph, resolution, seed))
        if not is_collapsed(labels):
            break
        logger.info("%s are not used: one of them is too large", method)
    else:
        method, labels = f"kmeans k={_many(len(vectors))}", _kmeans(reduced, _many(len(vectors)), seed)
    groups = _split(reduced, labels, _STRONG, 2, seed)
    topics = _split(reduced, groups, _REASONABLE, min(FEWEST_TOPICS, max(2, len(vectors) // 100)), seed)
    _, first_texts = np.unique(topics, return_index=True)
    return Clustering(topics, groups[first_texts], method)


def is_collapsed(labels: Labels) -> bool:
    """Whether a labelling has fewer than two topics, one dominating topic, or too many outliers."""
    sizes = np.bincount(labels[labels >= 0])
    if len(sizes) < 2:
        return True
    return bool(sizes.max() > LARGEST_SHARE * len(labels) or (labels < 0).mean() > OUTLIER_SHARE)


def _with_borders(reduced: Vectors, found: Labels) -> Labels:
    """KMeans started from the communities' means, so that it is as stable as they are."""
    from sklearn.cluster import KMeans

    means = np.stack([reduced[found == label].mean(axis=0) for label in range(int(found.max()) + 1)])
    return _numbered(KMeans(len(means), init=means, n_init=1).fit_predict(reduced))


def _kmeans(reduced: Vectors, parts: int, seed: int) -> Labels:
    from sklearn.cluster import KMeans

    return _numbered(KMeans(parts, n_init=4, random_state=seed).fit_predict(reduced))


def _many(texts: int) -> int:
    return int(np.clip(round(texts**0.5 / 2), 3, MOST_TOPICS))


def _numbered(labels: Labels) -> Labels:
    _, dense = np.unique(labels, return_inverse=True)
    return by_size(dense.astype(np.int64))


def _split(reduced: Vectors, labels: Labels, clearness: float, fewest: int, seed: int) -> Labels:
    """Split the topics whose parts stand clearly apart, the clearest first; until ``fewest`` also the others."""
    smallest = max(_SMALLEST, int(len(labels) * _SMALLEST_SHARE))
    labels = labels.copy()
    count = int(labels.max()) + 1
    waiting: list[tuple[float, int, Labels]] = []
    to_look_at = list(range(count))
    while count < MOST_TOPICS:
        for topic in to_look_at:
            silhouette, parts = _parts(reduced[labels == topic], smallest, seed)
            if parts is not None:
                heapq.heappush(waiting, (-silhouette, topic, parts))
        if not waiting or (-waiting[0][0] < clearness and count >= fewest):
            break
        _, topic, parts = heapq.heappop(waiting)
        rows = np.flatnonzero(labels == topic)
        to_look_at = [topic]
        for part in range(1, int(parts.max()) + 1):
            labels[rows[parts == part]] = count
            to_look_at.append(count)
            count += 1
    return by_size(labels)


def _parts(reduced: Vectors, smallest: int, seed: int) -> tuple[float, Labels | None]:
    """The division of best silhouette whose parts are not too small."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    best: tuple[float, Labels | None] = (-1.0, None)
    for parts in _PARTS:
        if len(reduced) < parts * smallest:
            break
        labels = KMeans(parts, n_init=3, random_state=seed).fit_predict(reduced).astype(np.int64)
        if np.bincount(labels).min() < smallest:
            continue
        silhouette = float(
            silhouette_score(reduced, labels, sample_size=min(_SILHOUETTE_TEXTS, len(reduced)), random_state=seed)
        )
        if silhouette > best[0]:
            best = silhouette, labels
    return best
