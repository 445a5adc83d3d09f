"""HTML as people read it: plain text with line breaks where the page has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser

_SILENT = {"script", "style", "head", "title", "template", "noscript", "svg", "object"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
_BLOCK = {
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figure", "footer", "form", "h1", "h2",
    "h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "p", "pre", "section", "table", "tr", "ul",
}  # fmt: skip
# Tags that make a text HTML for certain; a lone "<" as in "价格<100" doesn't.
_MARKUP = re.compile(r"</?(?:p|br|div|span|a|img|b|i|em|strong|ul|ol|li|table|blockquote|h[1-6])(?:\s[^<>]*)?/?>", re.I)

Skip = Callable[[str, Mapping[str, str]], bool]
"""Tells from a tag and its attributes whether everything inside is left out."""


def has_markup(text: str) -> bool:
    """Whether the text is HTML rather than plain text with a stray angle bracket."""
    return _MARKUP.search(text) is not None


def html_to_text(html: str, skip: Skip | None = None) -> str:
    """The readable text; ``skip`` leaves out elements. Of pictures only an inline emoji's ``alt`` (``[哭]``) stays."""
    reader = _Reader(skip)
    reader.feed(html)
    reader.close()
    return tidy("".join(reader.pieces))


def tidy(text: str) -> str:
    """Runs of blanks become one, of empty lines at most one; invisible characters go."""
    text = re.sub(r"[\u200b\u200e\u200f\u2060\ufeff\u00ad]", "", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


class _Reader(HTMLParser):
    def __init__(self, skip: Skip | None) -> None:
        super().__init__(convert_charrefs=True)
        self._skip = skip
        self._open: list[str] = []  # the skipped element and what is open inside it
        self.pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._open:
            if tag not in _VOID:
                self._open.append(tag)
            return
        attributes = {name: value or "" for name, value in attrs}
        if tag in _SILENT or (self._skip is not None and self._skip(tag, attributes)):
            if tag not in _VOID:
                self._open.append(tag)
            return
        if tag in _BLOCK:
            self.pieces.append("\n")
        elif tag == "td":
            self.pieces.append(" ")
        elif tag == "img" and re.fullmatch(r"\[[^\[\]]{1,12}\]", attributes.get("alt", "")):
            self.pieces.append(attributes["alt"])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self._open and self._open[-1] == tag and tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if self._open:
            if tag in self._open:  # whatever wasn't closed inside ends here
                del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]
            return
        if tag in _BLOCK:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._open:
            self.pieces.append(re.sub(r"\s+", " ", data))
