"""Configuration of sources that are mailboxes that customers write to (IMAP)."""

from __future__ import annotations

from typing import Literal

from ingest.configuration import StreamSource


class MailboxSource(StreamSource):
    """Mailboxes that customers write to (IMAP)."""

    kind: Literal["mailbox"]
