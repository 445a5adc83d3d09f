"""Words for topics: what a reader of Chinese sees of a cluster."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nlp.segment import ServiceSegmenter

KEYWORDS = 10
_LABEL_PARTS = 3
_LABEL_CHARACTERS = 12
_RANKED_WORDS = 40
# A label's word must be said by this share of the topic's texts, a phrase by this share of its rarer word's.
_WORD_SHARE = 0.04
_PHRASE_SHARE = 0.5
_PHRASE_CHARACTERS = 8
_SERVICE_WORD_PREFERENCE = 1.5
# Texts without any subject word.
_NAMELESS = "其他"
# Pieces of sentences rather than names: 没见, 不知, 修完, 调平过.
_UNFINISHED = re.compile(r"^[没不]|[了过着完]$")


@dataclass(frozen=True)
class SegmentedText:
    """The subject words of a text and the pairs of them that stand side by side."""

    words: tuple[str, ...]
    pairs: frozenset[tuple[str, str]]


@dataclass
class TopicWords:
    """In how many of a topic's texts each word and each pair of neighbours occurs."""

    texts: int = 0
    words: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, text: SegmentedText) -> None:
        """Count one more text."""
        self.texts += 1
        self.words.update(set(text.words))
        self.pairs.update(text.pairs)


def segment(cutter: ServiceSegmenter, texts: Iterable[str]) -> list[SegmentedText]:
    """Segment prepared texts."""
    segmented = []
    for text in texts:
        words: list[str] = []
        pairs: set[tuple[str, str]] = set()
        before = ""
        for word in cutter.tagged(text):
            if word.names_subject:
                words.append(word.text)
                if before and before != word.text:
                    pairs.add((before, word.text))
            before = word.text if word.names_subject else ""
        segmented.append(SegmentedText(tuple(words), frozenset(pairs)))
    return segmented


def count_words(segmented: Sequence[SegmentedText], labels: Sequence[int]) -> tuple[list[TopicWords], TopicWords]:
    """The words of topics 0…n−1 and those of all texts; label −1 is no topic."""
    counts = [TopicWords() for _ in range(max(labels, default=-1) + 1)]
    everywhere = TopicWords()
    for text, topic in zip(segmented, labels, strict=True):
        everywhere.add(text)
        if topic >= 0:
            counts[topic].add(text)
    return counts, everywhere


def ranked_words(counts: Sequence[TopicWords]) -> list[list[str]]:
    """The words of each topic by c-TF-IDF, BERTopic's weight: frequent here, rare in the other topics."""
    from bertopic.vectorizers import ClassTfidfTransformer
    from sklearn.feature_extraction import DictVectorizer

    if not any(count.words for count in counts):
        return [[] for _ in counts]
    vectorizer = DictVectorizer()
    weights = ClassTfidfTransformer().fit_transform(vectorizer.fit_transform([count.words for count in counts]))
    names = vectorizer.get_feature_names_out()
    ranked = []
    for row in weights.tocsr():
        best = row.indices[np.argsort(-row.data, kind="stable")][:_RANKED_WORDS]
        ranked.append([str(name) for name in names[best]])
    return ranked


def keywords(ranked: Sequence[str], counts: TopicWords) -> list[str]:
    """The first words of a ranking (c-TF-IDF) that more than a few texts of the topic say."""
    said = [word for word in ranked if counts.words[word] >= max(2, _WORD_SHARE / 2 * counts.texts)]
    return (said or list(ranked))[:KEYWORDS]


def label(
    ranked: Sequence[str],
    counts: TopicWords,
    everywhere: TopicWords,
    taken: Collection[str],
    service_words: Collection[str],
) -> str:
    """One to three words or short phrases joined by ·, at most 12 characters, unlike every label in ``taken``.

    Words are taken by what they say of the topic: their share of its texts times the logarithm of how much more
    often that is than in all texts (``everywhere``), ``service_words`` preferred.
    """
    telling = sorted(ranked, key=lambda word: -_telling(word, counts, everywhere, service_words))
    usual = [word for word in telling if counts.words[word] >= max(2, _WORD_SHARE * counts.texts)]
    named = [word for word in usual if not _UNFINISHED.search(word)] or usual or telling
    parts: list[str] = []
    for word in named:
        phrase = _phrase(word, counts)
        if any(word in part or part in phrase or set(word) == set(part) for part in parts):
            continue
        if len("·".join([*parts, phrase])) > _LABEL_CHARACTERS:
            continue
        parts.append(phrase)
        if len(parts) >= _LABEL_PARTS and "·".join(parts) not in taken:
            break
    name = "·".join(parts) or _NAMELESS
    # The same words again: the next most telling word tells them apart, else a number.
    for word in telling:
        if name not in taken:
            return name
        if word not in name:
            name = f"{parts[0] if parts else _NAMELESS}·{word}"[:_LABEL_CHARACTERS]
    number, unnumbered = 2, name
    while name in taken:
        name, number = f"{unnumbered[: _LABEL_CHARACTERS - 3]} {number}", number + 1
    return name


def _telling(word: str, counts: TopicWords, everywhere: TopicWords, service_words: Collection[str]) -> float:
    share = counts.words[word] / counts.texts
    general = everywhere.words[word] / everywhere.texts
    if not share or not general:
        return 0.0
    preference = _SERVICE_WORD_PREFERENCE if word in service_words else 1.0
    return share * math.log(share / general) * preference


def _phrase(word: str, counts: TopicWords) -> str:
    """The word with its habitual neighbour, when the two nearly always stand together: 下水道 + 堵塞."""
    best, best_count = word, 0
    for (first, second), count in counts.pairs.items():
        if word not in (first, second) or len(first + second) > _PHRASE_CHARACTERS:
            continue
        if _UNFINISHED.search(first) or _UNFINISHED.search(second):
            continue
        other = second if word == first else first
        # The neighbour must not be a word of all topics that merely happens to stand here.
        if count > best_count and count >= _PHRASE_SHARE * max(counts.words[word], counts.words[other]):
            best, best_count = first + second, count
    return best
