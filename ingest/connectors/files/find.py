"""Find files by pattern and day, in folders and in object stores (whatever fsspec knows), and open them."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec  # type: ignore[import-untyped]

from huiyin.interval import Interval
from ingest.configuration import unresolved_variables
from ingest.connectors.files.config import storage_options
from ingest.errors import SourceError

_DATE = r"(?P<date>\d{4}-\d{2}-\d{2}|\d{8})"
_BLOCK_BYTES = 4 << 20
_PROTOCOL = re.compile(r"[a-z][a-z0-9+.-]*(?:::[a-z][a-z0-9+.-]*)*://")
# Where object stores keep when an object was written, and the mark that changes with its content.
_TIMES = ("LastModified", "last_modified", "mtime", "created", "updated", "modified")
_MARKS = ("ETag", "etag", "md5Hash", "content_md5", "versionId", "version_id")


@dataclass(frozen=True)
class FoundFile:
    """One file that a table's path names; ``filesystem`` is None in a folder, ``mark`` an object's ETag."""

    name: str
    origin: str
    day: date | None
    size: int
    modified_ns: int
    mark: str = ""
    filesystem: Any = None

    @property
    def delivered_at(self) -> datetime:
        """The day in its name; else when it was last modified."""
        if self.day is not None:
            return datetime(self.day.year, self.day.month, self.day.day)  # noqa: DTZ001 (naive UTC everywhere)
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC).replace(tzinfo=None)


def find_files(
    folder: Path, pattern: str, interval: Interval, storage: Mapping[str, Any] | None = None
) -> list[FoundFile]:
    """The files of a path pattern, oldest delivery first; of ``{date}`` patterns only the interval's days.

    ``storage`` are options of the object store. Raises :class:`SourceError` where a file without wildcards, or the
    folder before the first wildcard, is missing, or the store can't be reached.
    """
    if missing := unresolved_variables(pattern):
        raise SourceError(f"path {pattern}: set the environment variable {', '.join(missing)}")
    if _PROTOCOL.match(pattern):
        found = _find_objects(pattern, interval, storage or {})
    else:
        found = _find_local(folder, pattern, interval)
    return sorted(found, key=lambda file: (file.delivered_at, file.origin))


def _find_local(folder: Path, pattern: str, interval: Interval) -> Iterator[FoundFile]:
    parts = Path(pattern.replace("{date}", "\0")).parts
    fixed = _fixed_parts(parts)
    base = (folder / Path(*parts[:fixed])).resolve()
    if fixed == len(parts):
        if not base.is_file():
            raise SourceError(f"there is no file {base}; correct `path`, or have it delivered")
        yield _local(base, folder, None)
        return
    if not base.is_dir():
        raise SourceError(f"there is no folder {base}; correct `path`, or have its files delivered")
    rest = "/".join(parts[fixed:])
    wanted = _Wanted(rest, interval)
    for path in base.glob(rest.replace("\0", "*")):
        is_wanted, day = wanted.judge(path.relative_to(base).as_posix())
        if is_wanted and path.is_file():
            yield _local(path, folder, day)


def _local(path: Path, folder: Path, day: date | None) -> FoundFile:
    stat = path.stat()
    origin = Path(os.path.relpath(path, folder.resolve())).as_posix()
    return FoundFile(str(path), origin, day, stat.st_size, stat.st_mtime_ns)


def _find_objects(pattern: str, interval: Interval, storage: Mapping[str, Any]) -> Iterator[FoundFile]:
    with _store_errors(pattern):
        try:
            filesystem, path = fsspec.core.url_to_fs(pattern.replace("{date}", "\0"), **storage_options(storage))
        except (ValueError, TypeError) as error:
            raise SourceError(f"{pattern}: {error}; check the protocol of `path` and the keys of `storage`") from error
        parts = path.split("/")
        fixed = _fixed_parts(parts)
        filesystem.invalidate_cache()
        if fixed == len(parts):
            yield _object(filesystem, filesystem.info(path), None)
            return
        base, rest = "/".join(parts[:fixed]), "/".join(parts[fixed:])
        wanted = _Wanted(rest, interval)
        found = filesystem.glob(path.replace("\0", "*"), detail=True)
        for name, info in found.items():
            is_wanted, day = wanted.judge(name.removeprefix(base).lstrip("/"))
            if is_wanted and info.get("type") != "directory":
                yield _object(filesystem, info, day)


def _object(filesystem: Any, info: Mapping[str, Any], day: date | None) -> FoundFile:
    modified = next((info[key] for key in _TIMES if info.get(key)), None)
    mark = next((str(info[key]) for key in _MARKS if info.get(key)), "")
    return FoundFile(
        info["name"], filesystem.unstrip_protocol(info["name"]), day, int(info.get("size") or 0),
        _nanoseconds(modified), mark, filesystem,
    )  # fmt: skip


def _nanoseconds(instant: Any) -> int:
    """An instant as nanoseconds since 1970; now where the store doesn't know, so that the content is compared."""
    if isinstance(instant, str):
        try:
            instant = datetime.fromisoformat(instant)
        except ValueError:
            instant = None
    if isinstance(instant, datetime):
        aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return int(aware.timestamp() * 1_000_000) * 1000
    return int(instant * 1e9) if isinstance(instant, int | float) else time.time_ns()


