"""Where a topic stands in the company's own classes of problems: type, stage and likely root cause.

The classes and their words are rules that people edit (`problem_types.csv`, `routing.csv`).
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huiyin.errors import HuiyinError
from nlp.text import normalise

LEAST_CONFIDENCE = 0.2
"""A class that fewer of the topic's texts point to is not given."""
_SEPARATOR = re.compile(r"[；;、,\s]+")


class TaxonomyError(HuiyinError):
    """The rules of problem types can't be used."""


@dataclass(frozen=True)
class ProblemClass:
    """A class of problems; ``confidence``: the share of the topic's texts whose words point to it."""

    problem_subtype: str
    problem_type: str
    stage: str
    root_cause_class: str
    confidence: float


class Taxonomy:
    """The classes of a rules folder."""

    def __init__(self, rules_dir: Path) -> None:
        """Read the rules. Raises :class:`TaxonomyError`."""
        try:
            causes = {row["problem_subtype"]: row["root_cause_class"] for row in _rows(rules_dir / "routing.csv")}
            rows = _rows(rules_dir / "problem_types.csv")
            self._classes = {
                row["problem_subtype"]: (
                    row["problem_type"],
                    row["stage"],
                    causes.get(row["problem_subtype"], causes.get("*", "")),
                )
                for row in rows
            }
            self._words = {
                row["problem_subtype"]: [
                    normalise(word).lower() for word in _SEPARATOR.split(row["keywords"]) if word.strip()
                ]
                for row in rows
            }
        except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
            raise TaxonomyError(
                f"rules in {rules_dir}: problem_types.csv and routing.csv can't be used: {error!r}"
            ) from error
        # A word that many classes share tells little.
        shared = Counter(word for words in self._words.values() for word in set(words))
        self._weights = {word: math.log(1 + len(self._words) / count) for word, count in shared.items()}

    def subtype_of(self, text: str) -> str | None:
        """The class whose words weigh most in a text; None where there is none of them."""
        text = text.lower()
        best, best_weight = None, 0.0
        for subtype, words in self._words.items():
            weight = sum(self._weights[word] for word in words if word in text)
            if weight > best_weight:
                best, best_weight = subtype, weight
        return best

    def classify(self, texts: Sequence[str]) -> ProblemClass | None:
        """The class that most of a topic's prepared texts point to; None where too few point to one."""
        if not texts:
            return None
        found = Counter(subtype for text in texts if (subtype := self.subtype_of(text)))
        if not found:
            return None
        subtype, count = min(found.items(), key=lambda item: (-item[1], item[0]))
        confidence = count / len(texts)
        if confidence < LEAST_CONFIDENCE:
            return None
        problem_type, stage, cause = self._classes[subtype]
        return ProblemClass(subtype, problem_type, stage, cause, round(confidence, 4))


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))
