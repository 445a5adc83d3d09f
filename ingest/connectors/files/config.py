"""Configuration of sources that deliver files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from ingest.configuration import BaseSource, TableMapping, expand, unresolved_variables
from ingest.errors import SourceError

_SECRET = re.compile(r"secret|passw|token|credential|(?:^|_)key$", re.IGNORECASE)


class FileTable(TableMapping):
    """Rows of the files that a path pattern matches."""

    path: str = Field(min_length=1, description="{date}, * and ** allowed; relative to the sources file, or a URL")
    encoding: str | None = Field(None, description="default: found out (UTF-8, UTF-16 with mark, GB18030)")
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="default: found out")
    sheet: str | None = Field(None, description="Excel sheet; default: the first")
    expected_days: Literal["all", "workdays", "monthly", "any"] = Field(
        "all", description="which days of a {date} path bring a file; missing ones are named"
    )

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
    storage: dict[str, Any] = Field({}, repr=False, description="options of the object store that `path` names")

    @field_validator("storage")
    @classmethod
    def _no_secrets(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, option in _leaves(value):
            if _SECRET.search(name) and not unresolved_variables(str(option)):
                raise ValueError(f"{name} is a secret: write ${{NAME}} and set NAME in the environment")
        return value


def _leaves(options: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        leaf
        for name, option in options.items()
        for leaf in (_leaves(option) if isinstance(option, Mapping) else [(name, option)])
    ]


def storage_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as fsspec takes them: variables filled in, true and false and counts as such.

    Raises :class:`SourceError` for a variable that isn't set.
    """
    return {
        name: storage_options(option) if isinstance(option, Mapping) else _option(name, option)
        for name, option in options.items()
    }


def _option(name: str, option: Any) -> Any:
    if not isinstance(option, str):
        return option
    text = expand(option)
    if missing := unresolved_variables(text):
        raise SourceError(f"storage.{name}: set the environment variable {', '.join(missing)}")
    if text in ("true", "false"):
        return text == "true"
    return int(text) if (name == "port" or name.endswith("timeout")) and text.isdigit() else text
