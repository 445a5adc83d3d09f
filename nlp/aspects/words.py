"""Finding the words of hand-edited lists in texts.

A pattern of a list is a phrase. ``…`` in it stands for up to eight other characters of the clause, ``<多久>`` for a
length of time and ``<几次>`` for a number of times. Of phrases that overlap the longest that begins first wins: a
longer, harmless phrase keeps a short word from being seen where it isn't meant (好像 beside 好).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Meaning = TypeVar("Meaning")

_NUMBER = r"(?:\d+(?:\.\d+)?|[一二两三四五六七八九十百半几好多整]+)"
_PARTS = {
    "…": ".{0,8}?",
    "<多久>": rf"{_NUMBER}[多来]?个?[多半]?(?:分钟|小时|钟头|天|周|星期|礼拜|月|年|下午|上午|晚上|整天)(?:了?多)?",
    "<几次>": rf"{_NUMBER}多?(?:次|遍|回|趟)",
}
_SPECIAL = re.compile("|".join(map(re.escape, _PARTS)))
_PLACEHOLDER = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class Hit(Generic[Meaning]):
    """A phrase found at ``start`` … ``end`` (characters) with everything the lists say of it."""

    start: int
    end: int
    text: str
    meanings: tuple[Meaning, ...]


class WordFinder(Generic[Meaning]):
    """Finds the phrases of ``lists``, pairs of a pattern and its meaning, in normalised lower-case text."""

    def __init__(self, lists: Iterable[tuple[str, Meaning]], ignored: Iterable[str] = ()) -> None:
        """``ignored``: phrases without a meaning that only keep others from being seen in them.

        Raises ``ValueError`` as :func:`check` does.
        """
        phrases: dict[str, list[Meaning]] = {}
        gapped: dict[str, list[Meaning]] = {}
        for pattern, meaning in lists:
            check(pattern)
            meanings = (gapped if _SPECIAL.search(pattern) else phrases).setdefault(pattern.lower(), [])
            if meaning not in meanings:
                meanings.append(meaning)
        for phrase in ignored:
            phrases.setdefault(phrase.lower(), [])
        self._meanings = {phrase: tuple(meanings) for phrase, meanings in phrases.items()}
        lengths: dict[str, set[int]] = {}
        for phrase in phrases:
            lengths.setdefault(phrase[0], set()).add(len(phrase))
        self._lengths = {first: sorted(known, reverse=True) for first, known in lengths.items()}
        # Most texts have no part of most patterns: looked up by a character, they cost nothing.
        self._gapped: dict[str, list[tuple[str, re.Pattern[str], tuple[Meaning, ...]]]] = {}
        for pattern, gapped_meanings in gapped.items():
            literal = _longest_literal(pattern)
            self._gapped.setdefault(literal[0], []).append(
                (literal, re.compile(_expression(pattern)), tuple(gapped_meanings))
            )

    def find(self, text: str) -> list[Hit[Meaning]]:
        """The hits in the order of the text, longer ones first; those with a gap may have others inside."""
        hits: list[Hit[Meaning]] = []
        place = 0
        while place < len(text):
            for length in self._lengths.get(text[place], ()):
                phrase = text[place : place + length]
                if phrase in self._meanings:
                    hits.append(Hit(place, place + len(phrase), phrase, self._meanings[phrase]))
                    place += len(phrase)
                    break
            else:
                place += 1
        for character in set(text):
            for literal, expression, meanings in self._gapped.get(character, ()):
                if literal in text:
                    hits += [
                        Hit(found.start(), found.end(), found.group(), meanings) for found in expression.finditer(text)
                    ]
        hits.sort(key=lambda hit: (hit.start, -hit.end, hit.text))
        return hits


def check(pattern: str) -> None:
    """Raises ``ValueError`` for a pattern without characters of its own or with a placeholder that doesn't exist."""
    rest = _SPECIAL.sub("", pattern)
    if not rest.strip():
        raise ValueError(f"{pattern!r} has no characters of its own")
    if unknown := _PLACEHOLDER.search(rest):
        raise ValueError(f"{pattern!r}: there is no {unknown.group()}, only {', '.join(_PARTS)}")


def any_of(phrases: Iterable[str]) -> str:
    """A regular expression for the longest of the phrases that begins here."""
    return f"(?:{'|'.join(map(re.escape, sorted(phrases, key=len, reverse=True)))})"


def _expression(pattern: str) -> str:
    pieces: list[str] = []
    place = 0
    for special in _SPECIAL.finditer(pattern):
        pieces += [re.escape(pattern[place : special.start()]), _PARTS[special.group()]]
        place = special.end()
    return "".join([*pieces, re.escape(pattern[place:])])


def _longest_literal(pattern: str) -> str:
    return max(_SPECIAL.split(pattern), key=len)
