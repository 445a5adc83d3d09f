"""Drift: what a source's columns and values are now against what they were.

:class:`Watch` looks at every delivery of one table of a source. What it may do about a change is the source's policy
(``drift`` in the sources file):

- **discard**: a new column is left out. A column that used to come and is missing empties nothing: its fields keep
  what ``raw`` holds. A column whose values can no longer be read sends its rows to quarantine.
- **evolve**: the same, and columns beyond the contract are kept, masked, in ``_extra``.
- **freeze**: each of these fails the table before anything of it reaches ``raw``.

Where a missing column decides which rows count or fills a required field, the table fails under every policy: nothing
of it could be loaded rightly, and the delivery is read again once that is mended. Everything is told once, when it is
first seen, and stands in ``raw.drift`` until it ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal

import pyarrow as pa

from ingest.configuration import PLACEHOLDER, TableMapping
from ingest.connectors.delivery import Delivery
from ingest.contract import Entity
from ingest.errors import SourceError
from ingest.personal import mask_text
from ingest.tables import DRIFT, DRIFT_KEY, SOURCE_COLUMNS, SOURCE_COLUMNS_KEY
from ingest.usual_names import COLUMNS
from warehouse.connection import Warehouse

Kind = Literal["new_column", "missing_column", "retyped_column", "new_value"]
Policy = Literal["discard", "evolve", "freeze"]

RETYPED_ROWS = 20
RETYPED_SHARE = 0.5
# Records leave out what is empty: a column counts as missing where it would have been filled but for such a chance.
ABSENCE_ODDS = 1e-6
USUAL_SHARE = 0.5
COLUMNS_KEPT = 500
VALUES_KEPT = 50
_VALUES_TOLD = 5
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Uses:
    """Which columns a table's mapping reads: the fields that each fills, and those that decide which rows count."""

    fields: Mapping[str, frozenset[str]]
    decisive: frozenset[str]

    @property
    def columns(self) -> set[str]:
        """All of them."""
        return set(self.fields) | self.decisive


def uses_of(mapping: TableMapping, entity: Entity) -> Uses:
    """What the mapping reads, fields that map by their own name included."""
    fields: dict[str, set[str]] = {}
    for name in (f.name for f in entity.fields):
        if name in mapping.constants:
            continue
        if name in mapping.templates:
            columns = PLACEHOLDER.findall(mapping.templates[name])
        else:
            column = mapping.columns.get(name, name)
            columns = [column] if column else []
        for column in columns:
            fields.setdefault(column, set()).add(name)
    decisive = set(mapping.where) | set(mapping.deleted_when) | ({mapping.changed_at} if mapping.changed_at else set())
    return Uses({column: frozenset(names) for column, names in fields.items()}, frozenset(decisive))


@dataclass(frozen=True)
class Seen:
    """What was found out about one delivery: columns that are missing now, the fields that they would fill, and
    columns beyond the contract that are to be kept."""

    missing_columns: frozenset[str] = frozenset()
    absent_fields: frozenset[str] = frozenset()
    extra_columns: tuple[str, ...] = ()


@dataclass
class _Column:
    """A column of the table over all loads: how many rows of deliveries there were, how many of them had a value."""

    state: Literal["mapped", "unmapped", "missing"]
    rows_seen: int = 0
    rows_filled: int = 0
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    is_changed: bool = False


@dataclass(frozen=True)
class _Finding:
    kind: Kind
    name: str
    detail: str
    action: str
    remedy: str
    rows: int
    value: str = ""


