"""The sources file: which systems deliver which entities, and how their columns map to the contract.

DAG files call :func:`load_sources` at every parse, so this module imports nothing heavy. ``docs/sources.md`` explains
every key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from ingest.contract import ENTITIES

DECISIONS = "decisions"
DECISION_ENTITIES = ("alerts", "cards", "card_transitions", "actions", "action_effects")
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class SourcesFileError(HuiyinError, ValueError):
    """The sources file is unusable; one line per fault names file, source, table, key and remedy."""


def _expand(text: str) -> str:
    """Replace ``${NAME}`` by the environment; an unknown name stays, and fails when the source is opened."""
    return _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text)


def unresolved_variables(text: str) -> list[str]:
    """Names of the environment variables that ``text`` still waits for."""
    return _VARIABLE.findall(text)


def _known_zone(zone: str | None) -> str | None:
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

    _zone = field_validator("timezone")(_known_zone)

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
        for name in self.formats:
            if fields[name].kind not in ("instant", "date"):
                raise ValueError(f"formats: {name} is neither an instant nor a date")
        for name, template in self.templates.items():
            if not PLACEHOLDER.search(template):
                raise ValueError(f"templates: {name} has no {{column}} in {template!r}; use constants for fixed values")
        return self


class FileTable(TableMapping):
    """Rows of the files that a path pattern matches."""

    path: str = Field(min_length=1, description="{date}, * and ** allowed; relative to the sources file")
    encoding: str | None = Field(None, description="default: found out (UTF-8, UTF-16 with mark, GB18030)")
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="default: found out")
    sheet: str | None = Field(None, description="Excel sheet; default: the first")

    @field_validator("path")
    @classmethod
    def _expanded(cls, value: str) -> str:
        if value.count("{date}") > 1:
            raise ValueError("{date} may stand once")
        return _expand(value)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                "".encode(value)
            except LookupError as error:
                raise ValueError(f"no encoding {value!r}; use utf-8, gb18030, big5 …") from error
        return value


class SqlTable(TableMapping):
    """Rows of a database table or query."""

    table: str | None = None
    query: str | None = None
    cursor: str | None = Field(None, description="column of the row's last change: reads the interval's rows only")
    optional: bool = Field(False, description="a missing table counts as an empty one")

    @model_validator(mode="after")
    def _one_origin(self) -> SqlTable:
        if (self.table is None) == (self.query is None):
            raise ValueError("give either `table` or `query`")
        return self

    @property
    def origin(self) -> str:
        """What audit and quarantine call it."""
        return self.table or " ".join((self.query or "").split())[:200]


class _Source(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="becomes _source; a-z, 0-9 and _")
    domain: Literal["tickets", "crm", "social", "decisions"]
    timezone: str | None = None

    _zone = field_validator("timezone")(_known_zone)


class FilesSource(_Source):
    """A system that delivers files."""

    kind: Literal["files"]
    tables: list[FileTable] = Field(min_length=1)


class SqlSource(_Source):
    """A SQL database."""

    kind: Literal["sql"]
    url: str = Field(min_length=1)
    tables: list[SqlTable] = Field(min_length=1)

    @field_validator("url")
    @classmethod
    def _expanded(cls, value: str) -> str:
        return _expand(value)


class SourcesFile(BaseModel):
    """The whole file, plus the built-in source ``decisions``."""

    model_config = ConfigDict(extra="forbid")

    company: str = ""
    timezone: str = "Asia/Shanghai"
    sources: list[Annotated[FilesSource | SqlSource, Field(discriminator="kind")]] = Field(min_length=1)

    _folder: Path = PrivateAttr(default=Path())
    _zone = field_validator("timezone")(_known_zone)

    @model_validator(mode="after")
    def _unique_names(self) -> SourcesFile:
        seen: set[str] = set()
        for source in self.sources:
            if source.name in seen:
                raise ValueError(f"two sources are called {source.name!r}; names must differ")
            if source.name == DECISIONS or source.domain == "decisions":
                raise ValueError("the name and the domain `decisions` are built in; choose another")
            seen.add(source.name)
        return self

    @property
    def folder(self) -> Path:
        """Where relative paths begin: the folder of the sources file."""
        return self._folder

    def source(self, name: str) -> FilesSource | SqlSource:
        """The source of that name. Raises :class:`SourcesFileError`."""
        for source in self.sources:
            if source.name == name:
                return source
        raise SourcesFileError(f"there is no source {name!r}; known: {', '.join(s.name for s in self.sources)}")

    def zone_of(self, source: FilesSource | SqlSource, table: TableMapping) -> str:
        """The zone of the table's instants that carry none."""
        return table.timezone or source.timezone or self.timezone


