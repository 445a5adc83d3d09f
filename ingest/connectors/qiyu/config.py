"""Configuration of sources that are 网易七鱼 service desks."""

from __future__ import annotations

from typing import Literal

from ingest.configuration import StreamSource


class QiyuSource(StreamSource):
    """网易七鱼 service desks."""

    kind: Literal["qiyu"]
