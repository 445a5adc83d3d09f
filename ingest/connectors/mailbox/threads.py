"""Which ticket a mail belongs to, found out anew each time from the mail and the mailbox, so that order doesn't matter.

By RFC 5322 the first of ``References`` is the thread's root. Mailers that send only ``In-Reply-To`` are followed from
mail to mail, and a ticket's mark in the subject (``[#4711]``) leads to the first mail that has it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.parser import BytesHeaderParser

from ingest.connectors.digest import digest
from ingest.connectors.mailbox.letters import Letter
from ingest.connectors.mailbox.session import RawMail, Session

_MESSAGE_ID = re.compile(r"<([^<>\s]+)>")
_LONGEST_CHAIN = 30


class Threads:
    """Finds tickets; remembers what it asked the server."""

    def __init__(self, session: Session, folders: Sequence[str], token: str) -> None:
        self._session = session
        self._folders = folders
        self._token = re.compile(token)
        self._root_of_token: dict[str, str] = {}
        self._root_of_id: dict[str, str] = {}

    def ticket_of(self, letter: Letter) -> str:
        """The permanent id of the letter's ticket."""
        marked = self._token.search(letter.subject)
        if marked and (root := self._by_token(marked[0])):
            return "mail_" + digest(root)
        if letter.references:
            return "mail_" + digest(letter.references[0])
        if letter.in_reply_to is not None:
            return "mail_" + digest(self._climb(letter.in_reply_to))
        return f"mail_{letter.own_id}"

    def _by_token(self, token: str) -> str:
        """The root of the oldest mail whose subject has the token; '' where the server finds none."""
        if token not in self._root_of_token:
            found: list[RawMail] = []
            if token.isascii():
                for folder in self._folders:
                    uids = self._session.search(folder, "SUBJECT", _quoted(token))
                    if uids and (mail := self._session.headers(folder, uids[0])) is not None:
                        found.append(mail)
            oldest = min(found, key=lambda mail: mail.received_at, default=None)
            self._root_of_token[token] = self._root_of(oldest, 0) if oldest else ""
        return self._root_of_token[token]

    def _climb(self, message_id: str, depth: int = 0) -> str:
        """The root of the thread of a mail that is known by its id only."""
        if message_id not in self._root_of_id:
            self._root_of_id[message_id] = message_id  # ends circles
            parent = self._find(message_id) if depth < _LONGEST_CHAIN else None
            if parent is not None:
                self._root_of_id[message_id] = self._root_of(parent, depth) or message_id
        return self._root_of_id[message_id]

    def _root_of(self, mail: RawMail, depth: int) -> str:
        headers = BytesHeaderParser().parsebytes(mail.content)
        for name in ("References", "In-Reply-To"):
            found = _MESSAGE_ID.findall(str(headers.get(name, "")))
            if found:
                return str(found[0]) if name == "References" else self._climb(found[0], depth + 1)
        found = _MESSAGE_ID.findall(str(headers.get("Message-ID", "")))
        return str(found[0]) if found else ""

    def _find(self, message_id: str) -> RawMail | None:
        if not message_id.isascii():
            return None
        for folder in self._folders:
            uids = self._session.search(folder, "HEADER", "Message-ID", _quoted(message_id))
            if uids:
                return self._session.headers(folder, uids[0])
        return None


def _quoted(text: str) -> str:
    return '"' + re.sub(r'([\\"])', r"\\\1", text) + '"'
