"""Read feeds: what is new since the last time, by conditional requests (RFC 9110, ETag and Last-Modified).

A feed shows only its newest entries, so all that it shows is handed over each time (the loader finds what changed),
and the reader tells when entries may have come and gone between two loads.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from ingest.connectors.base import Request
from ingest.connectors.delivery import Delivery, delivery_of_records, utc_now
from ingest.connectors.digest import digest
from ingest.connectors.http import Answer, HttpClient
from ingest.connectors.http_config import resolved
from ingest.connectors.social.config import SocialSource
from ingest.connectors.social.entries import Record, read_page

log = logging.getLogger(__name__)

_ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json, application/json;q=0.9, */*;q=0.5"
_REMEMBERED = 2_000


def read_stream(source: SocialSource, stream: str, request: Request) -> Iterator[Delivery]:
    """What the feed shows, oldest first. See the module."""
    feed = source.feeds[stream]
    url = resolved(feed.url, f"source {source.name}: feed {stream}: url")
    before = _state(request, url)
    seen = set(before.get("seen", ()))
    found: list[Record] = []
    notes: list[str] = []
    fetched_at = utc_now()
    validators: dict[str, str] = {}
    with _client(source, url) as client:
        headers = _conditions(before) if request.resume else {}
        address: str | None = url
        visited: set[str] = set()
        while address is not None and address not in visited and len(visited) < feed.pages:
            visited.add(address)
            answer = _get(client, source, stream, address, headers)
            if answer.status == 304:
                log.info("source %s: feed %s hasn't changed", source.name, stream)
                return
            if len(visited) == 1:
                validators, headers = _validators(answer), {}
            page = read_page(answer.body, answer.headers.get("content-type", ""), address, stream, feed)
            notes += page.notes
            found += page.entries
            if request.resume and page.entries and all(digest(entry["id"]) in seen for entry in page.entries):
                break  # everything older was shown before
            address = page.next_url
    if request.resume:
        notes += _gap(stream, found, before, request.zone)
    else:
        found = [entry for entry in found if _is_wanted(entry, request)]
    if not found:
        return
    cursor = None
    if request.resume:
        shown = list(dict.fromkeys(digest(entry["id"]) for entry in found))[:_REMEMBERED]
        newest = max((instant for entry in found if (instant := _utc(entry, request.zone))), default=None)
        cursor = {"url": digest(url), "seen": shown, "newest": newest and newest.isoformat(), **validators}
    # Feeds begin with the newest; of two versions of an entry in one feed the upper one is to win.
    delivery = delivery_of_records(f"feed {stream}", found[::-1], fetched_at, cursor=cursor)
    yield replace(delivery, notes=tuple(notes))


def check(source: SocialSource, folder: Path) -> str:
    """Fetch the first page of every feed. Raises :class:`SourceError`."""
    counts = []
    for name, feed in source.feeds.items():
        url = resolved(feed.url, f"source {source.name}: feed {name}: url")
        with _client(source, url) as client:
            answer = _get(client, source, name, url, {})
        page = read_page(answer.body, answer.headers.get("content-type", ""), url, name, feed)
        counts.append(f"{name} {len(page.entries)}")
    return f"{len(counts)} feed(s), entries shown: {', '.join(counts)}"


def _client(source: SocialSource, url: str) -> HttpClient:
    parts = urlsplit(url)
    return HttpClient(
        source.name, f"{parts.scheme}://{parts.netloc}", auth=source.auth, headers=source.headers, options=source
    )


def _get(client: HttpClient, source: SocialSource, stream: str, address: str, headers: Mapping[str, str]) -> Answer:
    return client.request(
        "GET", address, headers={"Accept": _ACCEPT, **headers}, accepted=frozenset({304}),
        # Feeds often redirect to another host; whoever signs in stays where he signed in.
        with_credentials=bool(source.auth or source.headers), shown=f" (feed {stream})",
    )  # fmt: skip


def _state(request: Request, url: str) -> Mapping[str, Any]:
    """What the last load left, unless the feed has moved since: other addresses have other tags."""
    if not request.resume or not request.cursor or request.cursor.get("url") != digest(url):
        return {}
    return request.cursor


def _conditions(before: Mapping[str, Any]) -> dict[str, str]:
    names = {"etag": "If-None-Match", "last_modified": "If-Modified-Since"}
    return {header: str(before[key]) for key, header in names.items() if before.get(key)}


def _validators(answer: Answer) -> dict[str, str]:
    names = {"etag": "etag", "last_modified": "last-modified"}
    return {key: answer.headers[header] for key, header in names.items() if header in answer.headers}


def _gap(stream: str, found: list[Record], before: Mapping[str, Any], zone: str) -> Iterator[str]:
    """Nothing of the last fetch is shown any more, and all is newer: there may have been entries in between."""
    seen = set(before.get("seen", ()))
    if not seen or not found or any(digest(entry["id"]) in seen for entry in found):
        return
    instants = [instant for entry in found if (instant := _utc(entry, zone))]
    newest_before = before.get("newest")
    if newest_before and instants and min(instants) <= datetime.fromisoformat(newest_before):
        return  # the entries of last time were taken down
    yield (
        f"feed {stream} shows {len(found)} entries and none of the last time: entries may have been lost in between;"
        " load it more often, or raise its `pages`"
    )


def _is_wanted(entry: Record, request: Request) -> bool:
    """Whether the entry is of the interval; entries without a readable date are kept, the loader judges them."""
    instant = _utc(entry, request.zone)
    if instant is None:
        return True
    day = instant.astimezone(ZoneInfo(request.zone)).date()
    start, end = request.interval.from_on, request.interval.to_on
    return (start is None or start <= day) and (end is None or day < end)


def _utc(entry: Record, zone: str) -> datetime | None:
    """When the entry was published, aware; None where its date isn't ISO 8601 or seconds since 1970."""
    text = str(entry["published_at"] or "")
    try:
        instant = datetime.fromtimestamp(int(text) / (1000 if len(text) == 13 else 1), UTC) if text.isdigit() else (
            datetime.fromisoformat(text))  # fmt: skip
    except (ValueError, OverflowError, OSError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(zone))
