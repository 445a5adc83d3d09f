"""Find topics in a sample of texts: vectors → UMAP → groups and topics → c-TF-IDF → words (BERTopic's pipeline)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp.embed import Vectors, unit
from nlp.segment import ServiceSegmenter
from nlp.topics.centroids import Centroids
from nlp.topics.cluster import Clustering, cluster
from nlp.topics.communities import Labels
from nlp.topics.wording import count_words, keywords, label, ranked_words, segment


@dataclass(frozen=True)
class Wording:
    """How a topic is called, and how many texts of the sample it has."""

    label: str
    keywords: list[str]
    text_count: int


@dataclass(frozen=True)
class Discovery:
    """Topics of a sample; ``labels`` number them from 0, −1: too far from all. ``groups``: the group of each topic."""

    topics: list[Wording]
    labels: Labels
    groups: Labels
    group_wordings: list[Wording]
    centroids: Centroids
    method: str
    metrics: dict[str, float]


def discover(texts: Sequence[str], vectors: Vectors, seed: int, cutter: ServiceSegmenter) -> Discovery:
    """Topics of distinct prepared texts and their unit vectors. Reproducible under the seed."""
    clustering: Clustering = cluster(unit(vectors - vectors.mean(axis=0)), seed)
    centroids = Centroids.of(vectors, clustering.labels)
    nearest, _ = centroids.nearest(vectors)
    metrics = {
        "texts": float(len(texts)),
        "topics": float(len(clustering.groups)),
        "groups": float(clustering.groups.max() + 1),
        "outlier_share": float((nearest < 0).mean()),
        "largest_share": float(np.bincount(clustering.labels).max() / len(texts)),
        "centroid_agreement": float((nearest == clustering.labels).mean()),
    }
    return Discovery(
        word(texts, clustering.labels, set(), cutter),
        np.where(nearest < 0, -1, clustering.labels),
        clustering.groups,
        word(texts, clustering.groups[clustering.labels], set(), cutter),
        centroids,
        clustering.method,
        metrics,
    )


def word(texts: Sequence[str], labels: Labels, taken: set[str], cutter: ServiceSegmenter) -> list[Wording]:
    """Labels and keywords of topics 0…n−1; no label is given twice nor stands in ``taken``."""
    segmented = segment(cutter, texts)
    counts, everywhere = count_words(segmented, labels.tolist())
    used = set(taken)
    worded: list[Wording] = []
    for count, ranked in zip(counts, ranked_words(counts), strict=True):
        name = label(ranked, count, everywhere, used, cutter.service_words)
        used.add(name)
        worded.append(Wording(name, keywords(ranked, count), count.texts))
    return worded
