"""Read a Zendesk account stream by stream, from where the last load stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ingest.connectors.base import Request
from ingest.connectors.delivery import Delivery, delivery_of_records
from ingest.connectors.http import HttpClient
from ingest.connectors.zendesk.api import NOT_IN_THIS_PLAN, Api, Page
from ingest.connectors.zendesk.config import ZendeskSource
from ingest.connectors.zendesk.records import (
    Record,
    epoch,
    event_records,
    holiday_record,
    items,
    schedule_records,
    survey_record,
    text,
    ticket_record,
    user_records,
)
from ingest.errors import SourceError

Cursor = Mapping[str, Any]
_NEVER = 2**62


@dataclass(frozen=True)
class _Span:
    """Seconds since 1970 that are wanted: from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int


def read_stream(source: ZendeskSource, stream: str, request: Request) -> Iterator[Delivery]:
    """The stream's records in the order of their last change, a page of the interface each delivery.

    Cursors tell Zendesk's own cursor while an export isn't finished, and the instant of the newest record, so that
    neither an expired cursor nor a clock that goes wrong here loses anything. Raises :class:`SourceError`.
    """
    with _client(source) as client:
        number = 1
        for records, cursor in _STREAMS[stream](Api(client, source), source, request):
            delivered_at = client.server_now().replace(tzinfo=None)
            kept = {**cursor, "rules": source.rules_fingerprint} if request.resume and cursor is not None else None
            yield delivery_of_records(stream, records, delivered_at, first_number=number, cursor=kept)
            number += len(records)


def check(source: ZendeskSource, folder: Path) -> str:
    """Sign in and count the tickets. Raises :class:`SourceError`."""
    with _client(source) as client:
        api = Api(client, source)
        role = api.signed_in_role()
        if role != "admin":
            raise SourceError(
                f"source {source.name}: the credentials belong to {role or 'nobody'}, but only an administrator may"
                " export; use an administrator's API token"
            )
        return f"signed in at {source.address} as an administrator; {api.ticket_count()} tickets"


def _client(source: ZendeskSource) -> HttpClient:
    return HttpClient(source.name, source.address, auth=source.authentication, options=source)


# Records and the cursor behind them; None for lists that are always read in full.
Read = Iterator[tuple[list[dict[str, Any]], Cursor | None]]


def _tickets(api: Api, source: ZendeskSource, request: Request) -> Read:
    lookups = api.lookups("fields", "schedules")

    def shaped(ticket: Record) -> Iterator[dict[str, Any]]:
        is_merged = source.merged_tag in items(ticket.get("tags"))
        merged_into = api.merged_into(text(ticket.get("id"))) if is_merged else None
        yield ticket_record(ticket, source, lookups, merged_into)

    return _cursor_export(api, source, request, "tickets", "generated_timestamp", shaped)


def _users(api: Api, source: ZendeskSource, request: Request) -> Read:
    lookups = api.lookups("groups", "organizations")

    def shaped(user: Record) -> Iterator[dict[str, Any]]:
        return user_records(user, source, lookups)

    known_until: int | None = _before(source, request).get("organizations_at")
    cursor: Cursor = {}
    for records, cursor in _cursor_export(api, source, request, "users", "updated_at", shaped):
        cursor = {**cursor, "organizations_at": known_until}
        yield records, cursor
    # A changed organization may change the tier of users who themselves haven't changed.
    changed_at = {number: _moment(record, "updated_at") for number, record in lookups.organizations.items()}
    for number, moment in changed_at.items():
        if known_until is not None and moment > known_until:
            for page in api.users_of(number):
                yield [record for user in page for record in shaped(user)], cursor
    yield [], {**cursor, "organizations_at": max(changed_at.values(), default=known_until or 0)}


def _cursor_export(
    api: Api,
    source: ZendeskSource,
    request: Request,
    resource: str,
    stamp: str,
    shaped: Callable[[Record], Iterable[dict[str, Any]]],
) -> Iterator[tuple[list[dict[str, Any]], Cursor]]:
    before = _before(source, request)
    span = _span(source, request, timedelta(minutes=source.overlap_minutes))
    position: int = before.get("position", span.start)
    for page in api.cursor_export(resource, span.start, before.get("after")):
        wanted, is_past = _wanted(page, span, stamp)
        position = max([position, *(moment for _, moment in wanted)])
        yield (
            [record for raw, _ in wanted for record in shaped(raw)],
            {"after": None if page.is_last or is_past else page.after, "position": position},
        )
        if is_past:
            return


