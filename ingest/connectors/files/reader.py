"""Read files of every format as text, in deliveries that fit into memory.

A broken line never fails its file: it is handed over apart, for the quarantine.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from huiyin.interval import Interval
from ingest.connectors.delivery import Delivery
from ingest.connectors.files.chunk import Chunk
from ingest.connectors.files.config import FilesSource, FileTable
from ingest.connectors.files.delimited import read_delimited
from ingest.connectors.files.find import FoundFile, content_hash, find_files, opened
from ingest.connectors.files.json_lines import read_json_lines
from ingest.connectors.files.parquet import read_parquet
from ingest.connectors.files.text import text_blocks
from ingest.connectors.files.workbook import read_workbook
from ingest.errors import SourceError

__all__ = ["FoundFile", "check", "content_hash", "find_files", "read_file"]

FORMATS = ".csv, .tsv, .jsonl, .xlsx, .parquet, each also with .gz"


def read_file(file: FoundFile, table: FileTable, origin: str) -> Iterator[Delivery]:
    """The rows of a file, read by the ending of its name; at least one delivery.

    Raises :class:`SourceError` where the whole file is unusable.
    """
    suffixes = [suffix.lower() for suffix in Path(file.name).suffixes]
    is_packed = bool(suffixes) and suffixes[-1] == ".gz"
    if is_packed:
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    with opened(file) as plain:
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if is_packed else plain
        try:
            for chunk in _chunks(stream, suffix, is_packed, table, file.origin):
                yield Delivery(
                    origin, chunk.rows, chunk.numbers, file.delivered_at, chunk.broken, fixed_columns=suffix != ".jsonl"
                )
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise SourceError(f"{file.origin} is no complete gzip file ({error}); deliver it again") from error


def _chunks(stream: BinaryIO, suffix: str, is_packed: bool, table: FileTable, origin: str) -> Iterator[Chunk]:
    if suffix in (".csv", ".tsv"):
        tab = "\t" if suffix == ".tsv" else None
        return read_delimited(text_blocks(stream, table.encoding), table.delimiter, tab, origin)
    if suffix == ".jsonl":
        return read_json_lines(text_blocks(stream, table.encoding), origin)
    if suffix == ".xlsx":
        return read_workbook(_seekable(stream, is_packed), table.sheet, origin)
    if suffix == ".parquet":
        return read_parquet(_seekable(stream, is_packed), origin)
    raise SourceError(f"{origin}: the ending {suffix or '(none)'} is not supported; use {FORMATS}")


def _seekable(stream: BinaryIO, is_packed: bool) -> BinaryIO:
    """These formats are read from their end: a packed file is unpacked into memory first."""
    return io.BytesIO(stream.read()) if is_packed else stream


def check(source: FilesSource, folder: Path) -> str:
    """Find the files of every table. Raises :class:`SourceError`."""
    counts = [len(find_files(folder, table.path, Interval(), source.storage)) for table in source.tables]
    empty = [table.path for table, count in zip(source.tables, counts, strict=True) if not count]
    if empty:
        raise SourceError(f"no file matches {', '.join(empty)}; correct `path`, or have them delivered")
    return f"{sum(counts)} file(s) of {len(counts)} table(s)"
