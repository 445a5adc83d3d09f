"""Exports of 七鱼: ask for one, wait for it, unpack it; in memory only, for what is in it isn't masked yet."""

from __future__ import annotations

import io
import json
import time
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ingest.connectors.qiyu.api import EXPORT_RUNS, QiyuApi, QiyuError
from ingest.connectors.qiyu.config import QiyuSource
from ingest.errors import SourceError

POLL_SECONDS = 10.0
_PASSWORD_LENGTH = 12  # of the zip file: the first characters of the app key


def exported(api: QiyuApi, source: QiyuSource, path: str, start: datetime, end: datetime) -> Iterator[tuple[str, Any]]:
    """Name of the file and record, of everything that the export of that span holds (naive UTC, end exclusive).

    Raises :class:`SourceError`.
    """
    key = api.call(path, {"start": str(milliseconds(start)), "end": str(milliseconds(end) - 1)})
    if not isinstance(key, str):
        raise SourceError(f"source {source.name}: {path}: the answer holds no key of the export")
    deadline = time.monotonic() + 60 * source.export_wait_minutes
    while True:
        try:
            address = api.call(f"{path}/check", {"key": key})
            break
        except QiyuError as error:
            if error.code != EXPORT_RUNS:
                raise
        if time.monotonic() > deadline:
            late = f"source {source.name}: {path}: not ready in time; raise `export_wait_minutes`"
            raise SourceError(late, mends_itself=True)
        time.sleep(POLL_SECONDS)
    if not isinstance(address, str) or not address.startswith("http"):
        if not address:
            return  # nothing happened in that time
        raise SourceError(f"source {source.name}: {path}: the answer holds no address of the export")
    packed = api.client.request("GET", address, with_credentials=False, shown=" (export)").body
    yield from _unpacked(packed, api.app_key[:_PASSWORD_LENGTH].encode(), f"source {source.name}: {path}")


def milliseconds(instant: datetime) -> int:
    """Since 1970, of a naive UTC instant."""
    return int(instant.replace(tzinfo=UTC).timestamp()) * 1000 + instant.microsecond // 1000


def _unpacked(packed: bytes, password: bytes, place: str) -> Iterator[tuple[str, Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                name = entry.filename.rpartition("/")[2].partition(".")[0]
                with archive.open(entry, pwd=password) as file:
                    for record in _records(file, place):
                        yield name, record
    except (zipfile.BadZipFile, RuntimeError, zlib.error) as error:  # RuntimeError: the password is wrong
        raise SourceError(f"{place}: the export can't be unpacked; check `app_key`, or load again") from error


def _records(file: Any, place: str) -> Iterator[Any]:
    """One JSON object a line; 七鱼 ends each file with a line that is none."""
    unread = 0
    for line in io.TextIOWrapper(file, encoding="utf-8", errors="replace"):
        if not line.strip():
            continue
        if unread:
            cut = f"{place}: a line of the export is no record, and it isn't the last; load again"
            raise SourceError(cut, mends_itself=True)
        try:
            record = json.loads(line)
        except ValueError:
            unread += 1
            continue
        if isinstance(record, dict):
            yield record
