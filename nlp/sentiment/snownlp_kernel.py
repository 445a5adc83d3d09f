"""The compiled part of the SnowNLP engine: segmentation by Viterbi and the sums of Naive Bayes.

Equal to SnowNLP to the last bit, including which of two equally probable segmentations wins: SnowNLP keeps its
states in dictionaries, whose order is (tag of this character, tag of the one before), and prefers the first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from nlp.sentiment.snownlp_tables import FIRST_HAN, FNV_BASIS, FNV_PRIME, LAST_HAN, LAST_SPACE, MIX_1, MIX_2, Tables

_B, _E, _S = 0, 2, 3
_Integer = int | np.int64
_BASIS, _PRIME = np.uint64(FNV_BASIS), np.uint64(FNV_PRIME)
_FACTOR_1, _FACTOR_2 = np.uint64(MIX_1), np.uint64(MIX_2)
_SHIFT_29, _SHIFT_33, _SIGN_OFF = np.uint64(29), np.uint64(33), np.uint64(0x7FFFFFFFFFFFFFFF)


@njit(cache=True)
def _slot(keys: npt.NDArray[np.int64], key: _Integer) -> _Integer:
    """Where the key is in the hash table; -1: absent."""
    last = len(keys) - 1
    mixed = np.uint64(key)
    mixed ^= mixed >> _SHIFT_33
    mixed *= _FACTOR_1
    mixed ^= mixed >> _SHIFT_33
    mixed *= _FACTOR_2
    mixed ^= mixed >> _SHIFT_33
    at = np.int64(mixed & np.uint64(last))
    while keys[at] != -1:
        if keys[at] == key:
            return at
        at = (at + 1) & last
    return -1


@njit(cache=True)
def _is_han(point: int) -> bool:
    return FIRST_HAN <= point <= LAST_HAN


@njit(cache=True)
def _is_space(tables: Tables, point: int) -> bool:
    return point <= LAST_SPACE and tables.is_space[point]


@njit(cache=True)
def _find_word(tables: Tables, points: npt.NDArray[np.uint32], begin: int, end: int) -> int:
    """The number of the word ``points[begin:end]``; -1: unknown. Compares the characters, so it can't err."""
    hashed = _BASIS
    for at in range(begin, end):
        hashed = (hashed ^ np.uint64(points[at])) * _PRIME
        hashed ^= hashed >> _SHIFT_29
    slot = _slot(tables.word_keys, np.int64(hashed & _SIGN_OFF))
    if slot < 0:
        return -1
    word: int = tables.word_slots[slot]
    first = tables.word_starts[word]
    if tables.word_starts[word + 1] - first != end - begin:
        return -1
    for at in range(end - begin):
        if tables.word_points[first + at] != points[begin + at]:
            return -1
    return word


@njit(cache=True)
def _add_word(
    tables: Tables, points: npt.NDArray[np.uint32], begin: int, end: int, sums: npt.NDArray[np.float64]
) -> None:
    word = _find_word(tables, points, begin, end)
    for label in range(len(sums)):
        sums[label] += tables.unknown_log[label] if word < 0 else tables.word_log[word, label]


@njit(cache=True)
def _log_probabilities(tables: Tables, number1: int, number2: int, number3: int, logs: npt.NDArray[np.float64]) -> None:
    """Fill ``logs`` (16 × tag before last + 4 × last tag + this tag) for the third of three characters."""
    numbers = len(tables.unigram_log) // 4
    for tags in range(64):
        logs[tags] = tables.unigram_log[number3 * 4 + tags % 4]
    if number2 < 0:
        return
    slot = _slot(tables.bigram_keys, number2 * numbers + number3)
    if slot >= 0:
        run = tables.bigram_slots[slot]
        for entry in range(tables.bigram_starts[run], tables.bigram_starts[run + 1]):
            for earlier in range(4):
                logs[earlier * 16 + tables.bigram_tags[entry]] = tables.bigram_log[entry]
    if number1 < 0:
        return
    slot = _slot(tables.trigram_keys, (number1 * numbers + number2) * numbers + number3)
    if slot >= 0:
        run = tables.trigram_slots[slot]
        for entry in range(tables.trigram_starts[run], tables.trigram_starts[run + 1]):
            logs[tables.trigram_tags[entry]] = tables.trigram_log[entry]


