"""Topics as places in the space of sentence vectors: a text belongs to the nearest one, if that is near enough.

Nearest in the sense of Fisher's linear discriminant: directions in which the texts of every topic scatter anyway
(length, mood, politeness) count less than those that tell topics apart. Near enough by plain cosine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nlp.embed import Vectors, unit
from nlp.topics.communities import Labels

# The scatter within topics is drawn half-way to a round one, as there are few texts for so many dimensions.
_SHRINKAGE = 0.5
# A text joins a topic when it is at least as near as all but this share of the topic's own texts.
_FAR_SHARE = 0.05


@dataclass(frozen=True)
class Centroids:
    """Rows are topics, or parts of one where people merged several."""

    middle: Vectors
    """The mean of all vectors, taken off first: what all texts share says nothing about topics."""
    means: Vectors
    """Means of the topics' centred unit vectors, topics × dimensions; the length tells how alike the texts are."""
    minimum: Vectors
    """The similarity each topic asks for."""

    spread: Vectors
    """The regularised covariance of texts around their topic's mean, dimensions × dimensions."""

    @cached_property
    def directions(self) -> Vectors:
        """Unit vectors, topics × dimensions."""
        return unit(self.means)

    @cached_property
    def cohesion(self) -> Vectors:
        """The mean similarity of a topic's texts to its direction."""
        lengths: Vectors = np.linalg.norm(self.means, axis=1)
        return lengths

    def centre(self, vectors: Vectors) -> Vectors:
        """Unit vectors after taking off the middle."""
        return unit(vectors - self.middle)

    def best(self, vectors: Vectors) -> tuple[Labels, Vectors]:
        """The nearest topic of each vector and the cosine similarity to it, however far."""
        centred = self.centre(vectors)
        rows: Labels = (centred @ self._weights - self._offsets).argmax(axis=1)
        return rows, np.einsum("ij,ij->i", centred, self.directions[rows])

    @cached_property
    def _weights(self) -> Vectors:
        return np.linalg.solve(self.spread.astype(np.float64), self.means.T.astype(np.float64)).astype(np.float32)

    @cached_property
    def _offsets(self) -> Vectors:
        offsets: Vectors = np.einsum("ij,ji->i", self.means, self._weights) / 2
        return offsets

    def nearest(self, vectors: Vectors) -> tuple[Labels, Vectors]:
        """The nearest topic (−1: none is near enough) and the cosine similarity to it."""
        rows, reached = self.best(vectors)
        # A zero vector (a text without anything embeddable) belongs nowhere.
        is_near = (reached >= self.minimum[rows]) & vectors.any(axis=1)
        return np.where(is_near, rows, -1), reached

    @classmethod
    def of(cls, vectors: Vectors, labels: Labels, around: Centroids | None = None) -> Centroids:
        """The centroids of labels 0…n−1, of which each has a row.

        ``around``: take middle and spread from these, to which the new ones are added; else from the vectors.
        """
        middle = vectors.mean(axis=0) if around is None else around.middle
        centred = unit(vectors - middle)
        parts = [centred[labels == topic] for topic in range(int(labels.max()) + 1)]
        means = np.stack([part.mean(axis=0) for part in parts])
        directions = unit(means)
        minimum = [np.quantile(part @ direction, _FAR_SHARE) for part, direction in zip(parts, directions, strict=True)]
        # A narrow topic must not refuse what is nearer to it than most topics ask for.
        usual = np.median(minimum if around is None else around.minimum)
        lowered = np.minimum(minimum, usual).astype(np.float32)
        spread = _spread(centred[labels >= 0], means, labels[labels >= 0]) if around is None else around.spread
        return cls(middle, means, lowered, spread)

    def take(self, rows: Labels) -> Centroids:
        """Some of the topics."""
        return replace(self, means=self.means[rows], minimum=self.minimum[rows])

    def add(self, other: Centroids) -> Centroids:
        """These and other topics around the same middle."""
        return replace(
            self,
            means=np.concatenate([self.means, other.means]),
            minimum=np.concatenate([self.minimum, other.minimum]),
        )


def _spread(centred: Vectors, means: Vectors, labels: Labels) -> Vectors:
    scatter = centred - means[labels]
    covariance = scatter.T @ scatter / len(scatter)
    # Identical texts scatter nowhere; a little roundness keeps the matrix solvable.
    roundness = max(float(np.trace(covariance)) / len(covariance), 1e-6)
    shrunk: Vectors = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * roundness * np.eye(len(covariance), dtype=np.float32)
    return shrunk.astype(np.float32)
