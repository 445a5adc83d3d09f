"""What a text says about which aspect of the service: lists and rules, clause by clause.

The method is lexicon-based aspect sentiment (after Taboada et al., Lexicon-Based Methods for Sentiment Analysis, 2011:
negation, intensification, irrealis) with a taxonomy of aspects; a sentiment engine may judge the clauses that the lists
say nothing of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from nlp.aspects.taxonomy import Taxonomy
from nlp.aspects.words import Hit, WordFinder
from nlp.clauses import Clause, clauses
from nlp.sentiment import SentimentEngine
from nlp.text import TEXT_VERSION, normalise

Polarity = Literal["positive", "negative", "neutral"]
POLARITIES: tuple[Polarity, ...] = ("positive", "neutral", "negative")

RULES_VERSION = "a1"
"""Raise it when the same lists would judge a text otherwise."""
SURE_POSITIVE, SURE_NEGATIVE = 0.85, 0.15
"""Scores from which an engine's word on a clause is taken."""

_NEGATION_REACH = 5
_DENIAL_REACH = 8
_AFTER_REACH = 2
_JOINED = ("和", "与", "跟", "及", "以及", "还有", "、", "/")
# A question or a wish: praise in it is none (什么时候能修好, 希望妥善处理).
_UNREAL = re.compile(
    r"[吗么]$|([^\W\d_])(?:不|没)\1|如何$|怎么样$|怎样$|是否|请问|什么时候|何时|几时|能否|怎么才|如何才|哪个|哪款"
    r"|希望|恳请|要求|建议|如果|要是|假如|才能|麻烦(?=[您你帮给尽快])|请(?=[您你帮给尽务])"
)
# Negative by themselves: only a negator right before turns them round (不能说不好).
_NEGATIVE_START = ("不", "没", "无", "未")


@dataclass(frozen=True)
class AspectOpinion:
    """One aspect of one text with its polarity (neutral: named without judging) and the words that decided."""

    aspect: str
    polarity: Polarity
    words: tuple[str, ...]


class AspectModel(Protocol):
    """Finds what texts say about aspects. ``version`` changes whenever a text could come out differently."""

    @property
    def version(self) -> str:
        """Method and lists, such as ``aspects-a1-t2-1a2b3c4d``."""
        ...

    def predict(self, texts: Sequence[str]) -> list[list[AspectOpinion]]:
        """The opinions of each text, in the order in which they are said."""
        ...


@dataclass(frozen=True)
class _Meaning:
    role: str
    aspect: str = ""


class _Place(NamedTuple):
    """Where an aspect is named: by itself, or by who or what has it."""

    hit: Hit[_Meaning]
    aspect: str
    by_itself: bool


@dataclass
class _Judgement:
    hit: Hit[_Meaning]
    signs: dict[str, int]
    """The sign by aspect; under ``""`` the sign for whatever the clause is about."""


@dataclass
class _Reading:
    """A clause while it is read."""

    clause: Clause
    named: list[_Place] = field(default_factory=list)
    found: list[tuple[str, int, str]] = field(default_factory=list)
    """Aspect, sign, words."""
    denied: set[str] = field(default_factory=set)


