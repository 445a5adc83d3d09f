"""One HTTP client for every kind of source: it waits, retries, signs in and says plainly what is wrong.

Built on httpx (transport, timeouts, TLS) and tenacity (retries). Nothing that a server answers is logged or put into
an error, for it may be personal; neither is a secret, nor a query string, which often carries one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import re
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpx
import tenacity

from ingest.configuration import expand, unresolved_variables
from ingest.connectors.http_auth import Authentication, authentication, basic_header
from ingest.connectors.http_config import Auth, HttpOptions, resolved
from ingest.errors import SourceError

log = logging.getLogger(__name__)

# httpx logs every URL with its query, and httpcore every header: keys and customers' data would land in the log.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

CONNECT_SECONDS = 10.0
FIRST_WAIT_SECONDS = 1.0  # doubles with each attempt, with jitter
TOTAL_TIMEOUTS = 5  # an answer may take that many times `timeout_seconds` in all, however it trickles
_MOST_REDIRECTS = 5
_RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
_REMEDIES = {
    400: "the request isn't as this system expects it; check `path`, `params` and `body`",
    401: "the credentials aren't accepted; check `auth` and its environment variables",
    403: "the credentials lack the right to read this; grant it, or leave this stream out",
    404: "there is nothing at this address; check `base_url` and `path`",
    405: "this address doesn't take the method; check `method`",
    410: "this address was retired; check the system's current documentation",
    422: "the request isn't as this system expects it; check `path`, `params` and `body`",
    429: "the system asks for fewer requests; set or lower `requests_per_minute`, or load at a quieter hour",
}

Signer = Callable[[httpx.Request, datetime], None]
"""Signs a request in place. The instant is the server's (aware UTC), as far as it is known."""


PassingError = Callable[[Any], str | None]
"""Of an answer's JSON: the reason why it should be asked for again, or None."""


