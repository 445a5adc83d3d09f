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
            try:
                keys = np.load(file)
            except FileNotFoundError:  # forget() has just replaced it: what it held is computed again
                continue
            rows = np.flatnonzero(~known)
            at = np.minimum(np.searchsorted(keys, wanted[rows]), len(keys) - 1)
            hit = keys[at] == wanted[rows]
            if hit.any():
                try:
                    stored = np.load(file.with_name(file.name.replace(".keys.", ".vectors.")), mmap_mode="r")
                except FileNotFoundError:
                    continue
                vectors[rows[hit]] = stored[at[hit]]
                known[rows[hit]] = True
        return vectors, known

    def put(self, texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> None:
        """Keep the vectors of distinct texts."""
        if not texts:
            return
        keys = _keys(texts)
        order = np.argsort(keys)
        self._write(keys[order], vectors.astype(np.float16)[order])

    def forget(self, texts: Sequence[str]) -> int:
        """Remove the vectors of these texts; how many there were. Readers and writers may go on meanwhile."""
        gone, removed = _keys(texts), 0
        for file in sorted(self._folder.glob("*.keys.npy")) if len(gone) else []:
            keys = np.load(file)
            kept = ~np.isin(keys, gone)
            if kept.all():
                continue
            removed += int((~kept).sum())
            vectors_file = file.with_name(file.name.replace(".keys.", ".vectors."))
            if kept.any():
                self._write(keys[kept], np.load(vectors_file)[kept])
            file.unlink()
            vectors_file.unlink()
        return removed

    def _write(self, keys: npt.NDArray[np.bytes_], vectors: npt.NDArray[np.float16]) -> None:
        name = uuid4().hex
        for part, values in (("vectors", vectors), ("keys", keys)):
            with replacing(self._folder / f"{name}.{part}.npy") as beside:
                np.save(beside, values)


def _keys(texts: Sequence[str]) -> npt.NDArray[np.bytes_]:
    return np.array(
        [hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).digest() for text in texts], _KEY
    )
