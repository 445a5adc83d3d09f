"""Why a source could not be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huiyin.errors import HuiyinError

if TYPE_CHECKING:
    from ingest.loading.report import LoadReport


class SourceError(HuiyinError):
    """A source, or one of its tables, could not be loaded; the message names it and the remedy.

    ``mends_itself``: time may mend it (a server that is down), so that a later try makes sense.
    """

    def __init__(self, message: str, *, mends_itself: bool = False) -> None:
        super().__init__(message)
        self.mends_itself = mends_itself


class PartlyLoadedError(SourceError):
    """Some of the source's tables could not be loaded, the others are in ``raw``; one line a failed table."""

    def __init__(self, message: str, reports: list[LoadReport], *, mends_itself: bool = False) -> None:
        super().__init__(message, mends_itself=mends_itself)
        self.reports = reports
