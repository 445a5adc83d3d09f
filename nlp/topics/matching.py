"""Which new topic continues which old one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nlp.embed import Vectors, unit
from nlp.topics.communities import Labels

LEAST_LIKENESS = 0.4
"""Mean of centroid cosine and document overlap that two topics need to count as one."""
_MAIN_SHARE = 0.5


@dataclass(frozen=True)
class Matching:
    """By row of the new and old topics; rows without a partner are absent."""

    continues: dict[int, int]
    """New topic → the old one it continues."""
    split_from: dict[int, int]
    """New topic without a predecessor → the old one that most of its texts belonged to."""
    merged_into: dict[int, int]
    """Old topic that ends → the new one that most of its texts belong to."""


def match(old_labels: Labels, new_labels: Labels, vectors: Vectors, old_count: int) -> Matching:
    """Match by Hungarian assignment on one common sample, labelled by the old and by the new model.

    Likeness is the mean of the centroids' cosine (both taken on the sample, so the models may use different
    embedders) and of the Jaccard overlap of the texts.
    """
    from scipy.optimize import linear_sum_assignment

    new_count = int(new_labels.max(initial=-1)) + 1
    shared = np.zeros((new_count, old_count))
    both = (old_labels >= 0) & (new_labels >= 0)
    np.add.at(shared, (new_labels[both], old_labels[both]), 1)
    new_sizes = np.bincount(new_labels[new_labels >= 0], minlength=new_count)
    old_sizes = np.bincount(old_labels[old_labels >= 0], minlength=old_count)
    union = new_sizes[:, None] + old_sizes[None, :] - shared
    overlap = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    centred = unit(vectors - vectors.mean(axis=0))
    cosine = _centroids(centred, new_labels, new_count) @ _centroids(centred, old_labels, old_count).T
    likeness = (cosine + overlap) / 2

    rows, columns = linear_sum_assignment(likeness, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    continues = {new: old for new, old in pairs if likeness[new, old] >= LEAST_LIKENESS}
    split_from = {
        new: int(shared[new].argmax())
        for new in range(new_count)
        if old_count and new not in continues and shared[new].max() >= _MAIN_SHARE * max(new_sizes[new], 1)
    }
    merged_into = {
        old: int(shared[:, old].argmax())
        for old in range(old_count)
        if new_count and old not in continues.values() and shared[:, old].max() >= _MAIN_SHARE * max(old_sizes[old], 1)
    }
    return Matching(continues, split_from, merged_into)


def _centroids(centred: Vectors, labels: Labels, count: int) -> Vectors:
    """Unit centroids; zero for a topic without texts in the sample."""
    sums = np.zeros((count, centred.shape[1]), np.float32)
    np.add.at(sums, labels[labels >= 0], centred[labels >= 0])
    return unit(sums)
