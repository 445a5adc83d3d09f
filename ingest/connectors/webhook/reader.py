"""Load what waits in the inbox, from the number where the last load stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa

from ingest.connectors.base import Request
from ingest.connectors.delivery import BrokenLine, Delivery, delivery_of_records, utc_now
from ingest.connectors.webhook.config import TABLE, WebhookSource
from ingest.connectors.webhook.inbox import Event, Inbox

_EVENTS_PER_CHUNK = 5_000
_REMEDY = "the sender must send JSON objects (UTF-8), where `records` says that they are"


def read_stream(source: WebhookSource, stream: str, request: Request) -> Iterator[Delivery]:
    """The events since the cursor, or those received on the interval's days, as far as they are still kept.

    What is in the warehouse for good and older than ``keep_days`` is removed from the inbox.
    """
    with Inbox(source.inbox) as inbox:
        after = 0
        if request.resume and request.cursor and request.cursor.get("inbox") == inbox.inbox_id:
            after = int(request.cursor["sequence"])
            inbox.remove(source.name, after, utc_now() - timedelta(days=source.keep_days))
        for events in inbox.all_events(source.name, after, _EVENTS_PER_CHUNK):
            wanted = events if request.resume else [event for event in events if _is_wanted(event, request)]
            deliveries = list(_deliveries(stream, wanted, len(source.tables)))
            if request.resume:
                cursor = {"inbox": inbox.inbox_id, "sequence": events[-1].sequence}
                last = deliveries.pop() if deliveries else delivery_of_records(stream, [], utc_now())
                deliveries.append(replace(last, cursor=cursor))
            yield from deliveries


def check(source: WebhookSource, folder: Path) -> str:
    """Open the inbox. Raises :class:`ingest.errors.SourceError`."""
    with Inbox(source.inbox) as inbox:
        number, last = inbox.count(source.name)
    return f"{number} event(s) in the inbox" + (
        f", the last of {last} UTC" if last else "; `huiyin inbox` receives them"
    )


def _deliveries(stream: str, events: list[Event], tables: int) -> Iterator[Delivery]:
    """One delivery a table; the number of an event is its rows' row number."""
    parsed = [(event, json.loads(event.content)) for event in events]
    for index in range(tables):
        rows = [
            (event.sequence, row)
            for event, content in parsed
            for row in content.get("rows", ())
            if row[TABLE] == str(index)
        ]
        if rows:
            delivery = delivery_of_records(stream, [row for _, row in rows], utc_now())
            yield replace(delivery, row_numbers=pa.array([number for number, _ in rows], pa.int64()))
    broken = [
        BrokenLine(event.sequence, "json", content["shape"], _REMEDY)
        for event, content in parsed
        if event.state == "broken"
    ]
    if broken:
        yield delivery_of_records(stream, [], utc_now(), broken=broken)


def _is_wanted(event: Event, request: Request) -> bool:
    day = event.received_at.replace(tzinfo=UTC).astimezone(ZoneInfo(request.zone)).date()
    start, end = request.interval.from_on, request.interval.to_on
    return (start is None or start <= day) and (end is None or day < end)
