"""Texts that are no customer's voice, or not one that can be read: empty, advertising, machine text, other languages.

Each is told with its kind and a reason in Chinese. Nothing is dropped here: who asks decides what to do with it. The
words are ``lexicon/noise.csv``, a file of the same name in the folder of business rules takes its place.
"""

from __future__ import annotations

import csv
import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from nlp.language import foreign_language
from nlp.phrase_finder import PhraseFinder
from nlp.text import LINK, MENTION, PLACEHOLDER, emoticons, normalise

NoiseKind = Literal["empty", "advertising", "machine", "foreign"]
ROLES = ("offer", "contact", "customer", "template", "nothing")
FILE_NAME = "noise.csv"

_SHIPPED = Path(__file__).resolve().parent / "lexicon" / FILE_NAME
_CODE_VERSION = 2
"""Raise it when the same texts would be judged otherwise; 2: kind and reason are kept with the score."""
_ADVERTISING_FROM = 4.0
_TEMPLATE_FROM = 3.0
_MOST_AGAINST = 4.0
_CHARACTERS_READ = 300
"""What a text is shows at its beginning."""

_SEPARATORS = re.compile(r"[\s·*_|~^❤★☆]+")
_CONTACT_PLACEHOLDER = re.compile(r"\[(?:手机号|电话|微信|QQ)\d*\]", re.IGNORECASE)
_NUMBERS_OF_OFFERS = re.compile(
    r"满\d+减\d+|[\d一二三四五六七八九]折起|(?:日赚|月赚|日入|月入|一天)[\d一二两三四五六七八九十]+[百千万]|送\d{3,}"
)
_SIGNATURE_OF_SENDER = re.compile(r"^【[^】]{2,12}】")
_BRACKETED = re.compile(r"\[[^\[\]]{1,6}\]")
_LONE_CODE = re.compile(r"\d{1,24}|[a-z]", re.IGNORECASE)

_MACHINE_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("验证码短信", re.compile(r"验证码(?:是|为|[::])\s*\d{4,8}")),
    (
        "程序报错",
        re.compile(
            r"Traceback \(most recent|^\s*at [\w.$]+\(|\b\w+\.\w+(?:Exception|Error)\b|\b[A-Z]\w+Error: ", re.MULTILINE
        ),
    ),
    (
        "系统日志",
        re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d.{0,12}(?:INFO|WARN|ERROR|DEBUG)|\[(?:INFO|WARN|ERROR)\]"),
    ),
    ("数据报文", re.compile(r"^\s*[\[{]\s*[\"'][\w-]+[\"']\s*:")),
    ("数据库语句", re.compile(r"^\s*(?:SELECT .+ FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b", re.IGNORECASE)),
    ("标识号", re.compile(r"^\s*(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32,})\s*$")),
    ("编码串", re.compile(r"^\s*(?=\S*[a-z])(?=\S*[A-Z])[A-Za-z0-9+/]{24,}={0,2}\s*$")),
    ("乱码", re.compile(r"�{2,}|锟斤拷|烫烫烫|屯屯屯|(?:[ÃÂäåæçèé][\x80-\xbf]){2,}")),
    ("测试文字", re.compile(r"^\s*(?:(?:测试|test(?:ing)?|demo)[\s\d,.。]*)+$", re.IGNORECASE)),
    ("空值", re.compile(r"^\s*(?:(?:null|undefined|nan|none)\s*){2,}$", re.IGNORECASE)),
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
# Letters that UTF-8 read as GBK is full of.
_GBK_MOJIBAKE = re.compile(r"[鎴鐨勬槸涓嶆浣犲銆鏄鍦ソ戝閫锛]")
_FEELING_REPEATED = frozenset("好差赞哈棒烂爽香嘿呵顶牛6")
_KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_LONGEST_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{5,}")


class NoiseFileError(HuiyinError):
    """The word lists can't be used; the message names file and line."""


