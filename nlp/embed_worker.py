"""One process of an embedding pool: ``python -m nlp.embed_worker TEXTS.parquet VECTORS.npy``.

A plain child process rather than :mod:`multiprocessing`: Airflow's task processes may be daemonic, which forbids
that, and forked, which makes forking again unsafe. It stops by itself when its parent is gone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from nlp.embed import UseM3Embedder

_BATCH = 256


def main() -> int:
    """Embed the texts of one file. Exit code 3: the parent has ended."""
    texts_file, vectors_file = Path(sys.argv[1]), Path(sys.argv[2])
    parent = os.getppid()
    texts = pq.read_table(texts_file)["text"].to_pylist()
    embedder = UseM3Embedder(processes=1)
    batches = []
    for begin in range(0, len(texts), _BATCH):
        if os.getppid() != parent:
            return 3
        batches.append(embedder.embed(texts[begin : begin + _BATCH]))
    np.save(vectors_file, np.concatenate(batches))
    return 0


if __name__ == "__main__":
    sys.exit(main())
