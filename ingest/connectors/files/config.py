"""Configuration of sources that deliver files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ingest.configuration import BaseSource, TableMapping, expand


class FileTable(TableMapping):
    """Rows of the files that a path pattern matches."""

    path: str = Field(min_length=1, description="{date}, * and ** allowed; relative to the sources file")
    encoding: str | None = Field(None, description="default: found out (UTF-8, UTF-16 with mark, GB18030)")
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="default: found out")
    sheet: str | None = Field(None, description="Excel sheet; default: the first")

    @field_validator("path")
    @classmethod
    def _expanded(cls, value: str) -> str:
        if value.count("{date}") > 1:
            raise ValueError("{date} may stand once")
        return expand(value)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                "".encode(value)
            except LookupError as error:
                raise ValueError(f"no encoding {value!r}; use utf-8, gb18030, big5 …") from error
        return value


class FilesSource(BaseSource):
    """A system that delivers files."""

    kind: Literal["files"]
    tables: list[FileTable] = Field(min_length=1)
