"""Why a source could not be loaded."""

from __future__ import annotations

from huiyin.errors import HuiyinError


class SourceError(HuiyinError):
    """A source, or one of its tables, could not be loaded; the message names it and the remedy."""