@dataclass(frozen=True)
class Answer:
    """A complete answer; ``url`` is where it came from after redirects, ``content`` what its JSON says if asked for."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: httpx.URL
    next_link: str | None
    content: Any = None

    @property
    def text(self) -> str:
        """The body as text, in the encoding that the server names, else UTF-8."""
        return httpx.Response(200, headers=_type_of(self.headers), content=self.body).text


class _AgainError(Exception):
    """This try failed in a way that may pass; ``wait`` is how many seconds the server asked for."""

    def __init__(self, reason: str, remedy: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.wait = wait


class HttpClient:
    """Requests to one system. Not for several threads at once; close it, or use it in a ``with``.

    ``sign`` is called for every try of a request that carries credentials, after ``auth``. ``passing`` tells good
    answers from those that report an error which may pass. ``sleep`` is how it waits.
    """

    def __init__(
        self,
        source: str,
        base_url: str,
        *,
        auth: Auth | None = None,
        headers: Mapping[str, str] | None = None,
        options: HttpOptions | None = None,
        sign: Signer | None = None,
        passing: PassingError | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._source = source
        self._options = options or HttpOptions()
        self._base = httpx.URL(resolved(base_url, f"source {source}: base_url").rstrip("/") + "/")
        self._hidden = {expand(f"${{{name}}}"): f"${{{name}}}" for name in unresolved_variables(base_url)}
        self._headers = {name: resolved(value, f"source {source}: headers") for name, value in (headers or {}).items()}
        self._sign = sign
        self._passing = passing
        self._sleep = time.sleep if sleep is None else sleep
        self._earliest_next = 0.0
        self._skew: timedelta | None = None
        self._auth: Authentication = authentication(auth, source, self._send_for_token)
        self._client = httpx.Client(
            headers={"User-Agent": "huiyin", "Accept": "application/json, */*;q=0.5"},
            timeout=httpx.Timeout(self._options.timeout_seconds, connect=CONNECT_SECONDS),
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @property
    def base_path(self) -> str:
        """The path of the base address, with a slash at its end."""
        return self._base.path

    # asking

    def token(self) -> str:
        """The bearer token that a request would carry now, for protocols that sign in by the same one."""
        request = self._client.build_request("GET", self._base)
        self._auth.apply(request)
        return str(request.headers.get("Authorization", "")).removeprefix("Bearer ")

    def get_json(self, path: str, params: Mapping[str, Any] | None = None, *, shown: str | None = None) -> Any:
        """What the JSON answer to a GET says; see :meth:`request`."""
        return self.request("GET", path, params=params, shown=shown, is_json=True).content

    def post_json(
        self, path: str, body: Any = None, params: Mapping[str, Any] | None = None, *, shown: str | None = None
    ) -> Any:
        """What the JSON answer to a POST of a JSON body says. It is repeated like a GET: use it for queries only."""
        return self.request("POST", path, params=params, body=body, shown=shown, is_json=True).content

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        accepted: Collection[int] = (),
        with_credentials: bool = True,
        is_json: bool = False,
        shown: str | None = None,
    ) -> Answer:
        """One answer with a status below 300 or among ``accepted``, however many tries it takes.

        ``path`` is relative to the base address, or a whole URL; one of another server is refused unless
        ``with_credentials`` is False. Parameters that are None are left out, lists repeat. ``is_json`` counts an
        answer that is no JSON as a failed try. ``shown`` replaces the path in errors, where it holds something
        personal. Raises :class:`SourceError` with source, address, reason and remedy.
        """
        url = self._url(path, with_credentials)
        place = _place(url, shown)
        query = httpx.QueryParams({name: value for name, value in (params or {}).items() if value is not None})
        sent = dict(self._headers) if with_credentials else {}
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
            sent["Content-Type"] = "application/json; charset=utf-8"
        sent.update(headers or {})

        def build(target: httpx.URL, *, as_get: bool = False) -> httpx.Request:
            if as_get:
                return self._client.build_request("GET", target, headers=sent)
            return self._client.build_request(method, target, content=content, headers=sent)

        def attempt() -> Answer:
            answer = self._follow(build, url.copy_merge_params(query), place, accepted, with_credentials)
            return self._judged(answer, place, accepted, is_json)

        return self._retrying(attempt, place)

    # the server's clock

    def server_now(self) -> datetime:
        """The server's clock, aware UTC: ours, corrected by the last ``Date`` header; asks once if there was none."""
        if self._skew is None:
            with contextlib.suppress(httpx.HTTPError):  # then ours must do; the request that follows tells why
                self._note_clock(self._client.head(self._base))
        return datetime.now(UTC) + (self._skew or timedelta())

    @property
    def skew_seconds(self) -> float:
        """How far the server's clock is ahead of ours, as far as measured; to the second."""
        return (self._skew or timedelta()).total_seconds()

    def _note_clock(self, response: httpx.Response) -> None:
        if response.url.netloc != self._base.netloc or "age" in response.headers:
            return  # another server, or a cache's copy, which tells when it was made
        if (instant := _http_date(response.headers.get("date", ""))) is not None:
            skew = instant + timedelta(milliseconds=500) - datetime.now(UTC)
            self._skew = timedelta() if abs(skew.total_seconds()) < 2 else skew

    # one try

    def _follow(
        self,
        build: Callable[..., httpx.Request],
        target: httpx.URL,
        place: str,
        accepted: Collection[int],
        with_credentials: bool,
    ) -> Answer:
        """The answer after redirects, and after new credentials where the old ones had run out."""
        is_renewed = as_get = False
        for _ in range(_MOST_REDIRECTS + 2):
            request = build(target, as_get=as_get)
            if with_credentials:
                self._auth.apply(request)
                if self._sign is not None:
                    self._sign(request, self.server_now())
            answer = self._exchange(request, place)
            if answer.status == 401 and with_credentials and not is_renewed and self._auth.renew():
                is_renewed = True
            elif answer.status in _REDIRECTS and answer.status not in accepted:
                target = self._redirected(request, answer, place, with_credentials)
                as_get = as_get or answer.status == 303
            else:
                return answer
        raise self._error(place, "it redirects in a circle", "check `base_url` and `path`")

    def _exchange(self, request: httpx.Request, place: str) -> Answer:
        """Send once and read the whole answer within its limits of time and size."""
        self._keep_the_pace()
        deadline = time.monotonic() + TOTAL_TIMEOUTS * self._options.timeout_seconds
        limit = int(self._options.largest_answer_mb * 1024 * 1024)
        pieces: list[bytes] = []
        size = 0
        try:
            with contextlib.closing(self._client.send(request, stream=True)) as response:
                self._note_clock(response)
                for piece in response.iter_bytes():
                    size += len(piece)
                    if size > limit:
                        reason = f"the answer is larger than {self._options.largest_answer_mb:g} MB"
                        raise self._error(place, reason, "ask for smaller pages, or raise `largest_answer_mb`")
                    if time.monotonic() > deadline:
                        raise _AgainError("the answer trickled in for too long", _SLOW)
                    pieces.append(piece)
        except httpx.TimeoutException as error:
            where = "connecting" if isinstance(error, httpx.ConnectTimeout) else "waiting for the answer"
            raise _AgainError(f"time ran out {where}", _SLOW) from None
        except httpx.DecodingError:
            raise _AgainError("the answer's compression is broken", _BROKEN) from None
        except httpx.TransportError as error:
            raise self._transport_fault(place, error) from None
        next_link = response.links.get("next", {}).get("url")
        return Answer(response.status_code, response.headers, b"".join(pieces), response.url, next_link)

    def _transport_fault(self, place: str, error: httpx.TransportError) -> Exception:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                reason = f"its certificate can't be trusted ({cause.verify_message})"
                remedy = "check the address; for a company's own authority set SSL_CERT_FILE to its certificate"
                return self._error(place, reason, remedy)
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, httpx.ConnectError):
            return _AgainError("no connection", "check `base_url`, network and proxy")
        return _AgainError("the connection broke off", _BROKEN)

    def _judged(self, answer: Answer, place: str, accepted: Collection[int], is_json: bool) -> Answer:
        """A good answer, with its JSON read; an error that may pass is raised for another try."""
        status = answer.status
        if status in accepted or status < 300:
            if not is_json or status >= 300:
                return answer
            try:
                content = _decoded(answer)
            except (ValueError, LookupError, RecursionError):
                raise _AgainError(_no_json(answer.headers), _NO_JSON) from None
            if self._passing is not None and (reason := self._passing(content)) is not None:
                raise _AgainError(reason, _THEIR_FAULT)
            return replace(answer, content=content)
        code = _error_code(answer)
        reason = f"HTTP {status}" + (f" ({code})" if code else "")
        remedy = _REMEDIES.get(status, _THEIR_FAULT if status >= 500 else "check the request")
        if status not in _RETRIED_STATUSES:
            raise self._error(place, reason, remedy)
        wait = _retry_after(answer.headers)
        if wait is not None and wait > self._options.longest_wait_seconds:
            too_long = f"{reason}; it asks to wait {wait:.0f} seconds, longer than `longest_wait_seconds`"
            raise self._error(place, too_long, remedy, mends_itself=True)
        raise _AgainError(reason, remedy, wait)

    # around it

    def _retrying(self, attempt: Callable[[], Answer], place: str) -> Answer:
        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            backoff = FIRST_WAIT_SECONDS * 2.0 ** (state.attempt_number - 1) * random.uniform(0.75, 1.25)
            asked = error.wait if isinstance(error, _AgainError) and error.wait is not None else 0.0
            seconds = min(max(backoff, asked), self._options.longest_wait_seconds)
            log.info("source %s: %s: %s; again in %.1f s", self._source, self._hide(place), error, seconds)
            return seconds

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._options.attempts),
            wait=wait,
            retry=tenacity.retry_if_exception_type(_AgainError),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except _AgainError as error:
            reason = f"{error.reason}, {self._options.attempts} times"
            raise self._error(place, reason, error.remedy, mends_itself=True) from None

    def _keep_the_pace(self) -> None:
        if self._options.requests_per_minute is None:
            return
        now = time.monotonic()
        if now < self._earliest_next:
            self._sleep(self._earliest_next - now)
        self._earliest_next = max(now, self._earliest_next) + 60 / self._options.requests_per_minute

    def _url(self, path: str, with_credentials: bool) -> httpx.URL:
        """``path`` made absolute; a leading slash still means: below the base address."""
        if "://" not in path.partition("?")[0]:
            # Joined as text: "/x" stays below the base's own path, and a colon in it makes no scheme of it.
            return httpx.URL(str(self._base) + path.lstrip("/"))
        try:
            url = httpx.URL(path)
        except httpx.InvalidURL:
            raise self._error(str(self._base), "it names a next address that is none", "ask its makers") from None
        if _is_downgraded(self._base, url):
            return url.copy_with(scheme=self._base.scheme, port=self._base.port)
        if not with_credentials or _is_same_server(self._base, url):
            return url
        reason = f"it leads to another server ({url.host}), which must not see the credentials"
        raise self._error(str(self._base), reason, "correct `base_url` if the system has moved there")

    def _redirected(self, request: httpx.Request, answer: Answer, place: str, with_credentials: bool) -> httpx.URL:
        location = answer.headers.get("location", "")
        if not location:
            raise self._error(place, f"HTTP {answer.status} without a target", "check `base_url` and `path`")
        try:
            target = request.url.join(location)
        except httpx.InvalidURL:
            raise self._error(place, "it redirects to an address that is none", "check `base_url`") from None
        return self._url(str(target), with_credentials)

    def _send_for_token(self, url: str, form: Mapping[str, str], user: tuple[str, str] | None) -> Any:
        """Ask a token server, with the same patience as everything else."""
        target = httpx.URL(url)
        place = _place(target)

        def attempt() -> Answer:
            headers = {"Authorization": basic_header(*user)} if user is not None else {}
            request = self._client.build_request("POST", target, data=dict(form), headers=headers)
            return self._judged(self._exchange(request, place), place, (), is_json=True)

        return self._retrying(attempt, place).content

    def _error(self, place: str, reason: str, remedy: str, *, mends_itself: bool = False) -> SourceError:
        message = f"source {self._source}: {self._hide(place)}: {reason}; {remedy}"
        return SourceError(message, mends_itself=mends_itself)

    def _hide(self, text: str) -> str:
        """What the address takes from the environment may be a secret."""
        for value, name in self._hidden.items():
            text = text.replace(value, name)
        return text


