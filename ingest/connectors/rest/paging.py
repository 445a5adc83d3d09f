"""One page after the other, by each of the usual ways, and never the same one twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from ingest.connectors.json_path import value_at
from ingest.connectors.rest.config import LinkHeader, NextLink, Offset, OnePage, PageNumber, Paginator, Token
from ingest.errors import SourceError

MOST_PAGES = 1_000_000


@dataclass(frozen=True)
class Ask:
    """One request: ``path`` may be a whole address, ``body`` None where there is none."""

    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    def with_value(self, name: str, value: Any) -> Ask:
        """The same request with one more parameter, in the body where there is one; dots go into objects."""
        if self.body is None:
            return replace(self, params={**self.params, name: value})
        body = json.loads(json.dumps(self.body))
        *outer, last = name.split(".")
        place = body
        for step in outer:
            place = place.setdefault(step, {})
        place[last] = value
        return replace(self, body=body)


@dataclass(frozen=True)
class Page:
    """One answer: ``next_link`` is absolute. ``token`` is where a later load may go on."""

    content: Any
    records: list[Mapping[str, Any]]
    next_link: Callable[[str], str]
    header_link: str | None
    token: str | None = None


def pages(fetch: Callable[[Ask], Page], ask: Ask, paginator: Paginator, token: str | None = None) -> Iterator[Page]:
    """All pages, in order. ``token``: where to go on, of a paginator that keeps its cursor.

    Raises :class:`SourceError` where the interface repeats itself or never ends.
    """
    current: Ask | None = _first(ask, paginator, token)
    asked: set[bytes] = set()
    before = b""
    number = rows = 0
    while current is not None:
        signature = digest([current.path, dict(current.params), current.body])
        if signature in asked:
            raise SourceError("its pages go in a circle: the same page was to be asked for twice; check `paginator`")
        asked.add(signature)
        page = fetch(current)
        if page.records and not isinstance(paginator, OnePage):
            content = digest(page.records)
            if content == before:
                raise SourceError(
                    "two pages in a row hold the same records, so it doesn't heed the paginator;"
                    " check the names of its parameters"
                )
            before = content
        number += 1
        rows += len(page.records)
        if number > MOST_PAGES:
            raise SourceError(f"it has no last page: {MOST_PAGES:,} pages were read; check `paginator`")
        current, next_token = _following(ask, paginator, page, number, rows, token)
        token = next_token or token
        yield replace(page, token=token)


def digest(value: Any) -> bytes:
    """Of a JSON value; equal values give equal digests."""
    return blake2b(json.dumps(value, sort_keys=True, default=str).encode(), digest_size=16).digest()


def _first(ask: Ask, paginator: Paginator, token: str | None) -> Ask:
    match paginator:
        case PageNumber():
            if paginator.size_param and paginator.size:
                ask = ask.with_value(paginator.size_param, paginator.size)
            return ask.with_value(paginator.param, paginator.first)
        case Offset():
            return ask.with_value(paginator.size_param, paginator.size).with_value(paginator.param, 0)
        case Token() if token is not None:
            return ask.with_value(paginator.param, token)
    return ask


def _following(
    ask: Ask, paginator: Paginator, page: Page, number: int, rows: int, token: str | None
) -> tuple[Ask | None, str | None]:
    """The next request, None after the last page; and the token of the next page. ``token`` is that of this page."""
    match paginator:
        case NextLink():
            link = value_at(paginator.path, page.content)
            return (Ask(page.next_link(str(link)), {}, ask.body) if link else None), None
        case LinkHeader():
            link = page.header_link
            return (Ask(page.next_link(link), {}, ask.body) if link else None), None
        case PageNumber():
            if not page.records or _is_last(paginator.has_more, page):
                return None, None
            if paginator.total_pages and number >= _number(paginator.total_pages, page):
                return None, None
            return _first(ask, paginator, None).with_value(paginator.param, paginator.first + number), None
        case Offset():
            if not page.records or _is_last(paginator.has_more, page):
                return None, None
            if paginator.total and rows >= _number(paginator.total, page):
                return None, None
            # By the rows that came, not by those asked for: a system may give fewer than it is asked.
            return _first(ask, paginator, None).with_value(paginator.param, rows), None
        case Token():
            found = value_at(paginator.path, page.content)
            following = None if found in (None, "") else str(found)
            is_over = following is None or _is_last(paginator.has_more, page)
            if is_over or (following == token and not page.records):
                return None, following
            return ask.with_value(paginator.param, following), following
    return None, None


def _is_last(path: str | None, page: Page) -> bool:
    """Whether the flag at the path says that nothing follows."""
    if path is None:
        return False
    flag = value_at(path, page.content)
    if isinstance(flag, str):
        return flag.strip().lower() in ("", "0", "false", "no", "n")
    if flag is None:
        raise SourceError(f"the answer has nothing at `has_more: {path}`; correct that path")
    return not flag


def _number(path: str, page: Page) -> float:
    value = value_at(path, page.content)
    try:
        return float(str(value))
    except ValueError:
        raise SourceError(f"the answer has no number at {path}; correct that path of `paginator`") from None
