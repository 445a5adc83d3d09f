"""Parquet files, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.connectors.delivery import text_column
from ingest.connectors.files.chunk import Chunk, clean_names, numbered
from ingest.errors import SourceError

_ROWS = 50_000


def read_parquet(stream: BinaryIO, origin: str) -> Iterator[Chunk]:
    """The rows as text. Raises :class:`SourceError` where the file is damaged."""
    before = 0
    try:
        file = pq.ParquetFile(stream)
        names = clean_names(file.schema_arrow.names)
        for batch in file.iter_batches(_ROWS):
            columns = [text_column(pa.chunked_array([column])) for column in batch.columns]
            yield numbered(pa.Table.from_arrays(columns, names=names), before)
            before += batch.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{origin} is no complete Parquet file ({error}); deliver it again") from error
    if before == 0:
        yield numbered(pa.table({name: pa.array([], pa.string()) for name in names}), 0)