class AspectExtractor:
    """Reads texts by the lists of a taxonomy. Deterministic; a text's result depends on nothing but the text."""

    def __init__(self, taxonomy: Taxonomy, engine: SentimentEngine | None = None) -> None:
        """``engine`` judges clauses that name an aspect and have no word of judgement; without, they are neutral."""
        self._engine = engine
        behind = f"-{engine.version}" if engine is not None else ""
        self.version = f"aspects-{RULES_VERSION}-{TEXT_VERSION}-{taxonomy.version}{behind}"
        self._yields = {aspect.code: frozenset(aspect.yields_to) for aspect in taxonomy.aspects}
        pairs = [(word, _Meaning(role)) for role, words in taxonomy.judging.items() for word in words]
        for aspect in taxonomy.aspects:
            for role in ("terms", "holders", "good_of_it", "bad_of_it", "praise", "blame"):
                pairs += [(word, _Meaning(role, aspect.code)) for word in getattr(aspect, role)]
        self._finder = WordFinder(pairs)

    def predict(self, texts: Sequence[str]) -> list[list[AspectOpinion]]:
        """The opinions of each text; of one aspect there may be praise and blame, neutral only where neither is."""
        read = [self._read(normalise(text).lower()) for text in texts]
        if self._engine is not None:
            self._ask(self._engine, [reading for readings in read for reading in readings])
        return [self._opinions(readings) for readings in read]

    def _read(self, text: str) -> list[_Reading]:
        readings: list[_Reading] = []
        ironic_sentence = -1
        before: _Reading | None = None
        for clause in clauses(text):
            hits = _without_covered(self._finder.find(clause.text))
            roles = {meaning.role for hit in hits for meaning in hit.meanings}
            if "irony" in roles:
                ironic_sentence = clause.sentence
            reading = _Reading(clause)
            reading.named = [
                _Place(hit, meaning.aspect, meaning.role == "terms")
                for hit in hits
                for meaning in hit.meanings
                if meaning.role in ("terms", "holders")
            ]
            carried = _carried(before, clause)
            judgements = list(self._judgements(hits, reading, carried))
            asked = _is_unreal(clause) and not roles & {"reproach", "doubt", "irony"}
            for judgement in judgements:
                for aspect, sign in judgement.signs.items():
                    if sign > 0 and (clause.sentence == ironic_sentence or "reproach" in roles):
                        sign = -1
                    if sign > 0 and asked:
                        reading.named.append(_Place(judgement.hit, aspect, True))
                    else:
                        reading.found.append((aspect, sign, judgement.hit.text))
            if not reading.found and not reading.denied and "reproach" in roles:
                word = next(hit.text for hit in hits if any(meaning.role == "reproach" for meaning in hit.meanings))
                reading.found += [
                    (aspect, -1, word) for aspect in dict.fromkeys(place.aspect for place in reading.named or carried)
                ]
            readings.append(reading)
            before = reading
        for place in range(len(readings)):
            self._yield(readings, place)
        return readings

    def _yield(self, readings: list[_Reading], place: int) -> None:
        """Hand judgements on to the aspect they are about: 太慢 where delivery is named is about delivery.

        Looks in the clause, or, where it names nothing, in those of the sentence: before, then after.
        """
        reading = readings[place]
        named = {name.aspect for name in reading.named if name.by_itself}
        near = [reading]
        if not reading.named:
            same = [other for other in readings if other.clause.sentence == reading.clause.sentence]
            near += [other for other in reversed(same) if other.clause.start < reading.clause.start]
            near += [other for other in same if other.clause.start > reading.clause.start]
        found: list[tuple[str, int, str]] = []
        for aspect, sign, word in reading.found:
            heirs: list[str] = []
            if self._yields[aspect] and aspect not in named:
                heirs = next((heirs for other in near if (heirs := self._heirs(aspect, other))), [])
            found += [(heir, sign, word) for heir in heirs or [aspect]]
        reading.found = found

    def _heirs(self, aspect: str, reading: _Reading) -> list[str]:
        told = [place.aspect for place in reading.named if place.by_itself] + [found[0] for found in reading.found]
        return [heir for heir in dict.fromkeys(told) if heir in self._yields[aspect]][-1:]

    def _judgements(self, hits: list[Hit[_Meaning]], reading: _Reading, carried: list[_Place]) -> Iterator[_Judgement]:
        """The judgements of a clause with their signs, negation and rhetorical doubt already minded."""
        places = reading.named or carried
        judging = [hit for hit in hits if any(meaning.role in _JUDGING for meaning in hit.meanings)]
        drafts = [
            draft
            for hit in judging
            if (draft := _Judgement(hit, self._signs(hit, places, reading.clause if reading.named else None))).signs
        ]
        spoken = {aspect for draft in drafts if not _is_term(draft.hit) for aspect in draft.signs}
        for draft in drafts:
            if _is_term(draft.hit):
                # 噪音 alone is a complaint, 噪音小 is none.
                draft.signs = {aspect: sign for aspect, sign in draft.signs.items() if aspect not in spoken}
            flips, denies = _negations(draft.hit, hits, [other.hit for other in drafts])
            if denies and min(draft.signs.values(), default=1) < 0:
                reading.denied |= set(draft.signs)
                continue
            if (flips + denies) % 2:
                draft.signs = {aspect: -sign for aspect, sign in draft.signs.items()}
            yield draft

    def _signs(self, hit: Hit[_Meaning], places: list[_Place], own: Clause | None) -> dict[str, int]:
        """What a word of judgement says of which aspects; ``own`` as in :func:`_nearest`."""
        signs: dict[str, int] = {}
        near = _nearest(hit, places, own)
        for meaning in hit.meanings:
            sign = _JUDGING.get(meaning.role, 0)
            if not sign:
                continue
            if meaning.role in ("praise", "blame") or (
                meaning.role in ("good_of_it", "bad_of_it") and meaning.aspect in near
            ):
                signs[meaning.aspect] = sign
        if not signs:
            general = sum(_JUDGING[meaning.role] for meaning in hit.meanings if meaning.role in ("good", "bad"))
            if general:
                signs = dict.fromkeys(near, 1 if general > 0 else -1)
        return signs

    def _ask(self, engine: SentimentEngine, readings: list[_Reading]) -> None:
        """Let the engine judge the clauses that name an aspect and judge nothing."""
        open_ones = [
            reading
            for reading in readings
            if not reading.found and not _is_unreal(reading.clause) and any(place.by_itself for place in reading.named)
        ]
        if not open_ones:
            return
        scores = engine.score([reading.clause.text for reading in open_ones]).tolist()
        for reading, score in zip(open_ones, scores, strict=True):
            if SURE_NEGATIVE < score < SURE_POSITIVE:
                continue
            sign = 1 if score >= SURE_POSITIVE else -1
            aspects = dict.fromkeys(aspect for _, aspect, is_term in reading.named if is_term)
            reading.found += [(aspect, sign, reading.clause.text) for aspect in aspects if aspect not in reading.denied]

    def _opinions(self, readings: list[_Reading]) -> list[AspectOpinion]:
        words: dict[tuple[str, int], dict[str, None]] = {}
        for reading in readings:
            for aspect, sign, word in reading.found:
                words.setdefault((aspect, sign), {})[word] = None
        judged = {aspect for aspect, _ in words}
        named = {place.aspect for reading in readings for place in reading.named if place.by_itself}
        for reading in readings:
            for hit, aspect, is_term in reading.named:
                told = is_term and aspect not in judged and aspect not in reading.denied
                if told and not self._yields[aspect] & (judged | named):
                    words.setdefault((aspect, 0), {})[hit.text] = None
        return [AspectOpinion(aspect, _NAMES[sign], tuple(said)) for (aspect, sign), said in words.items()]


