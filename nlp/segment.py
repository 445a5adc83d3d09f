"""Chinese word segmentation with the words of customer service (rjieba, jieba's algorithm in Rust)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

_LEXICON = Path(__file__).resolve().parent / "lexicon"


class Segmenter(Protocol):
    """Cuts a normalised text into words."""

    def words(self, text: str) -> list[str]:
        """The words that can name a subject, in the order of the text."""
        ...


# Parts of speech (ICTCLAS letters) that carry a subject: nouns, verbs, adjectives, idioms, English, other.
_SUBJECT = re.compile(r"^(?:n|v|a|i|l|j|eng|x|g)")
# People, places and organisations, times, pronouns, adverbs and the like carry none.
_NO_SUBJECT = re.compile(r"^(?:nr|ns|nt|t$|r|d$|m|q|f|s$|p|c|u|y|e$|o$|z|zg)")
_HAS_WORD_CHARACTER = re.compile(r"[^\W\d_]")
# Codes of places, models and orders: A市 is cut to A + 市, A3, K2-701, 20190312X.
_CODE = re.compile(r"^[a-z]?[\d._/-]*[a-z]?$")


@dataclass(frozen=True)
class Word:
    """A word and whether its part of speech can name a subject."""

    text: str
    names_subject: bool


class ServiceSegmenter:
    """rjieba with the lexicon and stop words of this package."""

    def __init__(self) -> None:
        import rjieba

        self._cutter = rjieba.Jieba()
        self._lexicon = frozenset(read_words("service.txt"))
        self._stop_words = frozenset(read_words("stopwords.txt"))
        for word in sorted(self._lexicon):
            self._cutter.add_word(word, None, "n")

    def is_service_word(self, word: str) -> bool:
        """Whether the word is one of the trade, which makes a good name."""
        return word in self._lexicon

    def words(self, text: str) -> list[str]:
        """The subject words, in lower case."""
        return [word.text for word in self.tagged(text) if word.names_subject]

    def tagged(self, text: str) -> Iterator[Word]:
        """All words in lower case; those that can't name a subject are marked, so that neighbours stay known."""
        for piece, part_of_speech in self._cutter.tag(text.lower()):
            yield Word(piece, self._names_subject(piece, part_of_speech))

    def _names_subject(self, word: str, part_of_speech: str) -> bool:
        if word in self._lexicon:
            return True
        if len(word) < 2 or word in self._stop_words or _CODE.match(word) or not _HAS_WORD_CHARACTER.search(word):
            return False
        if part_of_speech != "eng" and not self._cutter.has_word(word):
            # Guessed by the hidden Markov model: mostly names and wrong cuts.
            return False
        return bool(_SUBJECT.match(part_of_speech)) and not _NO_SUBJECT.match(part_of_speech)


@cache
def segmenter() -> ServiceSegmenter:
    """The process's segmenter; loading the dictionary takes 0.3 s."""
    return ServiceSegmenter()


def read_words(file_name: str) -> Sequence[str]:
    """The words of a file of ``nlp/lexicon``: separated by white space, ``#`` begins a comment."""
    text = (_LEXICON / file_name).read_text("utf-8")
    return [word for line in text.splitlines() for word in line.split("#")[0].split()]
