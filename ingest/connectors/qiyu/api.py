"""The signed open interface of 网易七鱼: how a request is signed and what its error codes mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import md5, sha1
from typing import Any

import httpx

from ingest.connectors.http import HttpClient
from ingest.connectors.http_config import resolved
from ingest.connectors.qiyu.config import QiyuSource
from ingest.errors import SourceError

OK = 200
EXPORT_RUNS = 14403
TOO_MUCH_DATA = 14501
_PASSING = {14009: "too many requests", 14500: "a fault inside 七鱼"}
_REMEDIES = {
    14001: "the app key isn't known; check `app_key`",
    14002: "the checksum isn't accepted; check `app_secret`",
    14003: "the time of the request isn't accepted though it follows the server's clock; check proxies that cache",
    14004: "七鱼 doesn't understand the request; ask its support whether this interface is open to the account",
    14008: "this computer's address isn't allowed; add it under 扩展与集成",
    14515: "the account has no right to this interface; ask 七鱼 for it, or leave the stream out by `without`",
}


def checksum(secret: str, body: bytes, seconds: str) -> str:
    """SHA1(appSecret + MD5(body) + time), all as lower-case hexadecimal text (七鱼 通用说明 · 数据校验)."""
    return sha1(f"{secret}{md5(body).hexdigest()}{seconds}".encode()).hexdigest()


class QiyuApi:
    """Signed requests to one account."""

    def __init__(self, source: QiyuSource) -> None:
        self._source = source
        self.app_key = resolved(source.app_key, f"source {source.name}: app_key")
        secret = resolved(source.app_secret, f"source {source.name}: app_secret")

        def sign(request: httpx.Request, now: datetime) -> None:
            # By the server's clock: 七鱼 refuses what is more than five minutes off.
            seconds = str(int(now.timestamp()))
            given = {"appKey": self.app_key, "time": seconds, "checksum": checksum(secret, request.content, seconds)}
            request.url = request.url.copy_merge_params(given)

        self.client = HttpClient(source.name, source.base_url, options=source, sign=sign, passing=_passing)

    def call(self, path: str, body: Mapping[str, Any]) -> Any:
        """What the interface answers: its ``data``, else its ``message``. Raises :class:`QiyuError`."""
        answer = self.client.post_json(path, dict(body))
        code = answer.get("code") if isinstance(answer, dict) else None
        if code != OK:
            raise QiyuError(self._source.name, path, code)
        content = answer.get("message") if answer.get("data") is None else answer["data"]
        # Some of its interfaces wrap their JSON in a text.
        if isinstance(content, str) and content[:1] in ("[", "{"):
            try:
                return json.loads(content)
            except ValueError:
                return content
        return content


class QiyuError(SourceError):
    """七鱼 refused a request; ``code`` is its own error code."""

    def __init__(self, source: str, path: str, code: object) -> None:
        self.code = code if isinstance(code, int) else None
        remedy = _REMEDIES.get(self.code or 0, "look the code up in 七鱼's 通用错误码列表")
        shown = f"error {self.code}" if self.code is not None else "an answer without a code"
        super().__init__(f"source {source}: {path}: {shown}; {remedy}")


def _passing(content: Any) -> str | None:
    code = content.get("code") if isinstance(content, dict) else None
    return f"error {code}, {_PASSING[code]}" if isinstance(code, int) and code in _PASSING else None