@dataclass(frozen=True)
class Noise:
    """Why a text is no voice that can be read: its kind, and a reason in Chinese."""

    kind: NoiseKind
    reason: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"

    @property
    def says_nothing(self) -> bool:
        """Whether the text has no subject at all; one in another language has, though its mood can't be read."""
        return self.kind != "foreign"


class NoiseDetector:
    """Tells noise by the word lists of one file. The same text gives the same answer whatever else was read."""

    def __init__(self, file: Path = _SHIPPED) -> None:
        """Raises :class:`NoiseFileError`."""
        cues: dict[str, tuple[str, float]] = {}
        for role, weight, words in _read(file):
            for word in words:
                cues[word] = role, weight
        self._nothing = frozenset(word for word, (role, _) in cues.items() if role == "nothing")
        self._cues = {word: cue for word, cue in cues.items() if cue[0] != "nothing"}
        self._finder = PhraseFinder(self._cues)
        self.version = f"noise-{_CODE_VERSION}-{hashlib.sha256(file.read_bytes()).hexdigest()[:6]}"

    def find(self, text: str) -> Noise | None:
        """What is wrong with the text as it was delivered; None for a customer's own words."""
        text = text[:_CHARACTERS_READ]
        clean = normalise(text)
        return (
            _machine(text)
            or self._empty(clean)
            or self._told(clean)
            or (Noise("foreign", language) if (language := foreign_language(_own_words(clean))) else None)
        )

    def find_all(self, texts: list[str]) -> list[Noise | None]:
        """:meth:`find` for each text."""
        return [self.find(text) for text in texts]

    def _empty(self, clean: str) -> Noise | None:
        own = _own_words(clean)
        if any(character.isalpha() for character in own):
            bare = own.strip(" .,。!?[]【】()").lower()
            if bare in self._nothing:
                return Noise("empty", "表示没有内容")
            # A lone letter is a slip of the hand; a lone character may be a judgement: 差.
            return Noise("empty", "只有一个字母") if _LONE_CODE.fullmatch(bare) and bare.isascii() else None
        if emoticons().search(clean) or any(unicodedata.category(c) == "So" for c in own):
            return None
        digits = re.sub(r"[\W_]", "", own)
        if digits:
            # 666 is praise, a long run of one digit a key held down.
            return None if set(digits) == {"6"} else Noise("empty", "只有数字")
        if not clean:
            return Noise("empty", "空白")
        for what, pattern in (("脱敏占位符", PLACEHOLDER), ("链接", LINK), ("@提及", MENTION)):
            if pattern.search(clean):
                return Noise("empty", f"只有{what}")
        return Noise("empty", "只有图片或表情名" if _BRACKETED.search(clean) else "只有标点")

    def _told(self, clean: str) -> Noise | None:
        """Advertising or a system's template, by the words for it less the words that customers use."""
        squeezed = _SEPARATORS.sub("", clean.lower())
        weights: dict[str, dict[str, float]] = {role: {} for role in ROLES}
        for _, word in self._finder.find(squeezed):
            role, weight = self._cues[word]
            weights[role][word] = weight
        against = min(sum(weights["customer"].values()), _MOST_AGAINST)
        if template := _template(squeezed, weights["template"], against):
            return Noise("machine", f"系统文字 {template}")
        for match in _NUMBERS_OF_OFFERS.finditer(squeezed):
            weights["offer"][match.group()] = 2.0
        offers = weights["offer"]
        if not offers:
            return None
        contact = min(sum(weights["contact"].values()), 2.0)
        if _CONTACT_PLACEHOLDER.search(clean) or LINK.search(clean):
            contact = max(contact, 2.0)
        if _SIGNATURE_OF_SENDER.search(clean):
            contact += 1.0
        offer = sum(offers.values())
        if offer + contact - against >= _ADVERTISING_FROM and (contact or offer >= 4.0) and offer >= 2.0:
            named = sorted(offers, key=lambda word: -offers[word])[:3]
            return Noise("advertising", f"推销用语 {'、'.join(named)}")
        return None


