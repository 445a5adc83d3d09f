"""Sentence vectors to few dimensions in which HDBSCAN finds clusters."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

_ROWS = 1_024


class Reducer(Protocol):
    """What BERTopic asks of its dimensionality reduction."""

    def fit_transform(self, vectors: Vectors, y: Any = None) -> Vectors:
        """The vectors in fewer dimensions."""
        ...


class ExactUmap:
    """UMAP on exact neighbours.

    The neighbours come from plain matrix products (unit vectors, cosine), which for some ten thousand texts is
    faster than UMAP's approximate search and spares its compilation. Deterministic under the seed.
    """

    def __init__(self, seed: int, neighbours: int = 15, dimensions: int = 5, epochs: int = 200) -> None:
        self._seed, self._neighbours, self._dimensions, self._epochs = seed, neighbours, dimensions, epochs

    def fit_transform(self, vectors: Vectors, y: Any = None) -> Vectors:
        """``vectors``: unit length, texts × dimensions; ``y`` is BERTopic's and unused."""
        umap = _umap()
        neighbours = min(self._neighbours, len(vectors) - 1)
        with warnings.catch_warnings():
            # It warns that new data can't be transformed, which centroids do here.
            warnings.simplefilter("ignore", UserWarning)
            reduced: Vectors = umap.UMAP(
                n_neighbors=neighbours,
                n_components=self._dimensions,
                n_epochs=self._epochs,
                min_dist=0.0,
                metric="cosine",
                random_state=self._seed,
                n_jobs=1,
                precomputed_knn=exact_neighbours(vectors, neighbours),
            ).fit_transform(vectors)
        return reduced


def exact_neighbours(vectors: Vectors, count: int) -> tuple[npt.NDArray[np.int32], Vectors]:
    """Indices and cosine distances of the ``count`` nearest rows of each row, itself first."""
    indices = np.empty((len(vectors), count), np.int32)
    distances = np.empty((len(vectors), count), np.float32)
    for begin in range(0, len(vectors), _ROWS):
        similarity = vectors[begin : begin + _ROWS] @ vectors.T
        rows = np.arange(len(similarity))
        similarity[rows, begin + rows] = np.inf
        nearest = np.argpartition(similarity, -count, axis=1)[:, -count:]
        order = np.argsort(-np.take_along_axis(similarity, nearest, 1), axis=1, kind="stable")
        nearest = np.take_along_axis(nearest, order, 1)
        found = np.take_along_axis(similarity, nearest, 1)
        found[:, 0] = 1.0
        indices[begin : begin + _ROWS] = nearest
        distances[begin : begin + _ROWS] = np.clip(1.0 - found, 0.0, None)
    return indices, distances


def _umap() -> Any:
    import umap
    from umap import layouts, umap_

    # UMAP compiles these anew in every process, 5 s; numba can keep them like its other functions.
    for compiled in (
        umap_.smooth_knn_dist,
        umap_.compute_membership_strengths,
        layouts._nb_optimize_layout_euclidean_single_epoch,
    ):
        compiled.enable_caching()
    return umap
