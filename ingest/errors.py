"""Why a source could not be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huiyin.errors import HuiyinError

if TYPE_CHECKING:
    from ingest.loading.report import LoadReport


class SourceError(HuiyinError):
    """A source, or one of its tables, could not be loaded; the message names it and the remedy."""


class PartlyLoadedError(SourceError):
    """Some of the source's tables could not be loaded, the others are in ``raw``; one line a failed table."""

    def __init__(self, message: str, reports: list[LoadReport]) -> None:
        super().__init__(message)
        self.reports = reports
