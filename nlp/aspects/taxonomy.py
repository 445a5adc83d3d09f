"""The lists that people edit: which aspects there are, the words of judging, and the words of feelings.

Three CSV files, shipped in ``data/``; an own set of the same names in the folder of business rules (setting ``rules``)
takes their place, file by file. Words in a cell are separated by ``；``. See ``docs/nlp.md`` for their columns.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from nlp.aspects.words import check

SHIPPED = Path(__file__).resolve().parent / "data"
Kind = Literal["emotion", "urgency"]
KINDS: tuple[Kind, ...] = ("emotion", "urgency")
ROLES = ("good", "bad", "negator", "denial", "after_negator", "doubt", "reproach", "irony", "ignored")
"""Roles of ``judging_words.csv``."""

_SEPARATOR = "；"


class TaxonomyError(HuiyinError):
    """A list is not usable; the message names the file and what to correct."""


@dataclass(frozen=True)
class Aspect:
    """Something that customers judge.

    ``terms`` name it; ``holders`` are who or what has it, and count only together with a judgement; ``good_of_it`` and
    ``bad_of_it`` judge it where a term or holder stands in the same clause (高: good of efficiency, bad of a price);
    ``praise`` and ``blame`` say aspect and judgement in one. Where an aspect of ``yields_to`` is named in the clause,
    the judgement is about that one: slow *delivery* is a matter of delivery.
    """

    code: str
    name_zh: str
    terms: tuple[str, ...]
    holders: tuple[str, ...]
    good_of_it: tuple[str, ...]
    bad_of_it: tuple[str, ...]
    praise: tuple[str, ...]
    blame: tuple[str, ...]
    yields_to: tuple[str, ...]


@dataclass(frozen=True)
class FeelingWords:
    """Words of a feeling of one strength (1…3), void where one of ``unless`` stands in the same text."""

    feeling: str
    kind: Kind
    name_zh: str
    strength: int
    words: tuple[str, ...]
    unless: tuple[str, ...]


@dataclass(frozen=True)
class Taxonomy:
    """Everything of the three files. ``version`` changes whenever one of them does."""

    aspects: tuple[Aspect, ...]
    judging: dict[str, tuple[str, ...]]
    feelings: tuple[FeelingWords, ...]
    version: str

    def aspect_names(self) -> dict[str, str]:
        """Chinese names of the aspects by code."""
        return {aspect.code: aspect.name_zh for aspect in self.aspects}

    def feeling_names(self) -> dict[str, str]:
        """Chinese names of emotions and urgencies by code, which may be the code of an aspect, too."""
        return {words.feeling: words.name_zh for words in self.feelings}


@cache
def shipped_taxonomy() -> Taxonomy:
    """The lists that come with the project."""
    return read_taxonomy(SHIPPED)


def taxonomy_of(settings: Settings) -> Taxonomy:
    """The company's own lists where its folder of business rules has some, else the shipped ones.

    Raises :class:`TaxonomyError`.
    """
    return read_taxonomy(settings.rules_dir)


def read_taxonomy(folder: Path) -> Taxonomy:
    """The lists of the folder, those it lacks as shipped. Raises :class:`TaxonomyError`."""
    files = [
        own if (own := folder / name).exists() else SHIPPED / name
        for name in ("aspects.csv", "judging_words.csv", "feelings.csv")
    ]
    aspects = tuple(_aspects(files[0]))
    judging = dict(_judging(files[1]))
    feelings = tuple(_feelings(files[2]))
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    return Taxonomy(aspects, judging, feelings, digest[:8])


def _aspects(file: Path) -> Iterator[Aspect]:
    columns = ("terms", "holders", "good_of_it", "bad_of_it", "praise", "blame", "yields_to")
    rows = list(_rows(file, ("aspect", "name_zh", *columns)))
    codes = [row["aspect"] for _, row in rows]
    for number, row in rows:
        if codes.count(row["aspect"]) > 1:
            raise TaxonomyError(f"{file}, line {number}: aspect {row['aspect']!r} stands there twice")
        if unknown := [code for code in _words(row["yields_to"]) if code not in codes]:
            raise TaxonomyError(f"{file}, line {number}: yields_to names no aspect of the file: {', '.join(unknown)}")
        yield Aspect(row["aspect"], row["name_zh"], *(_words(row[column]) for column in columns))


def _judging(file: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    found: dict[str, tuple[str, ...]] = dict.fromkeys(ROLES, ())
    for number, row in _rows(file, ("role", "words")):
        if row["role"] not in ROLES:
            raise TaxonomyError(f"{file}, line {number}: role {row['role']!r} is none of {', '.join(ROLES)}")
        found[row["role"]] += _words(row["words"])
    yield from found.items()


def _feelings(file: Path) -> Iterator[FeelingWords]:
    kinds: dict[str, Kind] = {kind: kind for kind in KINDS}
    for number, row in _rows(file, ("feeling", "kind", "name_zh", "strength", "words", "unless")):
        if row["kind"] not in kinds:
            raise TaxonomyError(f"{file}, line {number}: kind must be emotion or urgency, got {row['kind']!r}")
        if row["strength"] not in ("1", "2", "3"):
            raise TaxonomyError(f"{file}, line {number}: strength must be 1, 2 or 3, got {row['strength']!r}")
        yield FeelingWords(
            row["feeling"], kinds[row["kind"]], row["name_zh"], int(row["strength"]),
            _words(row["words"]), _words(row["unless"]),
        )  # fmt: skip


def _rows(file: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
                raise TaxonomyError(f"{file} lacks the column {', '.join(missing)}")
            for row in reader:
                cells = {column: (row[column] or "").strip() for column in columns}
                for column, cell in cells.items():
                    for pattern in _words(cell):
                        try:
                            check(pattern)
                        except ValueError as error:
                            raise TaxonomyError(f"{file}, line {reader.line_num}, {column}: {error}") from error
                yield reader.line_num, cells
    except UnicodeDecodeError as error:
        raise TaxonomyError(f"{file} is no UTF-8; save it as 'CSV UTF-8'") from error
    except csv.Error as error:
        raise TaxonomyError(f"{file} is no CSV: {error}") from error


def _words(cell: str) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in cell.replace(";", _SEPARATOR).split(_SEPARATOR) if word.strip())
