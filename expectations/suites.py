"""Read the suites: what is expected of each table, in Great Expectations' own JSON format.

``suites/<stage>/<table>.json``. Besides GX's fields a suite's ``meta`` holds

- ``about``: what the table is, for readers of the file;
- ``key``: the columns that identify a row, shown for failing rows;
- ``derived``: columns that exist only for the check, each a SQL expression over ``this`` (the table's row), portable
  between DuckDB and PostgreSQL; ``{schema}`` stands for the schema of the stage, ``{tomorrow}`` for the instant a day
  after the run (naive UTC);

and an expectation's ``severity`` says whether it blocks (critical) or not (warning), its ``meta``

- ``why`` it is expected and the ``remedy`` when it fails;
- ``on_failure``: ``quarantine`` sends failing rows to quarantine instead of stopping, up to
- ``max_quarantined_share`` of the table's rows (default :data:`MAX_QUARANTINED_SHARE`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Stage = Literal["raw", "mart"]

SUITES_DIR = Path(__file__).resolve().parent / "suites"
MAX_QUARANTINED_SHARE = 0.05

# Arguments of expectations that name columns.
_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")
# schema.table in the SQL of a derived column.
_REFERENCE = re.compile(r"\b(?:from|join)\s+(\{schema\}|raw)\.(\w+)")


@dataclass(frozen=True)
class Suite:
    """The expectations of one table."""

    stage: Stage
    table: str
    definition: dict[str, Any]

    @property
    def name(self) -> str:
        """``<stage>.<table>``."""
        return f"{self.stage}.{self.table}"

    @property
    def key(self) -> list[str]:
        """Columns that identify a row."""
        return list(self.definition["meta"]["key"])

    @property
    def derived(self) -> dict[str, str]:
        """Name → SQL expression of the columns made for the check."""
        return dict(self.definition["meta"].get("derived", {}))

    @property
    def expectations(self) -> list[dict[str, Any]]:
        """The expectations; the derived columns are no surprise to one about the set of columns."""
        made = list(self.derived)
        return [
            {**written, "kwargs": {**written["kwargs"], "column_set": written["kwargs"]["column_set"] + made}}
            if written["type"] == "expect_table_columns_to_match_set"
            else written
            for written in self.definition["expectations"]
        ]

    @property
    def columns(self) -> set[str]:
        """Columns of the table whose values the suite looks at."""
        used = set(self.key).union(*map(_columns, self.definition["expectations"]))
        return used - set(self.derived)

    def references(self) -> set[tuple[str, str]]:
        """Schema (``{schema}`` for that of the stage) and name of the tables that the derived columns look into."""
        return {reference for sql in self.derived.values() for reference in _REFERENCE.findall(sql)}

    def without(self, absent: Collection[tuple[str, str]]) -> Suite:
        """The suite less what looks into absent tables: nothing can be said about customers where none are loaded."""
        lost = {name for name, sql in self.derived.items() if not set(_REFERENCE.findall(sql)).isdisjoint(absent)}
        if not lost:
            return self
        meta = self.definition["meta"]
        derived = {name: sql for name, sql in self.derived.items() if name not in lost}
        kept = [written for written in self.definition["expectations"] if lost.isdisjoint(_columns(written))]
        definition = {**self.definition, "meta": {**meta, "derived": derived}, "expectations": kept}
        return Suite(self.stage, self.table, definition)


def load_suites(stage: Stage, tables: Iterable[str] | None = None) -> list[Suite]:
    """The suites of a stage, all or those of ``tables``, by name. Raises ``ValueError`` for a table without a suite."""
    files = {file.stem: file for file in sorted((SUITES_DIR / stage).glob("*.json"))}
    wanted = list(files) if tables is None else list(tables)
    if unknown := [table for table in wanted if table not in files]:
        raise ValueError(
            f"no suite for {', '.join(unknown)} in expectations/suites/{stage}; there are {', '.join(files)}"
        )
    return [Suite(stage, table, json.loads(files[table].read_text(encoding="utf-8"))) for table in wanted]


def _columns(expectation: dict[str, Any]) -> set[str]:
    """Columns that one expectation names."""
    arguments = expectation["kwargs"]
    found = _condition_columns(arguments.get("row_condition", {}))
    for name in _COLUMN_ARGUMENTS:
        value = arguments.get(name, [])
        found.update([value] if isinstance(value, str) else value)
    return found


def _condition_columns(condition: dict[str, Any]) -> set[str]:
    """Columns of GX's row condition, which nests."""
    found = {condition["column"]["name"]} if "column" in condition else set()
    return found.union(*map(_condition_columns, condition.get("conditions", [])))
