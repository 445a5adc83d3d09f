"""From the bytes of a feed to its entries, whatever its format: each a flat record of the same few names."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

import feedparser  # type: ignore[import-untyped]

from ingest.connectors.charsets import decoded_text
from ingest.connectors.digest import digest
from ingest.connectors.html_text import has_markup, html_to_text, tidy
from ingest.connectors.social.config import Feed
from ingest.errors import SourceError

Record = dict[str, Any]

# What platforms write where nobody is named: no customer, rather than one customer who wrote everything.
_NOBODY = {
    "匿名", "匿名用户", "匿名买家", "匿名网友", "网友", "游客", "已注销", "已注销用户", "用户已注销", "账号已注销",
    "anonymous", "guest", "unknown", "a google user", "admin", "administrator",
}  # fmt: skip
# A post that is only a picture or a bare repost has no words of its customer.
_WORDLESS = re.compile(
    r"(?:\[(?:图片|视频|语音|链接|动态|附件)\]|分享(?:了)?(?:图片|视频|链接)|(?:转发|轉發)(?:微博|了)?|repost|image|photo"
    r"|查看(?:图片|全文|原文)|发布了(?:图片|视频)|https?://\S+|\s|[.。…,，:：!！|/-])*",
    re.IGNORECASE,
)
_ZONE = re.compile(r"(?:Z|[+-]\d{2}:?\d{2}|\b(?:GMT|UTC|UT|[ECMP][SD]T|JST|HKT))\s*(?:\([^)]*\))?$", re.IGNORECASE)
_CST = re.compile(r"\bCST\b", re.IGNORECASE)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")


@dataclass
class Page:
    """Entries as the feed lists them, the address of its next page, and what was wrong with it."""

    entries: list[Record] = field(default_factory=list)
    next_url: str | None = None
    notes: list[str] = field(default_factory=list)


def read_page(body: bytes, content_type: str, url: str, name: str, feed: Feed) -> Page:
    """The page's entries. Raises :class:`SourceError` where it is no feed."""
    if feed.entries is not None:
        content = _json(body)
        if content is None:
            raise SourceError(f"feed {name} is no JSON; correct its `url`, or remove `entries` if it is RSS or Atom")
        return _own_json(content, url, name, feed)
    if (content := _json(body)) is not None:
        if isinstance(content, Mapping) and isinstance(content.get("feed"), Mapping):
            return _apple(content["feed"], url, name)
        if isinstance(content, Mapping) and "jsonfeed.org" in str(content.get("version", "")):
            return _json_feed(content, url, name)
        raise SourceError(
            f"feed {name} is JSON of a shape of its own; say under `entries` where its list is and under `fields` what"
            " its names mean"
        )
    return _xml(body, content_type, url, name)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (UnicodeDecodeError, ValueError):
        pass
    try:
        return json.loads(body.decode("gb18030"))
    except (UnicodeDecodeError, ValueError):
        return None


# RSS and Atom


def _xml(body: bytes, content_type: str, url: str, name: str) -> Page:
    # Not told where the feed came from, feedparser leaves ids that are no address as they are.
    parsed = feedparser.parse(
        io.BytesIO(_as_utf8(body, content_type)), response_headers={"content-type": "application/xml; charset=utf-8"}
    )
    page = Page()
    if not parsed.entries and (parsed.bozo or not parsed.get("version")):
        raise SourceError(
            f"feed {name} is neither RSS, Atom nor JSON Feed; open its `url` in a browser: it may be a sign-in or an"
            " error page"
        )
    if parsed.bozo:
        page.notes.append(
            f"feed {name} is malformed ({type(parsed.bozo_exception).__name__}); what could be read of it was taken,"
            " tell its publisher"
        )
    for link in parsed.feed.get("links", ()):
        if link.get("rel") == "next" and link.get("href"):
            page.next_url = _address(link["href"], url)
    for entry in parsed.entries:
        page.entries.append(_xml_entry(entry, url, name))
    return page


def _as_utf8(body: bytes, content_type: str) -> bytes:
    """The feed in UTF-8, whatever it was in, without characters that XML forbids: they come with copied text."""
    told = re.search(r"charset\s*=\s*[\"']?([\w.:+-]+)", content_type, re.IGNORECASE)
    declared = re.match(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:+-]+)", body.removeprefix(codecs.BOM_UTF8))
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = body.decode("utf-16", "replace")
    else:
        text = decoded_text(body, told[1] if told else declared[1].decode("ascii") if declared else None)
    text = re.sub(r"^\ufeff?\s*<\?xml[^>]*\?>", "", text)
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text)
    return b'<?xml version="1.0" encoding="utf-8"?>' + text.encode("utf-8", "replace")


