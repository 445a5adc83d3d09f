"""Excel workbooks (.xlsx), row by row."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import openpyxl
import pyarrow as pa
from openpyxl.utils.exceptions import InvalidFileException

from ingest.connectors.delivery import text_array
from ingest.connectors.files.chunk import Chunk, clean_names, numbered
from ingest.errors import SourceError

_ROWS = 20_000


def read_workbook(stream: BinaryIO, sheet: str | None, origin: str) -> Iterator[Chunk]:
    """The rows of a sheet (default: the first); empty rows don't count, the first other one is the header.

    Raises :class:`SourceError`.
    """
    try:
        workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise SourceError(f"{origin} is no Excel workbook ({error}); save it as .xlsx again") from error
    try:
        if sheet is not None and sheet not in workbook.sheetnames:
            raise SourceError(f"{origin} has no sheet {sheet!r}; it has: {', '.join(workbook.sheetnames)}")
        chosen = workbook[sheet] if sheet is not None else workbook.worksheets[0]
        filled = (row for row in chosen.iter_rows(values_only=True) if any(value not in (None, "") for value in row))
        header = next(filled, ())
        while header and header[-1] is None:
            header = header[:-1]
        names = clean_names(header)
        before = 0
        while rows := list(islice(filled, _ROWS)):
            yield numbered(_table(rows, names), before)
            before += len(rows)
        if before == 0:
            yield numbered(_table([], names), 0)
    finally:
        workbook.close()


def _table(rows: list[tuple[Any, ...]], names: list[str]) -> pa.Table:
    width = len(names)
    filled = [(row + (None,) * width)[:width] for row in rows]
    columns = zip(*filled, strict=True) if filled else [()] * width
    return pa.Table.from_arrays([text_array(list(column)) for column in columns], names=names)
