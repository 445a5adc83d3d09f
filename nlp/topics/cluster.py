"""Clusters of reduced vectors, guarded against the two ways in which HDBSCAN fails on short texts."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]

logger = logging.getLogger(__name__)

LARGEST_SHARE = 0.35
"""One topic with a larger share of the texts is a collapse."""
OUTLIER_SHARE = 0.40
"""With more texts outside every cluster, too little is explained."""
FEWEST_TOPICS, MOST_TOPICS = 20, 60
"""What a committee can read; fewer where there are few texts."""

# Smallest cluster as a share of the texts, from fine to coarse.
_CLUSTER_SHARES = (1 / 400, 1 / 250, 1 / 160, 1 / 100)
_SMALLEST_CLUSTER = 10


class GuardedClusterer:
    """HDBSCAN, and KMeans where HDBSCAN collapses or leaves too many out. BERTopic's cluster model."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.labels_: Labels = np.empty(0, np.int64)
        self.method = ""
        """How the labels came about, for the manifest."""

    def fit(self, reduced: npt.NDArray[np.float32], y: Any = None) -> GuardedClusterer:
        """Label each row, −1 for none; ``y`` is BERTopic's and unused."""
        found = self._hdbscan(reduced)
        if found is None:
            found = self._kmeans(reduced)
        self.labels_, self.method = found
        return self

    def _hdbscan(self, reduced: npt.NDArray[np.float32]) -> tuple[Labels, str] | None:
        """The labelling of best density-based validity among those that pass the guard and can be read."""
        from hdbscan import HDBSCAN

        fewest = min(FEWEST_TOPICS, max(2, len(reduced) // 100))
        usable: list[tuple[float, Labels, str]] = []
        for smallest in dict.fromkeys(max(_SMALLEST_CLUSTER, int(len(reduced) * share)) for share in _CLUSTER_SHARES):
            model = HDBSCAN(min_cluster_size=smallest, gen_min_span_tree=True, core_dist_n_jobs=1)
            labels = model.fit_predict(reduced.astype(np.float64)).astype(np.int64)
            sizes = np.bincount(labels[labels >= 0])
            if is_collapsed(labels) or not fewest <= len(sizes) <= MOST_TOPICS:
                logger.info("HDBSCAN with min_cluster_size %d is not used: %d topics", smallest, len(sizes))
                continue
            usable.append((model.relative_validity_, labels, f"hdbscan min_cluster_size={smallest}"))
        if not usable:
            return None
        _, labels, method = max(usable, key=lambda candidate: candidate[0])
        return labels, method

    def _kmeans(self, reduced: npt.NDArray[np.float32]) -> tuple[Labels, str]:
        from sklearn.cluster import KMeans

        topics = int(np.clip(round(len(reduced) ** 0.5 / 2), 2, MOST_TOPICS))
        logger.info("HDBSCAN gives no usable topics here, KMeans finds %d", topics)
        labels = KMeans(topics, n_init=4, random_state=self._seed).fit_predict(reduced)
        return labels.astype(np.int64), f"kmeans k={topics}"


def is_collapsed(labels: Labels) -> bool:
    """Whether a labelling has fewer than two topics, one dominating topic, or too many outliers."""
    sizes = np.bincount(labels[labels >= 0])
    if len(sizes) < 2:
        return True
    return bool(sizes.max() > LARGEST_SHARE * len(labels) or (labels < 0).mean() > OUTLIER_SHARE)
