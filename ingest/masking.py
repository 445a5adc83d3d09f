"""Mask personal data before anything is written or logged.

Identifiers become pseudonyms by a keyed hash (BLAKE2b, RFC 7693): the same value gives the same pseudonym in every
field, entity and source, so joins hold, and without the key nobody can try values out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from hashlib import blake2b
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import pyarrow as pa
import pyarrow.compute as pc

from huiyin.config import Settings
from ingest.contract import Entity, Field
from ingest.mask_key import PSEUDONYM, Rotation, fingerprint, read_keys
from ingest.personal import RULES_VERSION, SUSPICION, mask_text

_PSEUDONYM_VERSION = 2
_PSEUDONYM = PSEUDONYM
_USER_IN_PATH = re.compile(
    r"(?P<before>/(?:u|uid|user|users|profile|people|member|members|space|home|author)/|/(?=@|%40))(?P<user>[^/?#]+)",
    re.IGNORECASE,
)
_WEIBO_USER = re.compile(r"(?P<before>^/(?:u/|n/)?)(?P<user>[^/?#]+)")
_PHONE = re.compile(r"(?:\+|00)?(?:86)?(1[3-9]\d{9})")


class Masker:
    """Masks columns under one key and those that superseded it (:mod:`ingest.mask_key`)."""

    def __init__(self, key: bytes, *later: bytes) -> None:
        self._key = blake2b(key, digest_size=32).digest()
        self._rotations = [Rotation(other) for other in later]
        self.fingerprint = fingerprint((key, *later))

    @property
    def version(self) -> str:
        """Changes when the first key or the rules change: what was masked before must then be masked anew.

        A rotation changes what is stored along with it, so it doesn't count.
        """
        return blake2b(f"{RULES_VERSION}.{_PSEUDONYM_VERSION}".encode(), key=self._key, digest_size=6).hexdigest()

    def pseudonym(self, value: str) -> str:
        """The pseudonym of an identifier: a customer's or agent's number, phone, e-mail, WeChat id.

        Spellings of the same phone or e-mail address give the same pseudonym; a pseudonym stays as it is. Of a phone
        number the first four hex digits are the keyed hash of its last four digits and the next four that of what
        stands before them, of an e-mail address those of its local part and of that part's letters sorted: records
        of one person with a slip in them can be matched (``ingest.identity``) without knowing the values.
        """
        return value if _PSEUDONYM.fullmatch(value) else self._rotated("p_" + self._in_parts(_normal(value)))

    def _rotated(self, pseudonym: str) -> str:
        for rotation in self._rotations:
            pseudonym = rotation.apply(pseudonym)
        return pseudonym

    def _in_parts(self, value: str) -> str:
        digits = value.replace("-", "").replace(" ", "")
        if value.count("@") == 1:
            local = value.partition("@")[0]
            parts = local, "".join(sorted(local))
        elif digits.isdecimal() and digits.isascii() and 10 <= len(digits) <= 12 and digits[0] in "01":
            parts = digits[-4:], digits[:-4]
        else:
            return self._digest(value)
        return (
            "".join(self._part(name, part) for name, part in zip((b"first", b"second"), parts, strict=True))
            + (self._digest(value)[8:])
        )

    def _part(self, name: bytes, value: str) -> str:
        hashed = blake2b(value.encode("utf-8", "surrogatepass"), key=self._key, digest_size=2, person=name)
        return hashed.hexdigest()

    def name(self, value: str) -> str:
        """The pseudonym of a person's name."""
        return value if _PSEUDONYM.fullmatch(value) else self._rotated("n_" + self._digest(_normal(value)))

    def url(self, value: str) -> str:
        """An address of the web without what names a person.

        User ids in the path (``/u/…``, ``/user/…``, ``/@…``) and the values of parameters become pseudonyms; user
        and password before the host and what follows ``#`` go. The post that it leads to stays, and whoever may open
        it sees its author there.
        """
        try:
            parts = urlsplit(value.strip())
            host = parts.hostname or ""
            port = f":{parts.port}" if parts.port else ""
        except ValueError:  # no address after all
            return self.pseudonym(value)
        if not host:
            return mask_text(value)
        users = _WEIBO_USER if host.endswith(("weibo.com", "weibo.cn")) else _USER_IN_PATH
        path = users.sub(lambda match: match["before"] + self.pseudonym(unquote(match["user"])), parts.path)
        query = urlencode([(name, self.pseudonym(given)) for name, given in parse_qsl(parts.query)], quote_via=quote)
        return urlunsplit((parts.scheme, host + port, path, query, ""))

    def mark(self, value: str) -> str:
        """A one-way mark of a pseudonym or key, by which an erased person is known again, under no other use.

        That of a pseudonym outlives rotations: it is made of what the first key gave.
        """
        if _PSEUDONYM.fullmatch(value):
            for rotation in reversed(self._rotations):
                value = rotation.undo(value)
        return blake2b(
            value.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16, person=b"erased"
        ).hexdigest()

    def _digest(self, value: str) -> str:
        return blake2b(value.encode("utf-8", "surrogatepass"), key=self._key, digest_size=8).hexdigest()

    def mask(self, rows: pa.Table, entity: Entity) -> pa.Table:
        """``rows`` (text columns named by the entity's fields) with every personal field masked."""
        for index, name in enumerate(rows.column_names):
            field = entity.field(name)
            if field.personal:
                rows = rows.set_column(index, name, self._column(rows, field))
        return rows

    def _column(self, rows: pa.Table, field: Field) -> pa.ChunkedArray:
        column = rows.column(field.name)
        how: dict[str, Callable[[str], str]] = {"identifier": self.pseudonym, "name": self.name, "url": self.url}
        masked = mask_texts(column) if field.personal == "free_text" else _each(column, how[field.personal])
        if field.personal_when is None:
            return masked
        other, value = field.personal_when
        applies = pc.fill_null(pc.equal(pc.utf8_lower(rows.column(other)), value), False)
        return pc.if_else(applies, masked, column)


def mask_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Free texts with placeholders; those without any suspicious sign are passed through untouched."""
    return pa.chunked_array([_masked_chunk(chunk) for chunk in column.chunks], pa.string())


def _masked_chunk(texts: pa.Array) -> pa.Array:
    suspicious = pc.fill_null(pc.match_substring_regex(texts, SUSPICION), False)
    masked = pa.array([mask_text(text) for text in texts.filter(suspicious).to_pylist()], pa.string())
    return pc.replace_with_mask(texts, suspicious, masked)


def _each(column: pa.ChunkedArray, function: Callable[[str], str]) -> pa.ChunkedArray:
    """The function of every different value, computed once each."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    masked = pa.array([function(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([pc.take(masked, encoded.indices)])


def _normal(value: str) -> str:
    value = unicodedata.normalize("NFKC", value).strip()
    if "@" in value:
        return value.casefold()
    phone = _PHONE.fullmatch(re.sub(r"[\s().-]", "", value))
    return phone[1] if phone else value


def load_masker(settings: Settings) -> Masker:
    """The masker with the key of the settings; without one, a key made once for this run-time folder.

    The key decides all pseudonyms: back it up, for without it new data no longer joins with old.
    """
    return Masker(*read_keys(settings))