_SLOW = "raise `timeout_seconds`, ask for smaller pages, or try at a quieter hour"
_BROKEN = "try later; if it stays, a proxy or the system cuts answers: ask for smaller pages"
_NO_JSON = "check that `base_url` is the interface's address, not a page or a sign-in form"
_THEIR_FAULT = "the system itself has a fault; try later, or ask those who run it"
_CODE = re.compile(r"[A-Za-z][A-Za-z_.-]{1,48}")
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")


def _place(url: httpx.URL, shown: str | None = None) -> str:
    """What errors call it: never the query, which may hold keys or customers' data."""
    return f"{url.scheme}://{url.netloc.decode()}{shown or url.path}"


def _type_of(headers: httpx.Headers) -> dict[str, str]:
    return {"content-type": headers.get("content-type", "")}


def _decoded(answer: Answer) -> Any:
    """The JSON of an answer, in the encoding it names; ``ValueError`` or ``LookupError`` where it is none."""
    message = Message()
    message["content-type"] = answer.headers.get("content-type", "")
    charset = message.get_content_charset("utf-8")
    body = answer.body
    if charset.replace("-", "") == "utf8":
        content = json.loads(body.removeprefix(b"\xef\xbb\xbf"))
    else:
        content = json.loads(body.decode(charset))
    # Systems that cut texts at a length leave half an emoji, which is no Unicode text and fits into no store.
    return _whole(content) if _HALF_CHARACTER.search(body) else content


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(item) for name, item in value.items()}
    return value


