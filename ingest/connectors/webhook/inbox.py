"""The durable inbox: events that were acknowledged and wait to be loaded, masked, in one SQLite file.

An event is acknowledged only after its transaction is on the disk (write-ahead log, ``synchronous=FULL``). Events are
numbered in the order of their transactions, so a reader that remembers the last number misses none.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self
from uuid import uuid4

from huiyin.errors import HuiyinError
from ingest.connectors.webhook.config import INBOX
from ingest.errors import SourceError

_SCHEMA = """
create table if not exists about (inbox_id text not null);
create table if not exists mask_key (fingerprint text not null);
create table if not exists events (
    sequence integer primary key autoincrement,
    source text not null,
    event_key text not null,
    state text not null,
    content text not null,
    received_at text not null,
    unique (source, event_key)
);
"""
_BUSY_SECONDS = 20.0
_TEXTS = frozenset({"subject", "body", "text", "url"})


class KeySupersededError(HuiyinError):
    """What is masked with an old key can't be kept beside what is of the new one."""


@dataclass(frozen=True)
class Event:
    """One event. ``state``: accepted, ignored (no table takes it) or broken; ``content``: masked JSON."""

    sequence: int
    state: str
    content: str
    received_at: datetime


class NewEvent(Protocol):
    """What is to be kept of an event; ``event_key`` is the same for its retries."""

    @property
    def event_key(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def content(self) -> str: ...
    @property
    def received_at(self) -> datetime: ...


@dataclass(frozen=True)
class Receipt:
    """Where an event is kept, and whether it was there before."""

    sequence: int
    is_new: bool
    state: str


class Inbox:
    """The file, made where it isn't there. For several threads; close it, or use it in a ``with``."""

    def __init__(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = full")
            self._connection.executescript(_SCHEMA)
            self._connection.execute(
                "insert into about select ? where not exists (select 1 from about)", (uuid4().hex,)
            )
            self.inbox_id = str(self._connection.execute("select inbox_id from about").fetchone()[0])
        except (OSError, sqlite3.Error) as error:
            raise SourceError(f"the inbox {file} can't be used: {error}; make room, or set HUIYIN_VAR") from error
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def keep(self, source: str, events: Sequence[NewEvent], mask_key: str) -> list[Receipt]:
        """Keep events, all in one transaction; once it returns, for good. What is there already stays as it is.

        ``mask_key``: fingerprint of the key that they are masked with. Raises ``sqlite3.Error`` where they can't be
        kept, :class:`KeySupersededError` where the inbox was rewritten with another key meanwhile.
        """
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                known = self._connection.execute("select fingerprint from mask_key").fetchone()
                if known is None:
                    self._connection.execute("insert into mask_key values (?)", (mask_key,))
                elif known[0] != mask_key:
                    raise KeySupersededError("the mask key was superseded: restart `huiyin inbox`")
                receipts = [self._kept(source, event) for event in events]
                self._connection.execute("commit")
            except (sqlite3.Error, KeySupersededError):
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise
        return receipts

    def _kept(self, source: str, event: NewEvent) -> Receipt:
        kept = self._connection.execute(
            "insert into events (source, event_key, state, content, received_at) values (?, ?, ?, ?, ?)"
            " on conflict (source, event_key) do nothing returning sequence",
            (source, event.event_key, event.state, event.content, event.received_at.isoformat()),
        ).fetchall()
        if kept:
            return Receipt(int(kept[0][0]), True, event.state)
        found = self._connection.execute(
            "select sequence, state from events where source = ? and event_key = ?", (source, event.event_key)
        ).fetchone()
        return Receipt(int(found[0]), False, str(found[1]))

    def events(self, source: str, after: int, limit: int) -> list[Event]:
        """The source's next events after a number, in their order."""
        with self._lock:
            rows = self._connection.execute(
                "select sequence, state, content, received_at from events where source = ? and sequence > ?"
                " order by sequence limit ?",
                (source, after, limit),
            ).fetchall()
        return [Event(int(row[0]), str(row[1]), str(row[2]), datetime.fromisoformat(row[3])) for row in rows]

    def all_events(self, source: str, after: int, chunk: int) -> Iterator[list[Event]]:
        """All of the source's events after a number, chunk by chunk."""
        while events := self.events(source, after, chunk):
            yield events
            after = events[-1].sequence

    def remove(self, source: str, up_to: int, before: datetime) -> int:
        """Remove loaded events that were received before an instant; how many there were."""
        with self._lock:
            return self._connection.execute(
                "delete from events where source = ? and sequence <= ? and received_at < ?",
                (source, up_to, before.isoformat()),
            ).rowcount

    def erase_texts(self, voice_ids: Sequence[str]) -> int:
        """Take the texts out of the events of these voices (``ticket:<source>:<id>``, ``feedback:…``); how many rows.

        Twice is as once. What was deleted is overwritten in the file.
        """
        sources = {voice_id.split(":", 2)[1] for voice_id in voice_ids}
        ids = {
            kind: {v.split(":", 2)[2] for v in voice_ids if v.startswith(f"{kind}:")} for kind in ("ticket", "feedback")
        }
        erased = 0
        with self._lock:
            self._connection.execute("pragma secure_delete = on")
            for source in sources:
                found = self._connection.execute(
                    "select sequence, content from events where source = ?", (source,)
                ).fetchall()
                for sequence, content in found:
                    kept = json.loads(content)
                    rows = [
                        row
                        for row in kept.get("rows", ())
                        if row.get("ticket_id") in ids["ticket"] or row.get("feedback_id") in ids["feedback"]
                    ]
                    had = [row for row in rows if _TEXTS & set(row)]
                    for row in had:
                        for name in _TEXTS & set(row):
                            del row[name]
                    if had:
                        erased += len(had)
                        self._connection.execute(
                            "update events set content = ? where sequence = ?",
                            (json.dumps(kept, ensure_ascii=False), sequence),
                        )
            self._connection.execute("pragma wal_checkpoint(truncate)")
        return erased

    def count(self, source: str) -> tuple[int, str | None]:
        """How many of the source's events are kept, and when the last came (ISO 8601, UTC)."""
        with self._lock:
            row = self._connection.execute(
                "select count(*), max(received_at) from events where source = ?", (source,)
            ).fetchone()
        return int(row[0]), row[1]


def forget_events(folder: Path, voice_ids: Sequence[str]) -> int:
    """Take the texts of these voices out of the inbox in the run-time folder, if there is one; how many rows."""
    file = folder / INBOX
    if not voice_ids or not file.exists():
        return 0
    with Inbox(file) as inbox:
        return inbox.erase_texts(voice_ids)
