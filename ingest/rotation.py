"""Supersede the key of the pseudonyms: rewrite every pseudonym that is stored, without knowing a plain value.

One transaction rewrites the inbox of pushed events, one more ``raw``, ``quarantine`` and dbt's ``history``; both
remember which keys their pseudonyms are of, so a rotation that was killed is finished by running it again. Marts hold
pseudonyms too and are made anew from ``raw``; models, vectors and the ops database hold none.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from huiyin.config import Settings
from ingest.errors import SourceError
from ingest.mask_key import Rotation, fingerprint, key_file, next_file, read_keys, write_keys
from ingest.masking import Masker
from ingest.tables import MASK_KEY, ensure_tables
from warehouse.builds import forget_build
from warehouse.connection import Warehouse, open_warehouse

_MAPPING = pa.schema([pa.field("old_value", pa.string(), nullable=False), pa.field("new_value", pa.string())])
_MAPPING_TABLE = "mask_key_mapping"
# Pairs of pseudonyms whose smaller one stands first.
_PAIRS = ("identity_edges", "identity_decisions")
_ANOTHER_KEY = "the mask key isn't the one that this warehouse was masked with"
_ANOTHER_KEY_REMEDY = (
    "put back the old var/mask.key or HUIYIN_MASK_KEY, or finish a rotation with `huiyin mask-key rotate`; if the old"
    " key is lost for good, move the warehouse and the inbox away and load everything again"
)


@dataclass(frozen=True)
class RotationReport:
    """What a rotation rewrote. ``keys``: how many keys there are now; ``values``: different texts with pseudonyms."""

    keys: int
    values: int
    columns: int
    inbox_events: int


def check_key(warehouse: Warehouse, masker: Masker) -> None:
    """Refuse to mix pseudonyms of different keys; the first call in a warehouse remembers the key's fingerprint.

    Raises :class:`SourceError` where the key isn't the one that the warehouse was masked with.
    """
    known = _fingerprint_of(warehouse)
    if known is None:
        with warehouse.transaction():
            warehouse.lock("huiyin.mask_key")
            known = _fingerprint_of(warehouse)
            if known is None:
                warehouse.append("raw", "mask_key", _row(masker.fingerprint))
                return
    if known != masker.fingerprint:
        raise SourceError(f"{_ANOTHER_KEY}: {_ANOTHER_KEY_REMEDY}")


def key_fault(warehouse: Warehouse, settings: Settings) -> tuple[str, str] | None:
    """What is wrong with the key that the next load would use, and the remedy; reads only, makes no key."""
    known = _fingerprint_of(warehouse) if warehouse.has_table("raw", "mask_key") else None
    if known is None:
        return None
    if not settings.mask_key.strip() and not key_file(settings).exists():
        return f"{key_file(settings)} is gone", _ANOTHER_KEY_REMEDY
    try:
        return None if fingerprint(read_keys(settings)) == known else (_ANOTHER_KEY, _ANOTHER_KEY_REMEDY)
    except SourceError as error:
        return str(error), "nothing can be loaded before"


def rotate(settings: Settings) -> RotationReport:
    """Add a key and rewrite what is stored; finishes a rotation that was cut off.

    A generated key is added to the key file. Where the keys come from the settings, add the new one there first,
    after the old and a space. Nothing else may run meanwhile. Raises :class:`SourceError`.
    """
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        stored = _fingerprint_of(warehouse)
        keys = _wanted_keys(settings, stored)
        done = _done(keys, stored)
        events = _rewrite_inbox(settings.var_dir / "inbox.db", keys, keys[:done])
        with warehouse.transaction():
            warehouse.lock("huiyin.mask_key")
            if _fingerprint_of(warehouse) != stored:
                raise SourceError("another rotation is going on; wait for its end")
            columns, values = _rewrite(warehouse, _steps(keys[done:]))
            forget_build(warehouse)
            warehouse.execute("DELETE FROM raw.mask_key")
            warehouse.append("raw", "mask_key", _row(fingerprint(keys)))
    if not settings.mask_key.strip():
        next_file(settings).replace(key_file(settings))
    return RotationReport(len(keys), values, columns, events)


def _row(known_by: str) -> pa.Table:
    return pa.Table.from_pylist([{"fingerprint": known_by}], MASK_KEY)


def _wanted_keys(settings: Settings, stored: str | None) -> tuple[bytes, ...]:
    """The keys after the rotation; a new one is kept in a file before anything is rewritten with it."""
    if settings.mask_key.strip():
        keys = read_keys(settings)
        if stored == fingerprint(keys) or len(keys) == 1:
            raise SourceError(
                "the keys come from HUIYIN_MASK_KEY (mask_key): put the new key after the old one there, separated by a"
                " space, and run this again"
            )
        return keys
    file = next_file(settings)
    if not file.exists():
        write_keys(file, (*read_keys(settings), secrets.token_hex(32).encode()))
    return tuple(file.read_bytes().split())


def _done(keys: Sequence[bytes], stored: str | None) -> int:
    """How many of the keys are in what is stored. A store without a fingerprint holds nothing yet, or the oldest's."""
    if stored is None:
        return max(1, len(keys) - 1)
    for count in range(len(keys), 0, -1):
        if fingerprint(keys[:count]) == stored:
            return count
    raise SourceError(
        "the warehouse was masked with another key: put back the old var/mask.key or HUIYIN_MASK_KEY, then rotate"
    )


