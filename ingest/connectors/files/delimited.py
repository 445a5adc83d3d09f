"""CSV and TSV in chunks: Arrow reads what is well formed, Python's csv module reads around what isn't.

A record is what the csv module reads in strict mode, of at most ``LONGEST_RECORD_IN_LINES`` lines. A line that begins
none (its quotation never closes, or something follows the closing mark) is set aside alone, and reading goes on at
the next line, so that an open quotation doesn't swallow the rows after it. A record with more or fewer columns than
the header is set aside as a whole. How the text is cut into chunks never shows in the result.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from ingest.connectors.delivery import BrokenLine
from ingest.connectors.files.chunk import Chunk, clean_names, without_damaged
from ingest.connectors.files.text import TextBlock
from ingest.errors import SourceError

LONGEST_RECORD_IN_LINES = 1000
_LONGEST_RECORD_BYTES = 64 << 20
_LONGEST_HEADER_BYTES = 1 << 20
_DELIMITERS = (",", "\t", ";", "|")
# After a fault so much is read with care before the fast way is tried again.
_CAREFUL_BYTES = 256 << 10
_QUOTE, _LINE_FEED, _RETURN = b'"\n\r'
_COLUMN_REMEDY = "the line has {found} columns, the header {expected}; quote values that hold the delimiter"
_RECORD_REMEDY = "the line is no sound record of the header's columns; close its quotation marks"

csv.field_size_limit(_LONGEST_RECORD_BYTES)


def read_delimited(
    blocks: Iterable[TextBlock], delimiter: str | None, fallback: str | None, origin: str
) -> Iterator[Chunk]:
    """The rows of a file's text, chunk by chunk, at least one chunk.

    ``delimiter`` is the declared one; else it is ``fallback``, else found out by the header. Raises
    :class:`SourceError` where the file is no table of text.
    """
    reader = _DelimitedReader(delimiter or fallback, origin)
    for block in blocks:
        yield from reader.feed(block)


@dataclass(frozen=True)
class _Record:
    """``values`` of ``lines`` lines; None where no record begins here or, ``is_open``, where it may go on."""

    values: list[str] | None
    lines: int
    is_open: bool = False


def _record(lines: Sequence[bytes], position: int, delimiter: str) -> _Record:
    """The record that begins at a line."""
    end = min(position + LONGEST_RECORD_IN_LINES, len(lines))
    reader = csv.reader((lines[index].decode() for index in range(position, end)), delimiter=delimiter, strict=True)
    try:
        values = next(reader)
    except csv.Error:
        is_at_end = reader.line_num == end - position < LONGEST_RECORD_IN_LINES
        return _Record(None, 1, is_open=is_at_end)
    return _Record(values, reader.line_num)


class _DelimitedReader:
    """Rows out of the blocks of one file's text, numbered as they come."""

    def __init__(self, delimiter: str | None, origin: str) -> None:
        self._declared = delimiter
        self._origin = origin
        self._pending = b""
        self._names: list[str] | None = None
        self._delimiter = ""
        self._number = 0
        self._has_given = False

    def feed(self, block: TextBlock) -> Iterator[Chunk]:
        """The rows that are complete with this block."""
        self._pending += block.text.replace("\x00", "").encode("utf-8", "replace")
        if self._names is not None or self._take_header(block.is_last):
            for chunk in self._chunks(block.is_last):
                self._has_given = True
                yield without_damaged(chunk) if block.damaged else chunk
        if block.is_last and not self._has_given:
            yield self._chunk([], [], [])
        if len(self._pending) > _LONGEST_RECORD_BYTES:
            raise SourceError(f"{self._origin} has a line of over {len(self._pending) >> 20} MB; save it as CSV again")

    def _take_header(self, is_last: bool) -> bool:
        """Read names and delimiter off the text once the header is complete."""
        self._pending = self._pending.lstrip(b"\r\n")
        lines = self._pending[:_LONGEST_HEADER_BYTES].splitlines(keepends=True)
        if not lines or not (is_last or len(lines) > 1):
            return False
        first = lines[0].decode()
        self._delimiter = self._declared or max(_DELIMITERS, key=first.count)
        record = _record(lines, 0, self._delimiter)
        if record.values is None:  # a quotation mark is left open: take the line as it stands
            record = _Record(first.replace('"', "").split(self._delimiter), 1)
        self._names = clean_names(record.values or [])
        self._pending = self._pending[sum(map(len, lines[: record.lines])) :]
        return True

    def _chunks(self, is_last: bool) -> Iterator[Chunk]:
        """Read the pending text as far as it is complete."""
        while self._pending:
            sound, fault = _sound_extent(self._pending, self._delimiter, is_last)
            complete, self._pending = self._pending[:sound], self._pending[sound:]
            if complete.strip(b"\r\n"):
                yield self._read_sound(complete)
            if fault is None:
                return
            chunk, used = self._read_with_care(self._pending, fault - sound + _CAREFUL_BYTES, is_last)
            self._pending = self._pending[used:]
            if used:
                yield chunk
            if used <= fault - sound:  # the faulty record isn't complete
                return

    def _read_sound(self, text: bytes) -> Chunk:
        broken: list[BrokenLine] = []
        assert self._names is not None
        if text.startswith(codecs.BOM_UTF8):
            text = codecs.BOM_UTF8 + text  # Arrow skips one where it begins to read, though here it is a value's

        def set_aside(row: Any) -> str:
            broken.append(self._wrong_width(self._number + row.number, row.text, row.actual_columns))
            return "skip"

        try:
            rows = pa_csv.read_csv(
                pa.BufferReader(text),
                pa_csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=self._names),
                pa_csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=set_aside),
                pa_csv.ConvertOptions(column_types=dict.fromkeys(self._names, pa.string())),
            )
        except pa.ArrowInvalid as error:
            raise SourceError(f"{self._origin} is not a table of text ({error}); save it as CSV again") from error
        count = rows.num_rows + len(broken)
        numbers = np.arange(self._number + 1, self._number + count + 1)
        if broken:
            numbers = np.delete(numbers, [line.row_number - self._number - 1 for line in broken])
        self._number += count
        return Chunk(rows, pa.array(numbers, pa.int64()), broken)

    def _read_with_care(self, text: bytes, until: int, is_last: bool) -> tuple[Chunk, int]:
        """Record by record up to about ``until`` bytes; also how many bytes were used."""
        assert self._names is not None
        columns: list[list[str]] = [[] for _ in self._names]
        numbers: list[int] = []
        broken: list[BrokenLine] = []
        lines = text.splitlines(keepends=True)
        position = used = 0
        while position < len(lines) and used < until:
            record = _record(lines, position, self._delimiter)
            if not is_last and (record.is_open or position + record.lines >= len(lines)):
                break  # its last line may go on in the next block
            size = sum(map(len, lines[position : position + record.lines]))
            if lines[position].strip(b"\r\n"):
                self._number += 1
                if record.values is None:
                    text_of_line = lines[position].decode().rstrip("\r\n")
                    broken.append(BrokenLine(self._number, "columns", text_of_line, _RECORD_REMEDY))
                elif len(record.values) != len(columns):
                    whole = b"".join(lines[position : position + record.lines]).decode().rstrip("\r\n")
                    broken.append(self._wrong_width(self._number, whole, len(record.values)))
                else:
                    numbers.append(self._number)
                    for column, value in zip(columns, record.values, strict=True):
                        column.append(value)
            position += record.lines
            used += size
        return self._chunk(columns, numbers, broken), used

    def _wrong_width(self, number: int, text: str, found: int) -> BrokenLine:
        remedy = _COLUMN_REMEDY.format(found=found, expected=len(self._names or ()))
        return BrokenLine(number, "columns", text, remedy)

    def _chunk(self, columns: Sequence[Sequence[str]], numbers: list[int], broken: list[BrokenLine]) -> Chunk:
        names = self._names or []
        arrays = [pa.array(column, pa.string()) for column in columns or [[]] * len(names)]
        return Chunk(pa.Table.from_arrays(arrays, names=names), pa.array(numbers, pa.int64()), broken)


