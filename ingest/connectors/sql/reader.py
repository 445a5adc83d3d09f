"""Stream tables and queries of any database that SQLAlchemy speaks to, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, OperationalError, SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause, Select

from ingest.configuration import unresolved_variables
from ingest.connectors.base import Request
from ingest.connectors.delivery import Delivery, text_array, utc_now
from ingest.connectors.sql.config import SqlSource, SqlTable
from ingest.connectors.sql.position import CursorColumn, judge
from ingest.errors import SourceError

ROWS_PER_DELIVERY = 50_000


def read_stream(source: SqlSource, stream: str, request: Request) -> Iterator[Delivery]:
    """The rows of a table or query, streamed.

    With a ``cursor``, resuming reads what is not older than the position less the overlap, in the order of the cursor;
    a backfill reads the interval's days. Rows without a value there are read each time: nobody knows when they
    changed. Without a ``cursor`` everything is read. Raises :class:`SourceError`.
    """
    table = source.table_of(stream)
    engine = _engine(source.url)
    if engine is None:
        if table.optional:
            return
        raise SourceError(f"there is no database file {sqlalchemy.make_url(source.url).database}; correct `url`")
    with _errors(engine, table.origin), engine.connect() as connection:
        relation = _relation(connection, table)
        if relation is not None:
            yield from _Reading(connection, relation, source, table, request).deliveries()


def check(source: SqlSource, folder: Path) -> str:
    """Sign in and find every table. Raises :class:`SourceError`."""
    engine = _engine(source.url)
    if engine is None:
        raise SourceError(f"there is no database file {sqlalchemy.make_url(source.url).database}; correct `url`")
    with _errors(engine, "signing in"), engine.connect() as connection:
        for table in source.tables:
            relation = _relation(connection, table)
            if relation is not None:
                connection.execute(_everything(relation).limit(1)).first()
        return f"{connection.dialect.name}, {len(source.tables)} table(s)"


@contextmanager
def _errors(engine: Engine, origin: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        shown = engine.url.render_as_string(hide_password=True)
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise SourceError(
            f"{shown} can't be read ({origin}): {reason}; check `url`, network and rights",
            mends_itself=isinstance(error, OperationalError) and engine.dialect.name != "sqlite",
        ) from error
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


def _everything(relation: FromClause) -> Select[Any]:
    return sqlalchemy.select(sqlalchemy.text("*")).select_from(relation)


class _Reading:
    """One table or query read once."""

    def __init__(
        self, connection: Connection, relation: FromClause, source: SqlSource, table: SqlTable, request: Request
    ) -> None:
        self._connection = connection
        self._relation = relation
        self._source = source
        self._table = table
        self._request = request
        self._delivered_at = utc_now()
        self._next = 1

    def deliveries(self) -> Iterator[Delivery]:
        """All deliveries; at least one, whose columns can be checked."""
        name, relation = self._table.cursor, self._relation
        if name is None:
            yield from self._stream(_everything(relation))
            return
        if self._table.query is None and name not in relation.c:
            known = ", ".join(relation.c.keys())
            raise SourceError(f"{self._table.origin} has no column {name!r} for `cursor`; it has: {known}")
        column: ColumnElement[Any] = sqlalchemy.column(name)
        largest = self._connection.execute(
            sqlalchemy.select(sqlalchemy.func.max(column)).select_from(relation)
        ).scalar_one()
        is_unknown: ColumnElement[bool] = column.is_(None)
        if isinstance(largest, str):
            is_unknown = is_unknown | (column == "")
        yield from self._stream(_everything(relation).where(is_unknown))
        if largest not in (None, ""):
            yield from self._by_cursor(column, largest, ~is_unknown)

    def _by_cursor(self, column: ColumnElement[Any], largest: Any, is_known: ColumnElement[bool]) -> Iterator[Delivery]:
        table, source = self._table, self._source
        minutes = source.overlap_minutes if table.overlap_minutes is None else table.overlap_minutes
        rows = source.overlap_rows if table.overlap_rows is None else table.overlap_rows
        cursor = judge(column.name, largest, table.cursor_unit, minutes, rows, self._request.zone)
        statement = _everything(self._relation).where(is_known)
        if not self._request.resume:
            low, high = cursor.bounds(self._request.interval)
            statement = statement if low is None else statement.where(column >= _bound(low))
            statement = statement if high is None else statement.where(column < _bound(high))
            yield from self._stream(statement)
            return
        begin = cursor.begin(self._request.cursor)
        if begin is not None:
            statement = statement.where(column >= _bound(begin))
        yield from self._stream(statement.order_by(column), cursor, self._now())

    def _now(self) -> datetime:
        """The database's own clock, naive."""
        now = self._connection.execute(sqlalchemy.select(sqlalchemy.func.current_timestamp())).scalar_one()
        if isinstance(now, str):
            now = datetime.fromisoformat(now)
        assert isinstance(now, datetime)
        return now.replace(tzinfo=None)

    def _stream(
        self, statement: Select[Any], cursor: CursorColumn | None = None, now: datetime | None = None
    ) -> Iterator[Delivery]:
        result = self._connection.execute(
            statement, execution_options={"stream_results": True, "yield_per": ROWS_PER_DELIVERY}
        )
        names = list(result.keys())
        at = [name.casefold() for name in names].index(cursor.name.casefold()) if cursor is not None else 0
        for rows in result.partitions():
            position = None if cursor is None or now is None else _last(cursor, now, [row[at] for row in rows])
            columns = [text_array(column) for column in zip(*rows, strict=True)]
            yield self._delivery(names, columns, len(rows), position)
        if self._next == 1:
            yield self._delivery(names, [pa.array([], pa.string())] * len(names), 0, None)

    def _delivery(
        self, names: list[str], columns: list[pa.Array], count: int, position: Mapping[str, Any] | None
    ) -> Delivery:
        numbers = pa.array(range(self._next, self._next + count), pa.int64())
        self._next += count
        rows = pa.Table.from_arrays(columns, names=names)
        return Delivery(self._table.origin, rows, numbers, self._delivered_at, cursor=position)


def _last(cursor: CursorColumn, now: datetime, values: list[Any]) -> dict[str, Any] | None:
    """The position at the last value (the rows come in the database's own order) that isn't in the far future."""
    for value in reversed(values):
        if position := cursor.position(value, now):
            return position
    return None


def _bound(value: Any) -> ColumnElement[Any]:
    """A value to compare with, typed as it is: otherwise an instant would lose its zone on the way."""
    if isinstance(value, datetime):
        return sqlalchemy.literal(value, sqlalchemy.DateTime(timezone=value.tzinfo is not None))
    if isinstance(value, date):
        return sqlalchemy.literal(value, sqlalchemy.Date())
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return sqlalchemy.literal(int(value), sqlalchemy.BigInteger())
        return sqlalchemy.literal(value, sqlalchemy.Numeric())
    return sqlalchemy.literal(value)
