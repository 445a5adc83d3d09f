"""Text whose charset is told wrongly or not at all, as Chinese mails and feeds often are."""

from __future__ import annotations

import re

_GB = {"gb2312", "gbk", "gb_2312-80", "gb-2312", "x-gbk", "cp936", "ms936", "euc-cn", "gb18030", "chinese"}
_LATIN = {"iso-8859-1", "iso-8859-15", "latin1", "latin-1", "windows-1252", "cp1252"}
_ASCII = {"", "us-ascii", "ascii", "ansi_x3.4-1968", "unknown-8bit", "x-unknown", "default"}


def decoded_text(content: bytes, charset: str | None) -> str:
    """Bytes as text: the declared charset if it fits, else the one that does.

    GB2312 stands for GB18030, its superset, and mailers that know no better declare Latin or nothing at all.
    """
    name = (charset or "").strip("\"' ").casefold()
    if not re.fullmatch(r"[a-z0-9._:+-]*", name):  # no name of a charset
        name = ""
    if name in _GB:
        # UTF-8 taken for GBK reads as rare characters, which common Chinese hasn't.
        candidates = ["gb2312", "utf-8", "gb18030"]
    elif name in _LATIN | _ASCII:
        # 漏水 in GB2312 is valid UTF-8 by chance, but for characters that no Chinese text has.
        candidates = ["utf-8", "gb2312"] if _reads_as_chinese(content) else ["gb2312", "utf-8"]
        candidates.append("latin-1" if name in _LATIN else "gb18030")
    else:
        candidates = [name, "utf-8", "gb18030"]
    for candidate in candidates:
        try:
            return content.decode(candidate)
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode("utf-8", "replace")


def _reads_as_chinese(content: bytes) -> bool:
    try:
        return any(character >= "\u0800" for character in content.decode("utf-8"))
    except UnicodeDecodeError:
        return False
