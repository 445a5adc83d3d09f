"""Sentences and clauses: a judgement holds for its clause, irony for its sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SENTENCE_END = re.compile(r"[。!?！？…\n]+")
_CLAUSE_END = re.compile(r"[,，;；:：~。!?！？…\n]+|\s+")
# Words at which a sentence turns without a mark. 就是 turns only where somebody does or lacks something after it.
_TURN = re.compile(
    r"但是?|可是|可惜|然而|只是|不过(?!如此|是)|就是(?=[解太有不没老总慢贵价物快噪声服态客]|等|修|电)|却|反而|反倒|(?<![理有个给任何的])结果(?=[^不很是一也])"
)


@dataclass(frozen=True)
class Clause:
    """One clause with its place in the text and the number of its sentence; ``asks`` tells a question mark after it."""

    text: str
    start: int
    sentence: int
    asks: bool


def clauses(text: str) -> Iterator[Clause]:
    """The clauses of a normalised text, cut at marks, spaces and turns (但是, 就是 …)."""
    start, sentence = 0, 0
    for end, after in _cuts(text):
        piece = text[start:end]
        mark = text[end:after]
        if piece.strip():
            yield Clause(piece, start, sentence, "?" in mark)
        if _SENTENCE_END.search(mark):
            sentence += 1
        start = after


def _cuts(text: str) -> Iterator[tuple[int, int]]:
    place = 0
    for mark in _CLAUSE_END.finditer(text):
        yield from _turns(text, place, mark.start())
        yield mark.span()
        place = mark.end()
    yield from _turns(text, place, len(text))
    yield len(text), len(text)


def _turns(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for turn in _TURN.finditer(text, start, end):
        if turn.start() > start:
            yield turn.start(), turn.start()
