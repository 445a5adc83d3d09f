"""The key of the pseudonyms: where it is kept, what it is known by, and how an old one is superseded.

A rotation doesn't need the plain values. It adds a key, and from then on a pseudonym is the one of the first key put
through a permutation by each later key: what is stored is permuted once, what is masked later goes all the way, and
both are equal. Joins and comparable parts survive; whoever knows only the old key can no longer try values out on what
is stored now.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from huiyin.config import Settings
from ingest.errors import SourceError

PSEUDONYM = re.compile(r"(?<![0-9A-Za-z_])[pn]_[0-9a-f]{16}(?![0-9A-Za-z_])")

_SHORTEST_GENERATED = 32
_ROUNDS = 8


class Rotation:
    """A keyed permutation of pseudonyms that maps each of their comparable parts by itself.

    The first two groups of four hex digits (``Masker.pseudonym``) are mapped by a keyed shuffle of all 65,536 values
    each, the last eight digits by a Feistel network (Luby and Rackoff 1988) that also depends on what stands before.
    """

    def __init__(self, key: bytes) -> None:
        self._key = blake2b(key, digest_size=32, person=b"rotation").digest()

    def apply(self, pseudonym: str) -> str:
        """The new pseudonym of an old one."""
        first, second, tail = pseudonym[2:6], pseudonym[6:10], int(pseudonym[10:], 16)
        high, low = tail >> 16, tail & 0xFFFF
        for number in range(_ROUNDS):
            high, low = low, high ^ self._mix(number, first + second, low)
        first, second = (
            f"{shuffle[int(part, 16)]:04x}" for shuffle, part in zip(self._shuffles, (first, second), strict=True)
        )
        return f"{pseudonym[:2]}{first}{second}{high << 16 | low:08x}"

    def undo(self, pseudonym: str) -> str:
        """The old pseudonym of a new one."""
        first, second = (
            f"{shuffle.index(int(part, 16)):04x}"
            for shuffle, part in zip(self._shuffles, (pseudonym[2:6], pseudonym[6:10]), strict=True)
        )
        tail = int(pseudonym[10:], 16)
        high, low = tail >> 16, tail & 0xFFFF
        for number in reversed(range(_ROUNDS)):
            high, low = low ^ self._mix(number, first + second, high), high
        return f"{pseudonym[:2]}{first}{second}{high << 16 | low:08x}"

    def rewrite(self, text: str) -> str:
        """``text`` with each pseudonym in it replaced."""
        return PSEUDONYM.sub(lambda match: self.apply(match[0]), text)

    def _mix(self, number: int, head: str, half: int) -> int:
        content = f"{number}.{head}.{half}".encode()
        return int.from_bytes(blake2b(content, key=self._key, digest_size=2, person=b"mix").digest())

    @cached_property
    def _shuffles(self) -> tuple[list[int], list[int]]:
        def shuffle(person: bytes) -> list[int]:
            def place(value: int) -> bytes:
                return blake2b(value.to_bytes(2), key=self._key, digest_size=16, person=person).digest()

            return sorted(range(1 << 16), key=place)

        return shuffle(b"first"), shuffle(b"second")


def fingerprint(keys: Sequence[bytes]) -> str:
    """What a row of keys is known by; it doesn't help to find them."""
    state = b"huiyin mask key"
    for key in keys:
        state = blake2b(state, key=blake2b(key, digest_size=32).digest(), digest_size=16).digest()
    return state.hex()


def key_file(settings: Settings) -> Path:
    """Where the generated key is kept."""
    return settings.var_dir / "mask.key"


def read_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys, the oldest first: those of the settings, else those of the key file, which is made once.

    Several keys, left by rotations, are separated by white space. Raises :class:`SourceError`.
    """
    if settings.mask_key.strip():
        return tuple(settings.mask_key.encode().split())
    file = key_file(settings)
    if next_file(settings).exists():
        raise SourceError("a rotation of the mask key was cut off; finish it with `huiyin mask-key rotate`")
    try:
        if not file.exists():
            write_keys(file, [secrets.token_hex(32).encode()])
        keys = file.read_bytes().split()
        is_open = file.stat().st_mode & 0o077
    except OSError as error:
        raise SourceError(
            f"the mask key {file} can't be read or made: {error.strerror}; set HUIYIN_MASK_KEY"
        ) from error
    if is_open:
        raise SourceError(f"the mask key {file} can be read by others than its owner; run: chmod 600 {file}")
    if not keys or any(len(key) < _SHORTEST_GENERATED for key in keys):
        raise SourceError(f"the mask key {file} is damaged; restore it, or remove it together with the warehouse")
    return tuple(keys)


def next_file(settings: Settings) -> Path:
    """The keys of a rotation that isn't finished."""
    return settings.var_dir / "mask.key.next"


def write_keys(file: Path, keys: Sequence[bytes]) -> None:
    """Write keys so that of two processes at once both end up with the same, for the owner's eyes only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(b"\n".join(keys) + b"\n")
            stream.flush()
            os.fsync(descriptor)
        try:
            os.link(draft, file)
        except FileExistsError:
            return
    finally:
        draft.unlink()