_JUDGING = {"good": 1, "bad": -1, "good_of_it": 1, "bad_of_it": -1, "praise": 1, "blame": -1}
_NAMES: dict[int, Polarity] = {1: "positive", 0: "neutral", -1: "negative"}


def _without_covered(hits: list[Hit[_Meaning]]) -> list[Hit[_Meaning]]:
    """Leave out what lies within a longer phrase, except the names of aspects in it."""
    kept: list[Hit[_Meaning]] = []
    end = -1
    for hit in hits:
        if hit.end <= end:
            names = tuple(meaning for meaning in hit.meanings if meaning.role in ("terms", "holders"))
            if names:
                kept.append(Hit(hit.start, hit.end, hit.text, names))
            continue
        kept.append(hit)
        end = max(end, hit.end)
    return kept


def _carried(before: _Reading | None, clause: Clause) -> list[_Place]:
    """What the clause before was about, if it left the judgement to this one."""
    if before is None or before.found or (before.clause.sentence != clause.sentence and not before.clause.asks):
        return []
    return before.named


def _nearest(hit: Hit[_Meaning], places: list[_Place], own: Clause | None) -> list[str]:
    """Aspects of the name nearest to the word: before it, else after it; with those joined to it by 和.

    ``own``: the clause, where the places stand in it; else they were carried over from the one before.
    """
    other = [place for place in places if place.hit is not hit]
    if not other:
        return []
    before = [place for place in other if own is None or place.hit.end <= hit.start]
    if not before:
        first = min(place.hit.start for place in other)
        return [place.aspect for place in other if place.hit.start == first]
    start = max(place.hit.start for place in before)
    aspects: list[str] = []
    for place in reversed(before):
        joined = own is not None and own.text[place.hit.end : start] in _JOINED
        if place.hit.start == start or joined:
            aspects.append(place.aspect)
            start = place.hit.start
    return aspects


def _negations(hit: Hit[_Meaning], hits: list[Hit[_Meaning]], judging: list[Hit[_Meaning]]) -> tuple[int, int]:
    """How many words turn the judgement round, and how many deny it."""
    flips = denies = 0
    previous = max((other.end for other in judging if other.end <= hit.start), default=0)
    for other in hits:
        roles = {meaning.role for meaning in other.meanings}
        if other.end <= hit.start:
            distance = hit.start - other.end
            if "doubt" in roles:
                flips += 1
            elif other.start >= previous:
                reach = 0 if hit.text.startswith(_NEGATIVE_START) else _NEGATION_REACH
                flips += "negator" in roles and distance <= reach
                denies += "denial" in roles and distance <= _DENIAL_REACH
        elif other.start >= hit.end:
            flips += "after_negator" in roles and other.start - hit.end <= _AFTER_REACH
    return flips, denies


def _is_term(hit: Hit[_Meaning]) -> bool:
    return any(meaning.role == "terms" for meaning in hit.meanings)


def _is_unreal(clause: Clause) -> bool:
    return clause.asks or bool(_UNREAL.search(clause.text))
