"""From the bytes of a mail to a flat record, however its mailer wrote it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from quopri import decodestring

from ingest.connectors.charsets import decoded_text
from ingest.connectors.digest import digest
from ingest.connectors.html_text import html_to_text, tidy
from ingest.connectors.mailbox.quoting import own_words

_ENCODED_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")
_ENCODED_RUN = re.compile(r"=\?[^?\s]+\?[bBqQ]\?[^?]*\?=(?:\s*=\?[^?\s]+\?[bBqQ]\?[^?]*\?=)*")
_MESSAGE_ID = re.compile(r"<([^<>\s]+)>")
_ADDRESS = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")
_REPLY_MARK = re.compile(
    r"^\s*(?:(?:re|fw|fwd|aw|回复|回覆|答复|答覆|转发|轉發|轉寄)\s*(?:\[\d+\]|\(\d+\))?\s*[:：]\s*)+", re.I
)
_AUTO_SUBJECT = re.compile(
    r"^\s*(?:自动回复|自动回覆|自动答复|外出自动答复|休假自动回复"
    r"|auto(?:matic)?[- ]?reply|auto:|out of (?:the )?office)",
    re.I,
)
_BOUNCE_SUBJECT = re.compile(
    r"^\s*(?:系统退信|退信通知|退信|邮件退回|来自\S+的退信|undeliver(?:ed|able)|delivery status notification"
    r"|mail delivery failed|returned mail|failure notice)",
    re.I,
)
_DAEMON = re.compile(r"^(?:mailer-daemon|postmaster|mail-daemon)@", re.I)
_STUB = re.compile(
    r"^\s*(?:.{0,40}(?:不支持|请使用).{0,20}html.{0,40}|this is a multi-?part message.{0,60})\s*$", re.I | re.S
)
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_EPOCH, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_DEEPEST = 30
# What Python's library raises for parameters in parts (RFC 2231) that don't fit together.
_PARAMETER_ERRORS = (TypeError, ValueError, LookupError)


@dataclass(frozen=True)
class Letter:
    """A mail, read. ``message_id`` is None where it has none; ``references`` has the thread's root first."""

    uid: int
    message_id: str | None
    references: Sequence[str]
    in_reply_to: str | None
    subject: str
    own_id: str
    sent_at: datetime
    record: Mapping[str, str | None]


def read_letter(uid: int, content: bytes, received_at: datetime, own: Sequence[str]) -> Letter:
    """Read one mail; broken ones as far as they go. ``received_at``: aware, when the server got it."""
    mail = _parsed(content.replace(b"\0", b""))  # no mail may have it, and it ends names early
    raw = {name.casefold(): value for name, value in reversed(list(mail.raw_items()))}

    def header(name: str) -> str:
        return decoded_header(str(raw.get(name, "")))

    subject = " ".join(header("subject").split())
    sender = _first_address(raw.get("from", "")) or _first_address(raw.get("sender", ""))
    answered_to = _first_address(raw.get("reply-to", ""))
    # A form of the company's own site writes in its visitor's name.
    is_form = answered_to is not None and is_own(sender, own) and not is_own(answered_to, own)
    if is_form:
        sender = answered_to
    recipients = [a for name in ("to", "cc", "bcc") for a in _addresses(raw.get(name, ""))]
    strangers = [address for address in recipients if not is_own(address, own)]
    is_staff = is_own(sender, own)
    customer = (strangers[0] if strangers else None) if is_staff else sender
    sent_at = _sent_at(header("date"), received_at)
    text, attachments = _contents(mail)
    message_id = _first_id(raw.get("message-id", ""))
    own_id = digest(message_id or "\x1f".join((sender or "", sent_at.isoformat(), subject, text)))
    record = {
        "message_id": own_id,
        "mail_kind": _kind(mail, header, subject, sender, is_form),
        "role": "agent" if is_staff else "customer",
        "author": sender,
        "customer_ref": customer,
        "has_customer": "true" if customer else "false",
        "direction": "outbound" if is_staff else "inbound",
        "is_public": "true" if strangers or not is_staff else "false",
        "subject": _REPLY_MARK.sub("", subject) or None,
        "body": text or None,
        "attachments": ", ".join(attachments) or None,
        "sent_at": sent_at.strftime("%Y-%m-%d %H:%M:%SZ"),
        "earlier_is_later": _mirrored(sent_at, own_id),
    }
    references = _MESSAGE_ID.findall(str(raw.get("references", "")))
    return Letter(uid, message_id, references, _first_id(raw.get("in-reply-to", "")), subject, own_id, sent_at, record)


