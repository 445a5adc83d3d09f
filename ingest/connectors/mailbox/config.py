"""Configuration of sources that are mailboxes that customers write to (IMAP)."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ingest.configuration import StreamSource, expand
from ingest.connectors.http_config import OAuthClientCredentials, OAuthRefreshToken, Secret

STREAM = "mails"
# What kinds of mail there are besides a person's letter; only letters are loaded by the default tables.
MAIL_KINDS = ("letter", "auto_reply", "bounce", "list")

_LETTERS = {"mail_kind": "letter"}
DEFAULT_TABLES: tuple[dict[str, Any], ...] = (
    {
        # Each letter of a thread offers itself as its ticket; the version is such that the earliest wins.
        "stream": STREAM, "entity": "tickets", "where": _LETTERS, "constants": {"channel": "email"},
        "columns": {"created_at": "sent_at"}, "changed_at": "earlier_is_later",
    },
    {
        "stream": STREAM, "entity": "messages", "where": _LETTERS,
        "columns": {"author_ref": "author", "author_role": "role"},
    },
    {
        "stream": STREAM, "entity": "identifiers", "where": _LETTERS | {"has_customer": "true"},
        "columns": {"identifier": "customer_ref", "seen_at": "sent_at"}, "constants": {"identifier_kind": "email"},
    },
)  # fmt: skip


class MailboxSource(StreamSource):
    """A mailbox that customers write to; its one stream is ``mails``."""

    kind: Literal["mailbox"]
    host: str = Field(min_length=1)
    port: int | None = Field(None, ge=1, le=65535, description="default: 993 with tls, else 143")
    security: Literal["tls", "starttls", "plain"] = Field("tls", description="plain: on this machine only")
    user: str = Field(min_length=1)
    password: Secret | None = Field(None, description="${NAME}; of 163, QQ and others: the authorisation code 授权码")
    auth: OAuthClientCredentials | OAuthRefreshToken | None = Field(
        None, discriminator="kind", description="OAuth 2.0 instead of a password"
    )
    folders: list[str] = Field(["INBOX"], min_length=1, description="add the folder of sent mail for the answers")
    own: list[str] = Field(min_length=1, description="the company's addresses, or @domain for all of a domain")
    ticket_token: str = Field(r"\[#([A-Za-z0-9-]+)\]", description="regular expression of a ticket's mark in subjects")
    largest_mail_mb: float = Field(20, gt=0, description="of larger mails only the beginning is read")
    timeout_seconds: float = Field(60, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _default_tables(cls, data: Any) -> Any:
        return data | {"tables": list(DEFAULT_TABLES)} if isinstance(data, dict) and not data.get("tables") else data

    @field_validator("own")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        for address in value:
            if "@" not in address or address.endswith("@"):
                raise ValueError(f"own: {address!r} is neither an address nor a @domain")
        return [address.strip().casefold() for address in value]

    @field_validator("ticket_token")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"ticket_token is no regular expression: {error}") from error
        if groups != 1:
            raise ValueError("ticket_token needs exactly one group ( ) around the ticket's number")
        return value

    @model_validator(mode="after")
    def _safe(self) -> MailboxSource:
        if (self.password is None) == (self.auth is None):
            raise ValueError("give either `password` or `auth`")
        if self.security == "plain" and not _is_loopback(expand(self.host)):
            raise ValueError("security: plain would send the password readable; use tls or starttls")
        for table in self.tables:
            if table.stream != STREAM:
                raise ValueError(f"there is no stream {table.stream!r}; a mailbox has one: {STREAM}")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
