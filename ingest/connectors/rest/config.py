"""Configuration of sources that are any JSON interface over HTTP."""

from __future__ import annotations

from typing import Literal

from ingest.configuration import StreamSource


class RestSource(StreamSource):
    """Any JSON interface over HTTP."""

    kind: Literal["rest"]