def _parsed(content: bytes) -> Message:
    try:
        return BytesParser().parsebytes(content)
    except _PARAMETER_ERRORS:
        return BytesParser().parsebytes(re.sub(rb"\*\d*\*?=", b"=", content))


def is_own(address: str | None, own: Sequence[str]) -> bool:
    """Whether the address is one of the company's; ``own`` holds addresses and @domains in lower case."""
    if not address:
        return False
    return address in own or f"@{address.rpartition('@')[2]}" in own


def _mirrored(sent_at: datetime, own_id: str) -> str:
    """An instant between 1970 and 2002 that is the later, the earlier the mail was sent.

    Of two versions of a row the later wins; so the first mail of a thread is its ticket, in whatever order mails
    arrive. A part of the id decides between mails of the same second.
    """
    version = _EPOCH + (_END - min(sent_at, _END)) / 4 + timedelta(microseconds=int(own_id[:8], 16) % 250_000)
    return version.strftime("%Y-%m-%d %H:%M:%S.%fZ")


# headers


def decoded_header(value: str) -> str:
    """RFC 2047 as mailers really write it: characters split between words, wrong charsets, raw bytes."""
    if any("\udc80" <= character <= "\udcff" for character in value):
        value = decoded_text(value.encode("ascii", "surrogateescape"), None)
    return _ENCODED_RUN.sub(lambda run: "".join(_words(run[0])), value)


def _words(run: str) -> Iterator[str]:
    """Neighbouring words of one charset are one text: a character may begin in one and end in the next."""
    pending, charset = b"", ""
    for name, how, data in _ENCODED_WORD.findall(run):
        name = name.partition("*")[0].casefold()
        if name != charset and pending:
            yield decoded_text(pending, charset)
            pending = b""
        charset = name
        pending += _base64(data) if how in "bB" else decodestring(data.encode("ascii", "replace"), header=True)
    yield decoded_text(pending, charset)


def _base64(data: str) -> bytes:
    data = re.sub(r"[^A-Za-z0-9+/]", "", data)
    try:
        return base64.b64decode(data[: len(data) - (len(data) % 4 == 1)] + "=" * (-len(data) % 4))
    except binascii.Error:
        return b""


def _addresses(value: object) -> list[str]:
    text = str(value)
    found = [address for _, address in getaddresses([text]) if "@" in address] or _ADDRESS.findall(decoded_header(text))
    return [address.strip().casefold() for address in found]


def _first_address(value: object) -> str | None:
    return next(iter(_addresses(value)), None)


def _first_id(value: object) -> str | None:
    found = _MESSAGE_ID.findall(str(value))
    return found[0] if found else None


def _sent_at(date: str, received_at: datetime) -> datetime:
    """The mail's own date unless it is missing, unreadable or can't be: a sender's clock may be wrong."""
    try:
        sent_at = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return received_at
    sent_at = sent_at.replace(tzinfo=UTC) if sent_at.tzinfo is None else sent_at.astimezone(UTC)
    return sent_at if _EARLIEST <= sent_at <= received_at + timedelta(days=1) else received_at


