"""Chinese word segmentation with the words of customer service (rjieba, jieba's algorithm in Rust).

A company adds its own words, first of all the names of its products, in ``user_words.txt`` in the folder of business
rules, and takes words out of topics in ``user_stopwords.txt``. Each line is a word, which may hold spaces and signs
(``云净 Pro Max``), or a line of a jieba user dictionary (word, frequency, part of speech; only the word counts).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Protocol

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from nlp.phrase_finder import PhraseFinder
from nlp.text import normalise

_LEXICON = Path(__file__).resolve().parent / "lexicon"
USER_WORDS, USER_STOP_WORDS = "user_words.txt", "user_stopwords.txt"


class UserWordsError(HuiyinError):
    """A company's word list can't be used."""


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
# rjieba looks up words in runs of these characters only and cuts at all others, whatever words were added.
_ONE_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ebefa-z0-9+#&._%-]+")
# A line of a jieba dictionary; a number after Latin letters belongs to the name: Wi-Fi 6.
_JIEBA_LINE = re.compile(r"(.*[\u3400-\u9fff]) \d+(?: [a-z]{1,4})?|(.+) \d+ [a-z]{1,4}")
_LATIN_EDGE = re.compile(r"[a-z0-9]")
_CODE = re.compile(r"^[a-z]?[\d._/-]*[a-z]?$")


@dataclass(frozen=True)
class Word:
    """A word and whether its part of speech can name a subject."""

    text: str
    names_subject: bool


class ServiceSegmenter:
    """rjieba with the lexicon and stop words of this package."""

    def __init__(self, user_words: Iterable[str] = (), user_stop_words: Iterable[str] = ()) -> None:
        """``user_words`` are service words too; user stop words win over them."""
        import rjieba

        self._cutter = rjieba.Jieba()
        stop_words = {_key(word) for word in user_stop_words}
        words = {*read_words("service.txt"), *map(_key, user_words)} - stop_words - {""}
        self._lexicon = frozenset(words)
        self._stop_words = frozenset({*read_words("stopwords.txt"), *stop_words})
        digest = hashlib.sha256("\0".join([*sorted(words), "", *sorted(self._stop_words)]).encode())
        self.version = f"words-{digest.hexdigest()[:8]}"
        """Changes with the word lists."""
        for word in sorted(words):
            # Without a frequency rjieba takes the lowest at which the word wins over being cut.
            self._cutter.add_word(word, None, "n")
        joined = sorted(word for word in words if not _ONE_RUN.fullmatch(word))
        self._joined = PhraseFinder(joined) if joined else None
        # Words come again and again.
        self._names_subject = lru_cache(maxsize=100_000)(self._may_name_subject)

    @property
    def service_words(self) -> frozenset[str]:
        """The words of the trade and of the company, which make good names."""
        return self._lexicon

    def words(self, text: str) -> list[str]:
        """The subject words, in lower case."""
        return [word.text for word in self.tagged(text) if word.names_subject]

    def tagged(self, text: str) -> Iterator[Word]:
        """All words in lower case; those that can't name a subject are marked, so that neighbours stay known."""
        for piece, part_of_speech in self._tag(text.lower()):
            yield Word(piece, self._names_subject(piece, part_of_speech))

    def _tag(self, text: str) -> Iterator[tuple[str, str]]:
        place = 0
        if self._joined is not None:
            for start, word in self._joined.find(text):
                if _inside_latin_word(text, start, start + len(word)):
                    continue
                yield from self._cutter.tag(text[place:start])
                yield word, "n"
                place = start + len(word)
        yield from self._cutter.tag(text[place:])

    def _may_name_subject(self, word: str, part_of_speech: str) -> bool:
        if word in self._lexicon:
            return True
        if len(word) < 2 or word in self._stop_words or _CODE.match(word) or not _HAS_WORD_CHARACTER.search(word):
            return False
        if part_of_speech != "eng" and not self._cutter.has_word(word):
            # Guessed by the hidden Markov model: mostly names and wrong cuts.
            return False
        return bool(_SUBJECT.match(part_of_speech)) and not _NO_SUBJECT.match(part_of_speech)


def segmenter(settings: Settings | None = None) -> ServiceSegmenter:
    """The process's segmenter, with the company's words where settings are given; loading it takes 0.3 s.

    Raises :class:`UserWordsError`.
    """
    if settings is None:
        return _segmenter((), ())
    return _segmenter(
        tuple(_user_words(settings.rules_dir / USER_WORDS)), tuple(_user_words(settings.rules_dir / USER_STOP_WORDS))
    )


@cache
def _segmenter(user_words: tuple[str, ...], user_stop_words: tuple[str, ...]) -> ServiceSegmenter:
    return ServiceSegmenter(user_words, user_stop_words)


def read_words(file_name: str) -> Sequence[str]:
    """The words of a file of ``nlp/lexicon``: separated by white space, ``#`` begins a comment."""
    text = (_LEXICON / file_name).read_text("utf-8")
    return [word for line in text.splitlines() for word in line.split("#")[0].split()]


def _user_words(file: Path) -> Iterator[str]:
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise UserWordsError(f"{file} can't be read: {error}; save it as UTF-8, one word a line") from error
    for line in map(str.strip, lines):
        if line and not line.startswith("#"):
            found = _JIEBA_LINE.fullmatch(line)
            yield line if found is None else found.group(1) or found.group(2)


def _key(word: str) -> str:
    return normalise(word).lower()


def _inside_latin_word(text: str, start: int, end: int) -> bool:
    """Whether the place is a part of a longer Latin word or number: ``p 4`` in ``app 42``."""
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    return bool(
        (_LATIN_EDGE.match(text[start]) and before and _LATIN_EDGE.match(before))
        or (_LATIN_EDGE.match(text[end - 1]) and after and _LATIN_EDGE.match(after))
    )