def _sound_extent(text: bytes, delimiter: str, is_last: bool) -> tuple[int, int | None]:
    """Length of the complete, well-formed records that ``text`` begins with, and where a fault is after them.

    Well formed: every quotation mark begins a value, ends one, or is doubled in one. Then those with an even number
    of marks before them are outside of values, and so are the ends of lines, which end records.
    """
    if not delimiter.isascii():
        return 0, 0
    if b'"' not in text:
        return (len(text) if is_last else max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1), None
    data = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(data == _QUOTE)
    ends = np.flatnonzero(data == _LINE_FEED)
    if not len(ends):
        ends = np.flatnonzero(data == _RETURN)
    fault = _first_misplaced(data, quotes, delimiter)
    is_boundary = (np.searchsorted(quotes, ends) % 2 == 0) & (ends < (len(text) if fault is None else fault))
    lines = np.flatnonzero(is_boundary)
    too_long = np.flatnonzero(np.diff(lines, prepend=-1) > LONGEST_RECORD_IN_LINES)
    if len(too_long):
        lines = lines[: too_long[0]]
    length = int(ends[lines[-1]]) + 1 if len(lines) else 0
    if len(too_long):
        return length, length
    if fault is not None:
        return length, fault
    is_closed = len(quotes) % 2 == 0
    if is_last and is_closed:
        return len(text), None
    open_lines = len(ends) - 1 - (int(lines[-1]) if len(lines) else -1)
    return length, length if is_last or open_lines >= LONGEST_RECORD_IN_LINES else None


def _first_misplaced(data: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64], delimiter: str) -> int | None:
    """Where the first value is whose quotation marks are not where they belong."""
    limits = np.zeros(256, dtype=bool)
    limits[[ord(delimiter), _LINE_FEED, _RETURN]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    doubled = opening[1:] == closing[: len(opening) - 1] + 1
    opens_well = limits[data[opening - 1]] | (opening == 0)
    opens_well[1:] |= doubled
    closes_well = limits[data[np.minimum(closing + 1, len(data) - 1)]] | (closing == len(data) - 1)
    closes_well[: len(doubled)] |= doubled
    opens_well[: len(closing)] &= closes_well
    return None if opens_well.all() else int(opening[np.argmin(opens_well)])
