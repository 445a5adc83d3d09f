"""How requests are signed in, by the kinds of ``auth`` of :mod:`ingest.connectors.http_config`."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx

from ingest.connectors.http_config import (
    Auth,
    BasicAuth,
    BearerAuth,
    KeyAuth,
    OAuthClientCredentials,
    OAuthRefreshToken,
    resolved,
)
from ingest.errors import SourceError

log = logging.getLogger(__name__)

_RENEW_BEFORE_SECONDS = 60.0
_UNKNOWN_LIFE_SECONDS = 3600.0

TokenSender = Callable[[str, Mapping[str, str], tuple[str, str] | None], Any]
"""Posts a form to a token server, with the client's id and secret as user and password or None; the JSON answer."""


class Authentication(Protocol):
    """Adds credentials to requests."""

    def apply(self, request: httpx.Request) -> None:
        """Add the credentials in place."""

    def renew(self) -> bool:
        """After an answer 401: True where new credentials make another try worth while."""


class _Fixed:
    """Credentials that never change: headers, or query parameters."""

    def __init__(self, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None) -> None:
        self._headers = dict(headers or {})
        self._query = dict(query or {})

    def apply(self, request: httpx.Request) -> None:
        request.headers.update(self._headers)
        if self._query:
            request.url = request.url.copy_merge_params(self._query)

    def renew(self) -> bool:
        return False


class _OAuth:
    """A token from a token server, renewed a little before it expires and once after a 401 (RFC 6749)."""

    def __init__(self, auth: OAuthClientCredentials | OAuthRefreshToken, source: str, send: TokenSender) -> None:
        self._auth = auth
        self._source = source
        self._send = send
        self._token = ""
        self._good_until = 0.0
        self._refresh_token: str | None = None

    def apply(self, request: httpx.Request) -> None:
        if not self._token or time.monotonic() >= self._good_until:
            self._fetch()
        request.headers["Authorization"] = f"Bearer {self._token}"

    def renew(self) -> bool:
        self._token = ""
        return True

    def _fetch(self) -> None:
        auth, key = self._auth, f"source {self._source}: auth"
        secret = resolved(auth.client_secret, key) if auth.client_secret else ""
        client_id = resolved(auth.client_id, key)
        if isinstance(auth, OAuthRefreshToken):
            granted = self._refresh_token or resolved(auth.refresh_token, key)
            form = {"grant_type": "refresh_token", "refresh_token": granted}
        else:
            granted = ""
            form = {"grant_type": "client_credentials"}
        if auth.scope:
            form["scope"] = auth.scope
        user = (client_id, secret) if auth.client_in == "header" else None
        if user is None:
            form |= {"client_id": client_id} | ({"client_secret": secret} if secret else {})
        answer = self._send(resolved(auth.token_url, key), form, user)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise SourceError(f"{key}: the token server's answer has no access_token; check `token_url`")
        self._token = token
        life = _seconds(answer.get("expires_in"))
        self._good_until = time.monotonic() + life - min(_RENEW_BEFORE_SECONDS, life / 10)
        renewed = answer.get("refresh_token")
        if granted and isinstance(renewed, str) and renewed != granted:
            if self._refresh_token is None:
                log.warning(
                    "source %s: the token server replaces its refresh token at each use; the one in the environment"
                    " may be spent after this load: ask for a lasting one, or for client credentials",
                    self._source,
                )
            self._refresh_token = renewed


def basic_header(user: str, password: str) -> str:
    """The ``Authorization`` header of RFC 7617."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _seconds(value: object) -> float:
    try:
        return max(1.0, float(str(value)))
    except ValueError:
        return _UNKNOWN_LIFE_SECONDS


def authentication(auth: Auth | None, source: str, send: TokenSender) -> Authentication:
    """What signs requests in. Raises :class:`SourceError` where a secret's environment variable isn't set."""
    key = f"source {source}: auth"
    match auth:
        case None:
            return _Fixed()
        case BasicAuth():
            return _Fixed({"Authorization": basic_header(resolved(auth.username, key), resolved(auth.password, key))})
        case BearerAuth():
            return _Fixed({"Authorization": f"Bearer {resolved(auth.token, key)}"})
        case KeyAuth(kind="header"):
            return _Fixed({auth.name: resolved(auth.value, key)})
        case KeyAuth():
            return _Fixed(query={auth.name: resolved(auth.value, key)})
        case OAuthClientCredentials() | OAuthRefreshToken():
            return _OAuth(auth, source, send)
