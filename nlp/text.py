"""One spelling for one meaning: the deterministic clean-up that every other part of the room starts from.

:func:`normalise` never depends on the machine, the locale or earlier texts, and applying it twice changes nothing.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencc import OpenCC

TEXT_VERSION = "t3"
"""Raise it when the same text would come out differently; it is part of the model versions."""

# What masking leaves behind, numbered by value: [手机号1].
PLACEHOLDER = re.compile(
    r"\[(?:手机号|电话|身份证|证件|银行卡|信用代码|邮箱|微信|QQ|单号|车牌|地址|姓名)(?:\d{1,6}|#[0-9a-f]+)?\]"
)
_LEXICON = Path(__file__).resolve().parent / "lexicon"

_SPACE = re.compile(r"\s+")
# www is no word drawn out.
_REPEATED_WORD_CHARACTER = re.compile(r"(?!www\.)([^\W\d_])\1{2,}")
_REPEATED_MARK = re.compile(r"([!?.,;~。、…♥❤★☆\u2600-\u27bf\U0001f300-\U0001faff])(?:\s?\1)+")
# Joiners, skin tones and variation selectors only change how an emoji looks.
_EMOJI_DRESS = re.compile("[\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]")
LINK = re.compile(r"(?:https?://|www\.)[A-Za-z0-9./?&=#%_~:@+,;!$'()*-]+", re.IGNORECASE)
MENTION = re.compile(r"(?:回复|转发)?@[\w·-]{1,30}[::]?")
# What editors and mail programs wrap a text in.
_ENTITY = re.compile(r"&(?:#\d{1,6}|#x[0-9a-f]{1,5}|[a-z]{2,8}\d?);", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:p|br|hr|div|span|a|b|i|u|em|strong|font|img|table|tbody|tr|td|th|ul|ol|li|h[1-6]|blockquote|section)"
    r"(?:\s[^<>]{0,300})?/?>",
    re.IGNORECASE,
)
_NO_LETTER = re.compile(r"[^\w\s,.!?;:~。、()\[\]-]")
_PICTOGRAPHIC = ("So", "Sk", "Co", "Cn")


@cache
def _simplifier() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("t2s")


@cache
def emoticons() -> re.Pattern[str]:
    """Emoticons that apps write as a name in brackets. They tell a mood, so only topics do without them."""
    lines = (_LEXICON / "emoticons.txt").read_text("utf-8").splitlines()
    names = [re.escape(name) for line in lines for name in line.split("#")[0].split()]
    return re.compile(rf"\[(?:{'|'.join(names)})\]", re.IGNORECASE)


def text_hash(text: str) -> str:
    """The MD5 of the text's UTF-8 bytes in hexadecimal: what SQL's ``md5(text)`` gives on DuckDB and PostgreSQL."""
    return hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=32_768)
def normalise(text: str) -> str:
    """The text in compatibility form (NFKC) and simplified Chinese, on one line.

    Control characters and HTML tags go, HTML entities become their characters, emoji lose their variants, letters
    repeated three times or more are folded to two (好好好好 → 好好), repeated marks and emoji to one (!!! → !). Case
    and masked placeholders stay. Idempotent.
    """
    # Each part of the room normalises what it reads, so a text comes by several times while a chunk is worked on.
    # A simplification can open the way for another (&amp;lt;), so this runs until nothing changes. It ends: each round
    # shortens the text or brings it nearer to NFKC and simplified characters, and none leads back.
    while (folded := _fold(text)) != text:
        text = folded
    return text


def topic_text(text: str) -> str:
    """The normalised text without what says nothing about its subject: placeholders, emoticons, links, mentions, emoji.

    Other words in brackets stay: they are the customer's own. Idempotent.
    """
    text = normalise(text)
    # What stood around a part that goes may be marks that now repeat themselves.
    while (bare := normalise(_without_asides(text))) != text:
        text = bare
    return text


def _without_asides(text: str) -> str:
    for other in (PLACEHOLDER, emoticons(), LINK, MENTION):
        text = other.sub(" ", text)
    text = _NO_LETTER.sub(
        lambda sign: " " if unicodedata.category(sign.group()) in _PICTOGRAPHIC else sign.group(), text
    )
    return _SPACE.sub(" ", text).strip()


def _fold(text: str) -> str:
    text = _EMOJI_DRESS.sub("", unicodedata.normalize("NFKC", text))
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity.group()), text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if not text.isprintable():
        # Controls, format characters and lone surrogates; the latter can't be encoded for the libraries behind.
        text = "".join(" " if c.isspace() or unicodedata.category(c) in ("Cc", "Cs") else c for c in text)
        text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    text = _simplifier().convert(text)
    text = _REPEATED_WORD_CHARACTER.sub(r"\1\1", text)
    text = _REPEATED_MARK.sub(r"\1", text)
    return _SPACE.sub(" ", text).strip()
