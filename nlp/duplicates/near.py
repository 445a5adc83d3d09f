"""Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman, Ullman, chapter 3).

A text is the set of its runs of three characters (without spaces, marks and placeholders' numbers). Two texts are the
same voice if their sets' Jaccard similarity is at least :data:`ALIKE_FROM`; a copy of a copy is one as long as two
thirds of that likeness to the first are left, so that groups can't drift. 128 minimal hashes in 32 bands of four
propose candidates (a pair at the threshold with probability 0.988, at 0.7 with 0.9998); each is then compared exactly,
so there are no false pairs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from nlp.sentiment.snownlp_tables import code_points
from nlp.text import PLACEHOLDER, normalise

ALIKE_FROM = 0.6
"""Jaccard similarity from which two texts are one."""
SHORTEST = 12
"""Characters from which a text can be a copy: 好评 or 不错 is what many people say by themselves."""
_SHINGLE = 3
BANDS, _ROWS = 32, 4
LEAST_OF_FIRST = 2 / 3
"""Share of the threshold by which a copy of a copy must still be like the first."""
_FULLEST_BUCKET = 20
MOST_COMPARED = 8
"""Candidates that are compared exactly."""
_NO_WORD = re.compile(r"[\W_]+")

_Hashes = npt.NDArray[np.uint64]
_random = np.random.default_rng(20250101)
_FACTORS: _Hashes = _random.integers(1, 2**63, (BANDS * _ROWS, 1), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_SHIFTS: _Hashes = _random.integers(0, 2**63, (BANDS * _ROWS, 1), dtype=np.uint64)
_BAND_FACTORS: _Hashes = _random.integers(1, 2**63, _ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class Duplicates:
    """For each text the position of the first text that says the same (its own where it is that one)."""

    first: list[int]

    @property
    def group_sizes(self) -> list[int]:
        """How many texts say what each text says, itself included."""
        counts: dict[int, int] = {}
        for place in self.first:
            counts[place] = counts.get(place, 0) + 1
        return [counts[place] for place in self.first]


class DuplicateIndex:
    """Texts come one by one; each joins the group of the text it is most like, if it is like that group's first too."""

    def __init__(self, alike_from: float = ALIKE_FROM, shortest: int = SHORTEST) -> None:
        """``alike_from``: Jaccard similarity (0…1) of one voice; ``shortest``: fewest characters of one."""
        self._alike_from, self._shortest = alike_from, shortest
        self._same: dict[str, int] = {}
        self._buckets: dict[int, list[int]] = {}
        self._firsts: dict[int, int] = {}
        self._sets: dict[int, frozenset[int]] = {}

    def add(self, place: int, text: str) -> int:
        """The place of the first text of the same voice; ``place`` itself where there is none yet."""
        words = words_of(text)
        if len(words) < self._shortest:
            return place
        known = self._same.get(words)
        if known is not None:
            return known
        hashes = np.unique(shingle_hashes(words))
        own = frozenset(hashes.tolist())
        keys = band_keys(hashes).tolist()
        best, best_likeness = place, 0.0
        # The more bands two texts share, the more alike they are; the first few decide.
        meetings = Counter(chain.from_iterable(self._buckets.get(key, ()) for key in keys))
        for candidate, _ in sorted(meetings.items(), key=lambda met: (-met[1], met[0]))[:MOST_COMPARED]:
            first = self._firsts[candidate]
            likeness = jaccard(own, self._sets[candidate])
            if likeness < self._alike_from or likeness <= best_likeness:
                continue
            if jaccard(own, self._sets[first]) >= LEAST_OF_FIRST * self._alike_from:
                best, best_likeness = first, likeness
        self._sets[place], self._firsts[place], self._same[words] = own, best, best
        for key in keys:
            bucket = self._buckets.setdefault(key, [])
            # What many texts share is found by those that are there; more only cost time.
            if len(bucket) < _FULLEST_BUCKET:
                bucket.append(place)
        return best


def find_duplicates(texts: Iterable[str], alike_from: float = ALIKE_FROM, shortest: int = SHORTEST) -> Duplicates:
    """Group texts, as delivered or normalised. The order decides which text stands for a group: the first."""
    index = DuplicateIndex(alike_from, shortest)
    return Duplicates([index.add(place, text) for place, text in enumerate(texts)])


def shingles(text: str) -> frozenset[int]:
    """The hashed runs of three characters that stand for a text."""
    return frozenset(shingle_hashes(words_of(text)).tolist())


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    """Shared elements over all elements; 0 where both are empty."""
    shared = len(one & other)
    every = len(one) + len(other) - shared
    return shared / every if every else 0.0


def words_of(text: str) -> str:
    """The letters of a text in lower case; a placeholder is its kind, whoever was meant."""
    clean = PLACEHOLDER.sub(lambda found: found.group().rstrip("]0123456789#"), normalise(text))
    return _NO_WORD.sub("", clean).lower()


def shingle_hashes(words: str) -> _Hashes:
    """The hashed runs of three characters of what :func:`words_of` gave, in their order, repeated ones too."""
    points = code_points(words).astype(np.uint64)
    if len(points) < _SHINGLE:
        return np.empty(0, np.uint64)
    hashed = points[:-2] * _MIX[0] + points[1:-1] * _MIX[1] + points[2:] * _MIX[2]
    mixed: _Hashes = (hashed ^ (hashed >> _HALF)) * _MIX[0]
    return mixed


def band_keys(hashes: _Hashes) -> _Hashes:
    """One key a band, of the minimal hashes under 128 multiply-shift functions. At least one hash is needed."""
    minimal = (_FACTORS * hashes + _SHIFTS).min(axis=1).reshape(BANDS, _ROWS)
    keys = (minimal * _BAND_FACTORS).sum(axis=1) + np.arange(BANDS, dtype=np.uint64)
    mixed: _Hashes = (keys ^ (keys >> _HALF)) * _MIX[1]
    return mixed
