"""Configuration of sources that are SQL databases."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import quote

from pydantic import Field, field_validator, model_validator

from ingest.configuration import BaseSource, TableMapping, expand

_PASSWORD = re.compile(r":(\$\{[A-Za-z_][A-Za-z0-9_]*\})@")


class SqlTable(TableMapping):
    """Rows of a database table or query."""

    table: str | None = None
    query: str | None = None
    cursor: str | None = Field(None, description="column of the row's last change: only what is new there is read")
    cursor_unit: Literal["seconds", "milliseconds", "id"] | None = Field(
        None, description="what a numeric cursor counts; default: found out"
    )
    overlap_minutes: float | None = Field(None, ge=0, description="default: the source's")
    overlap_rows: int | None = Field(None, ge=0, description="default: the source's")
    optional: bool = Field(False, description="a missing table counts as an empty one")

    @model_validator(mode="after")
    def _one_origin(self) -> SqlTable:
        if (self.table is None) == (self.query is None):
            raise ValueError("give either `table` or `query`")
        if self.snapshot and self.cursor:
            raise ValueError("snapshot: only a table that is read in full shows what is missing; remove `cursor`")
        return self

    @property
    def origin(self) -> str:
        """What audit and quarantine call it."""
        return self.table or " ".join((self.query or "").split())[:200]


class SqlSource(BaseSource):
    """A SQL database."""

    kind: Literal["sql"]
    url: str = Field(min_length=1)
    tables: list[SqlTable] = Field(min_length=1)
    overlap_minutes: float = Field(60, ge=0, description="how far before the last position a load begins again")
    overlap_rows: int = Field(1000, ge=0, description="the same where the cursor is an id")

    @field_validator("url")
    @classmethod
    def _expanded(cls, value: str) -> str:
        # A password may hold what has a meaning in an address: @, /, %.
        return expand(_PASSWORD.sub(lambda match: f":{quote(expand(match[1]), safe='${}')}@", value))

    def table_of(self, stream: str) -> SqlTable:
        """The table of a stream. Each is a stream by itself, named by its table or query: agents, agents#2 …"""
        place, _, number = stream.rpartition("#")
        same = [table for table in self.tables if table.origin == stream]
        return same[0] if same else [table for table in self.tables if table.origin == place][int(number) - 1]
