"""A 七鱼 account on loopback: signed requests checked by its own clock, exports as encrypted zip files elsewhere."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha1
from typing import Any

from loopback_api import Asked, Loopback, Reply, loopback

APP_KEY = "1064deea1c3624c9ee26d1de5ce8481f"
SECRET = "qiyu-secret-for-tests"
MINUTES_VALID = 5


class Account:
    """What the account holds; all instants are milliseconds since 1970."""

    def __init__(self) -> None:
        self.tickets: list[dict[str, Any]] = []  # each with `op`: when something was last done on it
        self.logs: dict[int, list[dict[str, Any]]] = {}
        self.sessions: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.staff: list[dict[str, Any]] = []
        self.groups: list[dict[str, Any]] = []
        self.codes: list[int] = []  # error codes that the next requests get
        self.largest_span = timedelta(days=2)
        self.polls = 1
        self.after_page: Any = lambda: None
        self.exports: dict[str, bytes] = {}
        self.polled: dict[str, int] = {}
        self.server: Loopback
        self.files: Loopback

    def __call__(self, asked: Asked) -> Any:
        given = asked.params
        if given.get("appKey") != APP_KEY:
            return {"code": 14001, "message": "appKey"}
        if abs(int(given["time"]) - self.server.now().timestamp()) > 60 * MINUTES_VALID:
            return {"code": 14003, "message": "time"}
        expected = sha1((SECRET + md5(asked.body).hexdigest() + given["time"]).encode()).hexdigest()
        if asked.method != "POST" or given["checksum"] != expected:
            return {"code": 14002, "message": "checksum"}
        if self.codes and (code := self.codes.pop(0)):
            return {"code": code, "message": "王小明 13800138000"}
        return self._answer(asked.path, asked.content)

    def _answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "/openapi/v2/staff/list":
                return {"code": 200, "message": json.dumps(self.staff)}
            case "/openapi/v2/staff/group/list":
                return {"code": 200, "message": json.dumps(self.groups)}
            case "/openapi/v2/ticket/search":
                found = [t for t in self.tickets if body["opStart"] <= t["op"] <= body["opEnd"]]
                found.sort(key=lambda t: t["createTime"])
                part = [
                    {name: value for name, value in ticket.items() if name != "op"}
                    for ticket in found[body["offset"] : body["offset"] + body["limit"]]
                ]
                self.after_page()
                return {"code": 200, "message": {"total": len(found), "tickets": part}}
            case "/openapi/v2/ticket/log":
                return {"code": 200, "data": self.logs.get(body["ticketId"], [])}
            case "/openapi/export/session":
                return self._export(int(body["start"]), int(body["end"]))
            case "/openapi/export/session/check":
                key = body["key"]
                self.polled[key] = self.polled.get(key, 0) + 1
                if self.polled[key] <= self.polls:
                    return {"code": 14403, "message": "running"}
                return {"code": 200, "message": f"{self.files.url}/{key}.zip"}
        return {"code": 14004, "message": path}

    def _export(self, start: int, end: int) -> dict[str, Any]:
        if end - start > self.largest_span / timedelta(milliseconds=1):
            return {"code": 14501, "message": "too much"}
        sessions = [session for session in self.sessions if start <= session["startTime"] <= end]
        ids = {session["id"] for session in sessions}
        messages = [message for message in self.messages if message["sessionId"] in ids]
        key = f"export-{start}-{end}"
        self.exports[f"/{key}.zip"] = encrypted_zip(
            {"d/session.txt": lines(sessions), "d/message.txt": lines(messages)}, APP_KEY[:12].encode()
        )
        return {"code": 200, "message": key}


@contextmanager
def account_on_loopback(account: Account, ahead: timedelta = timedelta()) -> Iterator[Loopback]:
    """Serve the account; ``ahead`` is how far its clock is ahead of ours."""

    def download(asked: Asked) -> Any:
        is_signed = "checksum" in asked.params or "appKey" in asked.params
        return Reply(status=400) if is_signed else Reply(body=account.exports[asked.path])

    with loopback(account, ahead) as server, loopback(download) as files:
        account.server, account.files = server, files
        yield server


def milliseconds(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def lines(records: list[dict[str, Any]]) -> bytes:
    """One JSON object a line, and the last line that is none."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode() + b"end of file\n"


def encrypted_zip(files: dict[str, bytes], password: bytes) -> bytes:
    """A zip file with the traditional encryption (PKWARE APPNOTE 6.1), which Python reads but doesn't write."""
    archive, directory = io.BytesIO(), io.BytesIO()
    for name, content in files.items():
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = deflate.compress(content) + deflate.flush()
        check = zlib.crc32(content)
        hidden = _encrypted(bytes(11) + bytes([check >> 24]) + packed, password)
        common = struct.pack("<HHHHHIIIHH", 20, 1, 8, 0, 0, check, len(hidden), len(content), len(name), 0)
        place = archive.tell()
        archive.write(b"PK\x03\x04" + common + name.encode() + hidden)
        directory.write(b"PK\x01\x02" + struct.pack("<H", 20) + common)
        directory.write(struct.pack("<HHHII", 0, 0, 0, 0, place) + name.encode())
    place, size = archive.tell(), directory.tell()
    archive.write(directory.getvalue())
    archive.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, len(files), len(files), size, place, 0))
    return archive.getvalue()


def _encrypted(plain: bytes, password: bytes) -> bytes:
    table = [_table_entry(index) for index in range(256)]
    keys = [0x12345678, 0x23456789, 0x34567890]

    def crc(value: int, byte: int) -> int:
        return (value >> 8) ^ table[(value ^ byte) & 0xFF]

    def update(byte: int) -> None:
        keys[0] = crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = crc(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    hidden = bytearray()
    for byte in plain:
        mask = keys[2] | 2
        hidden.append(byte ^ (((mask * (mask ^ 1)) >> 8) & 0xFF))
        update(byte)
    return bytes(hidden)


def _table_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ 0xEDB88320 if value & 1 else value >> 1
    return value
