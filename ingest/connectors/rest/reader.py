"""Read any JSON interface over HTTP as the sources file describes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from huiyin.interval import Interval
from ingest.connectors.base import Request
from ingest.connectors.delivery import Delivery, delivery_of_records, text_of, utc_now
from ingest.connectors.http import HttpClient
from ingest.connectors.http_config import resolved
from ingest.connectors.json_path import find, is_simple, named_columns, value_at, with_paths
from ingest.connectors.rest.config import PLACEHOLDER, Cursor, Keyset, RestSource, RestStream, Token
from ingest.connectors.rest.paging import MOST_PAGES, Ask, Page, digest, pages
from ingest.connectors.rest.times import Position, Wanted, latest, positions_of, stored, wanted_of, written
from ingest.errors import SourceError

RECORDS_PER_DELIVERY = 5_000
_NAME = re.compile(r"[A-Za-z_]\w{0,39}", re.ASCII)
_CODE = re.compile(r"[\w.-]{1,40}", re.ASCII)

Record = Mapping[str, Any]
Step = tuple[Sequence[Record], Mapping[str, Any] | None]
"""Records of one page, and where the next load goes on once they are stored; None where that isn't known yet."""


def read_stream(source: RestSource, stream: str, request: Request) -> Iterator[Delivery]:
    """The stream's records; see :class:`ingest.connectors.base.Reader`."""
    with _client(source) as client:
        try:
            yield from _deliveries(stream, _Stream(source, stream, request, client).steps())
        except SourceError as error:
            if f"source {source.name}" in str(error):
                raise
            message = f"source {source.name}, stream {stream}: {error}"
            raise SourceError(message, mends_itself=error.mends_itself) from error


def check(source: RestSource, folder: Path) -> str:
    """The first page of the first stream without a parent, of the last day where it heeds time."""
    with _client(source.model_copy(update={"attempts": min(2, source.attempts)})) as client:
        name = next(name for name, stream in source.streams.items() if stream.parent is None)
        today = client.server_now().date()
        interval = Interval(today - timedelta(days=1), today + timedelta(days=1))
        request = Request(interval, False, None, folder, source.timezone or "UTC")
        records, _ = next(iter(_Stream(source, name, request, client).steps()), ([], None))
        skew = f", its clock differs by {client.skew_seconds:+.0f} s" if client.skew_seconds else ""
        return f"signed in; the first page of {name} holds {len(records)} record(s){skew}"


def _client(source: RestSource) -> HttpClient:
    def passing(content: Any) -> str | None:
        for path, accepted in source.tries_again_when.items():
            if (value := _text(value_at(path, content))) and _is_among(value, accepted):
                return f"the answer reports {value} at {path}" if _CODE.fullmatch(value) else f"an error at {path}"
        return None

    return HttpClient(
        source.name, source.base_url, auth=source.auth, headers=source.headers, options=source, passing=passing
    )


def _deliveries(origin: str, steps: Iterator[Step]) -> Iterator[Delivery]:
    """Steps joined to deliveries of a decent size."""
    pending: list[Record] = []
    cursor: Mapping[str, Any] | None = None
    number = 1
    for records, reached in steps:
        pending += records
        cursor = reached or cursor
        if len(pending) >= RECORDS_PER_DELIVERY:
            yield delivery_of_records(origin, pending, utc_now(), first_number=number, cursor=cursor)
            number += len(pending)
            pending = []
    yield delivery_of_records(origin, pending, utc_now(), first_number=number, cursor=cursor)


