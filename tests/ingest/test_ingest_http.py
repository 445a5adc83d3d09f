"""The HTTP client that all kinds of sources share, against a server with faults."""

from __future__ import annotations

import gzip
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from loopback_api import Asked, Reply, loopback
from pydantic import TypeAdapter

from ingest.connectors import http
from ingest.connectors.http import HttpClient
from ingest.connectors.http_config import Auth, HttpOptions
from ingest.errors import SourceError

SECRET = "s3cret-value"
AUTH: TypeAdapter[Auth] = TypeAdapter(Auth)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_SECRET", SECRET)


class Waits(list[float]):
    """Records how long the client would have slept."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def script(*replies: Any) -> Callable[[Asked], Any]:
    """Answer with these in turn; the last one stays."""
    left = list(replies)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


def client(url: str, waits: Waits | None = None, **options: Any) -> HttpClient:
    auth = options.pop("auth", None)
    sign = options.pop("sign", None)
    return HttpClient(
        "desk",
        url,
        auth=AUTH.validate_python(auth) if auth else None,
        sign=sign,
        options=HttpOptions(**options),
        sleep=waits if waits is not None else Waits(),
    )


@pytest.mark.parametrize(
    "fault",
    [
        Reply({}, status=500),
        Reply({}, status=429),
        Reply({}, status=408),
        Reply({"rows": [1, 2, 3]}, cut_after=5),
        Reply(body=b'{"rows": [1, 2'),
        Reply(body=b"<html>busy</html>", headers={"Content-Type": "text/html"}),
        Reply(body=gzip.compress(b"[]")[:-9] + b"broken", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["500", "429", "408", "cut in mid-body", "broken JSON", "a page instead of JSON", "broken compression"],
)
def test_what_passes_is_tried_again_until_it_is_good(fault: Reply) -> None:
    waits = Waits()
    with loopback(script(fault, fault, {"rows": [1]})) as server, client(server.url, waits) as http_client:
        assert http_client.get_json("tickets") == {"rows": [1]}
    assert len(server.asked) == 3
    assert 0.75 <= waits[0] <= 1.25 and 1.5 <= waits[1] <= 2.5  # 1 and 2 seconds, with jitter


def test_a_silent_server_is_asked_again_after_the_time_out() -> None:
    with (
        loopback(script(Reply([], silence=1.5), [7])) as server,
        client(server.url, timeout_seconds=0.3) as http_client,
    ):
        assert http_client.get_json("tickets") == [7]


def test_a_server_that_is_not_there_is_reported_with_its_address() -> None:
    with loopback(script([])) as server:
        url = server.url
    message = r"source desk: .*/tickets: no conn"
    with client(url, attempts=2) as http_client, pytest.raises(SourceError, match=message) as caught:
        http_client.get_json("tickets")
    assert caught.value.mends_itself  # a later try of the task makes sense


@pytest.mark.parametrize("is_date", [False, True], ids=["seconds", "date"])
def test_retry_after_is_obeyed_on_the_servers_clock(is_date: bool) -> None:
    ahead = timedelta(minutes=10)

    def busy(asked: Asked) -> Any:
        if len(server.asked) > 1:
            return [1]
        until = format_datetime(server.now() + timedelta(seconds=30), usegmt=True)
        return Reply({}, status=429, headers={"Retry-After": until if is_date else "30"})

    waits = Waits()
    with loopback(busy, ahead) as server, client(server.url, waits) as http_client:
        assert http_client.get_json("tickets") == [1]
    assert list(waits) == pytest.approx([30.0], abs=1.1)


def test_a_pause_longer_than_allowed_is_an_error_that_says_so() -> None:
    with (
        loopback(script(Reply({}, status=429, headers={"Retry-After": "3600"}))) as server,
        client(server.url) as http_client,
        pytest.raises(SourceError, match=r"HTTP 429; it asks to wait 3600 seconds.*requests_per_minute"),
    ):
        http_client.get_json("tickets")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "environment variables"), (403, "right to read"), (404, "base_url"), (400, "params")]
)
def test_what_will_not_pass_fails_at_once_with_a_remedy_and_without_secrets_or_data(status: int, remedy: str) -> None:
    answer = Reply({"error": "invalid_thing", "message": "王小明 13800138000"}, status=status)
    auth = {"kind": "query", "name": "api_key", "value": "${DESK_SECRET}"}
    with loopback(script(answer)) as server, client(server.url, auth=auth) as http_client:
        with pytest.raises(SourceError) as caught:
            http_client.get_json("customers/13800138000", {"q": "王小明"}, shown="/customers/…")
        assert server.asked[0].params == {"q": "王小明", "api_key": SECRET}
    assert str(caught.value).startswith(f"source desk: {server.url}/customers/…: HTTP {status} (invalid_thing); ")
    assert remedy in str(caught.value) and not caught.value.mends_itself
    for hidden in (SECRET, "13800138000", "王小明"):
        assert hidden not in str(caught.value)
    assert len(server.asked) == 1


def test_neither_secrets_nor_queries_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    auth = {"kind": "query", "name": "api_key", "value": "${DESK_SECRET}"}
    with (
        caplog.at_level(logging.DEBUG),
        loopback(script(Reply({}, status=503), [])) as server,
        client(server.url, auth=auth) as http_client,
    ):
        http_client.get_json("tickets", {"phone": "13800138000"})
    assert "HTTP 503" in caplog.text
    assert SECRET not in caplog.text and "13800138000" not in caplog.text


def test_a_secret_in_the_address_is_shown_by_its_name_only() -> None:
    with loopback(script(Reply({}, status=404))) as server, client(server.url + "/api/${DESK_SECRET}") as http_client:
        with pytest.raises(SourceError) as caught:
            http_client.get_json("tickets")
        assert server.paths() == [f"/api/{SECRET}/tickets"]
    assert "/api/${DESK_SECRET}/tickets" in str(caught.value) and SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"kind": "bearer", "token": "${DESK_SECRET}"}, "authorization", f"Bearer {SECRET}"),
        (
            {"kind": "basic", "username": "huiyin", "password": "${DESK_SECRET}"},
            "authorization",
            "Basic aHVpeWluOnMzY3JldC12YWx1ZQ==",
        ),
        ({"kind": "header", "name": "X-Api-Key", "value": "${DESK_SECRET}"}, "x-api-key", SECRET),
    ],
)
def test_each_kind_of_key_is_sent(auth: dict[str, str], header: str, value: str) -> None:
    with loopback(script([])) as server, client(server.url, auth=auth) as http_client:
        http_client.get_json("tickets")
    assert server.asked[0].headers[header] == value


def test_an_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESK_SECRET")
    with pytest.raises(SourceError, match="set the environment variable DESK_SECRET"):
        client("http://127.0.0.1:1", auth={"kind": "bearer", "token": "${DESK_SECRET}"})


@pytest.fixture
def token_desk() -> Iterator[tuple[Callable[[Asked], Any], list[dict[str, str]]]]:
    """A desk whose tokens die after two requests each, and its token server."""
    forms: list[dict[str, str]] = []
    uses: dict[str, int] = {}

    def answer(asked: Asked) -> Any:
        if asked.path == "/token":
            forms.append(dict(parse_qsl(asked.body.decode())) | {"sent as": asked.headers.get("authorization", "")})
            uses[f"t{len(forms)}"] = 0
            return {"access_token": f"t{len(forms)}", "token_type": "bearer", "expires_in": 3600}
        token = asked.headers["authorization"].removeprefix("Bearer ")
        uses[token] += 1
        return Reply({"error": "expired"}, status=401) if uses[token] > 2 else [token]

    yield answer, forms


def test_a_token_that_dies_in_mid_export_is_renewed_once(token_desk: Any) -> None:
    answer, forms = token_desk
    with loopback(answer) as server:
        auth = {
            "kind": "oauth2_client_credentials", "token_url": f"{server.url}/token", "client_id": "huiyin",
            "client_secret": "${DESK_SECRET}", "scope": "read",
        }  # fmt: skip
        with client(server.url, auth=auth) as http_client:
            assert [http_client.get_json("tickets")[0] for _ in range(5)] == ["t1", "t1", "t2", "t2", "t3"]
    assert forms[0]["grant_type"] == "client_credentials" and forms[0]["scope"] == "read"
    assert forms[0]["sent as"].startswith("Basic ") and len(forms) == 3


def test_a_refresh_token_buys_access_and_its_successor_is_used(token_desk: Any) -> None:
    answer, forms = token_desk

    def replacing(asked: Asked) -> Any:
        given = answer(asked)
        return given | {"refresh_token": f"r{len(forms)}"} if asked.path == "/token" else given

    with loopback(replacing) as server:
        auth = {
            "kind": "oauth2_refresh_token", "token_url": f"{server.url}/token", "client_id": "huiyin",
            "refresh_token": "${DESK_SECRET}",
        }  # fmt: skip
        with client(server.url, auth=auth) as http_client:
            for _ in range(3):
                http_client.get_json("tickets")
    assert [form["refresh_token"] for form in forms] == [SECRET, "r1"]
    assert forms[0]["client_id"] == "huiyin" and "client_secret" not in forms[0]


def test_credentials_that_stay_refused_are_not_tried_for_ever() -> None:
    def refuse(asked: Asked) -> Any:
        if asked.path == "/token":
            return {"access_token": "t", "expires_in": "60"}
        return Reply({}, status=401)

    with loopback(refuse) as server:
        auth = {
            "kind": "oauth2_client_credentials", "token_url": f"{server.url}/token", "client_id": "huiyin",
            "client_secret": "${DESK_SECRET}",
        }  # fmt: skip
        with client(server.url, auth=auth) as http_client, pytest.raises(SourceError, match="HTTP 401"):
            http_client.get_json("tickets")
    assert server.paths() == ["/token", "/tickets", "/token", "/tickets"]


def test_the_rate_limit_spaces_requests() -> None:
    with (
        loopback(script([])) as server,
        HttpClient("desk", server.url, options=HttpOptions(requests_per_minute=1200)) as c,
    ):
        started = time.monotonic()
        for _ in range(5):
            c.get_json("tickets")
    assert 0.2 <= time.monotonic() - started < 1.5


def test_requests_are_signed_at_the_servers_time_though_our_clock_is_ten_minutes_off() -> None:
    def sign(request: httpx.Request, now: datetime) -> None:
        request.headers["X-Time"] = now.isoformat()

    def verify(asked: Asked) -> Any:
        apart = abs(datetime.fromisoformat(asked.headers["x-time"]) - server.now())
        return ["good"] if apart < timedelta(seconds=5) else Reply({}, status=401)

    with loopback(verify, timedelta(minutes=-10)) as server, client(server.url, sign=sign) as http_client:
        assert http_client.get_json("tickets") == ["good"]
        assert http_client.skew_seconds == pytest.approx(-600, abs=1.1)
        assert abs(http_client.server_now() - datetime.now(UTC) + timedelta(minutes=10)) < timedelta(seconds=1.1)


def test_credentials_never_follow_to_another_server_but_redirects_of_the_same_one_work() -> None:
    with loopback(script(["stolen"])) as other:

        def answer(asked: Asked) -> Any:
            if asked.path == "/away":
                return Reply({}, status=302, headers={"Location": f"{other.url}/x"})
            return ["here"] if asked.path == "/new" else Reply({}, status=307, headers={"Location": "/new"})

        auth = {"kind": "bearer", "token": "${DESK_SECRET}"}
        with loopback(answer) as server, client(server.url, auth=auth) as http_client:
            assert http_client.get_json("old") == ["here"]
            for path in ("away", f"{other.url}/next"):
                with pytest.raises(SourceError, match="another server"):
                    http_client.get_json(path)
            assert other.asked == []
            anonymous = http_client.request("GET", f"{other.url}/export.zip", with_credentials=False)
            assert anonymous.body == b'["stolen"]' and "authorization" not in other.asked[0].headers
    with (
        loopback(script(Reply({}, status=301, headers={"Location": "/again"}))) as ring,
        client(ring.url) as http_client,
        pytest.raises(SourceError, match="in a circle"),
    ):
        http_client.get_json("tickets")


def test_an_answer_larger_than_allowed_is_refused_even_when_compressed() -> None:
    bomb = Reply(body=gzip.compress(b"[" + b" " * 5_000_000 + b"]"), headers={"Content-Encoding": "gzip"})
    with (
        loopback(script(bomb)) as server,
        client(server.url, largest_answer_mb=1) as http_client,
        pytest.raises(SourceError, match="larger than 1 MB"),
    ):
        http_client.get_json("tickets")


def test_a_trickling_answer_ends_by_the_total_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TOTAL_TIMEOUTS", 0)
    with (
        loopback(script([])) as server,
        client(server.url, attempts=2) as http_client,
        pytest.raises(SourceError, match="trickled in for too long, 2 times"),
    ):
        http_client.get_json("tickets")


def test_chinese_encodings_marks_and_half_emoji_are_read() -> None:
    replies = script(
        Reply(body='{"t": "空调"}'.encode("gb18030"), headers={"Content-Type": "application/json; charset=GBK"}),
        Reply(body=b'\xef\xbb\xbf{"t": "1"}'),
        Reply(body=rb'{"t": "\ud83d\ude00 \ud83d"}'),
    )
    with loopback(replies) as server, client(server.url) as http_client:
        assert [http_client.get_json("x")["t"] for _ in range(3)] == ["空调", "1", "😀 �"]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and certificate of 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    encoding = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(encoding)
    )
    return file


def test_an_unknown_certificate_is_refused_at_once_and_a_named_one_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with loopback(script([1]), certificate=certificate) as server:
        with client(server.url) as http_client, pytest.raises(SourceError, match=r"can't be trusted.*SSL_CERT_FILE"):
            http_client.get_json("tickets")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with client(server.url) as http_client:
            assert http_client.get_json("tickets") == [1]
            # Behind a proxy that ends TLS, many systems write http into their links: meant is the https server.
            assert http_client.get_json(server.url.replace("https", "http") + "/tickets?page=2") == [1]
    assert server.paths() == ["/tickets", "/tickets"]
