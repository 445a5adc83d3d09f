"""A Zendesk account on loopback that lives in its own time, and the truth about it in the words of the contract.

What it serves is made from a log of operations (:mod:`zendesk_history`); clocks, limits and faults are those of the
public documentation: the last minute isn't exported, ten incremental requests a minute with Retry-After, at most 100
records a listed page, cursors that expire, tickets that change while an export pages come again at its end.
"""

from __future__ import annotations

import base64
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from zendesk_history import History

API_USER = "ops@desk.example/token"
API_TOKEN = "api-token-of-the-test"
CLIENT = ("huiyin", "client-secret-of-the-test")
FAULTS = ("503", "500", "429", "cut", "reset", "html", "slow")


class FakeZendesk:
    """Serves ``history`` as it is at ``now`` (seconds since 1970), which every request moves on a little."""

    def __init__(self, history: History, now: int, *, faults: float = 0.0, token_requests: int | None = None) -> None:
        self.history = history
        self.now = float(now)
        self.fault_share = faults
        self.token_requests = token_requests
        self.rate_limit = 10
        self.seconds_per_request = 2.0
        self.fail_after: int | None = None
        self.page_size = 1000
        self.seen: Counter[str] = Counter()
        self.impatient = 0
        self._chance = random.Random(5)
        self._recent: list[float] = []
        self._blocked_until = 0.0
        self._generation = 0
        self._tokens: dict[str, int] = {}
        self._lock = threading.Lock()

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Listen on a free loopback port; yields the address."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fake._answer(self)

            def do_HEAD(self) -> None:
                fake._send(self, 200, {})

            def do_POST(self) -> None:
                fake._grant(self)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return format_datetime(datetime.fromtimestamp(fake.now, UTC), usegmt=True)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()

    def sleep(self, seconds: float) -> None:
        """What a client that waits does to the time here."""
        with self._lock:
            self.now += seconds

    def forget_cursors(self) -> None:
        """All cursors handed out so far expire."""
        self._generation += 1

    # answering

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = parts.path.removesuffix(".json").removeprefix("/api/v2/")
        with self._lock:
            self.now += self.seconds_per_request
            is_incremental = path.startswith("incremental/")
            if not self._is_signed_in(handler):
                return self._send(handler, 401, {"error": "Couldn't authenticate you"})
            if is_incremental and self._is_limited():
                wait = max(1, round(self._blocked_until - self.now + 0.5))
                return self._send(handler, 429, {"error": "APIRateLimitExceeded"}, {"Retry-After": str(wait)})
            if self.fail_after is not None and sum(self.seen.values()) >= self.fail_after:
                return self._send(handler, 500, {"error": "trouble"})
            if self._chance.random() < self.fault_share:
                return self._fail(handler, self._chance.choice(FAULTS))
            self.seen[path] += 1
            status, content = self._route(path, query)
        return self._send(handler, status, content)

    def _is_signed_in(self, handler: BaseHTTPRequestHandler) -> bool:
        given = handler.headers.get("Authorization", "")
        if given.startswith("Bearer "):
            left = self._tokens.get(given[7:], 0)
            self._tokens[given[7:]] = left - 1
            return left > 0
        return given == "Basic " + base64.b64encode(f"{API_USER}:{API_TOKEN}".encode()).decode()

    def _grant(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        form = {name: values[-1] for name, values in parse_qs(body).items()}
        basic = "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode()
        is_known = (form.get("client_id"), form.get("client_secret")) == CLIENT
        if not is_known and handler.headers.get("Authorization") != basic:
            return self._send(handler, 401, {"error": "invalid_client"})
        self.seen["tokens"] += 1
        token = f"token-{len(self._tokens)}"
        self._tokens[token] = self.token_requests or 10**9
        return self._send(handler, 200, {"access_token": token, "token_type": "bearer", "expires_in": 3600})

    def _is_limited(self) -> bool:
        if self.now < self._blocked_until:
            self.impatient += 1  # it didn't wait as long as it was told to
            return True
        self._recent = [moment for moment in self._recent if moment > self.now - 60]
        if len(self._recent) >= self.rate_limit:
            self._blocked_until = self._recent[0] + 60
            return True
        self._recent.append(self.now)
        return False

    def _fail(self, handler: BaseHTTPRequestHandler, kind: str) -> None:
        self.seen[f"fault {kind}"] += 1
        if kind.isdigit():
            headers = {"Retry-After": "3"} if kind in ("429", "503") else {}
            return self._send(handler, int(kind), {"error": "trouble"}, headers)
        if kind == "html":
            handler.send_response(200)
            body = b"<html>Zendesk is down for maintenance</html>"
            handler.send_header("Content-Type", "text/html")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
            return None
        if kind == "cut":
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", "5000")
            handler.end_headers()
            handler.wfile.write(b'{"tickets": [{"id": 1, "subj')
        if kind == "slow":
            threading.Event().wait(0.6)
        handler.close_connection = True
        handler.connection.close()
        return None

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, content: Any, headers: dict[str, str] | None = None
    ) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json; charset=utf-8")
        handler.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    # what is where

    def _route(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        now, history = int(self.now), self.history
        match path.split("/"):
            case ["incremental", "tickets", "cursor"]:
                return self._cursor_export("tickets", history.tickets(now - 60), "generated_timestamp", query)
            case ["incremental", "users", "cursor"]:
                return self._cursor_export("users", history.users(now - 60), "updated_at", query)
            case ["incremental", "ticket_events"]:
                events = history.events(now - 60, with_comments=query.get("include") == "comment_events")
                return self._time_export(events, query)
            case ["users", "me"]:
                return 200, {"user": {"id": 1, "role": "admin"}}
            case ["tickets", "count"]:
                return 200, {"count": {"value": len(history.tickets(now)), "refreshed_at": "2024-01-01T00:00:00Z"}}
            case ["tickets", number, "audits"]:
                return self._listed("audits", history.audits(int(number), now), query)
            case ["organizations", number, "users"]:
                own = [user for user in history.users(now) if user["organization_id"] == int(number)]
                return self._listed("users", own, query)
            case ["users"]:
                return self._listed("users", [user for user in history.users(now) if user["role"] != "end-user"], query)
            case ["groups" | "organizations" | "ticket_fields" as kind]:
                return self._listed(kind, history.listed(kind, now), query)
            case ["satisfaction_ratings"]:
                start = int(query.get("start_time", 0))
                ratings = [r for r in history.ratings(now) if seconds(r["created_at"]) >= start]
                return self._listed("satisfaction_ratings", ratings, query)
            case ["guide", "survey_responses"]:
                start = int(query.get("filter[created_at_start]", 0))
                offered = [r for r in history.responses(now) if r["offered"] >= start]
                return self._listed("survey_responses", offered, query)
            case ["business_hours", "schedules"]:
                return 200, {"schedules": history.listed("schedules", now)}
            case ["business_hours", "schedules", number, "holidays"]:
                return 200, {"holidays": history.holidays(int(number), now)}
        return 404, {"error": "InvalidEndpoint"}

    def _cursor_export(self, key: str, records: list[dict], stamp: str, query: dict[str, str]) -> tuple[int, Any]:
        ordered = sorted(records, key=lambda record: (seconds(record[stamp]), record["id"]))
        if "cursor" in query:
            generation, moment, number = base64.b64decode(query["cursor"]).decode().split("|")
            if int(generation) != self._generation:
                return 422, {"error": "InvalidValue", "description": "the cursor is invalid"}
            ordered = [r for r in ordered if (seconds(r[stamp]), r["id"]) > (int(moment), int(number))]
        else:
            start = int(query["start_time"])
            if start > self.now - 60:
                return 400, {"error": "StartTimeTooRecent", "description": "Too recent start_time"}
            ordered = [record for record in ordered if seconds(record[stamp]) >= start]
        page = ordered[: self._size(query)]
        after = query.get("cursor")
        if page:
            place = f"{self._generation}|{seconds(page[-1][stamp])}|{page[-1]['id']}"
            after = base64.b64encode(place.encode()).decode()
        return 200, {
            key: page, "after_cursor": after, "after_url": None, "before_cursor": None,
            "end_of_stream": len(page) == len(ordered),
        }  # fmt: skip

    def _time_export(self, events: list[dict], query: dict[str, str]) -> tuple[int, Any]:
        start = int(query["start_time"])
        if start > self.now - 60:
            return 400, {"error": "StartTimeTooRecent", "description": "Too recent start_time"}
        ordered = sorted((e for e in events if e["timestamp"] >= start), key=lambda e: (e["timestamp"], e["id"]))
        page = ordered[: self._size(query)]
        while len(page) < len(ordered) and ordered[len(page)]["timestamp"] in (page[-1]["timestamp"], start):
            page = ordered[: len(page) + 1]
        if len(page) < len(ordered) and page[-1]["timestamp"] == start:
            page = ordered[: len(page) + 1]
        end = page[-1]["timestamp"] if page else None
        return 200, {
            "ticket_events": page, "count": len(page), "end_time": end, "end_of_stream": len(page) == len(ordered),
            "next_page": f"/api/v2/incremental/ticket_events.json?start_time={end}",
        }  # fmt: skip

    def _size(self, query: dict[str, str]) -> int:
        return min(int(query.get("per_page", 1000)), self.page_size)

    def _listed(self, key: str, records: list[dict], query: dict[str, str]) -> tuple[int, Any]:
        size = min(int(query.get("page[size]", 100)), 100, self.page_size)
        first = int(query.get("page[after]", 0))
        has_more = first + size < len(records)
        return 200, {
            key: records[first : first + size],
            "meta": {"has_more": has_more, "after_cursor": str(first + size) if has_more else None},
        }


def seconds(moment: Any) -> int:
    """Seconds since 1970 of a moment as the interface writes it."""
    if isinstance(moment, int):
        return moment
    return int(datetime.fromisoformat(moment).timestamp())
