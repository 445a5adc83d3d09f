"""Read the suites: what is expected of each table, in Great Expectations' own JSON format.

``suites/<stage>/<table>.json``. Besides GX's fields a suite's ``meta`` holds

- ``key``: the columns that identify a row, shown for failing rows;
- ``derived``: columns that exist only for the check, each a SQL expression over ``this`` (the table's row), portable
  between DuckDB and PostgreSQL; ``{schema}`` stands for the schema of the stage, ``{tomorrow}`` for the instant a day
  after the run (naive UTC);

and an expectation's ``severity`` (critical blocks, warning doesn't), ``notes`` (why) and ``meta``:

- ``remedy``: what to do when it fails;
- ``on_failure``: ``quarantine`` sends failing rows to quarantine instead of stopping, up to
- ``max_quarantined_share`` of the table's rows (default :data:`MAX_QUARANTINED_SHARE`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Stage = Literal["raw", "mart"]

SUITES_DIR = Path(__file__).resolve().parent / "suites"
MAX_QUARANTINED_SHARE = 0.05

# Arguments of expectations that name columns.
_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")


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
        used = set(self.key)
        for expectation in self.expectations:
            for argument in _COLUMN_ARGUMENTS:
                value = expectation["kwargs"].get(argument, [])
                used.update([value] if isinstance(value, str) else value)
        return used - set(self.derived)


def load_suites(stage: Stage, tables: Iterable[str] | None = None) -> list[Suite]:
    """The suites of a stage, all or those of ``tables``, by name. Raises ``ValueError`` for a table without a suite."""
    files = {file.stem: file for file in sorted((SUITES_DIR / stage).glob("*.json"))}
    wanted = list(files) if tables is None else list(tables)
    if unknown := [table for table in wanted if table not in files]:
        raise ValueError(
            f"no suite for {', '.join(unknown)} in expectations/suites/{stage}; there are {', '.join(files)}"
        )
    return [Suite(stage, table, json.loads(files[table].read_text(encoding="utf-8"))) for table in wanted]