class _Stream:
    """One stream on its way, page by page."""

    def __init__(self, source: RestSource, name: str, request: Request, client: HttpClient) -> None:
        self._source = source
        self._stream = source.streams[name]
        self._request = request
        self._client = client
        columns = named_columns(table for table in source.tables if table.stream == name)
        self._paths = [column for column in columns if not is_simple(column)]
        self._parent_names = {column for column in columns if column.startswith("parent.")}
        self._parent_names |= {name for name in self._stream.placeholders if name.startswith("parent.")}
        for column in self._paths:
            find(column, {})  # a path that is none fails before anything is asked
        self._started = client.server_now().replace(tzinfo=None)

    def steps(self) -> Iterator[Step]:
        """Records and positions. Raises :class:`SourceError`."""
        steps = self._of_parents(self._stream.parent) if self._stream.parent is not None else self._by_window()
        for records, cursor in steps:
            yield with_paths(records, self._paths), cursor if self._request.resume else None

    def _by_window(self) -> Iterator[Step]:
        stream, cursor = self._stream, self._stream.cursor
        if isinstance(stream.paginator, Token) and stream.paginator.kept:
            yield from self._by_token()
            return
        wanted = wanted_of(stream, self._request, self._source.overlap_minutes, self._started)
        reached: Position | None = None
        for window in wanted.windows(stream.window_hours):
            for records, newest in self._walk(window):
                reached = latest([at for at in (reached, newest) if at is not None])
                is_safe = cursor is not None and (cursor.oldest_first or isinstance(stream.paginator, Keyset))
                yield records, self._stored(reached) if is_safe and stream.window_hours is None else None
            if stream.window_hours is not None:
                yield [], self._stored(window.end)
        if cursor is not None and stream.window_hours is None:
            yield [], self._stored(self._started if cursor.field is None else reached)

    def _stored(self, reached: Position | None) -> Mapping[str, Any] | None:
        """Never later than when the walk began: what comes in while it lasts is found by the next one."""
        if reached is None or self._stream.cursor is None:
            return None
        return stored(min(reached, self._started) if isinstance(reached, datetime) else reached)

    def _walk(self, window: Wanted) -> Iterator[tuple[list[Record], Position | None]]:
        """All pages of a window, with the latest position of each."""
        cursor = self._stream.cursor
        if isinstance(self._stream.paginator, Keyset):
            assert cursor is not None
            yield from self._by_key(window, self._stream.paginator, cursor)
            return
        last: Position | None = None
        for page in pages(self._fetch, self._ask(window), self._stream.paginator):
            if cursor is None or cursor.field is None:
                yield page.records, None
                continue
            positions = [at for at in positions_of(page.records, cursor, self._request.zone) if at is not None]
            if cursor.oldest_first:
                _check_order([*([] if last is None else [last]), *positions], cursor)
            last = latest(positions)
            yield page.records, last

    def _by_key(
        self, window: Wanted, paginator: Keyset, cursor: Cursor
    ) -> Iterator[tuple[list[Record], Position | None]]:
        """Each page begins where the one before ended; what was seen there comes again and is left out."""
        stream, zone = self._stream, self._request.zone
        seen: set[bytes] = set()
        for _ in range(MOST_PAGES):
            ask = self._ask(window)
            if paginator.size_param:
                ask = ask.with_value(paginator.size_param, paginator.size)
            records = self._fetch(ask).records
            fresh = [record for record in records if digest(record) not in seen]
            if not fresh and len(records) < paginator.size:
                return
            seen = {digest(record) for record in records}
            positions = [at for at in positions_of(records, cursor, zone) if at is not None]
            _check_order(positions, cursor)
            newest = latest(positions)
            if newest is None:
                raise SourceError(f"cursor.field {cursor.field}: no record of a page has it; correct that path")
            yield fresh, newest
            start = window.start
            if start is not None and written(newest, stream.time_format, zone) == written(
                start, stream.time_format, zone
            ):
                if len(records) < paginator.size:
                    return
                raise SourceError(
                    f"a whole page of {len(records)} records has one and the same {cursor.field};"
                    " ask for larger pages, or use another paginator"
                )
            if isinstance(newest, datetime) and newest > self._started:
                return  # the system changes as fast as it is read: the rest is the next load's
            window = replace(window, start=newest)
        raise SourceError(f"it has no last page: {MOST_PAGES:,} pages were read; check `paginator`")

    def _by_token(self) -> Iterator[Step]:
        """An export that goes on where it stopped, as often as one asks."""
        request = self._request
        token = request.cursor.get("token") if request.resume and request.cursor else None
        wanted = wanted_of(self._stream, replace(request, cursor=None), 0, self._started)
        for page in pages(self._fetch, self._ask(wanted), self._stream.paginator, token):
            yield page.records, {"token": page.token} if page.token is not None else None

    def _of_parents(self, parent: str) -> Iterator[Step]:
        """For each record of the parent, the records that belong to it."""
        for parents, cursor in _Stream(self._source, parent, self._request, self._client).steps():
            children: list[Record] = []
            for record in parents:
                given = {name: value_at(name.removeprefix("parent."), record) for name in self._parent_names}
                for page in pages(self._fetch, self._ask(Wanted(None, None), given), self._stream.paginator):
                    children += [{**child, **given} for child in page.records]
            yield children, cursor

    def _ask(self, wanted: Wanted, given: Mapping[str, Any] | None = None) -> Ask:
        stream, zone = self._stream, self._request.zone
        values: dict[str, str | None] = {
            name: None if value is None else str(value) for name, value in (given or {}).items()
        }
        for name, position in (("from", wanted.start), ("to", wanted.end)):
            values[name] = None if position is None else written(position, stream.time_format, zone)
        path = _filled(stream.path, {name: quote(value, safe="") if value else value for name, value in values.items()})
        if path is None:
            raise SourceError(
                f"path {stream.path}: there is no value for all of its placeholders; set `cursor.initial`"
            )
        params = {name: _filled(text, values) for name, text in stream.params.items()}
        body = None
        if stream.method == "POST":
            body = {name: _body(value, values) for name, value in (stream.body or {}).items()}
            body = {name: value for name, value in body.items() if value is not _ABSENT}
        return Ask(path, params, body)

    def _fetch(self, ask: Ask) -> Page:
        stream = self._stream
        is_child = stream.parent is not None and stream.missing_is_empty
        answer = self._client.request(
            stream.method,
            ask.path,
            params=ask.params,
            body=ask.body,
            is_json=True,
            accepted=(404,) if is_child else (),
            shown=self._client.base_path + stream.path.lstrip("/"),
        )

        def next_link(link: str) -> str:
            return str(answer.url.join(link))

        if answer.status == 404:
            return Page({}, [], next_link, None)
        for path, accepted in stream.succeeds_when.items():
            value = _text(value_at(path, answer.content))
            if not _is_among(value, accepted):
                shown = f" ({value})" if _CODE.fullmatch(value) else ""
                raise SourceError(
                    f"the answer reports an error at {path}{shown}; look it up in the system's documentation"
                )
        return Page(answer.content, _records(stream, answer.content), next_link, answer.next_link)


