"""Read a 网易七鱼 account, day by day up to now."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.connectors.base import Request
from ingest.connectors.delivery import Delivery, delivery_of_records, utc_now
from ingest.connectors.json_path import is_simple, named_columns, with_paths
from ingest.connectors.qiyu.api import TOO_MUCH_DATA, QiyuApi, QiyuError
from ingest.connectors.qiyu.config import QiyuSource
from ingest.connectors.qiyu.export import exported, milliseconds
from ingest.connectors.qiyu.records import (
    Record,
    agent_record,
    log_records,
    message_record,
    session_records,
    ticket_records,
)
from ingest.connectors.rest.times import midnight
from ingest.errors import SourceError

log = logging.getLogger(__name__)

WINDOW = timedelta(days=1)
SMALLEST_WINDOW = timedelta(minutes=1)
RECORDS_PER_DELIVERY = 5_000
_REPEATS = 3
_FIRST_TEXTS = 5  # of a visitor: what a chat is about
_SEARCH, _LOG = "openapi/v2/ticket/search", "openapi/v2/ticket/log"
_SESSIONS = "openapi/export/session"
_STAFF, _GROUPS = "openapi/v2/staff/list", "openapi/v2/staff/group/list"


def read_stream(source: QiyuSource, stream: str, request: Request) -> Iterator[Delivery]:
    """The stream's records; see :class:`ingest.connectors.base.Reader`."""
    api = QiyuApi(source)
    paths = [name for name in named_columns(t for t in source.tables if t.stream == stream) if not is_simple(name)]
    with api.client:
        number = 1
        for records, end in _steps(api, source, stream, request):
            cursor = {"at": end.isoformat()} if request.resume and end is not None else None
            for start in range(0, max(len(records), 1), RECORDS_PER_DELIVERY):
                part = records[start : start + RECORDS_PER_DELIVERY]
                is_last = start + RECORDS_PER_DELIVERY >= len(records)
                yield delivery_of_records(
                    stream, with_paths(part, paths), utc_now(), first_number=number, cursor=cursor if is_last else None
                )
                number += len(part)


def check(source: QiyuSource, folder: Path) -> str:
    """Sign in and count the agents."""
    api = QiyuApi(source.model_copy(update={"attempts": min(2, source.attempts)}))
    with api.client:
        agents = _agents(api)
        skew = f", its clock differs by {api.client.skew_seconds:+.0f} s" if api.client.skew_seconds else ""
        return f"signed in; {len(agents)} agent(s){skew}"


def _steps(
    api: QiyuApi, source: QiyuSource, stream: str, request: Request
) -> Iterator[tuple[Sequence[Record], datetime | None]]:
    """Records, and up to when everything is there."""
    if stream == "agents":
        yield _agents(api), None
        return
    for start, end in _windows(source, request, api.client.server_now().replace(tzinfo=None)):
        match stream:
            case "tickets":
                yield list(_tickets(api, source, start, end)), end
            case "sessions":
                yield list(_sessions(api, source, start, end)), end
            case _:
                assert source.customer_export is not None
                found = exported(api, source, source.customer_export.strip("/"), start, end)
                yield [{"customer": r.get("foreignId") or r.get("phone"), **r} for _, r in found], end


def _windows(source: QiyuSource, request: Request, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Spans of at most a day, oldest first; the last one ends now, by the server's clock."""
    interval, end = request.interval, now
    if request.resume and request.cursor:
        start = datetime.fromisoformat(request.cursor["at"]) - timedelta(minutes=source.overlap_minutes)
    elif request.resume:
        start = midnight(source.start_on, request.zone)
    else:
        start = midnight(interval.from_on or source.start_on, request.zone)
        end = now if interval.to_on is None else min(now, midnight(interval.to_on, request.zone))
    while start < end:
        until = min(start + WINDOW, end)
        yield start, until
        start = until


def _tickets(api: QiyuApi, source: QiyuSource, start: datetime, end: datetime) -> Iterator[Record]:
    for ticket in _searched(api, source, start, end):
        yield from ticket_records(ticket)
        if source.ticket_log:
            entries = api.call(_LOG, {"ticketId": ticket.get("id")})
            yield from log_records(str(ticket.get("id")), entries, source.statuses)


def _searched(api: QiyuApi, source: QiyuSource, start: datetime, end: datetime) -> list[Record]:
    """The tickets on which something was done in a span.

    Read page by page, they may move while being read: where fewer came than there were, one may have slipped through
    between two pages, so the span is read again, in the end in halves.
    """
    can_halve = end - start > SMALLEST_WINDOW
    try:
        for _ in range(_REPEATS):
            found, total = _search(api, source, start, end)
            if len(found) >= total:
                return found
        if not can_halve:
            log.warning("source %s: %d of %d tickets of a minute came, three times", source.name, len(found), total)
            return found
    except QiyuError as error:
        if error.code != TOO_MUCH_DATA or not can_halve:
            raise
    half = start + (end - start) / 2
    return [*_searched(api, source, start, half), *_searched(api, source, half, end)]


def _search(api: QiyuApi, source: QiyuSource, start: datetime, end: datetime) -> tuple[list[Record], int]:
    """All pages of a span, each ticket once, and the largest total that one of them named."""
    found: dict[Any, Record] = {}
    most = offset = 0
    while True:
        body = {
            "opStart": milliseconds(start), "opEnd": milliseconds(end) - 1, "sortBy": "ct", "order": "asc",
            "withCustomField": True, "limit": source.page_size, "offset": offset,
        }  # fmt: skip
        answer = api.call(_SEARCH, body)
        tickets = answer.get("tickets") if isinstance(answer, Mapping) else None
        if not isinstance(tickets, list):
            raise SourceError(f"source {source.name}: {_SEARCH}: the answer has no list of tickets")
        found |= {ticket.get("id"): ticket for ticket in tickets}
        most = max(most, int(answer.get("total") or 0))
        offset += len(tickets)
        if not tickets or offset >= most:
            return list(found.values()), most


def _sessions(api: QiyuApi, source: QiyuSource, start: datetime, end: datetime) -> Iterator[Record]:
    try:
        found = list(exported(api, source, _SESSIONS, start, end))
    except QiyuError as error:
        if error.code != TOO_MUCH_DATA or end - start <= SMALLEST_WINDOW:
            raise
        half = start + (end - start) / 2
        yield from _sessions(api, source, start, half)
        yield from _sessions(api, source, half, end)
        return
    sessions = {record.get("id"): record for name, record in found if name == "session"}
    visitors = {key: session.get("foreignId") or session.get("userId") for key, session in sessions.items()}
    texts: dict[Any, list[str]] = {}
    for name, record in found:
        if name != "message":
            continue
        message = message_record({"userId": visitors.get(record.get("sessionId")), **record})
        if message["author_role"] == "customer" and message["text"]:
            texts.setdefault(record.get("sessionId"), []).append(str(message["text"]))
        yield message
    for key, session in sessions.items():
        yield from session_records(session, texts.get(key, [])[:_FIRST_TEXTS])


def _agents(api: QiyuApi) -> list[Record]:
    groups: dict[Any, str] = {}
    for group in _list(api.call(_GROUPS, {"staff": True})):
        groups |= {agent: str(group.get("name")) for agent in group.get("staffIdList") or [] if agent not in groups}
    return [agent_record(agent, groups) for agent in _list(api.call(_STAFF, {}))]


def _list(content: Any) -> list[Record]:
    return [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []
