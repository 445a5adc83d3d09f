"""``huiyin sources``: connect a system."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from huiyin.config import Settings, load_settings
from huiyin.errors import HuiyinError
from huiyin.interval import Interval

if TYPE_CHECKING:
    from ingest.connectors.delivery import Delivery
    from ingest.suggestion import Suggestion

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _sources() -> None:
    """Connect a system."""


@app.command()
def suggest(
    place: Annotated[str, typer.Argument(help="A file, a URL of one, or with --url the name of a table.")],
    entity: Annotated[str | None, typer.Option(help="What its rows are; default: found out.", metavar="NAME")] = None,
    url: Annotated[str | None, typer.Option(help="SQLAlchemy URL of the table's database; ${ENV} allowed.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of the file; default: found out.")] = None,
) -> None:
    """Read a file or a database table and print an entry for `tables:` of the sources file, ready to be checked.

    Columns are recognised by their usual names. Samples of what is or may be personal show only their shape.
    """
    from ingest.suggestion import suggest as suggestion_of

    settings = load_settings()
    delivery = _table(url, place) if url else _file(settings, place, encoding)
    zone, aliases = _company(settings)
    found = suggestion_of(delivery, entity, zone, aliases)
    typer.echo("\n".join(_entry(found, "table" if url else "path", place, encoding)))


def _company(settings: Settings) -> tuple[str, dict[str, dict[str, list[str]]]]:
    """The zone and the aliases of the sources file, where there is one."""
    from ingest.sources import load_sources

    if not settings.sources_file.exists():
        return settings.timezone, {}
    sources = load_sources(settings)
    return sources.timezone, sources.aliases


def _file(settings: Settings, place: str, encoding: str | None) -> Delivery:
    from ingest.connectors.files.config import FileTable
    from ingest.connectors.files.reader import find_files, read_file

    table = FileTable(entity="tickets", path=place, encoding=encoding)
    files = find_files(Path.cwd(), table.path, Interval(), _storage(settings))
    if not files:
        raise HuiyinError(f"no file matches {place}; correct it")
    return next(iter(read_file(files[-1], table, files[-1].origin)))


def _storage(settings: Settings) -> dict[str, object]:
    """The storage options of the sources file's sources of files: a new bucket usually lies where the others do."""
    from ingest.connectors.files.config import FilesSource
    from ingest.sources import load_sources

    if not settings.sources_file.exists():
        return {}
    sources = load_sources(settings).sources
    return next((source.storage for source in sources if isinstance(source, FilesSource) and source.storage), {})


def _table(url: str, name: str) -> Delivery:
    from ingest.connectors.base import Request
    from ingest.connectors.sql.config import SqlSource, SqlTable
    from ingest.connectors.sql.reader import read_stream

    source = SqlSource(
        name="suggested", domain="tickets", kind="sql", url=url, tables=[SqlTable(entity="tickets", table=name)]
    )
    request = Request(Interval(), resume=False, cursor=None, folder=Path.cwd(), zone="UTC")
    return next(iter(read_stream(source, name, request)))


def _entry(found: Suggestion, key: str, place: str, encoding: str | None) -> Iterator[str]:
    """Lines of YAML."""
    yield f"# {found.rows:,} rows looked at. Check it, and put it under `tables:` of a source (docs/sources.md)."
    yield f"- entity: {found.entity}"
    yield f"  {key}: {_scalar(place)}"
    if encoding:
        yield f"  encoding: {_scalar(encoding)}"
    yield "  columns:" if found.columns else "  columns: {}"
    for field, column in found.columns.items():
        yield f"    {field}: {_scalar(column)}{_remark(found.samples[column])}"
    for field in found.missing:
        yield f"    # {field}: is required, and no column was recognised; name it here or under constants or templates"
    if found.strange:
        yield "  # values:  # outside the contract's lists; translate them, or leave them as they are"
        for field, values in found.strange.items():
            yield f"  #   {field}: {{{', '.join(f'{_scalar(value)}: …' for value in values)}}}"
    for field, (number, remedy) in found.unreadable.items():
        yield f"  # {field}: {number:,} value(s) can't be read: {remedy}"
    if found.unused:
        yield "  # Columns that no field was found for:"
        for column in found.unused:
            yield f"  #   {_scalar(column)}{_remark(found.samples[column])}"


def _remark(samples: object) -> str:
    shown = ", ".join(re.sub(r"\s+", " ", str(sample)) for sample in samples) if isinstance(samples, list) else ""
    return f"  # {shown}" if shown else ""


def _scalar(text: str) -> str:
    """A YAML scalar; in quotation marks where it wouldn't stand for itself."""
    if re.fullmatch(r"[^\W_][\w./()（）{}$+ -]*", text) and not text.endswith(" ") and "{" not in text[:1]:
        return text
    return "'" + text.replace("'", "''") + "'"
