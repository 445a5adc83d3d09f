"""Files that are whole or absent: written beside their place, then renamed into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path to write to; when the block ends well, it replaces ``target`` in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: numpy and pyarrow look at it.
    beside = target.with_name(f".{target.stem}.{uuid4().hex}{target.suffix}")
    try:
        yield beside
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def lock(file: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes while the block runs; it ends with the process at the latest."""
    import fcntl

    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
