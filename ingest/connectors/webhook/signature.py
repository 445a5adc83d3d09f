"""Whether an event really comes from its sender, and just now."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ingest.connectors.webhook.config import SignatureScheme
from ingest.errors import SourceError

_PLACEHOLDER = re.compile(r"\{(timestamp|id|secret|body)\}")


class UnsignedError(Exception):
    """The event isn't to be trusted; the message says why, without quoting it."""


def verify(
    headers: Mapping[str, str],
    body: bytes,
    scheme: SignatureScheme,
    secrets: Sequence[str],
    now: datetime,
    tolerance_seconds: float,
) -> None:
    """Check the signature with each secret, and the time. ``headers`` have lower-case names; ``now`` is aware.

    Raises :class:`UnsignedError`.
    """
    given = headers.get(scheme.header.lower(), "")
    if not given:
        raise UnsignedError(f"the header {scheme.header} is missing")
    timestamp = headers.get(scheme.timestamp_header.lower(), "") if scheme.timestamp_header else ""
    if scheme.timestamp_header:
        sent_at = _instant(timestamp, scheme)
        if abs((now - sent_at).total_seconds()) > tolerance_seconds:
            raise UnsignedError("its time is too far from ours; check both clocks")
    # While keys are changed a sender may send several signatures.
    candidates = [item.removeprefix(scheme.prefix) for item in given.split() if item.startswith(scheme.prefix)]
    event_id = headers.get(scheme.id_header.lower(), "") if scheme.id_header else ""
    for secret in secrets:
        expected = sign(scheme, secret, timestamp=timestamp, event_id=event_id, body=body)
        if any(hmac.compare_digest(expected.encode(), candidate.encode()) for candidate in candidates):
            return
    raise UnsignedError("the signature is wrong; check the secret on both sides")


def sign(scheme: SignatureScheme, secret: str, *, timestamp: str, event_id: str, body: bytes) -> str:
    """The signature that a sender with that secret would send, without its prefix."""
    parts = {"timestamp": timestamp.encode(), "id": event_id.encode(), "secret": secret.encode(), "body": body}
    pieces = _PLACEHOLDER.split(scheme.signed)
    content = b"".join(parts[piece] if index % 2 else piece.encode() for index, piece in enumerate(pieces))
    made = hmac.new(secret_key(scheme, secret), content, hashlib.sha256).digest()
    return made.hex() if scheme.encoding == "hex" else base64.b64encode(made).decode()


def secret_key(scheme: SignatureScheme, secret: str) -> bytes:
    """The key's bytes. Raises :class:`SourceError` where it isn't encoded as the scheme says."""
    if scheme.secret_encoding == "text":
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise SourceError("a webhook's secret isn't Base64 as its signature scheme wants it; copy it again") from None


def _instant(text: str, scheme: SignatureScheme) -> datetime:
    try:
        if scheme.timestamp_format == "iso":
            instant = datetime.fromisoformat(text)
            return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        seconds = float(text) / (1000 if scheme.timestamp_format == "milliseconds" else 1)
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise UnsignedError(f"the header {scheme.timestamp_header} is missing or no instant") from None
