"""Sentences that recur in many different texts of one source: greetings, signatures, templates. Learned, then removed.

A sentence counts once a different text, and copies of one text count as one, so a pasted campaign isn't boilerplate
and a text that is nothing but the sentence doesn't make it any.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from huiyin.errors import HuiyinError
from nlp.files import replacing
from nlp.text import PLACEHOLDER, normalise

FEWEST_TEXTS = 10
FEWEST_SHARE = 0.003
"""A sentence of so many different texts, and of this share of a source's different texts, is boilerplate."""
_SHORTEST = 8
# Shorter ones need to be known formulas: a short sentence may be what many customers really say.
_FORMULA = re.compile(r"^(?:尊敬的|亲爱的|敬爱的|各位|此致|敬礼|发自|来自|sent from|by |-{2,})", re.IGNORECASE)
_UNIT = re.compile(r"[^。!?;:！？；：\n…]*[。!?;:！？；：\n…]*")
_VARIABLE = re.compile(r"\d+(?:[-:/.年月日时分]\d+)*")
_NO_WORD = re.compile(r"[\W_]+")


class BoilerplateError(HuiyinError):
    """What was learned can't be read."""


@dataclass(frozen=True)
class Boilerplate:
    """Recurring sentences by source, in the form of :func:`_key`."""

    sentences: dict[str, frozenset[str]] = field(default_factory=dict)

    def remove(self, text: str, source: str = "") -> str:
        """The text without boilerplate of its source; as it is where there is none. Nothing may be left."""
        known = self.sentences.get(source)
        if not known:
            return text
        kept = [unit for unit in _units(text) if _key(unit) not in known]
        return "".join(kept).strip() if len(kept) < len(list(_units(text))) else text

    def share(self, text: str, source: str = "") -> float:
        """The share (0…1) of the text's letters that are boilerplate of its source."""
        letters = len(_NO_WORD.sub("", text))
        if not letters or not self.sentences.get(source):
            return 0.0
        return 1 - len(_NO_WORD.sub("", self.remove(text, source))) / letters

    @property
    def digest(self) -> str:
        """Names what was learned."""
        told = json.dumps({source: sorted(known) for source, known in sorted(self.sentences.items())})
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def save(self, file: Path) -> None:
        """Write JSON that people can read and edit: sentences by source."""
        with replacing(file) as beside:
            stored = {source: sorted(known) for source, known in sorted(self.sentences.items())}
            beside.write_text(json.dumps(stored, ensure_ascii=False, indent=1), "utf-8")

    @classmethod
    def load(cls, file: Path) -> Boilerplate:
        """Read what :meth:`save` wrote; nothing where there is no file. Raises :class:`BoilerplateError`."""
        try:
            stored = json.loads(file.read_text("utf-8"))
            return cls({source: frozenset(known) for source, known in stored.items()})
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise BoilerplateError(f"{file} can't be read ({error}); remove it, the next fit learns it anew") from error


def learn_boilerplate(texts: Sequence[str], sources: Sequence[str] | None = None) -> Boilerplate:
    """Learn from texts with line breaks as they were delivered, one source a text (default: all from one)."""
    where: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    different: dict[str, set[str]] = defaultdict(set)
    for number, text in enumerate(texts):
        source = sources[number] if sources is not None else ""
        keys = [key for unit in _units(text) if (key := _key(unit))]
        whole = "\n".join(keys)
        if whole in different[source]:
            continue
        different[source].add(whole)
        if len(keys) > 1:
            for key in keys:
                where[source][key].add(number)
    learned = {}
    for source, places in where.items():
        fewest = max(FEWEST_TEXTS, FEWEST_SHARE * len(different[source]))
        known = {
            key
            for key, numbers in places.items()
            if len(numbers) >= fewest and (len(_NO_WORD.sub("", key)) >= _SHORTEST or _FORMULA.match(key))
        }
        if known:
            learned[source] = frozenset(known)
    return Boilerplate(learned)


def _units(text: str) -> Iterator[str]:
    """The sentences and lines of a text with their marks; joined they are the text."""
    for found in _UNIT.finditer(text):
        if found.group():
            yield found.group()


def _key(unit: str) -> str:
    """What a template's sentences have in common: numbers, dates and masked values are the same."""
    clean = PLACEHOLDER.sub("[]", normalise(unit)).strip(" .,。!?;:…~")
    return _VARIABLE.sub("0", clean).lower()
