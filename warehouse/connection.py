"""Open the warehouse and move Arrow tables in and out, the same on DuckDB and PostgreSQL.

Timestamps are naive and UTC everywhere (``TIMESTAMP`` on both engines).
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import duckdb
import psycopg
import pyarrow as pa
from psycopg import sql as pg_sql

from huiyin.config import Settings
from huiyin.errors import HuiyinError

LOCK_WAIT_SECONDS = 60.0


class WarehouseError(HuiyinError, RuntimeError):
    """The warehouse can't be used; the message says why and what to do."""


class WarehouseLockedError(WarehouseError):
    """Another process holds the DuckDB file."""


@dataclass(frozen=True)
class MergeCounts:
    """What a merge did with the rows it was given."""

    inserted: int
    updated: int
    unchanged: int


_DUCKDB_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP",
}
_POSTGRES_TYPES = _DUCKDB_TYPES | {pa.string(): "TEXT", pa.float64(): "DOUBLE PRECISION"}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Warehouse(ABC):
    """An open connection. Use :func:`open_warehouse`; not thread-safe."""

    dialect: Literal["duckdb", "postgres"]
    _types: dict[pa.DataType, str]

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement. Parameters are ``$1, $2, …`` in DuckDB and ``%s`` in PostgreSQL."""

    @abstractmethod
    def query(self, sql: str) -> pa.Table:
        """The result of a query as an Arrow table."""

    @abstractmethod
    def append(self, schema: str, table: str, data: pa.Table) -> None:
        """Append rows; columns are matched by name, columns absent from ``data`` become NULL."""

    @contextmanager
    @abstractmethod
    def transaction(self) -> Iterator[None]:
        """All statements inside succeed together or not at all."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The result of a query as dictionaries, for small results."""
        found: list[dict[str, Any]] = self.query(sql).to_pylist()
        return found

    def has_table(self, schema: str, table: str) -> bool:
        """Whether the table exists."""
        found = self.query(
            "select 1 as found from information_schema.tables"
            f" where table_schema = '{schema}' and table_name = '{table}'"
        )
        return bool(found.num_rows)

    def create_table(self, schema: str, table: str, columns: pa.Schema, key: Sequence[str] = ()) -> None:
        """Create schema and table unless they exist. ``key`` becomes the primary key."""
        parts = [f"{_quoted(f.name)} {self._types[f.type]}{'' if f.nullable else ' NOT NULL'}" for f in columns]
        if key:
            parts.append(f"PRIMARY KEY ({', '.join(map(_quoted, key))})")
        self.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
        self.execute(f"CREATE TABLE IF NOT EXISTS {_quoted(schema)}.{_quoted(table)} ({', '.join(parts)})")

    def merge(
        self, schema: str, table: str, data: pa.Table, key: Sequence[str], compare: str = "_row_hash"
    ) -> MergeCounts:
        """Insert new keys, replace rows whose ``compare`` column differs, leave equal rows alone.

        ``data`` must hold each key once. Atomic; running it twice changes nothing.
        """
        target = f"{_quoted(schema)}.{_quoted(table)}"
        match = " AND ".join(f"t.{_quoted(k)} IS NOT DISTINCT FROM s.{_quoted(k)}" for k in key)
        names = ", ".join(_quoted(name) for name in data.column_names)
        with self.transaction(), self._staged(schema, table, data) as staged:
            counted = self.rows(
                f"SELECT count(*) FILTER (WHERE t.{_quoted(key[0])} IS NOT NULL AND t.{_quoted(compare)}"
                f" = s.{_quoted(compare)}) AS unchanged, count(*) FILTER (WHERE t.{_quoted(key[0])} IS NOT NULL"
                f" AND t.{_quoted(compare)} IS DISTINCT FROM s.{_quoted(compare)}) AS updated"
                f" FROM {staged} s LEFT JOIN {target} t ON {match}"
            )[0]
            self.execute(
                f"DELETE FROM {target} t USING {staged} s WHERE {match}"
                f" AND t.{_quoted(compare)} IS DISTINCT FROM s.{_quoted(compare)}"
            )
            self.execute(
                f"INSERT INTO {target} ({names}) SELECT {names} FROM {staged} s"
                f" WHERE NOT EXISTS (SELECT 1 FROM {target} t WHERE {match})"
            )
        updated, unchanged = counted["updated"], counted["unchanged"]
        return MergeCounts(data.num_rows - updated - unchanged, updated, unchanged)

    @contextmanager
    @abstractmethod
    def _staged(self, schema: str, table: str, data: pa.Table) -> Iterator[str]:
        """The rows as a temporary relation with the target's column types; yields its name."""


