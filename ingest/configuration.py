"""The parts that the configuration of every kind of source is made of.

DAG files read the sources file at every parse, so this module imports nothing heavy.
"""

from __future__ import annotations

import os
import re
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from huiyin.errors import HuiyinError
from ingest.contract import ENTITIES

PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class SourcesFileError(HuiyinError, ValueError):
    """The sources file is unusable; one line per fault names file, source, table, key and remedy."""


def expand(text: str) -> str:
    """Replace ``${NAME}`` by the environment; an unknown name stays, and fails when the source is opened."""
    return _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text)


def unresolved_variables(text: str) -> list[str]:
    """Names of the environment variables that ``text`` still waits for."""
    return _VARIABLE.findall(text)


def known_zone(zone: str | None) -> str | None:
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{zone!r} is no IANA time zone; use one such as Asia/Shanghai") from error
    return zone


class TableMapping(BaseModel):
    """How the rows of one file pattern or database table become rows of one entity."""

    model_config = ConfigDict(extra="forbid")

    entity: str
    columns: dict[str, str] = Field({}, description="contract field: source column; empty: leave the field NULL")
    values: dict[str, dict[str, str]] = Field({}, description="contract field: {source value: contract value}")
    constants: dict[str, str] = Field({}, description="contract field: the same value in every row")
    templates: dict[str, str] = Field({}, description="contract field: text with {source column}s in it")
    formats: dict[str, str] = Field({}, description="contract field: strptime format of its instants or dates")
    where: dict[str, str | list[str]] = Field({}, description="source column: value(s) of the rows to keep")
    timezone: str | None = Field(None, description="zone of instants without one; default: the source's")
    changed_at: str | None = Field(
        None, description="source column: instant of the row's last change; of two versions of a key the later wins"
    )
    deleted_when: dict[str, str | list[str]] = Field(
        {}, description="source column: value(s) that say that the row was deleted upstream"
    )

    snapshot: bool | Literal["force"] = Field(
        False,
        description="each delivery holds every row that exists: what is missing from it was deleted upstream; force:"
        " even where that is more than half of the rows",
    )

    _zone = field_validator("timezone")(known_zone)

    @field_validator("entity")
    @classmethod
    def _known_entity(cls, value: str) -> str:
        if value not in ENTITIES:
            raise ValueError(f"no entity {value!r}; one of: {', '.join(ENTITIES)}")
        return value

    @model_validator(mode="after")
    def _known_fields(self) -> TableMapping:
        entity = ENTITIES[self.entity]
        fields = {field.name: field for field in entity.fields}
        origin: dict[str, str] = {}
        for key in ("columns", "values", "constants", "templates", "formats"):
            for name in getattr(self, key):
                if name not in fields:
                    raise ValueError(f"{key}: {self.entity} has no field {name!r}; its fields: {', '.join(fields)}")
                if key in ("columns", "constants", "templates"):
                    if name in origin:
                        raise ValueError(f"{name} is given twice, by {origin[name]} and by {key}; keep one")
                    origin[name] = key
        if self.snapshot and self.changed_at:
            raise ValueError("snapshot: the instant of the delivery orders full deliveries; remove `changed_at`")
        for name in self.formats:
            if fields[name].kind not in ("instant", "date"):
                raise ValueError(f"formats: {name} is neither an instant nor a date")
        for name, template in self.templates.items():
            if not PLACEHOLDER.search(template):
                raise ValueError(f"templates: {name} has no {{column}} in {template!r}; use constants for fixed values")
        return self


class BaseSource(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: str
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="becomes _source; a-z, 0-9 and _")
    domain: Literal["tickets", "crm", "social", "decisions"]
    timezone: str | None = None
    drift: Literal["evolve", "discard", "freeze"] = Field(
        "discard",
        description="what happens when its columns change; evolve: new ones are kept in _extra, discard: left out,"
        " freeze: the table fails",
    )
    expected_every_hours: float = Field(24, gt=0, description="how often it should bring something new")

    _zone = field_validator("timezone")(known_zone)


class StreamTable(TableMapping):
    """How the records of one stream of a system with an interface of its own become rows of one entity.

    Columns are named by their path in the record: ``requester.id``. Several tables may read one stream, each its
    ``where`` of it; the stream is fetched once.
    """

    stream: str = Field(min_length=1, description="which of the system's streams")


class StreamSource(BaseSource):
    """A system that is asked over a network, stream by stream, and remembers where the last load stopped."""

    tables: list[StreamTable] = Field(min_length=1)
    overlap_minutes: float = Field(60, ge=0, description="how far before the last position a load begins again")