def load_sources(settings: Settings) -> SourcesFile:
    """Read and validate the sources file; the built-in source ``decisions`` is the last one.

    Raises :class:`SourcesFileError` with one line per fault.
    """
    file = settings.sources_file
    try:
        # Every scalar stays text, so that `是: yes`, dates and codes such as 007 arrive as they were written.
        content = yaml.load(file.read_text(encoding="utf-8-sig"), Loader=_TextLoader)
    except FileNotFoundError as error:
        raise SourcesFileError(
            f"there is no sources file at {file}; start from examples/own_files.yml, or run `huiyin demo`"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SourcesFileError(f"{file} can't be read: {error}; it must be readable and UTF-8") from error
    except yaml.YAMLError as error:
        raise SourcesFileError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise SourcesFileError(f"{file} must hold keys `company`, `timezone` and `sources`; see docs/sources.md")
    try:
        parsed = SourcesFile.model_validate(content)
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in _faults(error, content))
        raise SourcesFileError(f"{file} is not usable:\n{lines}\nsee docs/sources.md for every key") from error
    parsed._folder = file.parent
    for source in parsed.sources:
        if isinstance(source, SqlSource):
            source.url = _beside(file.parent, source.url)
    parsed.sources.append(_decisions(settings))
    return parsed


class _TextLoader(yaml.CBaseLoader):
    """YAML whose scalars are all text and whose keys may stand only once."""


def _unique_mapping(loader: _TextLoader, node: yaml.MappingNode) -> dict[str, Any]:
    keys = [key.value for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=node.start_mark)
    return {str(key.value): loader.construct_object(value, deep=True) for key, value in node.value}


_TextLoader.add_constructor("tag:yaml.org,2002:map", _unique_mapping)


def _beside(folder: Path, url: str) -> str:
    """A relative SQLite file is meant beside the sources file."""
    prefix, separator, path = url.partition(":///")
    if not separator or not prefix.startswith("sqlite") or not path or path.startswith(("/", ":memory:")):
        return url
    return f"{prefix}:///{folder / path}"


def _decisions(settings: Settings) -> SqlSource:
    """What people and the system decided: exactly the contract's fields of the ops database, naive UTC."""
    return SqlSource(
        name=DECISIONS,
        domain="decisions",
        kind="sql",
        url=settings.ops_db_url,
        timezone="UTC",
        tables=[SqlTable.model_construct(entity=name, table=name, optional=True) for name in DECISION_ENTITIES],
    )


def _faults(error: ValidationError, content: dict[str, Any]) -> Iterator[str]:
    for item in error.errors():
        place: list[str] = []
        node: Any = content
        for part in item["loc"]:
            if isinstance(part, int) and isinstance(node, list) and part < len(node):
                node = node[part]
                name = node.get("name") or node.get("entity") if isinstance(node, dict) else None
                place.append(f"#{part + 1}" + (f" ({name})" if name else ""))
            elif part in ("files", "sql") and isinstance(node, dict) and part not in node:
                continue  # pydantic names the kind of source here
            else:
                node = node.get(part) if isinstance(node, dict) else None
                place.append(str(part))
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "no such key; correct its spelling or remove it"
        yield f"{' '.join(place) or '(file)'}: {message}"
