"""Recognise columns and values by what they are usually called, where the mapping leaves them open.

A field that the mapping doesn't name, and that no column has the name of, takes the first of its usual names that the
source has. Names are compared without white space, marks, remarks in brackets, width and case.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from ingest.configuration import PLACEHOLDER, TableMapping
from ingest.connectors.delivery import Delivery
from ingest.contract import ENTITIES
from ingest.usual_names import COLUMNS, EVENT_VALUES, VALUES

Aliases = Mapping[str, Mapping[str, Sequence[str]]]


def plain_name(name: str) -> str:
    """A column's name without what writers of spreadsheets vary: ``工单 ID*`` is ``工单id``."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"\(.*?\)|【.*?】|[\s_\-*:#.、]", "", folded)


def usual_names(entity: str, own: Aliases) -> dict[str, list[str]]:
    """Field: its usual names, own ones first, as :func:`plain_name` gives them; the field's own name is one."""
    known = COLUMNS.get(entity, {})
    names: dict[str, list[str]] = {}
    for field in ENTITIES[entity].fields:
        wanted = [*own.get(entity, {}).get(field.name, ()), field.name, *known.get(field.name, "").split()]
        names[field.name] = list(dict.fromkeys(map(plain_name, wanted)))
    return names


def recognised_columns(columns: Sequence[str], mapping: TableMapping, own: Aliases) -> dict[str, str]:
    """Field: the column that has one of its usual names, for fields that the mapping and the columns leave open.

    A column that the mapping names for another field isn't taken again, and none stands for two fields.
    """
    exact = {name.casefold() for name in columns}
    taken = set(mapping.columns.values())
    given = {*mapping.columns, *mapping.constants, *mapping.templates}
    free: dict[str, str] = {}
    for column in columns:
        if column not in taken:
            free.setdefault(plain_name(column), column)
    found: dict[str, str] = {}
    open_fields = {
        field: names
        for field, names in usual_names(mapping.entity, own).items()
        if field not in given and field.casefold() not in exact
    }
    # The most telling names of all fields first: 联系电话 is a customer's phone before it is anything else.
    for rank in range(max(map(len, open_fields.values()), default=0)):
        for field, names in open_fields.items():
            if field not in found and rank < len(names) and names[rank] in free:
                found[field] = free.pop(names[rank])
    return found


def with_usual_values(mapping: TableMapping) -> TableMapping:
    """The mapping with the usual Chinese values added to its ``values``; its own, and the contract's, stay."""
    values = {name: dict(own) for name, own in mapping.values.items()}
    for name, contract_values in VALUES.get(mapping.entity, {}).items():
        translations = values.setdefault(name, {})
        for contract_value, usual in contract_values.items():
            for value in usual.split():
                translations.setdefault(value, contract_value)
    return mapping.model_copy(update={"values": values})


def with_usual_event_values(events: pa.Table) -> pa.Table:
    """Mapped ticket events with the usual Chinese values of statuses and priorities in the contract's words."""
    fields = pc.fill_null(events.column("field"), "")
    for name in ("old_value", "new_value"):
        column = events.column(name)
        for field, contract_values in EVENT_VALUES.items():
            usual = {value: word for word, values in contract_values.items() for value in values.split()}
            place = pc.index_in(column, pa.array(list(usual), pa.string()))
            translated = pc.coalesce(pc.take(pa.array(list(usual.values()), pa.string()), place), column)
            column = pc.if_else(pc.equal(fields, field), translated, column)
        events = events.set_column(events.schema.get_field_index(name), name, column)
    return events


class Recogniser:
    """Gives the columns of one table's deliveries the names of the fields that they are recognised as."""

    def __init__(self, mapping: TableMapping, own: Aliases) -> None:
        self._mapping = mapping
        self._own = own
        self._columns: list[str] = []
        self._of_delivery: dict[str, str] = {}
        # Field: column, of all deliveries so far.
        self.found: dict[str, str] = {}

    def renamed(self, delivery: Delivery) -> Delivery:
        """The delivery with recognised columns named as their fields; one that the mapping refers to also stays."""
        columns = delivery.rows.column_names
        if columns != self._columns:
            self._columns = columns
            self._of_delivery = recognised_columns(columns, self._mapping, self._own)
            self.found |= self._of_delivery
        if not self._of_delivery:
            return delivery
        mapping = self._mapping
        referred = {*mapping.where, *mapping.deleted_when, *filter(None, [mapping.changed_at])}
        referred |= {name for template in mapping.templates.values() for name in PLACEHOLDER.findall(template)}
        rows = delivery.rows
        field_of = {column: field for field, column in self._of_delivery.items()}
        for column in referred & set(field_of):
            rows = rows.append_column(field_of.pop(column), rows.column(column))
        return replace(delivery, rows=rows.rename_columns([field_of.get(name, name) for name in rows.column_names]))

    def told(self) -> str:
        """What was recognised, as one line; empty where nothing was."""
        return ", ".join(f"{field}: {column}" for field, column in sorted(self.found.items()))
