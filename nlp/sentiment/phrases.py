"""Turns of phrase, words and emoji with a polarity: the part of the default engine that people can read and edit.

The lists stand in ``data/``. They become a handful of features beside the n-grams; how much each weighs is learnt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from huiyin.errors import HuiyinError
from nlp.phrase_finder import PhraseFinder

DATA = Path(__file__).resolve().parent / "data"
POSITIVE_MARK, NEGATIVE_MARK = "\ue001", "\ue002"
"""What stands for a word of polarity while rules are matched; private characters that no text carries."""

TURN = re.compile(
    r"但是?|可是|可惜|不过(?!如此)|然而|就是(?![你我他她这那])|只是|结果|没想到|谁知|其实|反而|反倒|却|后来|现在|唯独|除了"
)
"""Words after which a sentence turns; what follows the last of them weighs more."""


class PhraseFileError(HuiyinError):
    """A file of polarities or rules is not usable; the message names the line."""


@dataclass(frozen=True)
class Rule:
    """A turn of phrase. ``on_marks``: the pattern speaks of words with a polarity, not of letters."""

    name: str
    pattern: re.Pattern[str]
    on_marks: bool


class Phrases:
    """The compiled lists."""

    def __init__(self) -> None:
        self.words = dict(_polarities("polarity.tsv"))
        self.emoji = dict(_polarities("emoji.tsv"))
        self.rules = tuple(_rules())
        self._finder = PhraseFinder(self.words | self.emoji)
        self.names = (
            "好词", "坏词", "转折后的好词", "转折后的坏词", "好表情", "坏表情", *(rule.name for rule in self.rules),
        )  # fmt: skip
        """Names of the features of :meth:`values`, in their order."""

    def values(self, text: str, tail: int) -> list[float]:
        """The features of a normalised lower-case text whose last turn begins at ``tail``."""
        counts = [0, 0, 0, 0, 0, 0]
        pieces: list[str] = []
        end = 0
        for place, found in self._finder.find(text):
            if polarity := self.words.get(found):
                counts[polarity < 0] += 1
                if place >= tail:
                    counts[2 + (polarity < 0)] += 1
            else:
                polarity = self.emoji[found]
                counts[4 + (polarity < 0)] += 1
            pieces += [text[end:place], POSITIVE_MARK if polarity > 0 else NEGATIVE_MARK]
            end = place + len(found)
        marked = "".join([*pieces, text[end:]])
        return [
            *(math.log1p(count) for count in counts),
            *(float(bool(rule.pattern.search(marked if rule.on_marks else text))) for rule in self.rules),
        ]

    @staticmethod
    def source(file_name: str) -> bytes:
        """The bytes of one of the lists, for versions."""
        return (DATA / file_name).read_bytes()

    def fired(self, text: str) -> list[str]:
        """Names of the rules that match the normalised lower-case text."""
        values = self.values(text, turn_of(text))
        return [name for name, value in zip(self.names[6:], values[6:], strict=True) if value]


@cache
def phrases() -> Phrases:
    """The process's lists. Raises :class:`PhraseFileError`."""
    return Phrases()


def turn_of(text: str) -> int:
    """Where the part after the last turn begins; the length of the text where there is no turn with words before it."""
    begin = len(text)
    for match in TURN.finditer(text):
        if match.start() > 0 and match.end() < len(text):
            begin = match.end()
    return begin


def read_rows(file: Path) -> Iterator[list[str]]:
    """Two-column rows of a tab-separated file, without comments and header. Raises :class:`PhraseFileError`."""
    header = False
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        row = line.split("\t")
        if len(row) != 2:
            raise PhraseFileError(f"{file}, line {number}: two columns separated by a tab are needed, got {len(row)}")
        if header:
            yield row
        header = True


def _polarities(file_name: str) -> Iterator[tuple[str, int]]:
    for polarity, words in read_rows(DATA / file_name):
        if polarity not in ("1", "-1"):
            raise PhraseFileError(f"{DATA / file_name}: polarity must be 1 or -1, got {polarity!r}")
        for word in words.lower().split():
            yield word, int(polarity)


def _rules() -> Iterator[Rule]:
    for name, pattern in read_rows(DATA / "rules.tsv"):
        marked = pattern.replace("positive", POSITIVE_MARK).replace("negative", NEGATIVE_MARK)
        try:
            yield Rule(name, re.compile(marked), marked != pattern)
        except re.error as error:
            raise PhraseFileError(f"{DATA / 'rules.tsv'}: {name} is no regular expression: {error}") from error
