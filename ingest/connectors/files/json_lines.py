"""JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from ingest.connectors.delivery import BrokenLine, flat, text_array
from ingest.connectors.files.chunk import Chunk, without_damaged
from ingest.connectors.files.text import TextBlock
from ingest.errors import SourceError

_BLANK = " \t\r\ufeff"
_LONGEST_LINE = 64 << 20  # characters


def read_json_lines(blocks: Iterable[TextBlock], origin: str) -> Iterator[Chunk]:
    """The objects of a file's text, chunk by chunk; nested objects become dotted columns, numbers stay as written.

    Raises :class:`SourceError` for a line without end.
    """
    pending, number = "", 0
    for block in blocks:
        lines = (pending + block.text).split("\n")
        pending = "" if block.is_last else lines.pop()
        if len(pending) > _LONGEST_LINE:
            raise SourceError(f"{origin} has a line of over {len(pending) >> 20} MB; it must hold one object a line")
        yield _chunk(lines, number, block.damaged)
        number += len(lines)


def _chunk(lines: list[str], before: int, damaged: bool) -> Chunk:
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    broken: list[BrokenLine] = []
    for number, given in enumerate(lines, before + 1):
        line = given.strip(_BLANK)
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
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = pa.table({name: text_array([record.get(name) for record in records]) for name in names})
    chunk = Chunk(rows, pa.array(numbers, pa.int64()), broken)
    return without_damaged(chunk) if damaged else chunk