@dataclass
class Watch:
    """Looks at what one table of a source delivers during one load.

    ``origin`` is the pattern of its files, its table or its stream. ``siblings``: columns that other tables of the
    same origin read, which are therefore not new to the source.
    """

    source: str
    entity: Entity
    origin: str
    mapping: TableMapping
    policy: Policy
    siblings: frozenset[str] = frozenset()
    _uses: Uses = field(init=False)
    _columns: dict[str, _Column] = field(init=False, default_factory=dict)
    _was_known: bool = field(init=False, default=False)
    _open: dict[str, dict[str, Any]] = field(init=False, default_factory=dict)
    _new: dict[str, int] = field(init=False, default_factory=dict)
    _missing: dict[str, int] = field(init=False, default_factory=dict)
    _newest: datetime | None = field(init=False, default=None)
    _refuses: bool = field(init=False, default=False)
    _unreadable: Counter[str] = field(init=False, default_factory=Counter)
    _given: Counter[str] = field(init=False, default_factory=Counter)
    _values: dict[str, Counter[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._uses = uses_of(self.mapping, self.entity)

    def recall(self, warehouse: Warehouse) -> None:
        """Read what earlier loads saw."""
        where = (
            f" where source = {_text(self.source)} and entity = {_text(self.entity.name)}"
            f" and origin = {_text(self.origin)}"
        )
        for row in warehouse.rows("select * from raw.source_columns" + where):
            self._columns[row["column_name"]] = _Column(
                row["state"], row["rows_seen"], row["rows_filled"], row["first_seen_at"], row["last_seen_at"]
            )
        self._was_known = bool(self._columns)
        self._recall_open(warehouse)

    def _recall_open(self, warehouse: Warehouse) -> None:
        self._open = {
            row["drift_id"]: row
            for row in warehouse.rows(
                f"select * from raw.drift where source = {_text(self.source)} and entity = {_text(self.entity.name)}"
                f" and origin = {_text(self.origin)} and ended_at is null"
            )
        }

    def look_at(self, delivery: Delivery) -> Seen:
        """Compare a delivery's columns with what is known; what it brings is known from then on.

        Raises :class:`SourceError` where the policy forbids a change or a missing column can't be done without.
        """
        rows, count = delivery.rows, delivery.rows.num_rows
        if not rows.num_columns:  # an empty file
            return Seen()
        found = {name: name.strip() for name in rows.column_names}
        spelt = {name: name for name in found.values()}
        folded = [name.casefold() for name in found.values()]
        spelt |= {name.casefold(): name for name in found.values() if folded.count(name.casefold()) == 1} | spelt
        delivered = {column: spelt.get(column) or spelt.get(column.casefold()) for column in self._uses.columns}
        missing = {column for column, name in delivered.items() if name is None and self._is_lost(column, delivery)}
        read = {name for name in delivered.values() if name} | {
            name for column in self.siblings if (name := spelt.get(column) or spelt.get(column.casefold()))
        }
        extra = [name for name in found.values() if name not in read]
        new = [name for name in extra if self._was_known and _told(name) not in self._columns]
        self._refuse(delivery.origin, missing, new)
        is_newest = self._newest is None or delivery.delivered_at >= self._newest
        if is_newest:
            # Whether something is missing is told by the newest delivery: old files may have other columns.
            self._newest, self._missing = delivery.delivered_at, dict.fromkeys(missing, count)
        for name in new[:COLUMNS_KEPT]:
            self._new[_told(name)] = self._new.get(_told(name), 0) + count
        raw_name = {stripped: name for name, stripped in found.items()}
        for column, name in delivered.items():
            if name is not None:
                filled = count - rows.column(raw_name[name]).null_count
                self._note(column, "mapped", count, filled)
            elif column in missing and is_newest:
                self._note(column, "missing", 0, 0)
            elif column in self._columns:
                self._note(column, self._columns[column].state, count, 0)
        for name in extra[:COLUMNS_KEPT]:
            self._note(_told(name), "unmapped", count, count - rows.column(raw_name[name]).null_count)
        absent = frozenset(name for column in missing for name in self._uses.fields.get(column, ()))
        kept = tuple(raw_name[name] for name in extra) if self.policy == "evolve" else ()
        return Seen(frozenset(missing), absent, kept)

    def _is_lost(self, column: str, delivery: Delivery) -> bool:
        """Whether a column that isn't there used to be, mapped or not: one that is mapped now was new some day, and
        what is older lacks it."""
        known = self._columns.get(column)
        if known is None or not known.rows_seen:
            return False
        if delivery.fixed_columns or known.state == "missing":
            return True
        share = known.rows_filled / (known.rows_seen + 1)
        return share >= USUAL_SHARE and (1 - share) ** delivery.rows.num_rows <= ABSENCE_ODDS

    def _named(self, columns: Sequence[str]) -> str:
        """Columns for people: a field that the mapping leaves open may have been recognised by another name."""
        known, mapped = COLUMNS.get(self.entity.name, {}), self.mapping.columns.values()
        is_open = any(column in known and column not in mapped for column in columns)
        return ", ".join(columns) + (" (by this or a usual name)" if is_open else "")

    def _refuse(self, origin: str, missing: set[str], new: Sequence[str]) -> None:
        required = {f.name for f in self.entity.fields if f.required or f.name in self.entity.key}
        vital = sorted(c for c in missing if c in self._uses.decisive or required & self._uses.fields.get(c, set()))
        if vital:
            self._refuses, self._missing = True, dict.fromkeys(vital, 0)
            named = self._named(vital)
            raise SourceError(
                f"{origin} no longer has the column(s) {named}, without which its rows can't be loaded;"
                " have it delivered as before, or name the new column in the table's mapping"
            )
        if self.policy == "freeze" and (missing or new):
            told = [f"new: {', '.join(_told(name) for name in new[:20])}"] if new else []
            told += [f"missing: {', '.join(sorted(missing))}"] if missing else []
            self._refuses, self._missing = True, dict.fromkeys(missing, 0)
            self._new = {_told(name): 0 for name in new[:COLUMNS_KEPT]}
            raise SourceError(
                f"{origin} changed its columns ({'; '.join(told)}) and `drift: freeze` lets nothing change; map the"
                f" columns, or accept new ones by `huiyin drift accept {self.source}`"
            )

    def _note(self, name: str, state: Literal["mapped", "unmapped", "missing"], rows: int, filled: int) -> None:
        column = self._columns.setdefault(name, _Column(state))
        column.state = state
        column.rows_seen += rows
        column.rows_filled += filled
        column.is_changed = column.is_changed or filled > 0 or state != "unmapped" or column.first_seen_at is None

    def saw_types(self, readings: Mapping[str, tuple[int, int]]) -> None:
        """Count values by field: those that could not be read as the contract's type, and all that were there.

        Raises :class:`SourceError` where a field has changed its type and the policy forbids it.
        """
        self._unreadable.update({name: unreadable for name, (unreadable, _) in readings.items()})
        self._given.update({name: given for name, (_, given) in readings.items()})
        if self.policy == "freeze" and (retyped := self._retyped()):
            self._refuses = True
            told = ", ".join(f"{name} ({self._unreadable[name]:,} of {self._given[name]:,} values)" for name in retyped)
            raise SourceError(
                f"{self.origin}: values can't be read any more: {told}, and `drift: freeze` lets nothing change; have"
                " them delivered as before, or translate them by `formats` or `values`"
            )

    def _retyped(self) -> list[str]:
        return [
            name
            for name, number in sorted(self._unreadable.items())
            if number >= RETYPED_ROWS and number >= RETYPED_SHARE * self._given[name]
        ]

    def saw_values(self, unregistered: Mapping[str, Mapping[str, int]]) -> None:
        """Count values outside the contract's lists by field; they are masked already."""
        for name, values in unregistered.items():
            self._values.setdefault(name, Counter()).update(values)

    def finish(self, warehouse: Warehouse, batch_id: str, now: datetime, has_failed: bool = False) -> list[str]:
        """Keep what was seen, within the load's transaction; returns a line for everything that is new.

        ``has_failed``: the table was not loaded; then only the drift that it was refused for is kept, and it is seen as
        new until it is mended or accepted.
        """
        if has_failed and not self._refuses:
            return []
        warehouse.lock(f"huiyin.drift.{self.source}")
        self._recall_open(warehouse)
        found = {self._id_of(finding, now): finding for finding in self._findings(has_failed)}
        rows: list[dict[str, Any]] = []
        news: list[_Finding] = []
        for drift_id, finding in found.items():
            before = self._open.get(drift_id)
            if before is None:
                news.append(finding)
            rows.append(
                {
                    "drift_id": drift_id, "source": self.source, "entity": self.entity.name, "origin": self.origin,
                    "kind": finding.kind, "name": finding.name, "detail": finding.detail, "policy": self.policy,
                    "action": finding.action, "remedy": finding.remedy, "row_count": finding.rows,
                    "batch_id": batch_id, "first_seen_at": before["first_seen_at"] if before else now,
                    "last_seen_at": now, "ended_at": None,
                }
            )  # fmt: skip
        if not has_failed:
            ended = (row for key, row in self._open.items() if key not in found and self._ended(row))
            rows += [row | {"ended_at": now} for row in ended]
        _replace(warehouse, "drift", pa.Table.from_pylist(rows, schema=DRIFT), DRIFT_KEY)
        if not has_failed:
            self._keep_columns(warehouse, now)
        return list(_lines(news))

    def _keep_columns(self, warehouse: Warehouse, now: datetime) -> None:
        rows = [
            {
                "source": self.source, "entity": self.entity.name, "origin": self.origin, "column_name": name,
                "state": column.state, "rows_seen": column.rows_seen, "rows_filled": column.rows_filled,
                "first_seen_at": column.first_seen_at or now,
                "last_seen_at": (column.last_seen_at or now) if column.state == "missing" else now,
            }
            for name, column in self._columns.items()
            if column.is_changed
        ]  # fmt: skip
        _replace(warehouse, "source_columns", pa.Table.from_pylist(rows, schema=SOURCE_COLUMNS), SOURCE_COLUMNS_KEY)

    def _findings(self, has_failed: bool) -> Iterable[_Finding]:
        refused = "the table was refused"
        for name, number in self._new.items():
            kept = "it is kept in _extra" if self.policy == "evolve" else "it is left out"
            action = refused if has_failed else kept
            yield _Finding(
                "new_column", name, f"{self.origin} has a new column {name}", action,
                f"map it under `columns` if it matters, or `huiyin drift accept {self.source}`", number,
            )  # fmt: skip
        for name, number in self._missing.items():
            fields = ", ".join(sorted(self._uses.fields.get(name, ())))
            yield _Finding(
                "missing_column", name, f"{self.origin} no longer has the column {self._named([name])}",
                refused if has_failed else f"{fields or 'its field'} keeps what was loaded before",
                "have it delivered again, name its new column under `columns`, or leave the field empty by"
                ' `columns: {field: ""}`', number,
            )  # fmt: skip
        for name in self._retyped():
            yield _Finding(
                "retyped_column", name,
                f"{name} of {self.origin} can no longer be read as {self.entity.field(name).kind}",
                refused if has_failed else "its rows are in quarantine",
                "have it delivered as before, or translate it by `formats` or `values`; load again or replay",
                self._unreadable[name],
            )  # fmt: skip
        if has_failed:
            return
        for name, values in self._values.items():
            for value, number in values.most_common(VALUES_KEPT):
                yield _Finding(
                    "new_value", name, _value_detail(name, value), "it is kept as it came",
                    f"translate it under `values: {{{name}: …}}`, or register it in the rules", number, value,
                )  # fmt: skip

    def _ended(self, row: Mapping[str, Any]) -> bool:
        """Whether a drift that this load didn't see is over."""
        kind, name = row["kind"], row["name"]
        if kind == "new_column":  # until it is mapped (or accepted, which ends it at once)
            return name in self._uses.columns or name in self.siblings
        if kind == "missing_column":
            return name not in self._uses.columns or (self._newest is not None and name not in self._missing)
        if kind == "retyped_column":
            return bool(self._given[name])
        translated = self.mapping.values.get(name, {})
        return any(_value_detail(name, mask_text(value)) == row["detail"] for value in translated)

    def _id_of(self, finding: _Finding, now: datetime) -> str:
        """The open drift that it is, else a new id: what ended and came again is another drift."""
        for key, row in self._open.items():
            if (row["kind"], row["name"]) == (finding.kind, finding.name) and (
                finding.kind != "new_value" or row["detail"] == finding.detail
            ):
                return key
        parts = (self.source, self.entity.name, self.origin, finding.kind, finding.name, finding.value, str(now))
        return blake2b(_SEPARATOR.join(parts).encode(), digest_size=12).hexdigest()


def _lines(news: Sequence[_Finding]) -> Iterable[str]:
    """What is new, for people; the values of one field in one line."""
    fields: dict[str, list[_Finding]] = {}
    for finding in news:
        if finding.kind == "new_value":
            fields.setdefault(finding.name, []).append(finding)
        else:
            yield f"{finding.detail}; {finding.action}: {finding.remedy}"
    for name, findings in fields.items():
        shown = ", ".join(f"{finding.value} ({finding.rows})" for finding in findings[:_VALUES_TOLD])
        yield (
            f"{name}: {sum(finding.rows for finding in findings)} value(s) outside the registered ones, kept as they"
            f" came: {shown}{' …' if len(findings) > _VALUES_TOLD else ''}; translate them under `values`"
        )


def _value_detail(name: str, value: str) -> str:
    return f"{name} has the value {value}, which isn't registered"


def _told(name: str) -> str:
    """A column's name as it may be shown: keys of records may hold anything."""
    return mask_text(name.strip())[:200]


def _replace(warehouse: Warehouse, table: str, rows: pa.Table, key: Sequence[str]) -> None:
    if rows.num_rows:
        warehouse.delete_matching("raw", table, rows.select(list(key)))
        warehouse.append("raw", table, rows)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
