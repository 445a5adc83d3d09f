"""What every connector offers: it reads one stream of a source, from where the last load stopped or for some days.

A kind of source is a package ``ingest/connectors/<kind>/`` with ``config.py`` (its part of the sources file; light, for
DAG files import it) and ``reader.py`` (the two functions of :class:`Reader`). ``ingest/sources.py`` lists the kinds.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from huiyin.interval import Interval
from ingest.configuration import BaseSource
from ingest.connectors.delivery import Delivery


@dataclass(frozen=True)
class Request:
    """What is wanted of one stream.

    ``resume``: go on at ``cursor`` (what the last :attr:`Delivery.cursor` that reached the warehouse said; None at the
    first load: everything, from where the sources file says that it begins). The interval then has no beginning: a
    first load by schedule brings the history too, for later ones never go back. Otherwise a backfill: the interval's
    days, whatever the cursor says. Days are local to ``zone``, that of instants without one. ``folder`` is where
    relative paths begin.
    """

    interval: Interval
    resume: bool
    cursor: Mapping[str, Any] | None
    folder: Path
    zone: str


class Reader(Protocol):
    """The module ``reader.py`` of a kind of source."""

    def read_stream(self, source: Any, stream: str, request: Request) -> Iterator[Delivery]:
        """The stream's records, oldest first, in deliveries that fit into memory; nothing is retried by the caller.

        Every delivery but a backfill's should carry a cursor, so that a load that was killed goes on there. Raises
        :class:`ingest.errors.SourceError` with the remedy.
        """

    def check(self, source: Any, folder: Path) -> str:
        """Reach the source and sign in, read little; one line on what was found. Raises ``SourceError``."""


def reader_of(source: BaseSource) -> Reader:
    """The reader of the source's kind, imported when it is needed."""
    return cast(Reader, importlib.import_module(f"ingest.connectors.{source.kind}.reader"))