def _steps(keys: Sequence[bytes]) -> Callable[[str], str]:
    rotations = [Rotation(key) for key in keys]

    def rewrite(text: str) -> str:
        for rotation in rotations:
            text = rotation.rewrite(text)
        return text

    return rewrite


def _rewrite(warehouse: Warehouse, rewrite: Callable[[str], str]) -> tuple[int, int]:
    """Rewrite all text columns that may hold a pseudonym; how many columns and different values changed."""
    columns = values = 0
    for row in warehouse.rows(
        "select c.table_schema, c.table_name, c.column_name from information_schema.columns c"
        " join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name"
        " where c.table_schema in ('raw', 'quarantine', 'history') and t.table_type = 'BASE TABLE'"
        " and c.data_type in ('VARCHAR', 'text', 'character varying')"
        " order by c.table_schema, c.table_name, c.ordinal_position"
    ):
        changed = _rewrite_column(warehouse, row["table_schema"], row["table_name"], row["column_name"], rewrite)
        columns += changed > 0
        values += changed
    for table in _PAIRS:
        if warehouse.has_table("raw", table):
            order = ' collate "C"' if warehouse.dialect == "postgres" else ""
            warehouse.execute(f"UPDATE raw.{table} SET ref_a = ref_b, ref_b = ref_a WHERE ref_a{order} > ref_b{order}")
    return columns, values


def _rewrite_column(warehouse: Warehouse, schema: str, table: str, column: str, rewrite: Callable[[str], str]) -> int:
    place = f'"{schema}"."{table}"'
    search = '"{}" ~ {}' if warehouse.dialect == "postgres" else 'regexp_matches("{}", {})'
    holds = search.format(column, "'[pn]_[0-9a-f]{16}'")
    found = (
        warehouse.query(f'select distinct "{column}" as value from {place} where {holds}').column("value").to_pylist()
    )
    pairs = [(old, new) for old in found if (new := rewrite(old)) != old]
    if not pairs:
        return 0
    warehouse.create_table("raw", _MAPPING_TABLE, _MAPPING)
    mapping = pa.table([pa.array(side, pa.string()) for side in zip(*pairs, strict=True)], schema=_MAPPING)
    warehouse.append("raw", _MAPPING_TABLE, mapping)
    warehouse.execute(
        f'UPDATE {place} AS t SET "{column}" = m.new_value FROM raw.{_MAPPING_TABLE} AS m'
        f' WHERE t."{column}" = m.old_value'
    )
    warehouse.execute(f"DROP TABLE raw.{_MAPPING_TABLE}")
    return len(pairs)


def _fingerprint_of(warehouse: Warehouse) -> str | None:
    rows = warehouse.rows("select fingerprint from raw.mask_key")
    return str(rows[0]["fingerprint"]) if rows else None


def _inbox_fingerprint(inbox: sqlite3.Connection) -> str | None:
    inbox.execute("create table if not exists mask_key (fingerprint text not null)")
    row = inbox.execute("select fingerprint from mask_key").fetchone()
    return None if row is None else str(row[0])


def _rewrite_inbox(file: Path, keys: Sequence[bytes], before: Sequence[bytes]) -> int:
    """Rewrite the events that wait in the inbox, in one transaction; how many changed."""
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file, isolation_level=None)) as inbox:
        known = _inbox_fingerprint(inbox)
        rewrite = _steps(keys[_done(keys, known or fingerprint(before)) :])
        inbox.execute("begin immediate")
        changed = 0
        for sequence, event_key, content in inbox.execute("select sequence, event_key, content from events").fetchall():
            new = rewrite(event_key), rewrite(content)
            if new != (event_key, content):
                inbox.execute("update events set event_key = ?, content = ? where sequence = ?", (*new, sequence))
                changed += 1
        inbox.execute("delete from mask_key")
        inbox.execute("insert into mask_key values (?)", (fingerprint(keys),))
        inbox.execute("commit")
    return changed
