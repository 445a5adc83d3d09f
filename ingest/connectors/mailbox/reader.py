"""Read new mails of a mailbox, folder by folder, from the UID where the last load stopped (RFC 3501).

A UID is never given twice while UIDVALIDITY stays, and new mails have higher ones. When UIDVALIDITY changes, the
folder is read anew: mails are known by their Message-ID, so nothing doubles. Mails that were moved or deleted since
stay loaded: a customer's complaint doesn't end when somebody tidies the mailbox.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ingest.connectors.base import Request
from ingest.connectors.delivery import Delivery, delivery_of_records, utc_now
from ingest.connectors.mailbox.config import MAIL_KINDS, MailboxSource
from ingest.connectors.mailbox.letters import read_letter
from ingest.connectors.mailbox.session import RawMail, Session
from ingest.connectors.mailbox.threads import Threads

log = logging.getLogger(__name__)

_MAILS_PER_DELIVERY = 500
# English month names, whatever the locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def read_stream(source: MailboxSource, stream: str, request: Request) -> Iterator[Delivery]:
    """The mails that came since the cursor, or those that arrived on the interval's days."""
    places: dict[str, Any] = dict((request.cursor or {}).get("folders", {})) if request.resume else {}
    skipped: Counter[str] = Counter()
    with Session(source) as session:
        threads = Threads(session, source.folders, source.ticket_token)
        for folder in source.folders:
            validity = session.open_folder(folder)
            uids, last = _wanted(session, folder, validity, places.get(folder), request)
            pending: list[dict[str, str | None]] = []
            number = 0
            for mail in session.mails(folder, uids):
                last = max(last, mail.uid)
                number += 1
                if request.resume or _is_wanted(mail, request):
                    letter = read_letter(mail.uid, mail.content, mail.received_at, source.own)
                    skipped[str(letter.record["mail_kind"])] += 1
                    pending.append({**letter.record, "ticket_id": threads.ticket_of(letter)})
                if len(pending) >= _MAILS_PER_DELIVERY:
                    places[folder] = {"validity": validity, "uid": last}
                    yield _delivery(folder, pending, number, places, request)
                    pending = []
            places[folder] = {"validity": validity, "uid": last}
            if pending:
                yield _delivery(folder, pending, number, places, request)
    others = {kind: number for kind, number in skipped.items() if kind != MAIL_KINDS[0]}
    if others:
        named = ", ".join(f"{number} {kind}" for kind, number in sorted(others.items()))
        log.info("source %s: mails that are no letters: %s", source.name, named)


def check(source: MailboxSource, folder: Path) -> str:
    """Sign in and count. Raises :class:`SourceError`."""
    with Session(source) as session:
        counts = [f"{name} {len(session.search(name, 'ALL'))}" for name in source.folders]
    return f"signed in; mails: {', '.join(counts)}"


def _delivery(
    folder: str, records: list[dict[str, str | None]], last: int, places: dict[str, Any], request: Request
) -> Delivery:
    cursor = {"folders": {name: dict(place) for name, place in places.items()}} if request.resume else None
    first = last - len(records) + 1
    return delivery_of_records(f"mails {folder}", records, utc_now(), first_number=first, cursor=cursor)


def _wanted(session: Session, folder: str, validity: int, place: Any, request: Request) -> tuple[list[int], int]:
    """UIDs to read, and the highest one that was read before."""
    last = int(place["uid"]) if place and place.get("validity") == validity else 0
    if request.resume and last:
        # "n:*" always names the newest mail, also when its number is below n.
        return [uid for uid in session.search(folder, "UID", f"{last + 1}:*") if uid > last], last
    criteria = []
    if request.interval.from_on is not None and not place:
        # Servers count days in their own zone; a day more on both sides, and the clock decides.
        criteria += ["SINCE", _imap_day(request.interval.from_on - timedelta(days=1))]
    if request.interval.to_on is not None and not request.resume:
        criteria += ["BEFORE", _imap_day(request.interval.to_on + timedelta(days=1))]
    uids = session.search(folder, *(criteria or ["ALL"]))
    if criteria and request.resume:  # what is older counts as read
        last = uids[0] - 1 if uids else max(session.search(folder, "ALL"), default=0)
    return uids, last


def _is_wanted(mail: RawMail, request: Request) -> bool:
    day = mail.received_at.astimezone(ZoneInfo(request.zone)).date()
    start, end = request.interval.from_on, request.interval.to_on
    return (start is None or start <= day) and (end is None or day < end)


def _imap_day(day: date) -> str:
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"
