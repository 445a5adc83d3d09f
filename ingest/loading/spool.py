"""Masked portions on disk between fetching and loading, so that fetching needs neither memory nor the warehouse."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from huiyin.config import Settings
from ingest.errors import SourceError
from ingest.loading.stage import Portion

_LOCK = "lock"


class Spool:
    """Portions of several tables in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: list[tuple[int, Portion, Path]] = []
        self._files = 0
        self.rows = 0

    def add(self, table: int, portion: Portion) -> None:
        """Keep a portion; its rows go to disk. Raises :class:`SourceError` where the disk is full."""
        self._files += 1
        file = self._folder / f"{self._files}.arrow"
        try:
            with file.open("wb") as stream:
                light = _written(portion, stream)
        except OSError as error:
            raise SourceError(
                f"{file.parent} can't be written: {error.strerror}; make room or set HUIYIN_VAR"
            ) from error
        self._kept.append((table, light, file))
        self.rows += portion.fetched.total()

    def portions(self) -> Iterator[tuple[int, Portion]]:
        """All portions in their order, one at a time in memory."""
        for table, light, file in self._kept:
            with file.open("rb") as stream:
                yield table, _read(light, stream)

    def clear(self) -> None:
        """Forget all portions."""
        for _, _, file in self._kept:
            file.unlink()
        self._kept, self.rows = [], 0


def _tables(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], pa.Table]]:
    for item in fields(value):
        content = getattr(value, item.name)
        if isinstance(content, pa.Table):
            yield (*path, item.name), content
        elif item.name == "prepared":
            yield from _tables(content, (item.name,))


def _written(portion: Portion, stream: Any) -> Portion:
    """Write the tables of a portion one after the other; the portion with empty ones in their place."""
    for path, table in _tables(portion):
        with pa.ipc.new_stream(stream, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
            writer.write_table(table)
        portion = _with(portion, path, table.schema.empty_table())
    return portion


def _read(portion: Portion, stream: Any) -> Portion:
    for path, _ in list(_tables(portion)):
        with pa.ipc.open_stream(stream) as reader:
            portion = _with(portion, path, reader.read_all())
    return portion


def _with(portion: Portion, path: tuple[str, ...], table: pa.Table) -> Portion:
    if len(path) == 1:
        return replace(portion, **{path[0]: table})
    return replace(portion, prepared=replace(portion.prepared, **{path[1]: table}))


@contextmanager
def open_spool(settings: Settings, source: str, stream: str) -> Iterator[Spool]:
    """A spool in ``var/spool/<source>/<stream>``, readable by this user only, gone afterwards.

    What a killed load left there is removed; the folder of a load that is still running is left alone.
    """
    parent = settings.var_dir / "spool" / source / re.sub(r"[^A-Za-z0-9_.-]+", "_", stream)[:60]
    try:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(parent / _LOCK):
            for left in parent.iterdir():
                if left.is_dir():
                    _remove_unless_used(left)
            folder = Path(tempfile.mkdtemp(dir=parent))  # 0700
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise SourceError(f"{parent} can't be used: {error.strerror}; make room or set HUIYIN_VAR") from error
    try:
        yield Spool(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_unless_used(folder: Path) -> None:
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