def _kind(mail: Message, header: Callable[[str], str], subject: str, sender: str | None, is_form: bool) -> str:
    if mail.get_content_type() == "multipart/report" or _BOUNCE_SUBJECT.match(subject):
        return "bounce"
    if sender is None or _DAEMON.match(sender):
        return "bounce"
    submitted = header("auto-submitted").partition(";")[0].strip().casefold()  # RFC 3834
    precedence = header("precedence").strip().casefold()
    if submitted.startswith("auto-replied") or (submitted == "auto-generated" and not is_form):
        return "auto_reply"
    if precedence == "auto_reply" or _AUTO_SUBJECT.match(subject):
        return "auto_reply"
    if any(header(name) for name in ("x-autoreply", "x-auto-reply", "x-autorespond")):
        return "auto_reply"
    if header("list-id") or header("list-unsubscribe") or precedence in ("bulk", "list", "junk"):
        return "list"
    return "letter"


# contents


def _contents(mail: Message) -> tuple[str, list[str]]:
    """What the sender wrote himself, and the kinds of the attachments (their names may be personal)."""
    texts: list[str] = []
    attachments: list[str] = []
    _walk(mail, texts, attachments, 0)
    return tidy("\n".join(text for text in texts if text)), attachments


def _walk(part: Message, texts: list[str], attachments: list[str], depth: int) -> None:
    kind = part.get_content_type()
    if part.is_multipart() and kind.startswith("multipart/") and depth < _DEEPEST:
        children = [child for child in _children(part) if isinstance(child, Message)]
        if kind == "multipart/alternative":
            _walk_alternatives(children, texts, attachments, depth)
            return
        for child in children:
            _walk(child, texts, attachments, depth + 1)
        return
    is_attached = part.get_content_disposition() == "attachment" or (
        not kind.startswith("text/") and (_parameter(part, "name") or "attachment" in str(part["content-disposition"]))
    )
    if is_attached or kind not in ("text/plain", "text/html"):
        if kind not in ("text/calendar", "application/pgp-signature", "application/pkcs7-signature"):
            attachments.append("winmail.dat" if kind == "application/ms-tnef" else kind)
        return
    texts.append(_part_text(part, kind))


def _walk_alternatives(children: list[Message], texts: list[str], attachments: list[str], depth: int) -> None:
    """The same letter in several forms: plain text, unless it only says that there is another form."""
    found: list[tuple[bool, str]] = []
    for child in children:
        inner: list[str] = []
        _walk(child, inner, attachments, depth + 1)
        text = tidy("\n".join(inner))
        found.append((child.get_content_type() == "text/plain", text))
    good = [(is_plain, text) for is_plain, text in found if text and not _STUB.match(text)]
    texts.append(next((text for is_plain, text in good if is_plain), good[-1][1] if good else ""))


def _children(part: Message) -> Iterable[object]:
    payload = part.get_payload()
    return payload if isinstance(payload, list) else ()


def _part_text(part: Message, kind: str) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = _parameter(part, "charset")
    if kind == "text/html":
        html = decoded_text(payload, charset or _declared_in_html(payload))
        return own_words(html_to_text(html, _is_history)) or own_words(html_to_text(html))
    text = decoded_text(payload, charset)
    if _parameter(part, "format") == "flowed":  # RFC 3676
        joint = "" if _parameter(part, "delsp") == "yes" else " "
        text = re.sub(r"(?<!^--) \r?\n(?!>)", joint, text, flags=re.MULTILINE)
    return own_words(tidy(text))


def _parameter(part: Message, name: str) -> str:
    """A parameter of the content type in lower case, '' where there is none that can be read (RFC 2231)."""
    try:
        value = part.get_param(name, "")
    except _PARAMETER_ERRORS:
        return ""
    return str(value[2] if isinstance(value, tuple) else value).casefold()


def _declared_in_html(payload: bytes) -> str | None:
    found = re.search(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_-]+)", payload[:4096], re.IGNORECASE)
    return found[1].decode("ascii") if found else None


def _is_history(tag: str, attributes: Mapping[str, str]) -> bool:
    """Elements in which mailers wrap what they quote."""
    if tag in ("blockquote", "includetail"):
        return True
    name = f"{attributes.get('id', '')} {attributes.get('class', '')}".casefold()
    return any(
        mark in name
        for mark in ("gmail_quote", "yahoo_quoted", "moz-cite-prefix", "ntes-pcmac-quote", "isreplycontent")
    )