def _xml_entry(entry: Any, url: str, name: str) -> Record:
    body = (entry.get("content") or [None])[0] or entry.get("summary_detail") or {}
    title = entry.get("title_detail") or {}
    author = entry.get("author_detail") or {}
    handle = author.get("name") or author.get("email") or entry.get("author")
    published = _feed_instant(entry, "published") or _feed_instant(entry, "created") or _feed_instant(entry, "updated")
    return _record(
        name,
        identity=entry.get("id"),
        link=_address(entry.get("link"), url),
        title=_plain(title.get("value"), title.get("type") != "text/plain"),
        body=_plain(body.get("value"), body.get("type") != "text/plain"),
        author_id=author.get("href") or author.get("email") or handle,
        author_handle=handle,
        published_at=published,
        updated_at=_feed_instant(entry, "updated"),
        rating=entry.get("im_rating"),
        likes=entry.get("im_votesum"),
    )


def _feed_instant(entry: Any, key: str) -> str | None:
    """An instant as text: with a final Z where the feed states its zone, else as local time.

    feedparser counts instants without a zone as UTC, and CST as North America's; a Chinese feed means its own.
    """
    # Atom's `updated` stands in for a missing `published` in feedparser's own look-up.
    text, parsed = dict.get(entry, key), dict.get(entry, f"{key}_parsed")
    if not isinstance(text, str) or not text.strip():
        return None
    if not isinstance(parsed, time.struct_time) or re.match(r"\s*\d{4}\s*[/.年]", text):
        return _instant(text)  # feedparser reads 2025年3月1日 as some day in November
    if _CST.search(text):
        return _instant(_CST.sub("+0800", text))
    return _wall(parsed) + ("Z" if _ZONE.search(text.strip()) else "")


def _wall(parsed: time.struct_time) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", parsed)


# JSON


def _json_feed(content: Mapping[str, Any], url: str, name: str) -> Page:
    """https://www.jsonfeed.org/version/1.1/"""
    page = Page(next_url=_address(content.get("next_url"), url))
    for item in _objects(content.get("items"), name, "items"):
        authors = item.get("authors") or [item.get("author") or {}]
        author = authors[0] if isinstance(authors, list) and authors and isinstance(authors[0], Mapping) else {}
        html, text = item.get("content_html"), item.get("content_text")
        page.entries.append(
            _record(
                name,
                identity=item.get("id"),
                link=item.get("url") or item.get("external_url"),
                title=_plain(item.get("title"), False),
                body=_plain(text, False) if text else _plain(html or item.get("summary"), bool(html)),
                author_id=author.get("url") or author.get("name"),
                author_handle=author.get("name") or author.get("url"),
                published_at=_instant(item.get("date_published")),
                updated_at=_instant(item.get("date_modified")),
            )
        )
    return page


def _apple(content: Mapping[str, Any], url: str, name: str) -> Page:
    """Customer reviews of Apple's App Store: every value is an object with a ``label``."""

    def label(node: Any, *path: str) -> Any:
        for part in path:
            node = node.get(part) if isinstance(node, Mapping) else None
        return node.get("label") if isinstance(node, Mapping) else node

    page = Page()
    links = content.get("link")
    for link in [links] if isinstance(links, Mapping) else links if isinstance(links, list) else []:
        attributes = link.get("attributes") if isinstance(link, Mapping) else None
        if isinstance(attributes, Mapping) and attributes.get("rel") == "next":
            # Apple names the XML sibling here; at the end the link repeats the last page.
            following = _address(attributes.get("href"), url)
            page.next_url = following and re.sub(r"/xml(?=$|\?)", "/json", following)
    listed = content.get("entry")
    listed = [listed] if isinstance(listed, Mapping) else listed or []  # a single review stands without a list
    for entry in _objects(listed, name, "feed.entry"):
        if "im:rating" not in entry:  # the app itself heads the first page
            continue
        body = entry.get("content")
        kind = body.get("attributes") if isinstance(body, Mapping) else None
        is_html = isinstance(kind, Mapping) and kind.get("type") == "html"
        author = entry.get("author")
        link = entry.get("link")
        attributes = link.get("attributes") if isinstance(link, Mapping) else None
        page.entries.append(
            _record(
                name,
                identity=label(entry.get("id")),
                link=attributes.get("href") if isinstance(attributes, Mapping) else None,
                title=_plain(label(entry.get("title")), False),
                body=_plain(label(body), is_html),
                author_id=label(author, "uri") or label(author, "name"),
                author_handle=label(author, "name"),
                published_at=_instant(label(entry.get("updated"))),
                updated_at=_instant(label(entry.get("updated"))),
                rating=label(entry.get("im:rating")),
                likes=label(entry.get("im:voteSum")),
                app_version=label(entry.get("im:version")),
            )
        )
    return page


