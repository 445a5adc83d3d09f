"""Sentences and clauses of normalised texts: a judgement holds for its clause, irony for its sentence.

Marks end them, and turns (但是 …) end a clause without a mark. Normalising makes one full stop of an ellipsis and one
line of several, so a full stop between two letters or digits (3.5, www.example.org) ends nothing, any other does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FULL_STOP = r"(?<![A-Za-z0-9])\.|\.(?![A-Za-z0-9])"
_CLOSING = r"[\"'”’」』)\]】》]*"
_SENTENCE_END = re.compile(rf"(?:[。!?！？…\n]|{_FULL_STOP})+{_CLOSING}")
_CLAUSE_END = re.compile(rf"(?:[,，;；:：~。!?！？…\n]|{_FULL_STOP})+{_CLOSING}|\s+")
TURNS = re.compile(
    r"但是?|可是|可惜|然而|只是|不过(?!如此|是)|就是(?=[解太有不没老总慢贵价物快噪声服态客]|等|修|电)|却|反而|反倒|(?<![理有个给任何的])结果(?=[^不很是一也])"
)
"""Words at which a sentence turns without a mark. 就是 turns only where somebody does or lacks something after it."""


@dataclass(frozen=True)
class Clause:
    """One clause with its place in the text and the number of its sentence; ``asks`` tells a question mark after it."""

    text: str
    start: int
    sentence: int
    asks: bool


def sentences(text: str) -> list[str]:
    """The sentences of a normalised text with their marks; joined they hold all but the spaces between them."""
    pieces = []
    start = 0
    for mark in _SENTENCE_END.finditer(text):
        pieces.append(text[start : mark.end()].strip())
        start = mark.end()
    pieces.append(text[start:].strip())
    return [piece for piece in pieces if piece]


def clauses(text: str, turns: re.Pattern[str] = TURNS) -> Iterator[Clause]:
    """The clauses of a normalised text without their marks, cut at marks, spaces and before turns."""
    start, sentence = 0, 0
    for end, after in _cuts(text, turns):
        piece = text[start:end]
        mark = text[end:after]
        if piece.strip():
            yield Clause(piece, start, sentence, "?" in mark)
        if _SENTENCE_END.search(mark):
            sentence += 1
        start = after


def _cuts(text: str, turns: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    place = 0
    for mark in _CLAUSE_END.finditer(text):
        yield from _turns(text, place, mark.start(), turns)
        yield mark.span()
        place = mark.end()
    yield from _turns(text, place, len(text), turns)
    yield len(text), len(text)


def _turns(text: str, start: int, end: int, turns: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    for turn in turns.finditer(text, start, end):
        if turn.start() > start:
            yield turn.start(), turn.start()