class DuckDBWarehouse(Warehouse):
    """One DuckDB file, one writing process."""

    dialect = "duckdb"
    _types = _DUCKDB_TYPES

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self.connection.execute(sql, list(parameters))

    def query(self, sql: str) -> pa.Table:
        return self.connection.sql(sql).to_arrow_table()

    def append(self, schema: str, table: str, data: pa.Table) -> None:
        with self._staged(schema, table, data) as staged:
            names = ", ".join(_quoted(name) for name in data.column_names)
            self.execute(f"INSERT INTO {_quoted(schema)}.{_quoted(table)} ({names}) SELECT {names} FROM {staged}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def _staged(self, schema: str, table: str, data: pa.Table) -> Iterator[str]:
        name = f"staged_{uuid4().hex}"
        self.connection.register(name, data)
        try:
            yield name
        finally:
            self.connection.unregister(name)


class PostgresWarehouse(Warehouse):
    """A PostgreSQL database through psycopg 3; loads use binary-free COPY."""

    dialect = "postgres"
    _types = _POSTGRES_TYPES

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self.connection.execute(sql.encode(), list(parameters) or None)

    def query(self, sql: str) -> pa.Table:
        cursor = self.connection.execute(sql.encode())
        description = cursor.description or []
        fetched = cursor.fetchall()
        columns = list(zip(*fetched, strict=True)) if fetched else [()] * len(description)
        arrays = [
            pa.array(list(values), type=_POSTGRES_OIDS.get(column.type_code))
            for column, values in zip(description, columns, strict=True)
        ]
        return pa.table(dict(zip([column.name for column in description], arrays, strict=True)))

    def append(self, schema: str, table: str, data: pa.Table) -> None:
        self._copy(pg_sql.Identifier(schema, table), data)

    def _copy(self, target: pg_sql.Identifier, data: pa.Table) -> None:
        statement = pg_sql.SQL("COPY {} ({}) FROM STDIN").format(
            target, pg_sql.SQL(", ").join(map(pg_sql.Identifier, data.column_names))
        )
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for batch in data.to_batches(max_chunksize=10_000):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    copy.write_row([_without_nul(value) for value in row])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.connection.transaction():
            yield

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def _staged(self, schema: str, table: str, data: pa.Table) -> Iterator[str]:
        name = f"staged_{uuid4().hex}"
        columns = ", ".join(map(_quoted, data.column_names))
        self.execute(
            f"CREATE TEMPORARY TABLE {name} AS SELECT {columns} FROM {_quoted(schema)}.{_quoted(table)} LIMIT 0"
        )
        self._copy(pg_sql.Identifier(name), data)
        yield name
        self.execute(f"DROP TABLE {name}")


# psycopg's own Python types decide most columns; these keep empty and all-NULL columns typed.
_POSTGRES_OIDS: dict[int, pa.DataType] = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int64(),
    23: pa.int64(),
    25: pa.string(),
    1043: pa.string(),
    700: pa.float64(),
    701: pa.float64(),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
}


def _without_nul(value: Any) -> Any:
    """PostgreSQL's text can't hold U+0000."""
    return value.replace("\x00", "") if isinstance(value, str) and "\x00" in value else value


@contextmanager
def open_warehouse(
    settings: Settings, read_only: bool = False, lock_wait_seconds: float = LOCK_WAIT_SECONDS
) -> Iterator[Warehouse]:
    """Open the configured warehouse, waiting up to ``lock_wait_seconds`` for another process to leave it.

    Raises :class:`WarehouseLockedError` when it stays locked, :class:`WarehouseError` when it can't be opened.
    """
    warehouse: Warehouse
    if settings.dialect == "duckdb":
        file = settings.duckdb_file
        if read_only and not file.exists():
            raise WarehouseError(f"there is no warehouse at {file} yet; run `huiyin run` first")
        file.parent.mkdir(parents=True, exist_ok=True)
        warehouse = DuckDBWarehouse(_open_duckdb(file, read_only, lock_wait_seconds))
    else:
        try:
            warehouse = PostgresWarehouse(psycopg.connect(settings.warehouse_url, autocommit=True))
        except psycopg.OperationalError as error:
            raise WarehouseError(
                f"PostgreSQL warehouse can't be reached: {str(error).strip()}; check HUIYIN_WAREHOUSE"
            ) from error
        warehouse.execute("SET TIME ZONE 'UTC'")
    try:
        yield warehouse
    finally:
        warehouse.close()


@contextmanager
def open_published(settings: Settings) -> Iterator[Warehouse]:
    """The published mart, read-only, schema ``mart``. Raises :class:`WarehouseError` where none is published."""
    if settings.dialect == "postgres":
        with open_warehouse(settings) as warehouse:
            yield warehouse
        return
    file = settings.published_file
    if not file.exists():
        raise WarehouseError(f"no mart is published at {file} yet; run `huiyin run` first")
    warehouse = DuckDBWarehouse(_open_duckdb(file, True, LOCK_WAIT_SECONDS))
    try:
        yield warehouse
    finally:
        warehouse.close()


def _open_duckdb(file: Path, read_only: bool, lock_wait_seconds: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + lock_wait_seconds
    while True:
        try:
            connection = duckdb.connect(str(file), read_only=read_only)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise WarehouseError(f"{file} can't be opened: {error}") from error
            if time.monotonic() >= deadline:
                raise WarehouseLockedError(
                    f"{file} is held by another process for over {lock_wait_seconds:.0f} s;"
                    " wait for the running task, or stop what has it open (BI tools read the published file)"
                ) from error
            time.sleep(0.2)
        else:
            connection.execute("SET TimeZone = 'UTC'")
            return connection