def _own_json(content: Any, url: str, name: str, feed: Feed) -> Page:
    page = Page(next_url=_address(_at(content, feed.next), url) if feed.next else None)
    for entry in _objects(_at(content, feed.entries or ""), name, feed.entries or "(the answer)"):
        found = {key: _at(entry, path) for key, path in feed.fields.items()}
        text = _text(found.pop("text", None))
        title = _text(found.pop("title", None))
        author_id, handle = _text(found.pop("author_id", None)), _text(found.pop("author_handle", None))
        page.entries.append(
            _record(
                name,
                identity=_text(found.pop("id", None)),
                link=_address(found.pop("link", None), url),
                title=_plain(title, title is not None and has_markup(title)),
                body=_plain(text, text is not None and has_markup(text)),
                author_id=author_id or handle,
                author_handle=handle or author_id,
                published_at=_instant(found.pop("published_at", None)),
                updated_at=_instant(found.pop("updated_at", None)),
                rating=found.pop("rating", None),
                likes=found.pop("likes", None),
                **found,
            )
        )
    return page


def _at(node: Any, path: str) -> Any:
    """What is at a dotted path; numbers pick from lists; an empty path is the node itself."""
    for part in path.split(".") if path else ():
        if isinstance(node, Mapping):
            node = node.get(part)
        elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            return None
    return node


def _objects(listed: Any, name: str, place: str) -> Iterator[Mapping[str, Any]]:
    if listed is None or not isinstance(listed, list):
        raise SourceError(f"feed {name} has no list at {place}; correct `entries`, or see what its address answers")
    for entry in listed:
        if not isinstance(entry, Mapping):
            raise SourceError(f"feed {name}: what is listed at {place} are no objects; correct `entries`")
        yield entry


def _address(value: Any, base: str) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return None
    with contextlib.suppress(ValueError):
        return urljoin(base, value.strip())
    return None


def _instant(value: Any) -> str | None:
    """Instants of JSON as text that the loader reads; what is no known form stays as it came."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return str(int(value))
    text = str(value).strip()
    instant = _mail_date(text)
    return text or None if instant is None else instant.isoformat(" ")


def _mail_date(text: str) -> datetime | None:
    """An instant as RFC 5322 or Weibo's interface writes it (``Sat Mar 01 10:00:00 +0800 2025``)."""
    if not re.match(r"[A-Za-z]{3}|\d{1,2} [A-Za-z]", text):
        return None
    with contextlib.suppress(ValueError):
        return datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")
    with contextlib.suppress(ValueError):
        return parsedate_to_datetime(text)
    return None


# one entry


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _plain(value: Any, is_html: bool) -> str | None:
    if not isinstance(value, str):
        return None
    return (html_to_text(value) if is_html else tidy(value)) or None


def _record(
    name: str, *, identity: Any, link: Any, title: str | None, body: str | None, author_id: Any, author_handle: Any,
    published_at: str | None, updated_at: str | None, **more: Any,
) -> Record:  # fmt: skip
    handle, person = _text(author_handle), _text(author_id)
    if handle is not None and handle.strip().casefold() in _NOBODY:
        handle = person = None
    text = _joined(title, body)
    if text is not None and _WORDLESS.fullmatch(text):
        text = None
    return {
        "id": _entry_id(name, _text(identity), _text(link), handle, published_at, title, body),
        "link": _text(link),
        "title": title,
        "text": text,
        "author_id": person,
        "author_handle": handle,
        "has_author": "true" if person and handle else "false",
        "published_at": published_at,
        "updated_at": updated_at,
        "changed_at": updated_at or published_at,
        **more,
    }


def _joined(title: str | None, body: str | None) -> str | None:
    """Title and body as one text; platforms without titles repeat the body's beginning as title."""
    if not title or not body:
        return title or body
    start = re.sub(r"[\s.…]+$", "", title)
    squeezed = re.sub(r"\s+", "", body)
    return body if squeezed.startswith(re.sub(r"\s+", "", start)) else f"{title}\n{body}"


def _entry_id(name: str, identity: str | None, link: str | None, *content: str | None) -> str:
    """A lasting id: the feed's own, else the link, else the content.

    URIs are unique in the world, so that a post found by two feeds counts once; they may hold account names and
    are therefore kept as a digest. Other ids are unique in their feed only.
    """
    if identity and not _URI.fullmatch(identity):
        return f"{name}:{identity}"
    if identity or link:
        return "e_" + digest(identity or link or "")
    return f"{name}:c_" + digest("\x1f".join(part or "" for part in content))
