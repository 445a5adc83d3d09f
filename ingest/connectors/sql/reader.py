"""Stream tables and queries of any database that SQLAlchemy speaks to, as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path

import pyarrow as pa
import sqlalchemy
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from huiyin.interval import Interval
from ingest.configuration import unresolved_variables
from ingest.connectors.base import Request
from ingest.connectors.delivery import Delivery, text_array, utc_now
from ingest.connectors.sql.config import SqlSource, SqlTable
from ingest.errors import SourceError

ROWS_PER_DELIVERY = 50_000


def read_stream(source: SqlSource, stream: str, request: Request) -> Iterator[Delivery]:
    """The rows of one table or query."""
    table = source.table_of(stream)
    yield from read_table(source, table, request.interval, table.origin)


def read_table(source: SqlSource, table: SqlTable, interval: Interval, origin: str) -> Iterator[Delivery]:
    """The rows of a table or query; with a ``cursor`` only those whose cursor lies in the interval.

    The cursor is compared as the local time of the source. Raises :class:`SourceError`.
    """
    engine = _engine(source.url)
    if engine is None:
        if table.optional:
            return
        raise SourceError(f"there is no database file {sqlalchemy.make_url(source.url).database}; correct `url`")
    try:
        with engine.connect() as connection:
            relation = _relation(connection, table)
            if relation is not None:
                yield from _stream(connection, relation, table, interval, origin)
    except SQLAlchemyError as error:
        shown = engine.url.render_as_string(hide_password=True)
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise SourceError(f"{shown} can't be read ({origin}): {reason}; check `url`, network and rights") from error
    finally:
        engine.dispose()


def _engine(url: str) -> Engine | None:
    """The engine; None where it would be a SQLite file that doesn't exist (SQLite would create it)."""
    if missing := unresolved_variables(url):
        raise SourceError(f"url: set the environment variable {', '.join(missing)}")
    try:
        parsed = sqlalchemy.make_url(url)
        if (
            parsed.get_backend_name() == "sqlite"
            and parsed.database not in (None, "", ":memory:")
            and not Path(str(parsed.database)).exists()
        ):
            return None
        return sqlalchemy.create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise SourceError(f"url is not usable: {error}; write dialect://user:password@host/database") from error


def _relation(connection: Connection, table: SqlTable) -> FromClause | None:
    if table.query is not None:
        return sqlalchemy.text(table.query.strip().rstrip(";")).columns().subquery("source_rows")
    schema, _, name = (table.table or "").rpartition(".")
    try:
        return sqlalchemy.Table(name, sqlalchemy.MetaData(), schema=schema or None, autoload_with=connection)
    except NoSuchTableError as error:
        if table.optional:
            return None
        known = ", ".join(sorted(sqlalchemy.inspect(connection).get_table_names(schema=schema or None))[:30])
        raise SourceError(f"the database has no table {table.table}; it has: {known or 'none'}") from error


def _stream(
    connection: Connection, relation: FromClause, table: SqlTable, interval: Interval, origin: str
) -> Iterator[Delivery]:
    statement = sqlalchemy.select(sqlalchemy.text("*")).select_from(relation)
    if table.cursor is not None:
        if table.query is None and table.cursor not in relation.c:
            raise SourceError(
                f"{origin} has no column {table.cursor!r} for `cursor`; it has: {', '.join(relation.c.keys())}"
            )
        cursor: ColumnElement[datetime] = sqlalchemy.column(table.cursor)
        # SQLite keeps instants as text, which compares right from the left.
        as_text = connection.dialect.name == "sqlite"
        for day, compare in ((interval.from_on, cursor.__ge__), (interval.to_on, cursor.__lt__)):
            if day is not None:
                midnight = datetime.combine(day, time())
                statement = statement.where(
                    compare(sqlalchemy.literal(midnight.isoformat(" ")) if as_text else midnight)
                )
    delivered_at = utc_now()
    result = connection.execution_options(stream_results=True, yield_per=ROWS_PER_DELIVERY).execute(statement)
    names, first = list(result.keys()), 1
    empty = True
    for rows in result.partitions():
        columns = [text_array(column) for column in zip(*rows, strict=True)]
        numbers = pa.array(range(first, first + len(rows)), pa.int64())
        first += len(rows)
        empty = False
        yield Delivery(origin, pa.Table.from_arrays(columns, names=names), numbers, delivered_at)
    if empty:
        columns = [pa.array([], pa.string())] * len(names)
        yield Delivery(origin, pa.Table.from_arrays(columns, names=names), pa.array([], pa.int64()), delivered_at)
