"""What a load reports of one table."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass
class Counts:
    """Rows of one origin: fetched = loaded + merged + unchanged + quarantined; ``deleted`` is counted apart."""

    fetched: int = 0
    loaded: int = 0
    merged: int = 0
    unchanged: int = 0
    quarantined: int = 0
    deleted: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class LoadReport:
    """What one table of a source brought: fetched = loaded + merged + unchanged + quarantined.

    ``merged`` counts rows that replaced an older version of their key and rows that lost to a later one of the same
    delivery; ``skipped`` the files that were loaded before and haven't changed since; ``deleted`` the rows that were
    found deleted upstream, by a tombstone (counted as merged or loaded too) or by their absence. ``unexplained`` says
    where ``raw`` itself doesn't agree with the counts, which is a defect. ``recognised`` names the columns that were
    taken for fields by their usual names (``field: column, …``).
    """

    source: str
    entity: str
    origin: str
    fetched: int
    loaded: int
    merged: int
    unchanged: int
    quarantined: int
    read: int
    skipped: int
    seconds: float
    warnings: tuple[str, ...] = ()
    deleted: int = 0
    unexplained: tuple[str, ...] = ()
    recognised: str = ""