def noise_detector(settings: Settings | None = None) -> NoiseDetector:
    """The detector of the company's word lists, else of the shipped ones. Raises :class:`NoiseFileError`."""
    own = settings.rules_dir / FILE_NAME if settings else None
    file = own if own is not None and own.exists() else _SHIPPED
    return _detector(file, file.stat().st_mtime_ns)


@cache
def _detector(file: Path, changed: int) -> NoiseDetector:
    return NoiseDetector(file)


def _template(squeezed: str, templates: dict[str, float], against: float) -> str:
    """The system's phrase that makes a text a template: a strong one, or at its beginning and nothing of a customer."""
    if not templates:
        return ""
    strongest = max(templates, key=lambda word: (templates[word], len(word)))
    if templates[strongest] >= _TEMPLATE_FROM:
        return strongest
    return strongest if not against and squeezed.lstrip("【[(").startswith(tuple(templates)) else ""


def _own_words(clean: str) -> str:
    """The normalised text without placeholders, links, mentions and names in brackets."""
    for other in (PLACEHOLDER, LINK, MENTION):
        clean = other.sub(" ", clean)
    return clean


def _machine(text: str) -> Noise | None:
    for reason, pattern in _MACHINE_PATTERNS:
        if pattern.search(text):
            return Noise("machine", reason)
    if "<" in text and len(_TAG.sub("", text)) < len(text) / 2:
        return Noise("machine", "网页代码")
    squeezed = "".join(text.split()).lower()
    if len(squeezed) >= 6:
        character = squeezed[0]
        if character.isalnum() and character not in _FEELING_REPEATED and not squeezed.strip(character):
            return Noise("machine", "同一字符重复")
    if _is_mashed(text):
        return Noise("machine", "键盘乱敲")
    if _GBK_MOJIBAKE.search(text) and _is_misread(text):
        return Noise("machine", "乱码")
    return None


def _is_mashed(text: str) -> bool:
    """Whether a text of a few Latin words is keys hit at random: runs of consonants, runs along the keyboard."""
    words = text.lower().split()
    if not 0 < len(words) <= 3 or not text.isascii():
        return False
    letters = [re.sub(r"[^a-z]", "", word) for word in words]
    if not any(len(word) >= 6 for word in letters):
        return False
    return all(
        _LONGEST_CONSONANTS.search(word) or any(word[at : at + 6] in row for row in _KEYBOARD_ROWS for at in (0, 1))
        for word in letters
        if len(word) >= 6
    )


def _is_misread(text: str) -> bool:
    """Whether the text is UTF-8 that was read as GBK: read back, most of it makes sense."""
    raw = text.strip().encode("gb18030", "ignore")
    back = raw.decode("utf-8", "ignore")
    # A character of three bytes was read as one and a half: what can be read back is about two thirds as long.
    return len(back) >= 2 and len(back.encode()) >= 0.7 * len(raw) and all(c > "\x7f" for c in back)


def _read(file: Path) -> Iterator[tuple[str, float, list[str]]]:
    lines = [line for line in file.read_text("utf-8-sig").splitlines() if not line.startswith("#")]
    for number, row in enumerate(csv.DictReader(lines), start=2):
        role, weight, words = row.get("role"), row.get("weight") or "", row.get("words")
        if role not in ROLES or not words:
            raise NoiseFileError(
                f"{file}, row {number}: role must be one of {', '.join(ROLES)}, with words; got {role!r}"
            )
        try:
            value = float(weight)
        except ValueError as error:
            raise NoiseFileError(f"{file}, row {number}: weight must be a number, got {weight!r}") from error
        yield (
            role,
            value,
            [_SEPARATORS.sub("", normalise(word).lower()) for word in re.split("[；;]", words) if word.strip()],
        )
