"""Communities of a graph of similar texts: the number of topics comes from the data.

Modularity compares the weight inside a community with what chance would put there, so no number of topics, no smallest
size and no density has to be given. Method: V. D. Blondel et al., "Fast unfolding of communities in large networks"
(2008), the best of several orders of visiting.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import sparse

Labels = npt.NDArray[np.int64]

_ORDERS = 5
_MOST_LEVELS = 20
_LEAST_GAIN = 1e-7


def communities(graph: Any, resolution: float, seed: int) -> Labels:
    """Label each node of a symmetric weighted graph (SciPy sparse, no loops), the largest community first.

    ``resolution``: 1 is modularity as defined; larger gives more, smaller communities. Reproducible under the seed.
    """
    whole = sparse.csr_matrix(graph, dtype=np.float64)
    generator = np.random.default_rng(seed)
    best: Labels = np.zeros(whole.shape[0], np.int64)
    best_quality = -np.inf
    for _ in range(_ORDERS):
        labels = _multilevel(whole, resolution, generator)
        quality = modularity(whole, labels, resolution)
        if quality > best_quality + _LEAST_GAIN:
            best, best_quality = labels, quality
    return by_size(best)


def modularity(graph: Any, labels: Labels, resolution: float = 1.0) -> float:
    """The share of weight inside communities minus what chance would put there."""
    merged = _merge(sparse.csr_matrix(graph, dtype=np.float64), labels)
    total = merged.sum()
    degrees = np.asarray(merged.sum(axis=1)).ravel()
    return float(merged.diagonal().sum() / total - resolution * ((degrees / total) ** 2).sum()) if total else 0.0


def by_size(labels: Labels) -> Labels:
    """The same groups, numbered from the largest; −1 stays."""
    sizes = np.bincount(labels[labels >= 0])
    rank = np.empty(len(sizes), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return np.where(labels >= 0, rank[labels], -1)


def _multilevel(graph: Any, resolution: float, generator: np.random.Generator) -> Labels:
    labels: Labels = np.arange(graph.shape[0])
    for _ in range(_MOST_LEVELS):
        degrees = np.asarray(graph.sum(axis=1)).ravel()
        order = generator.permutation(graph.shape[0]).astype(np.int64)
        moved = _move_nodes(
            graph.indptr.astype(np.int64), graph.indices.astype(np.int64), graph.data, degrees, order, resolution
        )
        _, moved = np.unique(moved, return_inverse=True)
        labels = moved[labels]
        if moved.max(initial=-1) + 1 == graph.shape[0]:
            break
        graph = _merge(graph, moved)
    return labels


def _merge(graph: Any, labels: Labels) -> Any:
    """The graph between groups; the weight inside a group becomes its loop, counted in both directions."""
    rows = np.arange(len(labels))
    member = sparse.csr_matrix((np.ones(len(labels)), (rows, labels)), (len(labels), int(labels.max(initial=-1)) + 1))
    return sparse.csr_matrix(member.T @ graph @ member)


@njit(cache=True)
def _move_nodes(
    indptr: npt.NDArray[np.int64],
    indices: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    degrees: npt.NDArray[np.float64],
    order: npt.NDArray[np.int64],
    resolution: float,
) -> npt.NDArray[np.int64]:
    """Move single nodes to the neighbouring community that gains most, until none gains."""
    count = len(degrees)
    community = np.arange(count)
    inside = degrees.copy()
    total = degrees.sum()
    towards = np.zeros(count)
    seen = np.empty(count, np.int64)
    moves = count
    rounds = 0
    while moves > 0 and rounds < 100:
        moves = 0
        rounds += 1
        for node in order:
            own = community[node]
            found = 0
            for at in range(indptr[node], indptr[node + 1]):
                other = indices[at]
                if other == node:
                    continue
                group = community[other]
                if towards[group] == 0.0:
                    seen[found] = group
                    found += 1
                towards[group] += weights[at]
            inside[own] -= degrees[node]
            share = resolution * degrees[node] / total if total > 0 else 0.0
            best = own
            best_gain = towards[own] - share * inside[own]
            for position in range(found):
                group = seen[position]
                gain = towards[group] - share * inside[group]
                if gain > best_gain + 1e-12:
                    best = group
                    best_gain = gain
            for position in range(found):
                towards[seen[position]] = 0.0
            inside[best] += degrees[node]
            if best != own:
                community[node] = best
                moves += 1
    return community
