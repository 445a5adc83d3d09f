"""What a source that is reached over HTTP says about signing in and about how hard to press.

Secrets stand in the sources file as ``${NAME}`` only and are filled in when a request is made, so that no
configuration object, error or log line ever holds one.
"""

from __future__ import annotations

import os
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ingest.configuration import expand, unresolved_variables
from ingest.errors import SourceError


def _only_a_variable(value: str) -> str:
    if not unresolved_variables(value):
        raise ValueError("write the secret as ${NAME} and set that environment variable; files don't hold secrets")
    return value


def _web_address(value: str) -> str:
    shown = expand(value)
    if unresolved_variables(shown):  # the environment may be set only where the source is read
        return value
    parts = urlsplit(shown)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it must be a web address such as https://desk.example.com/api")
    if parts.username or parts.password:
        raise ValueError("take user and password out of the address and put them under `auth`")
    return value


Secret = Annotated[str, AfterValidator(_only_a_variable)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


def resolved(text: str, key: str) -> str:
    """``text`` with its ``${NAME}`` filled in. Raises :class:`SourceError` that names an unset variable."""
    value = expand(text)
    missing = [name for name in unresolved_variables(text) if not os.environ.get(name)]
    if missing:
        raise SourceError(f"{key}: set the environment variable {', '.join(missing)}")
    return value


class _Auth(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BasicAuth(_Auth):
    """User and password in the ``Authorization`` header."""

    kind: Literal["basic"]
    username: str
    password: Secret


class BearerAuth(_Auth):
    """A fixed token in the ``Authorization`` header."""

    kind: Literal["bearer"]
    token: Secret


class KeyAuth(_Auth):
    """A key in a header or in a query parameter of that name."""

    kind: Literal["header", "query"]
    name: str = Field(min_length=1)
    value: Secret


class OAuthClientCredentials(_Auth):
    """OAuth 2.0, RFC 6749 section 4.4: this program signs in as itself."""

    kind: Literal["oauth2_client_credentials"]
    token_url: WebAddress
    client_id: str
    client_secret: Secret
    scope: str = ""
    client_in: Literal["header", "body"] = Field("header", description="where the token server wants id and secret")


class OAuthRefreshToken(_Auth):
    """OAuth 2.0, RFC 6749 section 6: access that a person once granted."""

    kind: Literal["oauth2_refresh_token"]
    token_url: WebAddress
    client_id: str
    client_secret: Secret | None = None
    refresh_token: Secret
    scope: str = ""
    client_in: Literal["header", "body"] = Field("body", description="where the token server wants id and secret")


Auth = Annotated[
    BasicAuth | BearerAuth | KeyAuth | OAuthClientCredentials | OAuthRefreshToken, Field(discriminator="kind")
]


class HttpOptions(BaseModel):
    """How patient and how gently a source is read; the keys stand in the source itself."""

    model_config = ConfigDict(extra="forbid")

    timeout_seconds: float = Field(60, gt=0, description="longest silence of the server before a request is repeated")
    attempts: int = Field(6, ge=1, le=20, description="how often a request is tried before the load fails")
    longest_wait_seconds: float = Field(600, ge=0, description="of one pause that the server asks for or backing off")
    requests_per_minute: float | None = Field(None, gt=0, description="never more than that; default: no limit")
    largest_answer_mb: float = Field(64, gt=0, description="a larger answer is refused; ask for smaller pages")