def _ticket_events(api: Api, source: ZendeskSource, request: Request) -> Read:
    lookups = api.lookups("groups", "staff", "fields", "schedules")
    span = _span(source, request, timedelta(minutes=source.overlap_minutes))
    position: int = _before(source, request).get("position", span.start)
    for page in api.time_export("ticket_events", span.start, include="comment_events"):
        wanted, is_past = _wanted(page, span, "created_at")
        position = max(position, min(page.end_time or 0, span.stop))
        yield [record for raw, _ in wanted for record in event_records(raw, source, lookups)], {"position": position}
        if is_past:
            return


def _wanted(page: Page, span: _Span, stamp: str) -> tuple[list[tuple[Record, int]], bool]:
    """The page's records before the end of the span with their instants, and whether the export is past it."""
    moments = [(record, _moment(record, stamp)) for record in page.records]
    kept = [(record, moment) for record, moment in moments if moment < span.stop]
    return kept, len(kept) < len(moments)


def _moment(record: Record, stamp: str) -> int:
    for name in (stamp, "timestamp", "updated_at"):
        if (moment := epoch(record.get(name))) is not None:
            return moment
    return 0


def _satisfaction_ratings(api: Api, source: ZendeskSource, request: Request) -> Read:
    path, key = "api/v2/satisfaction_ratings.json", "satisfaction_ratings"
    return _offers(source, request, lambda start: api.listing(path, key, start_time=start))


def _survey_responses(api: Api, source: ZendeskSource, request: Request) -> Read:
    path, key = "api/v2/guide/survey_responses", "survey_responses"

    def pages(start: int) -> Iterator[list[Record]]:
        for page in api.listing(path, key, NOT_IN_THIS_PLAN, **{"filter[created_at_start]": start}):
            yield [survey_record(response) for response in page]

    return _offers(source, request, pages)


def _offers(source: ZendeskSource, request: Request, pages: Callable[[int], Iterator[list[Record]]]) -> Read:
    """Ratings are offered first and given later: those offered lately are read again. ``pages`` begins at an instant.

    The lists aren't sorted by change: until all of one is in, nothing is known to be complete.
    """
    lookback = max(timedelta(days=source.ratings_overlap_days), timedelta(minutes=source.overlap_minutes))
    span = _span(source, request, lookback)
    start = max(0, span.start if request.resume else span.start - int(lookback.total_seconds()))
    before: int = _before(source, request).get("position", span.start)
    position = before
    waiting: list[dict[str, Any]] = []
    for page in pages(start):
        yield waiting, {"position": before}
        waiting = []
        for record in page:
            moment = _moment(record, "updated_at")
            if moment < span.stop and (request.resume or moment >= span.start):
                position = max(position, moment)
                waiting.append(dict(record))
    yield waiting, {"position": position}


def _schedules(api: Api, source: ZendeskSource, request: Request) -> Read:
    yield [window for schedule in api.schedules() for window in schedule_records(schedule, source)], None


def _schedule_holidays(api: Api, source: ZendeskSource, request: Request) -> Read:
    numbers = [text(schedule["id"]) for schedule in api.schedules()]
    yield [holiday_record(holiday, number) for number in numbers for holiday in api.holidays(number)], None


def _before(source: ZendeskSource, request: Request) -> Cursor:
    """Where the last load stopped; nothing where it read by other rules, for then its rows differ."""
    cursor = request.cursor if request.resume else None
    return cursor if cursor is not None and cursor.get("rules") == source.rules_fingerprint else {}


def _span(source: ZendeskSource, request: Request, overlap: timedelta) -> _Span:
    before = _before(source, request)
    if before:
        return _Span(max(0, before["position"] - int(overlap.total_seconds())), _NEVER)
    first = request.interval.from_on or (source.start_on if request.resume else None)
    last = request.interval.to_on
    return _Span(_midnight(first, request.zone) if first else 0, _midnight(last, request.zone) if last else _NEVER)


def _midnight(day: date, zone: str) -> int:
    return int(datetime.combine(day, time(), ZoneInfo(zone)).timestamp())


_STREAMS: Mapping[str, Callable[[Api, ZendeskSource, Request], Read]] = {
    "tickets": _tickets,
    "ticket_events": _ticket_events,
    "users": _users,
    "satisfaction_ratings": _satisfaction_ratings,
    "survey_responses": _survey_responses,
    "schedules": _schedules,
    "schedule_holidays": _schedule_holidays,
}
