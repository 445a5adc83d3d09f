"""Vectors of texts already embedded, on disk, shared by processes without a lock.

Each write adds one shard under a name of its own: the vectors (float16), then their keys; a shard counts once its
keys are there. So a killed writer leaves nothing that is read, and two writers of one text only waste its space.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from nlp.files import replacing

_KEY = np.dtype("S16")


class VectorCache:
    """A folder of shards; one folder for each embedder version."""

    def __init__(self, folder: Path, dimension: int) -> None:
        self._folder = folder
        self._dimension = dimension

    def get(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Vectors by text (zero where unknown) and which are known."""
        vectors = np.zeros((len(texts), self._dimension), np.float32)
        known = np.zeros(len(texts), bool)
        wanted = _keys(texts)
        for file in sorted(self._folder.glob("*.keys.npy")):
            if known.all():
                break
            keys = np.load(file)
            rows = np.flatnonzero(~known)
            at = np.minimum(np.searchsorted(keys, wanted[rows]), len(keys) - 1)
            hit = keys[at] == wanted[rows]
            if hit.any():
                stored = np.load(file.with_name(file.name.replace(".keys.", ".vectors.")), mmap_mode="r")
                vectors[rows[hit]] = stored[at[hit]]
                known[rows[hit]] = True
        return vectors, known

    def put(self, texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> None:
        """Keep the vectors of distinct texts."""
        if not texts:
            return
        keys = _keys(texts)
        order = np.argsort(keys)
        name = uuid4().hex
        for part, values in (("vectors", vectors.astype(np.float16)), ("keys", keys)):
            with replacing(self._folder / f"{name}.{part}.npy") as beside:
                np.save(beside, values[order])


def _keys(texts: Sequence[str]) -> npt.NDArray[np.bytes_]:
    return np.array(
        [hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).digest() for text in texts], _KEY
    )
