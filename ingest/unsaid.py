"""Keep personal data out of what is said about errors: libraries quote values in their messages.

Databases, parsers and type converters put the value they stumbled over into the exception. What leaves a load and what
is logged is therefore searched like any other free text.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from ingest.personal import mask_text


class MaskedError(Exception):
    """Stands in for an error whose message couldn't be masked in place; names its kind and says the rest masked."""


@contextmanager
def masked_errors() -> Iterator[None]:
    """Errors that leave the block say nothing personal, nor do those that caused them."""
    try:
        yield
    except Exception as error:
        masked = masked_error(error)
        if masked is error:
            raise
        raise masked from masked.__cause__


def masked_error(error: BaseException) -> BaseException:
    """The error with masked messages, its causes included; the same object where that is possible."""
    return _masked(error, set())


def _masked(error: BaseException, seen: set[int]) -> BaseException:
    seen.add(id(error))
    if error.__cause__ is not None and id(error.__cause__) not in seen:
        error.__cause__ = _masked(error.__cause__, seen)
    if error.__context__ is not None and id(error.__context__) not in seen:
        error.__context__ = _masked(error.__context__, seen)
    said = str(error)
    if mask_text(said) == said:
        return error
    error.args = tuple(mask_text(part) if isinstance(part, str) else part for part in error.args)
    said = str(error)
    if mask_text(said) == said:
        return error
    # Some compose their message from other attributes (SQLAlchemy's, pydantic's).
    standing_in = MaskedError(f"{type(error).__name__}: {mask_text(said)}").with_traceback(error.__traceback__)
    standing_in.__cause__, standing_in.__context__ = error.__cause__, error.__context__
    return standing_in


def mask_log_records() -> None:
    """Mask the message and the traceback of every record that this process logs from now on."""
    make = logging.getLogRecordFactory()
    if isinstance(make, _MaskingFactory):
        return
    logging.setLogRecordFactory(_MaskingFactory(make))


class _MaskingFactory:
    """Makes records as ``make`` does, with what they say masked: all handlers and formatters see only that."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*arguments, **named)
        try:
            said = record.getMessage()
        except (TypeError, ValueError):  # arguments that don't fit; the handler reports it, and not what they are
            record.args, said = (), str(record.msg)
        masked = mask_text(said)
        if masked != said:
            record.msg, record.args = masked, ()
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = _traceback(record.exc_info)
        return record


def _traceback(exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | Any) -> str:
    return mask_text("".join(traceback.format_exception(*exc_info)).rstrip("\n"))
