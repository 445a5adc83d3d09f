"""Find files by pattern and day, and read CSV, TSV, JSON lines, Excel and Parquet as text.

A broken line never fails its file: it is handed over apart, for the quarantine.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from openpyxl.utils.exceptions import InvalidFileException

from huiyin.interval import Interval
from ingest.configuration import unresolved_variables
from ingest.connectors.delivery import BrokenLine, Delivery, flat, text_array, text_column
from ingest.connectors.files.config import FileTable
from ingest.errors import SourceError

FORMATS = ".csv, .tsv, .jsonl, .xlsx, .parquet, each also with .gz"
_DATE = r"(?P<date>\d{4}-\d{2}-\d{2}|\d{8})"
_DELIMITERS = (",", "\t", ";", "|")
_LONGEST_RECORD_IN_LINES = 50
_COLUMN_REMEDY = "the line has {found} columns, the header {expected}; quote values that hold the delimiter"


@dataclass(frozen=True)
class FoundFile:
    """One file that a table's path names."""

    path: Path
    origin: str
    day: date | None
    size: int
    modified_ns: int

    @property
    def delivered_at(self) -> datetime:
        """The day in its name; else when it was last modified."""
        if self.day is not None:
            return datetime(self.day.year, self.day.month, self.day.day)  # noqa: DTZ001 (naive UTC everywhere)
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC).replace(tzinfo=None)


def find_files(folder: Path, pattern: str, interval: Interval) -> list[FoundFile]:
    """The files of a path pattern, oldest delivery first; of ``{date}`` patterns only the interval's days.

    Raises :class:`SourceError` where a file without wildcards, or the folder before the first wildcard, is missing.
    """
    if missing := unresolved_variables(pattern):
        raise SourceError(f"path {pattern}: set the environment variable {', '.join(missing)}")
    parts = Path(pattern.replace("{date}", "\0")).parts
    fixed = next((i for i, part in enumerate(parts) if re.search(r"[*?\[\0]", part)), len(parts))
    base = (folder / Path(*parts[:fixed])).resolve()
    if fixed == len(parts):
        if not base.is_file():
            raise SourceError(f"there is no file {base}; correct `path`, or have it delivered")
        return [_found(base, folder, None)]
    if not base.is_dir():
        raise SourceError(f"there is no folder {base}; correct `path`, or have its files delivered")
    rest = "/".join(parts[fixed:])
    matcher = re.compile(_pattern(rest))
    found = []
    for path in base.glob(rest.replace("\0", "*")):
        match = matcher.fullmatch(path.relative_to(base).as_posix())
        if not match or path.name.startswith((".", "~$")) or not path.is_file():
            continue
        day = _day(match["date"]) if "\0" in rest else None
        if "\0" in rest and (day is None or day not in interval):
            continue
        found.append(_found(path, folder, day))
    return sorted(found, key=lambda file: (file.delivered_at, file.origin))


def _pattern(rest: str) -> str:
    pieces = {"\0": _DATE, "**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(pieces.get(piece, re.escape(piece)) for piece in re.split(r"(\0|\*\*/|\*\*|\*|\?)", rest))


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text.replace("-", ""), "%Y%m%d").date()  # noqa: DTZ007 (a date has no zone)
    except ValueError:
        return None


def _found(path: Path, folder: Path, day: date | None) -> FoundFile:
    stat = path.stat()
    origin = Path(os.path.relpath(path, folder.resolve())).as_posix()
    return FoundFile(path, origin, day, stat.st_size, stat.st_mtime_ns)


def content_hash(file: FoundFile) -> str:
    """A fingerprint of the file's content. Raises :class:`SourceError` where it can't be read."""
    return blake2b(_content(file), digest_size=16).hexdigest()


def _content(file: FoundFile) -> bytes:
    try:
        return file.path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(f"{file.origin} vanished while it was read; deliver it again") from error
    except OSError as error:
        raise SourceError(
            f"{file.origin} can't be read: {error.strerror}; give this user the right to read it"
        ) from error


