"""Groups of copies that grow: texts join the groups of texts that were grouped before, in memory that stays small.

The rule is that of :class:`nlp.duplicates.near.DuplicateIndex`, with time: a text joins a group whose first is at most
so many days away. The index of 100,000 different texts takes some 15 MB beside the texts: 32 four-byte keys a text, of
which one column at a time is sorted; sets of three-character runs are made only of the few texts that are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from nlp.duplicates.near import (
    BANDS,
    LEAST_OF_FIRST,
    MOST_COMPARED,
    SHORTEST,
    band_keys,
    jaccard,
    shingle_hashes,
    words_of,
)

_MOST_OF_BUCKET = 20
_SETS_KEPT = 4096

_Places = npt.NDArray[np.int64]


def join_groups(
    texts: Sequence[str],
    days: Sequence[float],
    known: Sequence[int],
    *,
    alike_from: float,
    window_days: float,
    shortest: int = SHORTEST,
) -> list[int]:
    """For each text the place of its group's first text (its own where it is that one).

    The first ``len(known)`` texts were grouped before; ``known`` holds the places of their firsts, which stay. Those
    after them are grouped in their order. ``days``: when each text was written, in days since any instant.
    """
    firsts = list(known)
    words = [words_of(text) for text in texts]
    rows: dict[str, int] = {}
    row_of = [rows.setdefault(word, len(rows)) if len(word) >= shortest else -1 for word in words]
    distinct = list(rows)
    # Of each different text the place where it was seen last.
    seen: dict[int, int] = {row: place for place, row in enumerate(row_of[: len(known)]) if row >= 0}
    asking = sorted({row for row in row_of[len(known) :] if row >= 0})
    meetings = _meet(distinct, asking)

    @lru_cache(_SETS_KEPT)
    def runs(row: int) -> frozenset[int]:
        return frozenset(shingle_hashes(distinct[row]).tolist())

    def is_near(place: int, first: int) -> bool:
        return abs(days[place] - days[first]) <= window_days

    def most_alike(place: int, row: int) -> int:
        best, best_likeness, compared = place, 0.0, 0
        for other in meetings.of(row):
            first = firsts[seen[other]] if other in seen else -1
            if first < 0 or not is_near(place, first):
                continue
            if compared == MOST_COMPARED:
                break
            compared += 1
            likeness = jaccard(runs(row), runs(other))
            if likeness < alike_from or likeness <= best_likeness:
                continue
            # A first that was too short for a group has none; then nothing is known to have drifted.
            if row_of[first] < 0 or jaccard(runs(row), runs(row_of[first])) >= LEAST_OF_FIRST * alike_from:
                best, best_likeness = first, likeness
        return best

    for place in range(len(known), len(texts)):
        row = row_of[place]
        if row < 0:
            firsts.append(place)
            continue
        same = firsts[seen[row]] if row in seen else -1
        firsts.append(same if same >= 0 and is_near(place, same) else most_alike(place, row))
        seen[row] = place
    return firsts


@dataclass(frozen=True)
class _Meetings:
    """Pairs of rows that share bands, by the row that asks, then the most bands first."""

    asks: _Places
    others: _Places

    def of(self, row: int) -> list[int]:
        """Rows before this one that share bands with it."""
        start, end = np.searchsorted(self.asks, [row, row + 1])
        found: list[int] = self.others[start:end].tolist()
        return found


def _meet(distinct: Sequence[str], asking: Sequence[int]) -> _Meetings:
    if not asking:
        return _Meetings(np.empty(0, np.int64), np.empty(0, np.int64))
    keys = np.empty((BANDS, len(distinct)), np.uint32)
    for row, word in enumerate(distinct):
        keys[:, row] = band_keys(shingle_hashes(word)) >> np.uint64(32)
    asked = np.array(asking, np.int64)
    pairs = np.concatenate([_pairs_of_band(band, asked) for band in keys])
    met, times = np.unique(pairs, return_counts=True)
    asks, others = met // len(distinct), met % len(distinct)
    order = np.lexsort((others, -times, asks))
    return _Meetings(asks[order], others[order])


def _pairs_of_band(band: npt.NDArray[np.uint32], asked: _Places) -> _Places:
    """Pairs row × number of rows + other row, of rows that ask and the nearest ones before them with the same key."""
    count = len(band)
    order = np.argsort(band, kind="stable")
    position = np.empty(count, np.int64)
    position[order] = np.arange(count)
    sorted_keys = band[order]
    pairs = []
    for back in range(1, _MOST_OF_BUCKET + 1):
        at = position[asked]
        is_there = at >= back
        asked = asked[is_there]
        other = at[is_there] - back
        alike = sorted_keys[other] == band[asked]
        asked = asked[alike]
        if not len(asked):
            break
        pairs.append(asked * count + order[other[alike]])
    return np.concatenate(pairs) if pairs else np.empty(0, np.int64)