_ABSENT = object()


def _check_order(positions: Sequence[Position], cursor: Cursor) -> None:
    """Going on at the latest position is right only where nothing older follows it."""
    if any(after < before for before, after in pairwise(positions)):  # type: ignore[operator]
        raise SourceError(
            f"its records aren't in the order of {cursor.field}, oldest first; have the system sort them so"
            " (a parameter under `params`), or choose another paginator and leave `oldest_first` out"
        )


def _records(stream: RestStream, content: Any) -> list[Record]:
    """The list of records. Raises :class:`SourceError` where the answer isn't as configured."""
    found = find(stream.records, content)
    if len(found) == 1 and (isinstance(found[0], list) or found[0] is None):
        records = found[0] or []
    elif found and not is_simple(stream.records):
        records = found
    else:
        place = f"at `records: {stream.records}`" if stream.records else "(set `records` to the path of the list)"
        keys = [name for name in content if _NAME.fullmatch(name)] if isinstance(content, dict) else []
        raise SourceError(f"the answer has no list {place}; its fields: {', '.join(keys[:20]) or 'none'}")
    if any(not isinstance(record, dict) for record in records):
        raise SourceError(f"the records at `{stream.records or '(answer)'}` are no objects; correct `records`")
    return records


def _is_among(value: str, accepted: str | list[str]) -> bool:
    return value in ([accepted] if isinstance(accepted, str) else accepted)


def _filled(text: str, values: Mapping[str, str | None]) -> str | None:
    """The text with its placeholders and environment variables filled in; None where a placeholder has no value."""
    pieces: list[str] = []
    for index, piece in enumerate(PLACEHOLDER.split(text)):
        # Only what the sources file says may name variables: a value that came from a system stays as it is.
        value = values.get(piece) if index % 2 else resolved(piece, "path, params or body")
        if value is None:
            return None
        pieces.append(value)
    return "".join(pieces)


def _body(value: Any, values: Mapping[str, str | None]) -> Any:
    """A part of the body; text that reads as a JSON number, true, false or null is one, for YAML keeps no types."""
    if isinstance(value, dict):
        filled = {name: _body(item, values) for name, item in value.items()}
        return {name: item for name, item in filled.items() if item is not _ABSENT}
    if isinstance(value, list):
        return [item for item in (_body(item, values) for item in value) if item is not _ABSENT]
    text = _filled(value, values)
    return _ABSENT if text is None else _literal(text)


def _literal(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, dict | list) else value


def _text(value: Any) -> str:
    return str(text_of(value)) if value is not None else ""