@njit(cache=True)
def _tag_run(
    tables: Tables,
    points: npt.NDArray[np.uint32],
    begin: int,
    end: int,
    back: npt.NDArray[np.int8],
    tags: npt.NDArray[np.int8],
) -> None:
    """The most probable tags of a run of Han characters, into ``tags``.

    ``best`` holds the logarithm of the best way into each state, 4 × this tag + the tag before; ``back`` the tag
    two before on that way.
    """
    best, following, logs = np.zeros(16), np.empty(16), np.empty(64)
    number1 = number2 = 0  # the beginning
    for at in range(end - begin):
        number3 = tables.han_number[points[begin + at] - FIRST_HAN]
        if number3 >= 0:
            _log_probabilities(tables, number1, number2, number3, logs)
        if at == 0:
            for tag in range(4):
                following[tag] = logs[tag] if number3 >= 0 else 0.0
        elif at == 1:
            for tag in range(4):
                for last in range(4):
                    following[tag * 4 + last] = best[last] + (logs[last * 4 + tag] if number3 >= 0 else 0.0)
        elif number3 < 0:
            # A character that the model has never seen: SnowNLP lets the last way overwrite the others.
            for tag in range(4):
                for last in range(4):
                    following[tag * 4 + last] = best[last * 4 + 3]
                    back[at, tag * 4 + last] = 3
        else:
            for tag in range(4):
                for last in range(4):
                    highest, way = best[last * 4] + logs[last * 4 + tag], 0
                    for earlier in range(1, 4):
                        sum_ = best[last * 4 + earlier] + logs[earlier * 16 + last * 4 + tag]
                        if sum_ > highest:
                            highest, way = sum_, earlier
                    following[tag * 4 + last] = highest
                    back[at, tag * 4 + last] = way
        best, following = following, best
        number1, number2 = number2, number3

    length = end - begin
    winner = 0
    for state in range(1, 4 if length == 1 else 16):
        if best[state] > best[winner]:
            winner = state
    if length == 1:
        tags[0] = winner
        return
    tags[length - 1], tags[length - 2] = winner // 4, winner % 4
    for at in range(length - 1, 1, -1):
        tags[at - 2] = back[at, tags[at] * 4 + tags[at - 1]]


@njit(cache=True)
def _add_tagged_words(
    tables: Tables,
    points: npt.NDArray[np.uint32],
    begin: int,
    end: int,
    tags: npt.NDArray[np.int8],
    sums: npt.NDArray[np.float64],
) -> None:
    """Cut the run at its tags, as SnowNLP's segmenter does, and add each word."""
    word = -1
    for at in range(begin, end):
        tag = tags[at - begin]
        if tag == _E:
            _add_word(tables, points, word if word >= 0 else at, at + 1, sums)
            word = -1
        elif tag in (_B, _S):
            if word >= 0:
                _add_word(tables, points, word, at, sums)
            word = at
        elif word < 0:
            word = at
    if word >= 0:
        _add_word(tables, points, word, end, sums)


@njit(cache=True)
def log_sums(tables: Tables, points: npt.NDArray[np.uint32], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Naive Bayes' logarithm by text × class. Text ``i`` is ``points[ends[i]:ends[i + 1]]``."""
    longest = 0
    for text in range(len(ends) - 1):
        longest = max(longest, ends[text + 1] - ends[text])
    back, tags = np.empty((longest, 16), np.int8), np.empty(longest, np.int8)
    sums = np.empty((len(ends) - 1, len(tables.prior_log)))
    for text in range(len(ends) - 1):
        sums[text] = tables.prior_log
        at, end = ends[text], ends[text + 1]
        while at < end:
            begin = at
            if _is_han(points[at]):
                while at < end and _is_han(points[at]):
                    at += 1
                _tag_run(tables, points, begin, at, back, tags)
                _add_tagged_words(tables, points, begin, at, tags, sums[text])
            elif _is_space(tables, points[at]):
                at += 1
            else:
                while at < end and not _is_han(points[at]) and not _is_space(tables, points[at]):
                    at += 1
                _add_word(tables, points, begin, at, sums[text])
    return sums
