"""Some rows of a file, as its readers hand them over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.connectors.delivery import BrokenLine

_ENCODING_REMEDY = "some bytes are not in the file's encoding; export it as UTF-8"


@dataclass(frozen=True)
class Chunk:
    """Rows as text, their numbers in the file (from 1, without the header), and what was no row."""

    rows: pa.Table
    numbers: pa.Array
    broken: Sequence[BrokenLine] = field(default_factory=tuple)


def numbered(rows: pa.Table, before: int) -> Chunk:
    """A chunk of sound rows that follow ``before`` others."""
    return Chunk(rows, pa.array(range(before + 1, before + rows.num_rows + 1), pa.int64()))


def without_damaged(chunk: Chunk) -> Chunk:
    """The chunk with the rows that hold damaged characters (U+FFFD) set aside."""
    found = np.zeros(chunk.rows.num_rows, dtype=bool)
    for column in chunk.rows.columns:
        found |= pc.fill_null(pc.match_substring(column, "\ufffd"), False).to_numpy()
    damaged = pa.array(found)
    given = zip(chunk.numbers.filter(damaged).to_pylist(), chunk.rows.filter(damaged).to_pylist(), strict=True)
    broken = [
        BrokenLine(number, "encoding", json.dumps(row, ensure_ascii=False), _ENCODING_REMEDY) for number, row in given
    ]
    sound = pc.invert(damaged)
    return Chunk(chunk.rows.filter(sound), chunk.numbers.filter(sound), [*chunk.broken, *broken])


def clean_names(names: Sequence[Any]) -> list[str]:
    """Column names without white space and marks around them, unnamed and repeated ones made unique."""
    cleaned: list[str] = []
    for number, name in enumerate(names, 1):
        plain = str("" if name is None else name).strip(" \t\r\n\u00a0\u3000\u200b\ufeff") or f"(column {number})"
        cleaned.append(f"{plain} (column {number})" if plain in cleaned else plain)
    return cleaned
