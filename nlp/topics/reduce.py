"""Sentence vectors to a graph of neighbours, and to few dimensions in which groups stand apart."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

NEIGHBOURS = 30
"""Neighbours of a text: with fewer the graph breaks into wordings, with more small subjects drown."""
_DIMENSIONS = 5
_EPOCHS = 200
_ROWS = 1_024


@dataclass(frozen=True)
class Neighbours:
    """Indices and cosine distances of the nearest rows of each row, itself first."""

    indices: npt.NDArray[np.int32]
    distances: Vectors

    @classmethod
    def exact(cls, vectors: Vectors, count: int = NEIGHBOURS) -> Neighbours:
        """From plain matrix products of unit vectors: for some ten thousand texts faster than approximate search."""
        count = min(count, len(vectors))
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
        return cls(indices, distances)

    @property
    def count(self) -> int:
        """Neighbours of each row."""
        return int(self.indices.shape[1])


def similarity_graph(vectors: Vectors, neighbours: Neighbours, seed: int) -> Any:
    """UMAP's fuzzy graph of the rows, symmetric, weights 0…1 (SciPy sparse).

    Its weights are relative to the density around each text, so that dense and thin subjects weigh alike.
    """
    _umap()
    from umap.umap_ import fuzzy_simplicial_set

    graph, _, _ = fuzzy_simplicial_set(
        vectors,
        neighbours.count,
        np.random.RandomState(seed),
        "cosine",
        knn_indices=neighbours.indices,
        knn_dists=neighbours.distances,
    )
    return graph


def reduce(vectors: Vectors, neighbours: Neighbours, seed: int, dimensions: int = _DIMENSIONS) -> Vectors:
    """UMAP on these neighbours. Deterministic under the seed."""
    with warnings.catch_warnings():
        # It warns that new data can't be transformed, which centroids do here.
        warnings.simplefilter("ignore", UserWarning)
        reduced: Vectors = (
            _umap()
            .UMAP(
                n_neighbors=neighbours.count,
                n_components=dimensions,
                n_epochs=_EPOCHS,
                min_dist=0.0,
                metric="cosine",
                random_state=seed,
                n_jobs=1,
                precomputed_knn=(neighbours.indices, neighbours.distances),
            )
            .fit_transform(vectors)
        )
    return reduced


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
