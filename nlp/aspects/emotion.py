"""Emotions (anger, anxiety, disappointment, thanks) and urgency (threats, danger) with their strength and words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from nlp.aspects.taxonomy import KINDS, FeelingWords, Kind, Taxonomy
from nlp.aspects.words import Hit, WordFinder, any_of
from nlp.text import TEXT_VERSION, normalise

EMOTION_VERSION = "e1"
"""Raise it when the same lists would find other feelings."""

_BASE = {1: 0.4, 2: 0.6, 3: 0.8}
_STRESSED = 0.1
_ANOTHER_WORD = 0.05
_STRESS_BEFORE = re.compile(r"(?:太|很|非常|真|超|极其?|特别|十分|万分|实在|最|相当|无比|彻底|简直)[是的地让人]{0,2}$")
_STRESS_AFTER = re.compile(r"[了的啊呀]{0,2}(?:!|极了|死了|至极|透顶|透了)")
_LOOK_BACK = 7


@dataclass(frozen=True)
class Feeling:
    """A feeling of a text: its code, its strength (0…1, ordinal) and the words that decided."""

    feeling: str
    kind: Kind
    strength: float
    words: tuple[str, ...]


class EmotionModel(Protocol):
    """Finds the feelings of texts. ``version`` changes whenever a text could come out differently."""

    @property
    def version(self) -> str:
        """Method and lists, such as ``emotion-e1-t2-1a2b3c4d``."""
        ...

    def predict(self, texts: Sequence[str]) -> list[list[Feeling]]:
        """The feelings of each text, strongest first; none is an empty list."""
        ...


class EmotionDetector:
    """Finds feelings by the lists of a taxonomy. Deterministic; a text's result depends on nothing but the text."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.version = f"emotion-{EMOTION_VERSION}-{TEXT_VERSION}-{taxonomy.version}"
        # One finder a kind: 以后不会再买 is a threat and holds a word of disappointment.
        self._finders = [
            WordFinder(
                ((word, words) for words in taxonomy.feelings if words.kind == kind for word in words.words),
                taxonomy.judging["ignored"],
            )
            for kind in KINDS
        ]
        self._unless = {words: re.compile(any_of(words.unless)) for words in taxonomy.feelings if words.unless}
        negators = taxonomy.judging["negator"]
        # A negator right before takes a feeling back: 不生气了, 别担心.
        self._negated = re.compile(f"{any_of(negators)}[要用必会很太再让人被令]{{0,3}}$") if negators else None

    def predict(self, texts: Sequence[str]) -> list[list[Feeling]]:
        """The feelings of each text, strongest first, by name where equally strong."""
        return [self._feelings(normalise(text).lower()) for text in texts]

    def _feelings(self, text: str) -> list[Feeling]:
        found: dict[tuple[str, Kind], dict[str, float]] = {}
        void: dict[FeelingWords, bool] = {}
        for hit in self._hits(text):
            before = text[max(0, hit.start - _LOOK_BACK) : hit.start]
            if self._negated is not None and self._negated.search(before):
                continue
            stressed = _STRESS_BEFORE.search(before) or _STRESS_AFTER.match(text, hit.end)
            for words in hit.meanings:
                if words in self._unless:
                    if words not in void:
                        void[words] = bool(self._unless[words].search(text))
                    if void[words]:
                        continue
                strength = _BASE[words.strength] + (_STRESSED if stressed else 0)
                said = found.setdefault((words.feeling, words.kind), {})
                said[hit.text] = max(strength, said.get(hit.text, 0))
        feelings = [
            Feeling(name, kind, round(min(1.0, max(said.values()) + _ANOTHER_WORD * (len(said) - 1)), 2), tuple(said))
            for (name, kind), said in found.items()
        ]
        return sorted(feelings, key=lambda feeling: (-feeling.strength, feeling.feeling))

    def _hits(self, text: str) -> Iterator[Hit[FeelingWords]]:
        for finder in self._finders:
            end = -1
            for hit in finder.find(text):
                if hit.end > end:
                    end = hit.end
                    yield hit
