"""Group questions that ask the same: average linkage on sentence vectors, cut at a likeness.

No number of groups is given, and a question that nobody else asks stays alone. Many questions are grouped by the most
frequent ones; the others join the nearest group if they are as like to its centre.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from nlp.embed import Vectors, unit

Labels = npt.NDArray[np.int64]
Embed = Callable[[Sequence[str]], Vectors]

SAME_FROM = 0.5
"""Mean cosine between the questions of one group. Below it groups grow faster than they stay pure."""
_MOST_GROUPED = 4_000


def group_questions(questions: Sequence[str], embed: Embed, *, smallest: int, same_from: float = SAME_FROM) -> Labels:
    """A group of each question, the largest 0; −1 for those that fewer than ``smallest`` askings share.

    ``embed`` gives unit vectors. The same questions in another order give the same groups.
    """
    counts = Counter(questions)
    distinct = sorted(counts, key=lambda question: (-counts[question], question))
    if not distinct:
        return np.empty(0, np.int64)
    vectors = embed(distinct)
    labels = _linked(vectors[:_MOST_GROUPED], same_from)
    if len(distinct) > _MOST_GROUPED:
        centres = unit(
            np.stack([vectors[: len(labels)][labels == group].sum(axis=0) for group in range(labels.max() + 1)])
        )
        likeness = vectors[_MOST_GROUPED:] @ centres.T
        # A centre is nearer to a question than its members are on average: by the root of their likeness.
        near = likeness.max(axis=1) >= same_from**0.5
        labels = np.concatenate([labels, np.where(near, likeness.argmax(axis=1), -1)])
    weights = np.array([counts[question] for question in distinct])
    sizes = np.bincount(labels[labels >= 0], weights[labels >= 0])
    order = sorted(np.flatnonzero(sizes >= smallest).tolist(), key=lambda group: (-sizes[group], group))
    number = {group: place for place, group in enumerate(order)}
    of_question = {question: number.get(group, -1) for question, group in zip(distinct, labels.tolist(), strict=True)}
    return np.array([of_question[question] for question in questions], np.int64)


def _linked(vectors: Vectors, same_from: float) -> Labels:
    from sklearn.cluster import AgglomerativeClustering

    if len(vectors) < 2:
        return np.zeros(len(vectors), np.int64)
    linkage = AgglomerativeClustering(None, metric="cosine", linkage="average", distance_threshold=1 - same_from)
    labels: Labels = linkage.fit_predict(vectors).astype(np.int64)
    return labels
