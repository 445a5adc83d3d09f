"""Text out of bytes, block by block, in whatever encoding Chinese systems write."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

BLOCK_BYTES = 4 << 20
# So many characters beyond ASCII settle which encoding a file has; more bytes than this are never read to find out.
_ENOUGH_CHARACTERS = 200
_LONGEST_SAMPLE_BYTES = 16 << 20
# A text with a larger share of characters that are damaged in UTF-8 is no UTF-8 text.
_DAMAGED_SHARE = 0.05
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(frozen=True)
class TextBlock:
    """Some of a text; ``damaged``: bytes up to here are not in its encoding, U+FFFD stands for them."""

    text: str
    damaged: bool
    is_last: bool


def text_blocks(stream: BinaryIO, encoding: str | None = None) -> Iterator[TextBlock]:
    """The stream's text in blocks, at least one.

    A byte order mark decides the encoding, then ``encoding``, then a sample: UTF-8 where it fits, else GB18030 (the
    superset of GBK and GB2312, what Chinese Excel writes). ASCII is both, so the sample goes on until it has seen
    enough of other characters. Later bytes that contradict it are damaged; only where hardly anything has spoken for
    UTF-8 yet, they change the decision.
    """
    block = _sample(stream)
    marked = next(((mark, name) for mark, name in _MARKS if block.startswith(mark)), None)
    if marked:
        block, encoding = block[len(marked[0]) :], marked[1]
    is_guess = encoding is None
    decoder = _decoder(encoding or _guess(block))
    seen, damaged = 0, False
    while True:
        following = stream.read(BLOCK_BYTES)
        before = decoder.getstate()
        try:
            text = decoder.decode(block, final=not following)
        except UnicodeDecodeError:
            given = before[0] + block
            if is_guess and seen < _ENOUGH_CHARACTERS and _guess(given) != "utf-8":
                # Until here all but nothing was beyond ASCII: what looked like UTF-8 was chance.
                decoder, block = _decoder("gb18030"), given
            else:
                decoder.setstate(before)
            decoder.errors = "replace"
            text = decoder.decode(block, final=not following)
            decoder.errors = "strict"
            damaged = damaged or "\ufffd" in text
        if seen < _ENOUGH_CHARACTERS:
            seen += _beyond_ascii(text)
        yield TextBlock(text, damaged, is_last=not following)
        if not following:
            return
        block = following


def _sample(stream: BinaryIO) -> bytes:
    sample = bytearray()
    while len(sample) < _LONGEST_SAMPLE_BYTES:
        block = stream.read(BLOCK_BYTES)
        sample += block
        if not block or len(block) - len(block.translate(None, _BEYOND_ASCII)) >= 3 * _ENOUGH_CHARACTERS:
            break
    return bytes(sample)


_BEYOND_ASCII = bytes(range(0x80, 0x100))


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _guess(sample: bytes) -> str:
    """UTF-8 unless the sample, which may end within a character, doesn't look like it."""
    rescued = _decoder("utf-8", "replace").decode(sample)
    return "utf-8" if rescued.count("\ufffd") <= _beyond_ascii(rescued) * _DAMAGED_SHARE else "gb18030"


def _decoder(encoding: str, errors: str = "strict") -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(encoding)(errors)
