"""Configuration of sources that are feeds of posts and reviews."""

from __future__ import annotations

from typing import Literal

from ingest.configuration import StreamSource


class SocialSource(StreamSource):
    """Feeds of posts and reviews."""

    kind: Literal["social"]
