"""Configuration of sources that are systems that push signed events into the inbox."""

from __future__ import annotations

from typing import Literal

from ingest.configuration import StreamSource


class WebhookSource(StreamSource):
    """Systems that push signed events into the inbox."""

    kind: Literal["webhook"]
