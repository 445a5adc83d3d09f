"""The HTTP side of the inbox: take an event, check it, mask it, keep it, and only then say so."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from datetime import UTC, datetime

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from huiyin.config import Settings
from ingest.connectors.delivery import utc_now
from ingest.connectors.webhook.config import WebhookSource
from ingest.connectors.webhook.desk import Desk
from ingest.connectors.webhook.inbox import Inbox, KeySupersededError
from ingest.connectors.webhook.intake import Arrival
from ingest.connectors.webhook.signature import UnsignedError, verify
from ingest.errors import SourceError
from ingest.masking import load_masker
from ingest.sources import load_sources

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64
BODY_SECONDS = 30.0
_RETRY_SECONDS = {"busy": "2", "disk": "60"}


def create_app(settings: Settings, most_at_once: int = MOST_AT_ONCE) -> FastAPI:
    """The application that ``huiyin inbox`` serves: ``POST /hooks/<source>`` and ``GET /health``.

    Raises :class:`SourceError` where the sources file has no webhook or a secret isn't set.
    """
    sources = load_sources(settings)
    hooks = [source for source in sources.sources if isinstance(source, WebhookSource)]
    if not hooks:
        raise SourceError(f"{settings.sources_file} has no source of kind webhook; see docs/connectors/webhook.md")
    masker = load_masker(settings)
    inbox = Inbox(hooks[0].inbox)
    desks = {hook.name: Desk(hook, hook.timezone or sources.timezone, masker, inbox) for hook in hooks}
    app = FastAPI(title="Huiyin inbox", docs_url=None, redoc_url=None, openapi_url=None)
    at_work = 0

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/hooks/{name}")
    async def receive(name: str, request: Request) -> JSONResponse:
        nonlocal at_work
        desk = desks.get(name)
        if desk is None:
            return _refusal(404, "no such hook")
        if at_work >= most_at_once:
            return _refusal(503, "too busy", retry_after=_RETRY_SECONDS["busy"])
        at_work += 1
        try:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json" and not kind.endswith("+json"):
                return _refusal(415, "send application/json")
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    body = await _body(request, int(desk.source.largest_body_kb * 1024))
            except TimeoutError:
                return _refusal(408, "the event came too slowly")
            if body is None:
                return _refusal(413, "the event is too large")
            # Of a header that stands twice the last would win here and the first elsewhere: take neither.
            headers: dict[str, str] = {}
            for key, value in request.headers.items():
                headers[key] = "" if key in headers else value
            try:
                verify(
                    headers, body, desk.source.scheme, desk.secrets, datetime.now(UTC), desk.source.tolerance_seconds
                )
            except UnsignedError as error:
                log.warning("inbox: an event for %s was refused: %s", name, error)
                return _refusal(401, str(error))
            try:
                together, position = desk.keep(Arrival(headers, body, utc_now()))
                # Shielded: a request that is given up must not cancel what it shares with others.
                receipt = (await asyncio.shield(asyncio.wrap_future(together)))[position]
            except KeySupersededError as error:
                log.error("inbox: an event for %s can't be kept: %s", name, error)
                return _refusal(503, "it can't be kept now", retry_after=_RETRY_SECONDS["disk"])
            except sqlite3.Error as error:
                log.error("inbox: an event for %s can't be kept: %s; make room on the disk", name, error)
                return _refusal(503, "it can't be kept now", retry_after=_RETRY_SECONDS["disk"])
        finally:
            at_work -= 1
        state = receipt.state if receipt.is_new else "duplicate"
        if state == "broken":
            log.warning(
                "inbox: event %d of %s is no JSON that can be read; it goes to quarantine", receipt.sequence, name
            )
        answer = {"id": str(receipt.sequence), "status": "quarantined" if state == "broken" else state}
        return JSONResponse(answer, status_code=202 if state == "broken" else 200)

    return app


async def _body(request: Request, largest: int) -> bytes | None:
    """The whole body; None where it is too large, which is found out without reading it all."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > largest:
        return None
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > largest:
            return None
    return bytes(pieces)


def _refusal(status: int, reason: str, retry_after: str | None = None) -> JSONResponse:
    headers = {"Retry-After": retry_after} if retry_after else None
    return JSONResponse({"error": reason}, status_code=status, headers=headers)
