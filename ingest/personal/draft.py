"""A text in which what was found is hidden behind single characters, so that later rules see it as an opaque thing.

Each value found, and each placeholder that an earlier masking left, is one character of a private-use plane. Rules
therefore see the same text whether a value was masked just now or long ago, which is what makes masking idempotent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

KINDS = (
    "手机号", "电话", "身份证", "证件", "银行卡", "信用代码", "邮箱", "微信", "QQ", "单号", "车牌", "地址", "姓名",
)  # fmt: skip
PLACEHOLDER = re.compile(rf"\[(?P<kind>{'|'.join(KINDS)})(?P<number>\d{{1,4}})?\]")

# Supplementary Private Use Area-A: no text has a meaning there.
_FIRST, _LAST = 0xF0000, 0xFFFFD
HIDDEN = f"{chr(_FIRST)}-{chr(_LAST)}"
_HIDDEN = re.compile(f"[{HIDDEN}]")
_OPAQUE = re.compile(rf"{PLACEHOLDER.pattern}|[{HIDDEN}]")

_WIDE = {0xFF01 + offset: 0x21 + offset for offset in range(0x5E)}
# Only where they spell numbers, ids and addresses of mail: wide commas and colons are Chinese punctuation.
_FOLDED = {wide: narrow for wide, narrow in _WIDE.items() if chr(narrow).isalnum() or chr(narrow) in "@.-_+"}
WIDE_SIGN = "[０-９Ａ-Ｚａ-ｚ＠]"
_HAS_WIDE = re.compile(WIDE_SIGN)
_SAME_VALUE = re.compile(r"[\s.·•—–\-/()]+")


@dataclass(frozen=True)
class Found:
    """A value in the text: ``kind`` is one of ``KINDS``, the place counts characters."""

    kind: str
    start: int
    end: int
    value: str


@dataclass(frozen=True)
class Rule:
    """``pattern`` finds values of a kind: its group ``v``, or all of it; ``check`` has the last word."""

    kind: str
    pattern: re.Pattern[str]
    check: Callable[[re.Match[str]], bool] | None = None


def rule(kind: str, pattern: str, check: Callable[[re.Match[str]], bool] | None = None) -> Rule:
    """A rule; upper and lower case count as the pattern says (begin it with ``(?i)`` where they don't)."""
    return Rule(kind, re.compile(pattern), check)


class Draft:
    """A text on its way to be masked."""

    def __init__(self, text: str) -> None:
        if _HAS_WIDE.search(text):
            text = text.translate(_FOLDED)
        self._hidden: list[tuple[str, str]] = []  # kind ("" for what stays as it is) and value
        has_opaque = "[" in text or _HIDDEN.search(text) is not None
        self.text = _OPAQUE.sub(lambda match: self._hide("", match[0]), text) if has_opaque else text

    @property
    def count(self) -> int:
        """How many characters hide something."""
        return len(self._hidden)

    def apply(self, given: Rule) -> None:
        """Hide what the rule finds."""

        def replace(match: re.Match[str]) -> str:
            if given.check is not None and not given.check(match):
                return match[0]
            if "v" not in given.pattern.groupindex:
                return self._hide(given.kind, match[0])
            start, end = match.span("v")
            before, after = match.string[match.start() : start], match.string[end : match.end()]
            return before + self._hide(given.kind, match["v"]) + after

        self.text = given.pattern.sub(replace, self.text)

    def hide(self, kind: str, start: int, end: int) -> None:
        """Hide one stretch of :attr:`text`."""
        self.text = self.text[:start] + self._hide(kind, self.text[start:end]) + self.text[end:]

    def hide_again(self, kind: str) -> None:
        """Hide the values of a kind wherever else they stand."""
        values = {value for given, value in self._hidden if given == kind and len(value) > 1}
        for value in sorted(values, key=lambda value: (-len(value), value)):
            if value in self.text and _HIDDEN.search(value) is None:
                self.text = re.sub(re.escape(value), lambda match: self._hide(kind, match[0]), self.text)

    def _hide(self, kind: str, value: str) -> str:
        if len(self._hidden) > _LAST - _FIRST:  # more than anybody writes: they share the last character
            return chr(_LAST)
        self._hidden.append((kind, value))
        return chr(_FIRST + len(self._hidden) - 1)

    def found(self) -> Iterator[Found]:
        """What was found, in the order of the text; places count the characters of the text given."""
        place = 0
        for character in self.text:
            if not _FIRST <= ord(character) <= _LAST:
                place += 1
                continue
            kind = self._hidden[ord(character) - _FIRST][0]
            value = self._whole(character)
            if kind:
                yield Found(kind, place, place + len(value), value)
            place += len(value)

    def _whole(self, character: str) -> str:
        """What a character hides, and what is hidden in that."""
        kind, value = self._hidden[ord(character) - _FIRST]
        return _HIDDEN.sub(lambda match: self._whole(match[0]), value) if kind else value

    def masked(self) -> str:
        """The text with numbered placeholders: the same value has the same number, others go on counting."""
        numbers: dict[str, dict[str, int]] = {}
        taken: dict[str, int] = {}
        for kind, value in self._hidden:
            if not kind and (old := PLACEHOLDER.fullmatch(value)):
                taken[old["kind"]] = max(taken.get(old["kind"], 0), int(old["number"] or 0))

        def placeholder(match: re.Match[str]) -> str:
            kind, value = self._hidden[ord(match[0]) - _FIRST]
            if not kind:
                return value
            known = numbers.setdefault(kind, {})
            number = known.setdefault(_same(kind, value), taken.get(kind, 0) + len(known) + 1)
            return f"[{kind}{number}]"

        return _HIDDEN.sub(placeholder, self.text)


def _same(kind: str, value: str) -> str:
    """What spellings of one value have in common."""
    plain = _SAME_VALUE.sub("", value).casefold() if kind != "邮箱" else value.casefold().replace(" ", "")
    return plain[-11:] if kind == "手机号" else plain