def _fixed_parts(parts: tuple[str, ...] | list[str]) -> int:
    """How many leading parts of a path hold no wildcard."""
    return next((index for index, part in enumerate(parts) if re.search(r"[*?\[\0]", part)), len(parts))


class _Wanted:
    """Which of the files that a glob finds are meant."""

    def __init__(self, rest: str, interval: Interval) -> None:
        pieces = {"\0": _DATE, "**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
        split = re.split(r"(\0|\*\*/|\*\*|\*|\?)", rest)
        self._matcher = re.compile("".join(pieces.get(piece, re.escape(piece)) for piece in split))
        self._has_day = "\0" in rest
        self._interval = interval

    def judge(self, path: str) -> tuple[bool, date | None]:
        """Whether the file is meant, and its day."""
        match = self._matcher.fullmatch(path)
        if not match or path.rsplit("/", 1)[-1].startswith((".", "~$")):
            return False, None
        day = _day(match["date"]) if self._has_day else None
        return not self._has_day or (day is not None and day in self._interval), day


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text.replace("-", ""), "%Y%m%d").date()  # noqa: DTZ007 (a date has no zone)
    except ValueError:
        return None


def content_hash(file: FoundFile) -> str:
    """A fingerprint of the file's content: an object's ETag, else a hash of all of it.

    Raises :class:`SourceError` where it can't be read.
    """
    if file.mark:
        return blake2b(f"{file.mark}/{file.size}".encode(), digest_size=16).hexdigest()
    digest = blake2b(digest_size=16)
    with opened(file) as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def opened(file: FoundFile) -> Iterator[BinaryIO]:
    """The file's bytes. Raises :class:`SourceError` where it can't be read."""
    if file.filesystem is not None:
        with _store_errors(file.origin), file.filesystem.open(file.name, "rb", block_size=_BLOCK_BYTES) as stream:
            yield cast(BinaryIO, stream)
        return
    with _local_errors(file.origin), Path(file.name).open("rb") as stream:
        yield stream


@contextmanager
def _local_errors(origin: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"{origin} vanished while it was read; deliver it again") from error
    except OSError as error:
        raise SourceError(f"{origin} can't be read: {error.strerror}; give this user the right to read it") from error


@contextmanager
def _store_errors(place: str) -> Iterator[None]:
    """What object stores report, each library in its own way, as one clear line."""
    try:
        yield
    except ImportError as error:
        remedy = "pip install 'huiyin[s3]'" if place.startswith("s3") else f"install what it needs ({error})"
        raise SourceError(f"{place}: this kind of store needs a library that isn't installed; {remedy}") from error
    except FileNotFoundError as error:
        raise SourceError(f"there is no {place}; correct `path`, or have it delivered") from error
    except PermissionError as error:
        raise SourceError(f"{place}: the store refuses access ({error}); check `storage` and its rights") from error
    except _failures_of_stores() as error:
        raise SourceError(f"{place} can't be reached: {error}; check `path`, `storage` and the network") from error


def _failures_of_stores() -> tuple[type[Exception], ...]:
    """OSError, and what the loaded libraries raise besides."""
    found: list[type[Exception]] = [OSError]
    for module, name in (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError")):
        if module in sys.modules:
            found.append(getattr(sys.modules[module], name))
    return tuple(found)
