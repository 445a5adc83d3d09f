"""Configuration of sources that are any JSON interface over HTTP."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ingest.configuration import StreamSource
from ingest.connectors.http_config import Auth, HttpOptions, WebAddress

PLACEHOLDER = re.compile(r"(?<!\$)\{([^{}]+)\}")
"""``{from}`` and the like; ``${NAME}`` is the environment's."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OnePage(_Part):
    """Everything in one answer."""

    kind: Literal["none"] = "none"


class NextLink(_Part):
    """The answer holds the address of the next page."""

    kind: Literal["next_link"]
    path: str = Field(min_length=1, description="JSON path of the next address")


class LinkHeader(_Part):
    """The header ``Link`` holds the address of the next page (RFC 8288)."""

    kind: Literal["link_header"]


class PageNumber(_Part):
    """Pages are numbered; the first empty page ends them."""

    kind: Literal["page"]
    param: str = "page"
    first: int = Field(1, ge=0)
    size_param: str | None = Field(None, description="parameter of the page size")
    size: int | None = Field(None, gt=0)
    total_pages: str | None = Field(None, description="JSON path of the number of pages; saves the last request")
    has_more: str | None = Field(None, description="JSON path of a flag; saves the last request")


class Offset(_Part):
    """Pages begin at a row number; the first empty page ends them."""

    kind: Literal["offset"]
    param: str = "offset"
    size_param: str = "limit"
    size: int = Field(100, gt=0)
    total: str | None = Field(None, description="JSON path of the number of rows; saves the last request")
    has_more: str | None = Field(None, description="JSON path of a flag; saves the last request")


class Token(_Part):
    """Each answer holds an opaque cursor for the next request."""

    kind: Literal["cursor"]
    param: str = "cursor"
    path: str = Field(min_length=1, description="JSON path of the cursor of the next page")
    has_more: str | None = Field(None, description="JSON path of a flag; default: more while there is a cursor")
    kept: bool = Field(False, description="the last cursor is good for ever: the next load goes on there")


class Keyset(_Part):
    """Each next page begins at the last record's cursor; rows that change meanwhile are never missed."""

    kind: Literal["keyset"]
    size_param: str | None = Field(None, description="parameter of the page size")
    size: int = Field(100, gt=0, description="how many records a page holds at most")


Paginator = Annotated[
    OnePage | NextLink | LinkHeader | PageNumber | Offset | Token | Keyset, Field(discriminator="kind")
]


class Cursor(_Part):
    """Which field of a record tells how far a load came."""

    field: str | None = Field(
        None, description="JSON path in a record: instant of its last change, or a number; default: the server's clock"
    )
    is_number: bool = Field(False, description="the field is a number that grows, such as an id")
    initial: str | None = Field(
        None, description="where the first load begins: an instant or a number; default: no limit"
    )
    oldest_first: bool = Field(False, description="records come in the order of this field")
    overlap: int = Field(0, ge=0, description="of numbers: how far before the last one a load begins again")


class RestStream(_Part):
    """One list of records of the interface."""

    path: str = Field(min_length=1, description="below base_url; {parent.id} and the like where it has a parent")
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, str] = {}
    body: dict[str, Any] | None = None
    records: str = Field("", description="JSON path of the list of records; default: the answer is the list")
    succeeds_when: dict[str, str | list[str]] = Field(
        {}, description="JSON path: value(s) of an answer that is no error"
    )
    paginator: Paginator = OnePage()
    cursor: Cursor | None = None
    time_format: str = Field(
        "iso", description="how {from} and {to} are written: iso, seconds, milliseconds or a strftime format"
    )
    window_hours: float | None = Field(None, gt=0, description="{from} and {to} at most so far apart, window by window")
    parent: str | None = Field(None, description="the stream whose records this one is asked for, one by one")
    missing_is_empty: bool = Field(True, description="of a child: HTTP 404 means that its parent has none, or is gone")

    @property
    def placeholders(self) -> set[str]:
        """Names in braces in path, params and body."""
        return set(PLACEHOLDER.findall(" ".join([self.path, *self.params.values(), *_texts(self.body)])))

    @model_validator(mode="after")
    def _consistent(self) -> RestStream:
        names = self.placeholders
        field = self.cursor.field if self.cursor else None
        for name in names:
            if name not in ("from", "to") and not (name.startswith("parent.") and self.parent):
                hint = "; name the `parent`" if name.startswith("parent.") else ""
                raise ValueError(f"{{{name}}} is not known here; known are {{from}}, {{to}} and {{parent.…}}{hint}")
        if self.body is not None and self.method == "GET":
            raise ValueError("body: only requests of `method: POST` have one")
        if self.parent and not any(name.startswith("parent.") for name in names):
            raise ValueError(
                "parent: nothing in path, params or body names it; write e.g. /tickets/{parent.id}/messages"
            )
        if self.parent and (self.cursor or names & {"from", "to"}):
            raise ValueError("a stream with a parent follows its parent's cursor and interval; remove its own")
        if isinstance(self.paginator, Keyset) and field is None:
            raise ValueError("paginator keyset: it needs `cursor.field`, and {from} in path, params or body")
        if self.cursor and field is None and (self.cursor.is_number or self.cursor.oldest_first):
            raise ValueError("cursor: is_number and oldest_first need its `field`")
        if self.cursor and "from" not in names:
            raise ValueError("cursor: nothing asks for less by it; write {from} into params, path or body")
        if self.window_hours and not {"from", "to"} <= names:
            raise ValueError("window_hours: it needs {from} and {to} in path, params or body")
        if self.cursor and self.cursor.is_number and (self.window_hours or "to" in names):
            raise ValueError("cursor.is_number: {to} and window_hours are for instants")
        if isinstance(self.paginator, Token) and self.paginator.kept and self.cursor:
            raise ValueError("paginator.kept: the next load goes on at that cursor; remove `cursor`")
        return self


class RestSource(StreamSource, HttpOptions):
    """Any JSON interface over HTTP."""

    kind: Literal["rest"]
    base_url: WebAddress
    auth: Auth | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    tries_again_when: dict[str, str | list[str]] = Field(
        {}, description="JSON path: value(s) of an answer that reports an error which passes, such as too many requests"
    )
    streams: dict[str, RestStream] = Field(min_length=1)

    @field_validator("streams")
    @classmethod
    def _known_parents(cls, streams: dict[str, RestStream]) -> dict[str, RestStream]:
        for name, stream in streams.items():
            if stream.parent is None:
                continue
            if stream.parent not in streams:
                raise ValueError(f"{name}: there is no stream {stream.parent!r} for its `parent`")
            if streams[stream.parent].parent is not None:
                raise ValueError(f"{name}: its parent {stream.parent!r} has a parent itself; only one level works")
        return streams

    @model_validator(mode="after")
    def _known_streams(self) -> RestSource:
        for table in self.tables:
            if table.stream not in self.streams:
                raise ValueError(f"tables: there is no stream {table.stream!r}; known: {', '.join(self.streams)}")
        return self


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []
