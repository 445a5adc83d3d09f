"""Signed pushes to the real inbox over HTTP, and what of them reaches the raw tables."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from ingest_company import Company

from huiyin.config import PROJECT_ROOT, Settings
from huiyin.interval import Interval
from ingest.configuration import SourcesFileError
from ingest.connectors.delivery import utc_now
from ingest.connectors.webhook.config import SCHEMES, WebhookSource
from ingest.connectors.webhook.inbox import Inbox, forget_events
from ingest.connectors.webhook.intake import Arrival, take_in
from ingest.connectors.webhook.server import create_app
from ingest.connectors.webhook.signature import UnsignedError, verify
from ingest.errors import SourceError
from ingest.load import ingest_source
from ingest.masking import Masker
from ingest.rotation import rotate
from ingest.sources import load_sources

SECRET, OLD_SECRET = "new-hook-secret", "old-hook-secret"
TABLES: list[dict[str, Any]] = [
    {
        "entity": "tickets", "where": {"type": "created"},
        "columns": {"ticket_id": "id", "customer_ref": "buyer.phone", "body": "text", "created_at": "at"},
        "constants": {"channel": "ecommerce"}, "changed_at": "changed", "deleted_when": {"state": "deleted"},
    },
    {
        "entity": "messages", "where": {"type": "replied"},
        "columns": {"message_id": "reply", "ticket_id": "id", "author_role": "role", "body": "text", "sent_at": "at"},
        "templates": {"author_ref": "shop:{buyer.phone}"}, "values": {"author_role": {"买家": "customer"}},
    },
]  # fmt: skip


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HOOK_SECRET_OLD", OLD_SECRET)


def shop(**more: Any) -> dict[str, Any]:
    return {
        "name": "shop", "domain": "tickets", "kind": "webhook", "secrets": ["${HOOK_SECRET}", "${HOOK_SECRET_OLD}"],
        "tables": TABLES,
    } | more  # fmt: skip


def ticket(number: int, text: str = "没人处理", **more: Any) -> dict[str, Any]:
    return {
        "type": "created", "id": f"T{number}", "buyer": {"phone": "13812345678"}, "text": text,
        "at": "2025-03-01 10:00:00",
    } | more  # fmt: skip


def signed(body: bytes, secret: str = SECRET, age: float = 0, **headers: str) -> dict[str, str]:
    """Headers as a sender makes them, worked out here by hand."""
    timestamp = str(int(time.time() - age))
    made = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    named = {
        "Content-Type": "application/json",
        "X-Huiyin-Timestamp": timestamp,
        "X-Huiyin-Signature": f"sha256={made}",
    }
    return named | {name.replace("_", "-"): value for name, value in headers.items()}


class Desk:
    """The application behind a real server on loopback."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.port = _free_port()
        config = uvicorn.Config(create_app(settings, **options), port=self.port, log_level="error", access_log=False)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}")

    def push(self, content: Any, hook: str = "shop", **how: Any) -> httpx.Response:
        body = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
        return self.client.post(f"/hooks/{hook}", content=body, headers=signed(body, **how))

    def close(self) -> None:
        self.client.close()
        self.server.should_exit = True
        self.thread.join(10)


OpenDesk = Callable[..., Desk]


@pytest.fixture
def open_desk() -> Iterator[OpenDesk]:
    desks: list[Desk] = []

    def opened(settings: Settings, **options: Any) -> Desk:
        desks.append(Desk(settings, **options))
        return desks[-1]

    yield opened
    for desk in desks:
        desk.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def load(company: Company, interval: Interval | None = None, resume: bool | None = True) -> Any:
    return ingest_source(company.settings, "shop", interval or Interval(), "b1", resume)


# from the sender to raw


