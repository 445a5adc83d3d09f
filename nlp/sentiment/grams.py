"""Character n-grams of texts as hashed features, in compiled code: which buckets a text falls into.

Chinese sentiment lies in runs of one to four characters (不, 不错, 没毛病), so no segmentation is needed. What follows
the last turn of a text (但是, 结果 …) counts a second time under hashes of its own: there people say what they mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from nlp.sentiment.linear import BUCKET_BITS, LONGEST_GRAM

_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_BUCKET_SHIFT = np.uint64(64 - BUCKET_BITS)
_TAIL_SEED = np.uint64(0x5851F42D4C957F2D)
_WHOLE_SEED = np.uint64(0x14057B7EF767814F)


@njit(cache=True)
def gram_bucket(points: npt.NDArray[np.uint32], begin: int, end: int, in_tail: bool) -> int:
    """The bucket of the n-gram ``points[begin:end]``."""
    hashed = _TAIL_SEED if in_tail else _WHOLE_SEED
    for at in range(begin, end):
        hashed = (hashed ^ np.uint64(points[at])) * _HASH_FACTOR
        hashed ^= hashed >> _SHIFT
    bucket: int = np.int64((hashed * _HASH_FACTOR) >> _BUCKET_SHIFT)  # type: ignore[assignment]
    return bucket


@njit(cache=True)
def gram_features(
    points: npt.NDArray[np.uint32], ends: npt.NDArray[np.int64], tails: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """The distinct buckets of each text: ``buckets[starts[i]:starts[i + 1]]``, sorted.

    Text ``i`` is ``points[ends[i]:ends[i + 1]]``; its last turn begins at ``tails[i]`` (its end: there is none).
    """
    texts = len(ends) - 1
    room = 2 * LONGEST_GRAM * len(points)
    buckets, starts = np.empty(room, np.int32), np.zeros(texts + 1, np.int64)
    filled = 0
    for text in range(texts):
        first = filled
        end = ends[text + 1]
        for begin in range(ends[text], end):
            for stop in range(begin + 1, min(begin + LONGEST_GRAM, end) + 1):
                buckets[filled] = gram_bucket(points, begin, stop, False)
                filled += 1
                if begin >= tails[text] and stop - begin < LONGEST_GRAM:
                    buckets[filled] = gram_bucket(points, begin, stop, True)
                    filled += 1
        own = np.sort(buckets[first:filled])
        filled = first
        for place in range(len(own)):
            if place == 0 or own[place] != own[place - 1]:
                buckets[filled] = own[place]
                filled += 1
        starts[text + 1] = filled
    return buckets[:filled].copy(), starts


@njit(cache=True)
def character_weights(
    points: npt.NDArray[np.uint32], tail: int, weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """What each character of one text adds: the weight of every n-gram, shared equally by its characters.

    A repeated n-gram counts once in the score, so its weight is shared among all its places.
    """
    shares = np.zeros(len(points))
    counts = np.zeros(len(weights), np.int32)
    for begin in range(len(points)):
        for stop in range(begin + 1, min(begin + LONGEST_GRAM, len(points)) + 1):
            for in_tail in range(1 + (begin >= tail and stop - begin < LONGEST_GRAM)):
                bucket = gram_bucket(points, begin, stop, in_tail == 1)
                counts[bucket] += 1
    for begin in range(len(points)):
        for stop in range(begin + 1, min(begin + LONGEST_GRAM, len(points)) + 1):
            for in_tail in range(1 + (begin >= tail and stop - begin < LONGEST_GRAM)):
                bucket = gram_bucket(points, begin, stop, in_tail == 1)
                share = weights[bucket] / counts[bucket] / (stop - begin)
                for at in range(begin, stop):
                    shares[at] += share
    return shares