def read_file(file: FoundFile, table: FileTable, origin: str) -> Iterator[Delivery]:
    """The rows of a file, read by the ending of its name, in deliveries that fit into memory.

    Raises :class:`SourceError` where the whole file is unusable.
    """
    content = _content(file)
    suffixes = [suffix.lower() for suffix in file.path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(f"{file.origin} is no complete gzip file ({error}); deliver it again") from error
    suffix = suffixes[-1] if suffixes else ""
    broken: Sequence[BrokenLine] = ()
    if suffix in (".csv", ".tsv"):
        rows, numbers, broken = _read_csv(content, table, "\t" if suffix == ".tsv" else None, file.origin)
    elif suffix == ".jsonl":
        rows, numbers, broken = _read_jsonl(content, table, file.origin)
    elif suffix == ".xlsx":
        rows = _read_excel(content, table, file.origin)
        numbers = pa.array(range(1, rows.num_rows + 1), pa.int64())
    elif suffix == ".parquet":
        rows = _read_parquet(content, file.origin)
        numbers = pa.array(range(1, rows.num_rows + 1), pa.int64())
    else:
        raise SourceError(f"{file.origin}: the ending {suffix or '(none)'} is not supported; use {FORMATS}")
    yield Delivery(origin, rows, numbers, file.delivered_at, broken, fixed_columns=suffix != ".jsonl")


def decode(content: bytes, encoding: str | None = None) -> tuple[str, bool]:
    """Bytes as text, and whether some of them were damaged (U+FFFD stands for those).

    UTF-8 where it fits, else GB18030 (the superset of GBK and GB2312, what Chinese Excel writes); byte order marks
    decide. A UTF-8 file with a few broken bytes stays UTF-8.
    """
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            content, encoding = (content[3:], name) if name == "utf-8" else (content, name)
            break
    if encoding is None:
        try:
            return content.decode("utf-8"), False
        except UnicodeDecodeError:
            rescued = content.decode("utf-8", "replace")
            beyond_ascii = sum(character > "\x7f" for character in rescued)
            if rescued.count("�") <= beyond_ascii * 0.05:
                return rescued, True
            encoding = "gb18030"
    try:
        return content.decode(encoding), False
    except UnicodeDecodeError:
        return content.decode(encoding, "replace"), True


def _read_csv(
    content: bytes, table: FileTable, delimiter: str | None, origin: str
) -> tuple[pa.Table, pa.Array, list[BrokenLine]]:
    text, damaged = decode(content, table.encoding)
    text = text.lstrip("﻿\r\n").replace("\x00", "")
    if not text.strip():
        return pa.table({}), pa.array([], pa.int64()), []
    header = text.split("\n", 1)[0]
    delimiter = table.delimiter or delimiter or max(_DELIMITERS, key=header.count)
    lines = iter(text.splitlines(keepends=True))
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        names = _clean_names(next(reader))
    except csv.Error as error:
        raise SourceError(
            f"{origin}: the header can't be read ({error}); it must be one line of column names"
        ) from error
    if text.count('"') % 2:
        rows, numbers, broken = _read_damaged_csv(list(lines), names, delimiter)
    else:
        rows, numbers, broken = _read_sound_csv(text, names, delimiter, reader.line_num, origin)
    if damaged:
        rows, numbers, broken = _without_damaged(rows, numbers, broken)
    return rows, numbers, broken


def _clean_names(names: Sequence[Any]) -> list[str]:
    """Column names without white space and marks around them, unnamed and repeated ones made unique."""
    cleaned: list[str] = []
    for number, name in enumerate(names, 1):
        plain = str("" if name is None else name).strip(" \t\r\n\u00a0\u3000\u200b﻿") or f"(column {number})"
        cleaned.append(f"{plain} (column {number})" if plain in cleaned else plain)
    return cleaned


def _read_sound_csv(
    text: str, names: list[str], delimiter: str, header_lines: int, origin: str
) -> tuple[pa.Table, pa.Array, list[BrokenLine]]:
    broken: list[BrokenLine] = []

    def set_aside(row: Any) -> str:
        remedy = _COLUMN_REMEDY.format(found=row.actual_columns, expected=row.expected_columns)
        broken.append(BrokenLine(row.number - header_lines, "columns", row.text, remedy))
        return "skip"

    encoded = text.encode("utf-8", "replace")
    try:
        rows = pa_csv.read_csv(
            pa.BufferReader(encoded),
            pa_csv.ReadOptions(
                use_threads=False, block_size=len(encoded) + 1, column_names=names, skip_rows=header_lines
            ),
            pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=set_aside),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowInvalid as error:
        raise SourceError(f"{origin} is not a table of text ({error}); save it as CSV again") from error
    if not broken:
        return rows, pa.array(range(1, rows.num_rows + 1), pa.int64()), broken
    skipped = {line.row_number for line in broken}
    numbers = [n for n in range(1, rows.num_rows + len(skipped) + 1) if n not in skipped]
    return rows, pa.array(numbers, pa.int64()), broken


def _read_damaged_csv(
    lines: list[str], names: list[str], delimiter: str
) -> tuple[pa.Table, pa.Array, list[BrokenLine]]:
    """Read around a quotation mark that is never closed: it would swallow all rows after it.

    Each line is tried as a record, joined by its followers while a quotation is open; if that gives no sound record
    soon, the line alone is broken and reading goes on at the next.
    """
    columns: list[list[str]] = [[] for _ in names]
    numbers: list[int] = []
    broken: list[BrokenLine] = []
    position, number = 0, 0
    while position < len(lines):
        if not lines[position].strip():
            position += 1
            continue
        number += 1
        values, used = _one_record(lines, position, len(names), delimiter)
        if values is None:
            remedy = "the line is no sound record of the header's columns; close its quotation marks"
            broken.append(BrokenLine(number, "columns", lines[position].rstrip("\r\n"), remedy))
        else:
            numbers.append(number)
            for column, value in zip(columns, values, strict=True):
                column.append(value)
        position += used
    rows = pa.Table.from_arrays([pa.array(column, pa.string()) for column in columns], names=names)
    return rows, pa.array(numbers, pa.int64()), broken


def _one_record(lines: list[str], position: int, width: int, delimiter: str) -> tuple[list[str] | None, int]:
    for used in range(1, _LONGEST_RECORD_IN_LINES + 1):
        if position + used > len(lines):
            break
        record = "".join(lines[position : position + used])
        try:
            parsed = list(csv.reader(io.StringIO(record, newline=""), delimiter=delimiter, strict=True))
        except csv.Error:
            if record.count('"') % 2 == 0:
                break
            continue
        return (parsed[0], used) if len(parsed) == 1 and len(parsed[0]) == width else (None, 1)
    return None, 1


def _without_damaged(
    rows: pa.Table, numbers: pa.Array, broken: list[BrokenLine]
) -> tuple[pa.Table, pa.Array, list[BrokenLine]]:
    damaged = pa.array([False] * rows.num_rows)
    for column in rows.columns:
        damaged = pc.or_(damaged, pc.fill_null(pc.match_substring(column, "�"), False))
    for number, row in zip(numbers.filter(damaged).to_pylist(), rows.filter(damaged).to_pylist(), strict=True):
        remedy = "some bytes are not in the file's encoding; export it as UTF-8"
        broken.append(BrokenLine(number, "encoding", json.dumps(row, ensure_ascii=False), remedy))
    sound = pc.invert(damaged)
    return rows.filter(sound), numbers.filter(sound), broken


def _read_jsonl(content: bytes, table: FileTable, origin: str) -> tuple[pa.Table, pa.Array, list[BrokenLine]]:
    text, damaged = decode(content, table.encoding)
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    broken: list[BrokenLine] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(" \t\r﻿")
        if not line:
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            broken.append(BrokenLine(number, "json", line, "the line is not valid JSON; write one object a line"))
            continue
        if isinstance(record, dict):
            records.append(dict(flat(record)))
            numbers.append(number)
        else:
            broken.append(BrokenLine(number, "json", line, "the line is JSON but no object; write one object a line"))
    if broken and not records:
        raise SourceError(f"{origin} has no line that is a JSON object; it must hold one object a line")
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = pa.table({name: text_array([record.get(name) for record in records]) for name in names})
    if damaged:
        return _without_damaged(rows, pa.array(numbers, pa.int64()), broken)
    return rows, pa.array(numbers, pa.int64()), broken


def _read_excel(content: bytes, table: FileTable, origin: str) -> pa.Table:
    try:
        workbook = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise SourceError(f"{origin} is no Excel workbook ({error}); save it as .xlsx again") from error
    try:
        if table.sheet is not None and table.sheet not in workbook.sheetnames:
            raise SourceError(f"{origin} has no sheet {table.sheet!r}; it has: {', '.join(workbook.sheetnames)}")
        sheet = workbook[table.sheet] if table.sheet is not None else workbook.worksheets[0]
        filled = (row for row in sheet.iter_rows(values_only=True) if any(value not in (None, "") for value in row))
        header = next(filled, None)
        if header is None:
            return pa.table({})
        while header and header[-1] is None:
            header = header[:-1]
        names = _clean_names(header)
        width = len(names)
        rows = [(row + (None,) * width)[:width] for row in filled]
    finally:
        workbook.close()
    columns = zip(*rows, strict=True) if rows else [()] * width
    return pa.Table.from_arrays([text_array(list(column)) for column in columns], names=names)


def _read_parquet(content: bytes, origin: str) -> pa.Table:
    try:
        rows = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{origin} is no complete Parquet file ({error}); deliver it again") from error
    return pa.Table.from_arrays([text_column(column) for column in rows.columns], names=_clean_names(rows.column_names))
