"""A company with files, a database and a JSON interface, for tests that kill loads and run them at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ingest_company import TICKET_HEADER, Company

from huiyin.config import Settings
from huiyin.interval import Interval

BEGIN = datetime.fromisoformat("2025-03-01 00:00:00")
SOURCES = ("desk", "crm", "forum")
POSTS = 1200
PAGE = 100


def post(number: int) -> dict[str, Any]:
    """One post of the forum; every fifth was corrected later, every fortieth deleted, every hundredth is broken."""
    changed = BEGIN + timedelta(minutes=number)
    return {
        "id": f"P{number}",
        "kind": "bogus" if number % 100 == 7 else "post",
        "text": f"第{number}条 13800138{number % 1000:03d}",
        "posted": f"{BEGIN.isoformat()}+00:00",
        "updated_at": f"{changed.isoformat()}+00:00",
        "deleted": number % 40 == 0,
    }


@contextmanager
def forum(refuses_after: list[int] | None = None) -> Iterator[str]:
    """A JSON interface on loopback that pages by the instant of change; yields its address.

    ``refuses_after``: so many requests are answered, then none any more; may be changed meanwhile.
    """
    posts = [post(number) for number in range(POSTS)] + [
        post(number) | {"text": "改", "updated_at": f"{(BEGIN + timedelta(minutes=POSTS + number)).isoformat()}+00:00"}
        for number in range(0, POSTS, 5)
    ]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            since = parse_qs(urlsplit(self.path).query).get("since", [""])[0]
            known = datetime.fromisoformat(since).replace(tzinfo=None) if since else BEGIN
            found = [p for p in posts if datetime.fromisoformat(str(p["updated_at"])).replace(tzinfo=None) >= known]
            body = json.dumps({"items": found[:PAGE]}).encode()
            time.sleep(0.01)
            is_refused = refuses_after is not None and refuses_after[0] == 0
            if refuses_after is not None:
                refuses_after[0] -= 1
            self.send_response(403 if is_refused else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing to say."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def settle(company: Company, address: str) -> None:
    """Write what the three sources deliver, the same for every company."""
    for day in range(1, 4):
        rows = "".join(
            f"T{number},C{number % 50},phone,标题,第{day}天 13800138000,2025-03-0{day} 09:00:00,high\n"
            for number in range(day * 100, day * 100 + 400)
        )
        company.write(f"tickets/2025-03-0{day}.csv", TICKET_HEADER + rows + "broken\n,,phone,,,2025-03-01,\n")
    with sqlite3.connect(company.folder / "crm.db") as database:
        database.execute("create table if not exists agents (no, since, team, changed, gone)")
        database.executemany(
            "insert into agents values (?, ?, ?, ?, ?)",
            [
                (
                    f"A{n}",
                    "2025-01-01" if n % 90 else "bald",
                    f"组{n % 7}",
                    str(BEGIN + timedelta(hours=n)),
                    n % 33 == 0,
                )
                for n in range(800)
            ],
        )
    feedback = {"feedback_id": "id", "text": "text", "created_at": "posted"}
    company.declare(
        {
            "name": "desk", "domain": "tickets", "kind": "files",
            "tables": [{"entity": "tickets", "path": "tickets/{date}.csv"}],
        },
        {
            "name": "crm", "domain": "crm", "kind": "sql", "url": "sqlite:///crm.db",
            "tables": [
                {
                    "entity": "agents", "table": "agents", "cursor": "changed", "changed_at": "changed",
                    "columns": {"agent_ref": "no", "valid_from_at": "since"}, "deleted_when": {"gone": "1"},
                }
            ],
        },
        {
            "name": "forum", "domain": "social", "kind": "rest", "base_url": address,
            "streams": {
                "posts": {
                    "path": "/posts", "records": "items", "params": {"since": "{from}"},
                    "cursor": {"field": "updated_at", "oldest_first": "true"},
                    "paginator": {"kind": "keyset", "size": str(PAGE)},
                }
            },
            "tables": [
                {
                    "stream": "posts", "entity": "feedback", "columns": feedback, "changed_at": "updated_at",
                    "deleted_when": {"deleted": "true"},
                }
            ],
        },
    )  # fmt: skip


def load_all(settings: Settings, batch_id: str) -> None:
    """What the child does: load the three sources in small portions, with many checkpoints."""
    from ingest.connectors.rest import reader as rest
    from ingest.connectors.sql import reader as sql
    from ingest.load import ingest_source
    from ingest.loading import stage, streams

    stage.ROWS_PER_PORTION, streams.RECORDS_PER_CHECKPOINT = 150, 250
    sql.ROWS_PER_DELIVERY = rest.RECORDS_PER_DELIVERY = PAGE
    for name in SOURCES:
        ingest_source(settings, name, Interval(), batch_id)


def start(company: Company, batch_id: str) -> BaseProcess:
    """A process that loads everything; it can be killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ingest.load", "ingest.connectors.rest.reader", "ingest.connectors.sql.reader"])
    child = context.Process(target=load_all, args=(company.settings, batch_id))
    child.start()
    return child


def content(company: Company) -> dict[str, list[tuple[Any, ...]]]:
    """What raw, quarantine and cursors hold, without when and by which batch it came."""
    queries = {
        "tickets": "select * from raw.tickets",
        "agents": "select * from raw.agents",
        "feedback": "select * from raw.feedback",
        "cursors": "select source, stream, cursor from raw.cursors",
    } | {
        f"bad {name}": f"select source, origin, row_number, rule, payload from quarantine.{name}"
        for name in ("tickets", "agents", "feedback")
    }
    left_out = {"_loaded_at", "_batch_id", "row_number"}
    return {
        name: sorted((tuple(v for k, v in row.items() if k not in left_out) for row in company.rows(query)), key=repr)
        for name, query in queries.items()
    }


def spooled(company: Company) -> list[str]:
    """What lies in the spool."""
    folder = company.settings.var_dir / "spool"
    return [os.path.relpath(file, folder) for file in folder.rglob("*") if file.is_file() and file.name != "lock"]
