"""Configuration of sources that are Zendesk help desks."""

from __future__ import annotations

from typing import Literal

from ingest.configuration import StreamSource


class ZendeskSource(StreamSource):
    """Zendesk help desks."""

    kind: Literal["zendesk"]