def test_pushed_events_reach_raw_masked_and_once(company: Company, open_desk: OpenDesk) -> None:
    company.declare(shop())
    desk = open_desk(company.settings)
    assert desk.push(ticket(1, "打13912345678，我叫王小明")).json() == {"id": "1", "status": "accepted"}
    assert desk.push(ticket(1, "打13912345678，我叫王小明")).json() == {"id": "1", "status": "duplicate"}
    reply = {
        "type": "replied", "id": "T1", "reply": "R1", "role": "买家", "text": "快点",
        "at": "2025-03-01T11:00:00+08:00", "buyer": {"phone": "13812345678"},
    }  # fmt: skip
    assert desk.push([reply, {"type": "unknown"}]).json()["status"] == "accepted"
    assert desk.push({"type": "unknown"}).json()["status"] == "ignored"
    stored = b"".join(file.read_bytes() for file in company.settings.var_dir.glob("inbox.db*"))
    assert "没人处理".encode() not in stored and "快点".encode() in stored
    for secret in (b"13812345678", b"13912345678", "王小明".encode(), SECRET.encode()):
        assert secret not in stored
    load(company)
    load(company)
    (found,) = company.rows("select * from raw.tickets")
    assert (found["ticket_id"], found["channel"], str(found["created_at"])) == (
        "T1",
        "ecommerce",
        "2025-03-01 02:00:00",
    )
    masker = Masker(b"test-key")
    assert found["customer_ref"] == masker.pseudonym("13812345678")
    (found,) = company.rows("select * from raw.messages")
    assert found["author_ref"] == masker.pseudonym("shop:13812345678")
    assert (found["author_role"], str(found["sent_at"])) == ("customer", "2025-03-01 03:00:00")
    company.assert_balanced()


def test_versions_and_deletions_hold_in_whatever_order_events_arrive(
    duckdb_company: Company, open_desk: OpenDesk
) -> None:
    duckdb_company.declare(shop())
    desk = open_desk(duckdb_company.settings)
    desk.push(ticket(1, "新", changed="2025-03-02 10:00:00"))
    desk.push(ticket(1, "旧", changed="2025-03-01 10:00:00"))
    desk.push(ticket(2, "先", changed="2025-03-01 10:00:00"))
    load(duckdb_company)
    desk.push(ticket(2, "先", changed="2025-03-03 10:00:00", state="deleted"))
    desk.push(ticket(3, "甲"))
    desk.push(ticket(3, "乙"))  # neither says when: the later arrival wins
    load(duckdb_company)
    rows = duckdb_company.rows("select ticket_id, body, _deleted_at is not null as gone from raw.tickets order by 1")
    assert [tuple(row.values()) for row in rows] == [("T1", "新", False), ("T2", "先", True), ("T3", "乙", False)]


def test_what_breaks_the_contract_is_kept_masked_and_goes_to_quarantine(
    duckdb_company: Company, open_desk: OpenDesk
) -> None:
    duckdb_company.declare(shop(tables=TABLES[:1]))
    desk = open_desk(duckdb_company.settings)
    answer = desk.push(b'{"id": "T1", "text": "13812345678')
    assert (answer.status_code, answer.json()["status"]) == (202, "quarantined")
    assert desk.push(b"\xff\xfe{}").status_code == 202
    assert desk.push([1, 2]).status_code == 202
    assert desk.push(ticket(5, at="王小明 13812345678")).status_code == 200
    assert desk.push({"type": "created", "text": "没有编号", "at": "2025-03-01"}).status_code == 200
    stored = b"".join(file.read_bytes() for file in duckdb_company.settings.var_dir.glob("inbox.db*"))
    assert b"13812345678" not in stored
    load(duckdb_company)
    rows = duckdb_company.rows("select rule, field, row_number, payload from quarantine.tickets order by row_number")
    assert [(r["rule"], r["field"], r["row_number"]) for r in rows] == [
        ("json", None, 1), ("json", None, 2), ("json", None, 3), ("type", "created_at", 4),
        ("required", "ticket_id", 5),
    ]  # fmt: skip
    assert "13812345678" not in str(rows)
    duckdb_company.assert_balanced()


# whom to believe


