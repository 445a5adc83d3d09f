"""One signed-in connection to an IMAP server: read only, reconnecting where the line breaks."""

from __future__ import annotations

import imaplib
import logging
import re
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError

from ingest.connectors.http import HttpClient
from ingest.connectors.http_config import HttpOptions, resolved
from ingest.connectors.mailbox.config import MailboxSource
from ingest.errors import SourceError

log = logging.getLogger(__name__)

_ATTEMPTS = 4
_FIRST_WAIT_SECONDS = 1.0
_BATCH_BYTES = 16 * 1024 * 1024
_BATCH_MAILS = 100
_BEGINNING_BYTES = 256 * 1024
_T = TypeVar("_T")


@dataclass(frozen=True)
class RawMail:
    """A mail as the server keeps it; ``received_at`` is aware."""

    uid: int
    received_at: datetime
    content: bytes


class Session:
    """A connection; use it in a ``with``. Nothing is marked as read, moved or deleted."""

    def __init__(self, source: MailboxSource) -> None:
        self._source = source
        self._box: BaseMailBox | None = None
        self._folder: str | None = None
        self._validity = 0

    def __enter__(self) -> Self:
        self._patiently(self._connected)
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def open_folder(self, folder: str) -> int:
        """Turn to a folder; its UIDVALIDITY. Raises :class:`SourceError` where there is no such folder."""
        return self._patiently(lambda: self._select(folder))

    def search(self, folder: str, *criteria: str) -> list[int]:
        """Sorted UIDs of the folder's mails that meet the criteria (RFC 3501, ASCII)."""

        def ask() -> list[int]:
            self._select(folder)
            answer = self._command("SEARCH", *criteria)
            return sorted(int(uid) for line in answer if isinstance(line, bytes) for uid in line.split())

        return self._patiently(ask)

    def mails(self, folder: str, uids: Sequence[int]) -> Iterator[RawMail]:
        """The mails in the order of ``uids``; only the beginning of too large ones; gone ones are missing."""
        limit = int(self._source.largest_mail_mb * 1024 * 1024)
        for start in range(0, len(uids), _BATCH_MAILS):
            sizes = self._sizes(folder, uids[start : start + _BATCH_MAILS])
            batch: list[int] = []
            filled = 0
            for uid in uids[start : start + _BATCH_MAILS]:
                if uid not in sizes:
                    continue
                if sizes[uid] > limit:
                    yield from self._fetch(folder, batch, "BODY.PEEK[]")
                    batch, filled = [], 0
                    yield from self._fetch(folder, [uid], f"BODY.PEEK[]<0.{_BEGINNING_BYTES}>")
                    continue
                if batch and filled + sizes[uid] > _BATCH_BYTES:
                    yield from self._fetch(folder, batch, "BODY.PEEK[]")
                    batch, filled = [], 0
                batch.append(uid)
                filled += sizes[uid]
            yield from self._fetch(folder, batch, "BODY.PEEK[]")

    def headers(self, folder: str, uid: int) -> RawMail | None:
        """Only what tells a mail's place in its thread; None where the mail is gone."""
        part = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID IN-REPLY-TO REFERENCES)]"
        return next(iter(self._fetch(folder, [uid], part)), None)

    # one command

    def _sizes(self, folder: str, uids: Sequence[int]) -> dict[int, int]:
        def ask() -> dict[int, int]:
            self._select(folder)
            sizes = {}
            for item in self._command("FETCH", ",".join(map(str, uids)), "(UID RFC822.SIZE)"):
                text = _meta(item)
                uid, size = re.search(rb"UID (\d+)", text), re.search(rb"RFC822\.SIZE (\d+)", text)
                if uid and size:
                    sizes[int(uid[1])] = int(size[1])
            return sizes

        return self._patiently(ask) if uids else {}

    def _fetch(self, folder: str, uids: Sequence[int], part: str) -> list[RawMail]:
        def ask() -> list[RawMail]:
            self._select(folder)
            return list(_mails_of(self._command("FETCH", ",".join(map(str, uids)), f"(UID INTERNALDATE {part})")))

        return sorted(self._patiently(ask), key=lambda mail: mail.uid) if uids else []

    def _command(self, name: str, *arguments: str) -> list[Any]:
        kind, answer = self._connected().client.uid(name, *arguments)
        if kind != "OK":
            raise self._error(f"the server refused {name}", "look into the server's log, or try later")
        return list(answer)

    def _select(self, folder: str) -> int:
        box = self._connected()
        if self._folder != folder:
            try:
                box.folder.set(folder, readonly=True)
            except MailboxFolderSelectError:
                known = ", ".join(info.name for info in box.folder.list())
                raise self._error(f"there is no folder {folder!r}", f"correct `folders`; there are: {known}") from None
            validity = box.client.response("UIDVALIDITY")[1]
            self._validity = int(validity[0]) if validity and validity[0] else 0
            self._folder = folder
        return self._validity

    # the connection

    def _patiently(self, ask: Callable[[], _T]) -> _T:
        """Ask, and ask again over a new connection where the line broke."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return ask()
            except ssl.SSLCertVerificationError as error:
                self._drop()
                raise self._error(
                    f"its certificate can't be trusted ({error.verify_message})",
                    "check `host`; for a company's own authority set SSL_CERT_FILE to its certificate",
                ) from None
            except (imaplib.IMAP4.abort, OSError) as error:
                self._drop()
                if attempt == _ATTEMPTS:
                    raise self._error(
                        f"no connection ({type(error).__name__}), {_ATTEMPTS} times", "check `host`, `port`, `security`"
                    ) from None
                log.info(
                    "source %s: the connection broke (%s); connecting again", self._source.name, type(error).__name__
                )
                time.sleep(_FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
            except (imaplib.IMAP4.error, ImapToolsError) as error:
                # The server's own words may quote what was sent.
                self._drop()
                raise self._error(
                    f"the server refused ({type(error).__name__})", "look into the server's log"
                ) from None
        raise AssertionError("unreachable")

    def _connected(self) -> BaseMailBox:
        if self._box is None:
            box = self._new_box()
            try:
                self._sign_in(box)
            except (MailboxLoginError, imaplib.IMAP4.error) as error:
                box.client.shutdown()
                if isinstance(error, imaplib.IMAP4.abort):
                    raise
                remedy = (
                    "check `user` and `password`; many providers want an authorisation code (授权码) and IMAP enabled"
                )
                raise self._error("it doesn't accept the credentials", remedy) from None
            self._box = box
        return self._box

    def _new_box(self) -> BaseMailBox:
        source = self._source
        host = resolved(source.host, f"source {source.name}: host")
        seconds = source.timeout_seconds
        if source.security == "tls":
            return MailBox(host, source.port or 993, seconds, ssl_context=ssl.create_default_context())
        if source.security == "starttls":
            return MailBoxStartTls(host, source.port or 143, seconds, ssl_context=ssl.create_default_context())
        return MailBoxUnencrypted(host, source.port or 143, seconds)

    def _sign_in(self, box: BaseMailBox) -> None:
        source = self._source
        key = f"source {source.name}"
        user = resolved(source.user, f"{key}: user")
        if source.auth is not None:
            box.xoauth2(user, access_token(source), initial_folder=None)
        elif (password := resolved(source.password or "", f"{key}: password")).isascii() and user.isascii():
            box.login(user, password, initial_folder=None)
        else:
            box.login_utf8(user, password, initial_folder=None)
        if "ID" in box.client.capabilities:
            # 163 and its sisters refuse to open a folder to a client that hasn't said what it is (RFC 2971).
            box.client.xatom("ID", '("name" "huiyin" "vendor" "huiyin")')

    def _drop(self) -> None:
        box, self._box, self._folder = self._box, None, None
        if box is not None:
            try:
                box.logout()
            except (imaplib.IMAP4.error, ImapToolsError, OSError):
                box.client.shutdown()

    def _error(self, reason: str, remedy: str) -> SourceError:
        source = self._source
        return SourceError(f"source {source.name}: mailbox {source.host}: {reason}; {remedy}")


def access_token(source: MailboxSource) -> str:
    """A fresh OAuth 2.0 token. Raises :class:`SourceError`."""
    assert source.auth is not None
    options = HttpOptions.model_validate({"timeout_seconds": source.timeout_seconds})
    with HttpClient(source.name, source.auth.token_url, auth=source.auth, options=options) as client:
        return client.token()


def _meta(item: Any) -> bytes:
    return bytes(item[0]) if isinstance(item, tuple) else bytes(item or b"")


def _mails_of(answer: Sequence[Any]) -> Iterator[RawMail]:
    """Mails from imaplib's answer: a tuple ends with the literal, what follows it belongs to it."""
    for index, item in enumerate(answer):
        if not isinstance(item, tuple):
            continue
        after = answer[index + 1] if index + 1 < len(answer) and isinstance(answer[index + 1], bytes) else b""
        meta = bytes(item[0]) + b" " + after
        uid = re.search(rb"UID (\d+)", meta)
        if uid:
            yield RawMail(int(uid[1]), _internal_date(meta), bytes(item[1]))


def _internal_date(meta: bytes) -> datetime:
    found = re.search(rb'INTERNALDATE "([^"]+)"', meta)
    try:
        return datetime.strptime(found[1].decode().strip() if found else "", "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)