def _no_json(headers: httpx.Headers) -> str:
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    is_other = kind and "json" not in kind
    return f"the answer is no JSON (it calls itself {kind})" if is_other else "the answer's JSON is broken"


def _error_code(answer: Answer) -> str:
    """The short code of an error such as ``invalid_grant``; never its text, which may quote what was sent."""
    try:
        content = _decoded(answer)
    except (ValueError, LookupError, RecursionError):
        return ""
    if isinstance(content, dict) and isinstance(content.get("error"), dict):
        content = content["error"]
    if not isinstance(content, dict):
        return ""
    for key in ("error", "code", "error_code", "errcode", "errorCode"):
        value = content.get(key)
        if isinstance(value, str) and _CODE.fullmatch(value):
            return value
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1_000_000:
            return str(value)
    return ""


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds of ``Retry-After``; its date form is measured on the server's own clock."""
    given = headers.get("retry-after", "").strip()
    if given.replace(".", "", 1).isdigit():
        return float(given)
    until = _http_date(given)
    if until is None:
        return None
    now = _http_date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
    except ValueError:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _port(url: httpx.URL) -> int | None:
    return url.port or _PORTS.get(url.scheme)


def _is_downgraded(base: httpx.URL, url: httpx.URL) -> bool:
    """A server behind a TLS proxy that writes http:// into its links: meant is the address we came by."""
    return base.scheme == "https" and url.scheme == "http" and url.host == base.host and _port(url) in (80, _port(base))


def _is_same_server(base: httpx.URL, url: httpx.URL) -> bool:
    if url.host != base.host or url.username or url.password:
        return False
    is_upgrade = base.scheme == "http" and url.scheme == "https" and (_port(base), _port(url)) == (80, 443)
    return (url.scheme, _port(url)) == (base.scheme, _port(base)) or is_upgrade or _is_downgraded(base, url)
