"""What is fixed for one table before its load begins."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from huiyin.config import Settings
from huiyin.interval import Interval
from ingest.configuration import StreamTable, TableMapping
from ingest.connectors.delivery import utc_now
from ingest.connectors.files.config import FileTable
from ingest.connectors.sql.config import SqlTable
from ingest.contract import ENTITIES
from ingest.drift import Watch, uses_of
from ingest.masking import Masker, load_masker
from ingest.prepare import Batch
from ingest.recognition import Recogniser, usual_names, with_usual_values
from ingest.sources import AnySource, SourcesFile, load_sources

# Raise this when mapping or typing change their results: unchanged files are then read again.
LOADER_VERSION = "2"


@dataclass(frozen=True)
class Load:
    """One call of ``ingest_source``."""

    settings: Settings
    sources: SourcesFile
    source: AnySource
    masker: Masker
    interval: Interval
    batch_id: str
    resume: bool


def plan_load(settings: Settings, name: str, interval: Interval, batch_id: str, resume: bool) -> Load:
    """Read the sources file and the key of the pseudonyms. Raises ``SourcesFileError`` and ``SourceError``."""
    sources = load_sources(settings)
    return Load(settings, sources, sources.source(name), load_masker(settings), interval, batch_id, resume)


@dataclass(frozen=True)
class TablePlan:
    """One table of a source: where its rows come from and what they have in common.

    ``suffix`` tells apart tables that fill one entity from the same place: '' for the first, then #2, #3 … ``origin``
    is what audit and quarantine call the table as a whole. ``fingerprint`` changes when the same input would give
    other rows. ``watch`` sees how its columns change, ``recogniser`` names those that
    the mapping leaves open.
    """

    load: Load
    table: TableMapping
    batch: Batch
    suffix: str
    origin: str
    stream: str
    fingerprint: str
    watch: Watch
    recogniser: Recogniser


def plan_tables(load: Load) -> list[TablePlan]:
    """A plan for each table of the source, in the order of the sources file."""
    tables = load.source.tables
    return [_plan(load, table, tables[:index], tables) for index, table in enumerate(tables)]


def _plan(load: Load, given: TableMapping, before: Sequence[TableMapping], every: Sequence[TableMapping]) -> TablePlan:
    table = with_usual_values(given)
    zone = load.sources.zone_of(load.source, table)
    entity = ENTITIES[table.entity]
    place = place_of(table)
    suffix = _numbered("", sum((other.entity, place_of(other)) == (table.entity, place) for other in before))
    aliases = load.sources.aliases
    content = [
        LOADER_VERSION, load.masker.version, zone, repr(entity), table.model_dump(exclude={"path"}),
        usual_names(table.entity, aliases),
    ]  # fmt: skip
    if load.source.drift == "evolve":
        content.append("evolve")
    siblings = [
        uses_of(other, ENTITIES[other.entity]).columns
        for other in every
        if other is not given and place_of(other) == place
    ]
    return TablePlan(
        load,
        table,
        Batch(load.source.name, entity, load.batch_id, utc_now(), zone, table.formats),
        suffix,
        place + suffix,
        place
        if isinstance(table, StreamTable)
        else _numbered(place, sum(place_of(other) == place for other in before)),
        fingerprint(content),
        Watch(load.source.name, entity, place + suffix, table, load.source.drift, frozenset().union(*siblings)),
        Recogniser(table, aliases),
    )


def _numbered(name: str, before: int) -> str:
    return name if before == 0 else f"{name}#{before + 1}"


def place_of(table: TableMapping) -> str:
    """Path pattern, database table or query, or stream."""
    if isinstance(table, FileTable):
        return table.path
    if isinstance(table, SqlTable):
        return table.origin
    assert isinstance(table, StreamTable)
    return table.stream


def fingerprint(content: object) -> str:
    """A short hash of JSON content."""
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=12).hexdigest()
