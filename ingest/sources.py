"""The sources file: which systems deliver which entities, and how their columns map to the contract.

DAG files call :func:`load_sources` at every parse, so this module imports nothing heavy. ``docs/sources.md`` explains
every key.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from huiyin.config import Settings
from ingest.configuration import BaseSource, SourcesFileError, TableMapping, known_zone
from ingest.connectors.files.config import FilesSource, FileTable
from ingest.connectors.mailbox.config import MailboxSource
from ingest.connectors.qiyu.config import QiyuSource
from ingest.connectors.rest.config import RestSource
from ingest.connectors.social.config import SocialSource
from ingest.connectors.sql.config import SqlSource, SqlTable
from ingest.connectors.webhook.config import WebhookSource
from ingest.connectors.zendesk.config import ZendeskSource
from ingest.contract import ENTITIES

AnySource = (
    FilesSource | MailboxSource | QiyuSource | RestSource | SocialSource | SqlSource | WebhookSource | ZendeskSource
)
KINDS = ("files", "mailbox", "qiyu", "rest", "social", "sql", "webhook", "zendesk")
DECISIONS = "decisions"
RETAINABLE = ("tickets", "messages", "feedback", "quarantine")
DECISION_ENTITIES = ("alerts", "cards", "card_transitions", "actions", "action_effects")


class SourcesFile(BaseModel):
    """The whole file, plus the built-in source ``decisions``."""

    model_config = ConfigDict(extra="forbid")

    company: str = ""
    timezone: str = "Asia/Shanghai"
    retention: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {}, description="days for which texts, or rejected rows, are kept; nothing said: for ever"
    )
    aliases: dict[str, dict[str, list[str]]] = Field(
        {}, description="entity: {field: [names that its column has in our exports]}, besides the usual ones"
    )
    sources: list[Annotated[AnySource, Field(discriminator="kind")]] = Field(min_length=1)

    _folder: Path = PrivateAttr(default=Path())
    _zone = field_validator("timezone")(known_zone)

    @field_validator("aliases")
    @classmethod
    def _known_fields(cls, value: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, list[str]]]:
        for entity, names in value.items():
            if entity not in ENTITIES:
                raise ValueError(f"no entity {entity!r}; one of: {', '.join(ENTITIES)}")
            fields = [field.name for field in ENTITIES[entity].fields]
            if unknown := sorted(set(names) - set(fields)):
                raise ValueError(f"{entity} has no field {', '.join(unknown)}; its fields: {', '.join(fields)}")
        return value

    @field_validator("retention")
    @classmethod
    def _retained(cls, value: dict[str, int]) -> dict[str, int]:
        if unknown := sorted(set(value) - set(RETAINABLE)):
            raise ValueError(f"nothing is kept by days of {', '.join(unknown)}; one of: {', '.join(RETAINABLE)}")
        return value

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

    @model_validator(mode="after")
    def _snapshots_alone(self) -> SourcesFile:
        """What is missing from a full delivery can be told only where nothing else fills the entity."""
        for source in self.sources:
            for table in source.tables:
                if not table.snapshot:
                    continue
                if sum(other.entity == table.entity for other in source.tables) > 1:
                    raise ValueError(
                        f"source {source.name}: snapshot: {table.entity} is filled by several tables; make it a source"
                        " of its own"
                    )
                if isinstance(table, FileTable) and any(sign in table.path for sign in "*?["):
                    raise ValueError(
                        f"source {source.name}: snapshot: {table.path} may match several files, of which none is full;"
                        " name one file, a day's by {date}"
                    )
        return self

    @property
    def folder(self) -> Path:
        """Where relative paths begin: the folder of the sources file."""
        return self._folder

    def source(self, name: str) -> AnySource:
        """The source of that name. Raises :class:`SourcesFileError`."""
        for source in self.sources:
            if source.name == name:
                return source
        raise SourcesFileError(f"there is no source {name!r}; known: {', '.join(s.name for s in self.sources)}")

    def zone_of(self, source: BaseSource, table: TableMapping) -> str:
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
        elif isinstance(source, WebhookSource):
            source.keep_inbox_in(settings.var_dir)
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
            elif part in KINDS and isinstance(node, dict) and part not in node:
                continue  # pydantic names the kind of source here
            else:
                node = node.get(part) if isinstance(node, dict) else None
                place.append(str(part))
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "no such key; correct its spelling or remove it"
        elif item["type"] in ("union_tag_invalid", "union_tag_not_found"):
            message = f"kind: must be one of {', '.join(KINDS)}"
        yield f"{' '.join(place) or '(file)'}: {message}"