def test_only_fresh_and_signed_events_of_known_sources_are_taken(duckdb_company: Company, open_desk: OpenDesk) -> None:
    duckdb_company.declare(shop(largest_body_kb=1))
    desk = open_desk(duckdb_company.settings)
    assert desk.push(ticket(1), secret=OLD_SECRET).status_code == 200  # while the key is changed
    assert desk.push(ticket(2), secret="wrong").status_code == 401
    assert desk.push(ticket(2), age=400).status_code == 401
    assert desk.push(ticket(2), age=-400).status_code == 401
    assert desk.push(ticket(2), X_Huiyin_Signature="").status_code == 401
    assert desk.push(ticket(2), X_Huiyin_Timestamp="morning").status_code == 401
    assert desk.push(ticket(2), hook="nobody").status_code == 404
    assert desk.push(ticket(2, "长" * 1000)).status_code == 413
    assert desk.push(ticket(2), Content_Type="text/plain").status_code == 415
    body = json.dumps(ticket(2)).encode()
    assert desk.client.post("/hooks/shop", content=body + b" ", headers=signed(body)).status_code == 401
    assert desk.client.get("/health").json() == {"status": "ok"}
    with Inbox(duckdb_company.settings.var_dir / "inbox.db") as inbox:
        assert inbox.count("shop")[0] == 1


def test_senders_own_signatures_are_checked() -> None:
    now = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
    body = '{"id": "甲"}'.encode()
    key = b"0123456789abcdef"

    def mac(content: bytes) -> bytes:
        return hmac.new(key, content, hashlib.sha256).digest()

    seconds = str(int(now.timestamp()))
    millis = f"{seconds}000"
    standard = base64.b64encode(mac(b"m1." + seconds.encode() + b"." + body)).decode()
    given = {
        "zendesk": {
            "x-zendesk-webhook-signature": base64.b64encode(mac(b"2025-03-01T02:00:00Z" + body)).decode(),
            "x-zendesk-webhook-signature-timestamp": "2025-03-01T02:00:00Z",
        },
        "github": {"x-hub-signature-256": f"sha256={mac(body).hex()}"},
        "dingtalk": {"timestamp": millis, "sign": base64.b64encode(mac(f"{millis}\n{key.decode()}".encode())).decode()},
        "standard": {
            "webhook-id": "m1", "webhook-timestamp": seconds, "webhook-signature": f"v1,AAAA v1,{standard}",
        },
    }  # fmt: skip
    for name, headers in given.items():
        secret = "whsec_" + base64.b64encode(key).decode() if name == "standard" else key.decode()
        verify(headers, body, SCHEMES[name], ["other", secret] if name != "standard" else [secret], now, 300)
        with pytest.raises(UnsignedError):
            verify(headers, body, SCHEMES[name], ["d3Jvbmc="], now, 300)
        if name != "github":  # has no time of its own: a repeated event is known by its id
            with pytest.raises(UnsignedError):
                verify(headers, body, SCHEMES[name], [secret], now + timedelta(hours=1), 300)


@given(
    st.binary(max_size=200), st.dictionaries(st.sampled_from(["x-huiyin-signature", "x-huiyin-timestamp"]), st.text())
)
def test_no_header_crashes_the_check(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(UnsignedError):
        verify(headers, body, SCHEMES["huiyin"], [SECRET], datetime.now(UTC), 300)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.sampled_from(["", "data", "data.list"]))
def test_no_event_is_too_strange_to_be_taken_in(content: Any, records: str) -> None:
    os.environ.setdefault("HOOK_SECRET", SECRET)
    source = WebhookSource.model_validate(shop(records=records))
    body = json.dumps({"data": content, "id": content, "type": "created"}).encode()
    plain = json.dumps(ticket(1)).encode()
    now = utc_now()
    arrivals = [Arrival({}, content, now) for content in (body, plain, b"{", body)]
    taken = take_in(source, "Asia/Shanghai", Masker(b"k"), arrivals)
    assert [take.state for take in taken[1:3]] == ["accepted" if not records else "ignored", "broken"]
    assert taken[0] == taken[3]
    assert take_in(source, "Asia/Shanghai", Masker(b"k"), arrivals[:1]) == taken[:1]


