"""The Parquet files between the warehouse and this room."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from huiyin.errors import HuiyinError
from nlp.files import replacing


class HandoverFileError(HuiyinError):
    """A hand-over file can't be used."""


def read_voices(file: Path) -> tuple[list[str], list[str]]:
    """Voice ids and texts, NULL texts as empty ones. Raises :class:`HandoverFileError`."""
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise HandoverFileError(f"hand-over file {file} can't be read: {error}; export it again") from error
    if missing := {"voice_id", "text"} - set(table.column_names):
        raise HandoverFileError(
            f"hand-over file {file} lacks {', '.join(sorted(missing))}; it has {', '.join(table.column_names)}"
        )
    return table["voice_id"].to_pylist(), [text or "" for text in table["text"].to_pylist()]


def write_results(table: pa.Table, file: Path) -> None:
    """Write the whole table or nothing."""
    with replacing(file) as beside:
        pq.write_table(table, beside)
