"""Find topics in a sample of texts with BERTopic: embed → UMAP → HDBSCAN → c-TF-IDF → words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp.embed import Vectors, unit
from nlp.segment import segmenter
from nlp.topics.cluster import GuardedClusterer, Labels
from nlp.topics.reduce import ExactUmap
from nlp.topics.wording import SegmentedText, TopicWords, keywords, label, segment

logger = logging.getLogger(__name__)

_RANKED_WORDS = 40
# A text joins a topic when it is at least as near as all but this share of the topic's own texts.
_FAR_SHARE = 0.05


@dataclass(frozen=True)
class Centroids:
    """Topics as directions: a text belongs to the nearest one, unless it is too far from that."""

    middle: Vectors
    """The mean of all vectors, taken off first: what all texts share says nothing about topics."""
    directions: Vectors
    """Unit vectors, topics × dimensions."""
    minimum: Vectors
    """The similarity each topic asks for."""

    def nearest(self, vectors: Vectors) -> tuple[Labels, Vectors]:
        """The row of the nearest topic (−1: none is near enough) and the cosine similarity to it."""
        similarity = unit(vectors - self.middle) @ self.directions.T
        best = similarity.argmax(axis=1)
        reached = similarity[np.arange(len(best)), best]
        # A zero vector (a text without anything embeddable) belongs nowhere.
        is_near = (reached >= self.minimum[best]) & vectors.any(axis=1)
        return np.where(is_near, best, -1), reached

    @classmethod
    def of(cls, vectors: Vectors, labels: Labels) -> Centroids:
        """The centroids of labels 0…n−1; rows labelled −1 count for the middle only."""
        middle = vectors.mean(axis=0)
        centred = unit(vectors - middle)
        topics = range(int(labels.max()) + 1)
        directions = unit(np.stack([centred[labels == topic].mean(axis=0) for topic in topics]))
        minimum = [np.quantile(centred[labels == topic] @ directions[topic], _FAR_SHARE) for topic in topics]
        # A narrow topic must not refuse what is nearer to it than most topics ask for.
        return cls(middle, directions, np.minimum(minimum, np.median(minimum)).astype(np.float32))


@dataclass(frozen=True)
class FoundTopic:
    """One topic of a discovery."""

    label: str
    keywords: list[str]
    text_count: int


@dataclass(frozen=True)
class Discovery:
    """Topics of a sample; ``labels`` number them from 0, −1 is none."""

    topics: list[FoundTopic]
    labels: Labels
    centroids: Centroids
    method: str
    metrics: dict[str, float]


def discover(texts: Sequence[str], vectors: Vectors, seed: int) -> Discovery:
    """Topics of distinct prepared texts and their unit vectors. Reproducible under the seed."""
    segmented = segment(segmenter(), texts)
    model, clusterer = _bertopic(seed)
    documents = [" ".join(text.words) for text in segmented]
    model.fit_transform(documents, embeddings=vectors)
    core = np.array(model.topics_, np.int64)

    centroids = Centroids.of(vectors, core)
    nearest, _ = centroids.nearest(vectors)
    labels = np.where(core < 0, nearest, core)
    placed = core >= 0
    metrics = {
        "texts": float(len(texts)),
        "topics": float(core.max() + 1),
        "outlier_share_of_clustering": float((~placed).mean()),
        "outlier_share": float((labels < 0).mean()),
        "largest_share": float(np.bincount(labels[labels >= 0]).max() / len(labels)),
        "centroid_agreement": float((nearest[placed] == core[placed]).mean()),
    }
    return Discovery(_word(model, segmented, labels), labels, centroids, clusterer.method, metrics)


def _bertopic(seed: int) -> tuple[Any, GuardedClusterer]:
    from bertopic import BERTopic
    from bertopic.vectorizers import ClassTfidfTransformer
    from sklearn.feature_extraction.text import CountVectorizer

    clusterer = GuardedClusterer(seed)
    model = BERTopic(
        # "english" would delete every Chinese character.
        language="multilingual",
        top_n_words=_RANKED_WORDS,
        umap_model=ExactUmap(seed),
        hdbscan_model=clusterer,
        # The words are cut already; min_df counts topics here, not texts, so it stays at 1.
        vectorizer_model=CountVectorizer(analyzer=str.split, min_df=1),
        ctfidf_model=ClassTfidfTransformer(),
    )
    return model, clusterer


def _word(model: Any, segmented: Sequence[SegmentedText], labels: npt.NDArray[np.int64]) -> list[FoundTopic]:
    counts = [TopicWords() for _ in range(int(labels.max()) + 1)]
    everywhere = TopicWords()
    for text, topic in zip(segmented, labels.tolist(), strict=True):
        everywhere.add(text)
        if topic >= 0:
            counts[topic].add(text)
    found: list[FoundTopic] = []
    for topic, count in enumerate(counts):
        ranked = [word for word, weight in model.get_topic(topic) if word and weight > 0]
        taken = {other.label for other in found}
        found.append(FoundTopic(label(ranked, count, everywhere, taken), keywords(ranked, count), count.texts))
    return found