def test_overload_and_a_full_disk_ask_the_sender_to_come_again(
    duckdb_company: Company, open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb_company.declare(shop())
    answer = open_desk(duckdb_company.settings, most_at_once=0).push(ticket(1))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    desk = open_desk(duckdb_company.settings)
    with sqlite3.connect(duckdb_company.settings.var_dir / "inbox.db", isolation_level=None) as other:
        monkeypatch.setattr("ingest.connectors.webhook.inbox._BUSY_SECONDS", 0.1)
        desk = open_desk(duckdb_company.settings)
        other.execute("begin immediate")
        answer = desk.push(ticket(1))
        other.execute("rollback")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert desk.push(ticket(1)).status_code == 200


def test_the_configuration_tells_what_is_missing(duckdb_company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[tuple[dict[str, Any], str]] = [
        ({"secrets": ["plain"]}, "environment variable"),
        ({"signature": {"header": "s", "signed": "{timestamp}"}}, "timestamp_header"),
        ({"signature": {"header": "s", "signed": "x"}}, "body"),
        ({"tables": [{"entity": "tickets", "stream": "other"}]}, "events"),
    ]
    for wrong, message in faults:
        duckdb_company.declare(shop() | wrong)
        with pytest.raises(SourcesFileError, match=message):
            load_sources(duckdb_company.settings)
    duckdb_company.declare(shop())
    monkeypatch.delenv("HOOK_SECRET_OLD")
    with pytest.raises(SourceError, match="HOOK_SECRET_OLD"):
        create_app(duckdb_company.settings)


# keeping and loading


def test_events_stay_as_long_as_told_and_can_be_loaded_again(
    duckdb_company: Company, open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb_company.declare(shop(keep_days=10))
    file = duckdb_company.settings.var_dir / "inbox.db"
    desk = open_desk(duckdb_company.settings)
    for number in range(1, 4):
        desk.push(ticket(number))
    with sqlite3.connect(file) as connection:
        old = (utc_now() - timedelta(days=20)).isoformat()
        connection.execute("update events set received_at = ? where sequence = 1", (old,))
    load(duckdb_company)
    with Inbox(file) as inbox:
        assert inbox.count("shop")[0] == 3  # nothing goes before the warehouse has it
    load(duckdb_company)
    with Inbox(file) as inbox:
        assert inbox.count("shop")[0] == 2
    duckdb_company.rows("delete from raw.tickets")
    today = utc_now().date()
    load(duckdb_company, Interval(today - timedelta(days=1), today + timedelta(days=2)), resume=False)
    assert len(duckdb_company.rows("select 1 from raw.tickets")) == 2


def test_the_inbox_forgets_the_texts_of_erased_voices(duckdb_company: Company, open_desk: OpenDesk) -> None:
    duckdb_company.declare(shop())
    desk = open_desk(duckdb_company.settings)
    desk.push(ticket(1, "独一无二的话"))
    desk.push(ticket(2, "别人的话"))
    folder = duckdb_company.settings.var_dir
    assert forget_events(folder, ["ticket:shop:T1"]) == 1
    assert forget_events(folder, ["ticket:shop:T1"]) == 0
    desk.push(ticket(1, "独一无二的话"))  # the sender repeats it: still known
    stored = b"".join(file.read_bytes() for file in folder.glob("inbox.db*"))
    assert "独一无二的话".encode() not in stored and "别人的话".encode() in stored
    load(duckdb_company)
    assert len(duckdb_company.rows("select 1 from raw.tickets")) == 2


def test_a_superseded_key_stops_an_inbox_that_still_has_the_old_one(
    duckdb_company: Company, open_desk: OpenDesk
) -> None:
    duckdb_company.declare(shop())
    desk = open_desk(duckdb_company.settings)
    assert desk.push(ticket(1)).status_code == 200
    ingest_source(duckdb_company.settings, "shop", Interval(), "b1", True)
    rotated = duckdb_company.settings.model_copy(update={"mask_key": "test-key newer-key"})
    rotate(rotated)
    assert desk.push(ticket(2)).status_code == 503
    assert open_desk(rotated).push(ticket(2)).status_code == 200
    ingest_source(rotated, "shop", Interval(), "b2", True)
    rows = duckdb_company.rows("select distinct customer_ref from raw.tickets")
    assert [row["customer_ref"] for row in rows] == [Masker(b"test-key", b"newer-key").pseudonym("13812345678")]


def test_columns_beyond_the_contract_are_kept_masked_where_the_policy_says_so(
    duckdb_company: Company, open_desk: OpenDesk
) -> None:
    duckdb_company.declare(shop(drift="evolve", tables=TABLES[:1]))
    open_desk(duckdb_company.settings).push(ticket(1, 备注="请打13912345678", 收件人姓名="王小明", 仓库="华东"))
    stored = b"".join(file.read_bytes() for file in duckdb_company.settings.var_dir.glob("inbox.db*"))
    load(duckdb_company)
    (found,) = duckdb_company.rows("select _extra from raw.tickets")
    extra = json.loads(found["_extra"])
    assert extra["仓库"] == "华东" and extra["收件人姓名"].startswith("n_") and "1391234" not in extra["备注"]
    assert b"13912345678" not in stored and "王小明".encode() not in stored


def test_a_new_inbox_is_read_from_its_beginning(duckdb_company: Company, open_desk: OpenDesk) -> None:
    duckdb_company.declare(shop())
    desk = open_desk(duckdb_company.settings)
    for number in range(1, 4):
        desk.push(ticket(number))
    load(duckdb_company)
    for file in duckdb_company.settings.var_dir.glob("inbox.db*"):
        file.unlink()
    open_desk(duckdb_company.settings).push(ticket(4))
    load(duckdb_company)
    assert len(duckdb_company.rows("select 1 from raw.tickets")) == 4


@contextmanager
def serving(company: Company, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """``huiyin inbox`` as a process of its own; killed at the end, without a chance to tidy up."""
    environment = os.environ | {
        "HUIYIN_VAR": str(company.settings.var_dir), "HUIYIN_SOURCES": str(company.folder / "sources.yml"),
        "HUIYIN_MASK_KEY": "test-key",
    }  # fmt: skip
    command = [sys.executable, "-m", "huiyin.cli", "inbox", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, cwd=PROJECT_ROOT, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_what_was_acknowledged_survives_kill_9(duckdb_company: Company) -> None:
    duckdb_company.declare(shop())
    port, acknowledged, numbers = _free_port(), set[str](), iter(range(1, 100_000))
    dice = random.Random(7)

    def push(stop: threading.Event) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            while not stop.is_set():
                number = next(numbers)
                body = json.dumps(ticket(number)).encode()
                try:
                    for _ in range(dice.choice([1, 1, 2])):  # senders repeat
                        answer = client.post("/hooks/shop", content=body, headers=signed(body))
                        if answer.status_code == 200:
                            acknowledged.add(f"T{number}")
                except httpx.TransportError:
                    return

    for _ in range(3):
        with serving(duckdb_company, port):
            stop = threading.Event()
            senders = [threading.Thread(target=push, args=(stop,)) for _ in range(3)]
            for sender in senders:
                sender.start()
            enough, deadline = len(acknowledged) + 15, time.monotonic() + 60
            while len(acknowledged) < enough and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(dice.random() / 2)  # the kill comes at any moment of what is under way
        stop.set()
        for sender in senders:
            sender.join()
        load(duckdb_company)
    rows = [row["ticket_id"] for row in duckdb_company.rows("select ticket_id from raw.tickets")]
    assert len(acknowledged) >= 45
    assert acknowledged <= set(rows) and len(rows) == len(set(rows))
    duckdb_company.assert_balanced()


def test_the_example_is_complete() -> None:
    example = Path(__file__).parents[2] / "examples" / "webhook.yml"
    source = load_sources(Settings(sources=example, mask_key="k")).source("shop")
    assert isinstance(source, WebhookSource)
    assert [table.entity for table in source.incoming] == ["tickets", "messages"]
