"""Open the warehouse and move Arrow tables in and out, the same on DuckDB and PostgreSQL.

Timestamps are naive and UTC everywhere (``TIMESTAMP`` on both engines).
"""

from __future__ import annotations

import errno
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
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from psycopg import sql as pg_sql

from huiyin.config import Settings
from huiyin.errors import HuiyinError

LOCK_WAIT_SECONDS = 60.0


class WarehouseError(HuiyinError, RuntimeError):
    """The warehouse can't be used; the message says why and what to do."""


class WarehouseFullError(WarehouseError):
    """The disk that holds the warehouse is full."""


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
    _row_id: str

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

    def add_missing_columns(self, schema: str, table: str, columns: pa.Schema) -> None:
        """Add the columns that an existing table lacks (it was made by an earlier release), NULL in its rows."""
        for field in columns:
            self.execute(
                f"ALTER TABLE {_quoted(schema)}.{_quoted(table)}"
                f" ADD COLUMN IF NOT EXISTS {_quoted(field.name)} {self._types[field.type]}"
            )

    def merge(
        self,
        schema: str,
        table: str,
        data: pa.Table,
        key: Sequence[str],
        compare: str = "_row_hash",
        version: str | None = None,
    ) -> MergeCounts:
        """Insert new keys, replace rows whose ``compare`` column differs, leave equal rows alone.

        ``data`` must hold each key once. ``version`` names a column that orders the deliveries of a row: a row older
        than the stored one changes nothing and counts as unchanged. Atomic; running it twice changes nothing.
        """
        labelled = data.append_column(_LABEL, pa.nulls(data.num_rows, pa.string()))
        counts = self.merge_labelled(schema, table, labelled, key, _LABEL, compare, version)
        return counts.get(None, MergeCounts(0, 0, 0))

    def merge_labelled(
        self,
        schema: str,
        table: str,
        data: pa.Table,
        key: Sequence[str],
        label: str,
        compare: str = "_row_hash",
        version: str | None = None,
    ) -> dict[str | None, MergeCounts]:
        """Like :meth:`merge`, counted by the text column ``label`` of ``data``, which isn't stored."""
        target = f"{_quoted(schema)}.{_quoted(table)}"
        names = ", ".join(_quoted(name) for name in data.column_names if name != label)
        keys = ", ".join(f"s.{_quoted(k)}" for k in key)
        match = " AND ".join(f"t.{_quoted(k)} = s.{_quoted(k)}" for k in key)
        differs = f"t.{_quoted(compare)} IS DISTINCT FROM s.{_quoted(compare)}"
        stored, given_version = f"t.{_quoted(version or compare)}", f"s.{_quoted(version or compare)}"
        may_replace = f"({stored} IS NULL OR {stored} <= {given_version})" if version else "TRUE"
        # An equal row that was delivered again later must not lose to a delivery in between.
        is_later = f"({stored} IS NULL OR {stored} < {given_version})" if version else "FALSE"
        given = {row["values"]: row["counts"] for row in pc.value_counts(data.column(label)).to_pylist()}
        if not data.num_rows:
            return {}
        with self.transaction(), self._staged(data) as staged:
            # The table is searched for the keys once only: without an index that means reading all its keys.
            known_rows = (
                f"SELECT {keys}, s.{_quoted(label)} AS _label, {given_version} AS _version, {self._row_id} AS _row,"
                f" coalesce({differs} AND {may_replace}, FALSE) AS _is_replaced,"
                f" coalesce(NOT ({differs}) AND {is_later}, FALSE) AS _is_confirmed"
                f" FROM {staged} s JOIN {target} t ON {match}"
            )
            with self._temporary(known_rows) as known:
                counted = self.rows(
                    "SELECT _label AS label, count(*) AS known, count(*) FILTER (WHERE _is_replaced) AS updated,"
                    f" count(*) FILTER (WHERE _is_confirmed) AS confirmed FROM {known} GROUP BY 1"
                )
                if any(row["confirmed"] for row in counted):
                    self.execute(
                        f"UPDATE {target} AS t SET {_quoted(version or compare)} = k._version FROM {known} k"
                        f" WHERE {self._same_row(key)} AND k._is_confirmed"
                    )
                if any(row["updated"] for row in counted):
                    self.execute(
                        f"DELETE FROM {target} t USING {known} k WHERE {self._same_row(key)} AND k._is_replaced"
                    )
                kept = sum(row["known"] - row["updated"] for row in counted)
                if kept < data.num_rows:
                    same_key = " AND ".join(f"k.{_quoted(k)} = s.{_quoted(k)}" for k in key)
                    unless = f" WHERE NOT EXISTS (SELECT 1 FROM {known} k WHERE {same_key} AND NOT k._is_replaced)"
                    self.execute(
                        f"INSERT INTO {target} ({names}) SELECT {names} FROM {staged} s{unless if kept else ''}"
                    )
        counts = {name: MergeCounts(number, 0, 0) for name, number in given.items()}
        for row in counted:
            updated, unchanged = row["updated"], row["known"] - row["updated"]
            counts[row["label"]] = MergeCounts(given[row["label"]] - row["known"], updated, unchanged)
        return counts

    def select_matching(self, schema: str, table: str, keys: pa.Table) -> pa.Table:
        """The rows whose columns equal a row of ``keys`` (each key once)."""
        match = " AND ".join(f"t.{_quoted(k)} = s.{_quoted(k)}" for k in keys.column_names)
        with self.transaction(), self._staged(keys) as staged:
            return self.query(f"SELECT t.* FROM {_quoted(schema)}.{_quoted(table)} t JOIN {staged} s ON {match}")

    def delete_matching(self, schema: str, table: str, keys: pa.Table, condition: str = "TRUE") -> None:
        """Delete the rows whose columns equal a row of ``keys`` and that meet ``condition`` (SQL over ``t``)."""
        match = " AND ".join(f"t.{_quoted(k)} = s.{_quoted(k)}" for k in keys.column_names)
        with self.transaction(), self._staged(keys) as staged:
            self.execute(
                f"DELETE FROM {_quoted(schema)}.{_quoted(table)} t USING {staged} s WHERE {match} AND ({condition})"
            )

    @abstractmethod
    def lock(self, name: str) -> None:
        """Make other processes wait here until this transaction ends. DuckDB admits one writer anyway."""

    @contextmanager
    @abstractmethod
    def _staged(self, data: pa.Table) -> Iterator[str]:
        """The rows as a temporary relation; yields its name."""

    @contextmanager
    def _temporary(self, select: str) -> Iterator[str]:
        """The result of a query as a temporary table; yields its name."""
        name = f"temporary_{uuid4().hex}"
        self.execute(f"CREATE TEMPORARY TABLE {name} AS {select}")
        if self.dialect == "postgres":
            self.execute(f"ANALYZE {name}")
        yield name
        self.execute(f"DROP TABLE {name}")

    @abstractmethod
    def _same_row(self, key: Sequence[str]) -> str:
        """SQL: the row ``t`` of a table is the one that ``k`` was found to be."""


_LABEL = "_merge_label"


class DuckDBWarehouse(Warehouse):
    """One DuckDB file, one writing process."""

    dialect = "duckdb"
    _types = _DUCKDB_TYPES
    _row_id = "t.rowid"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._depth = 0

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        with _disk_errors():
            self.connection.execute(sql, list(parameters))

    def query(self, sql: str) -> pa.Table:
        return _without_decimals(self.connection.sql(sql).to_arrow_table())

    def append(self, schema: str, table: str, data: pa.Table) -> None:
        with self._staged(data) as staged:
            names = ", ".join(_quoted(name) for name in data.column_names)
            self.execute(f"INSERT INTO {_quoted(schema)}.{_quoted(table)} ({names}) SELECT {names} FROM {staged}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        # DuckDB has no savepoints: an inner block is part of the outer one, and an error undoes all of it.
        if self._depth == 0:
            self.connection.execute("BEGIN")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0:
                self._roll_back()
            raise
        self._depth -= 1
        if self._depth == 0:
            with _disk_errors():
                self.connection.execute("COMMIT")

    def _roll_back(self) -> None:
        try:
            self.connection.execute("ROLLBACK")
        except duckdb.Error:
            # The error that brought us here ended the transaction, or the whole database (full disk); it is raised.
            return

    def lock(self, name: str) -> None:
        """Nothing to do: the file is locked."""

    def _same_row(self, key: Sequence[str]) -> str:
        # By key, not by rowid: those of rows that this transaction has inserted itself don't hold; DuckDB then finds
        # keys twice, or crashes.
        return " AND ".join(f"t.{_quoted(k)} = k.{_quoted(k)}" for k in key)

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def _staged(self, data: pa.Table) -> Iterator[str]:
        name = f"staged_{uuid4().hex}"
        lent = _Lent(data)
        self.connection.register(name, lent)
        try:
            yield name
        finally:
            self.connection.unregister(name)
            lent.take_back()


class _Lent:
    """Rows that DuckDB may scan for a while.

    Until its transaction ends, DuckDB holds on to whatever was registered in it: the rows of a long load would all
    stay in memory. It holds this instead.
    """

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows by Arrow's C stream interface."""
        return self._rows.__arrow_c_stream__(requested_schema)

    def take_back(self) -> None:
        """Let go of the rows."""
        self._rows = self._rows.schema.empty_table()


class PostgresWarehouse(Warehouse):
    """A PostgreSQL database through psycopg 3; loads go by COPY of CSV that Arrow writes."""

    dialect = "postgres"
    _types = _POSTGRES_TYPES
    _row_id = "0"  # not used: the key has an index

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        with _disk_errors():
            self.connection.execute(sql.encode(), list(parameters) or None)

    def query(self, sql: str) -> pa.Table:
        with self.connection.cursor() as cursor:
            cursor.execute(sql.encode())
            description = cursor.description or []
            batches = []
            while fetched := cursor.fetchmany(50_000):
                batches.append(_typed(description, list(zip(*fetched, strict=True))))
        if not batches:
            batches.append(_typed(description, [()] * len(description)))
        return _without_decimals(pa.concat_tables(batches, promote_options="permissive"))

    def append(self, schema: str, table: str, data: pa.Table) -> None:
        with _disk_errors():
            self._copy(pg_sql.Identifier(schema, table), data)

    def _copy(self, target: pg_sql.Identifier, data: pa.Table) -> None:
        statement = pg_sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
            target, pg_sql.SQL(", ").join(map(pg_sql.Identifier, data.column_names))
        )
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for batch in data.to_batches(max_chunksize=20_000):
                # Arrow quotes every text and leaves NULL empty, just as PostgreSQL reads them.
                buffer = pa.BufferOutputStream()
                pa_csv.write_csv(_without_nul(batch), buffer, pa_csv.WriteOptions(include_header=False))
                copy.write(memoryview(buffer.getvalue()))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with _disk_errors(), self.connection.transaction():
            yield

    def lock(self, name: str) -> None:
        self.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [name])

    def _same_row(self, key: Sequence[str]) -> str:
        # By key, not by ctid: another transaction may have moved the row meanwhile.
        return " AND ".join(f"t.{_quoted(k)} = k.{_quoted(k)}" for k in key)

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def _staged(self, data: pa.Table) -> Iterator[str]:
        name = f"staged_{uuid4().hex}"
        columns = ", ".join(f"{_quoted(f.name)} {self._types[f.type]}" for f in data.schema)
        self.execute(f"CREATE TEMPORARY TABLE {name} ({columns})")
        self._copy(pg_sql.Identifier(name), data)
        self.execute(f"ANALYZE {name}")
        yield name
        self.execute(f"DROP TABLE {name}")


_POSTGRES_NUMERIC = 1700
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


def _typed(description: Sequence[psycopg.Column], columns: Sequence[Sequence[Any]]) -> pa.Table:
    arrays = [
        pa.array(values, type=_POSTGRES_OIDS.get(column.type_code))
        if column.type_code != _POSTGRES_NUMERIC
        else pa.array([None if value is None else float(value) for value in values], type=pa.float64())
        for column, values in zip(description, columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, names=[column.name for column in description])


def _without_decimals(table: pa.Table) -> pa.Table:
    """Both engines' exact numbers (sums of integers, numeric) as floats: one type for every reader."""
    types = [pa.float64() if pa.types.is_decimal(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))


def _without_nul(batch: pa.RecordBatch) -> pa.RecordBatch:
    """PostgreSQL's text can't hold U+0000."""
    columns = [
        pc.replace_substring(column, "\x00", "") if pa.types.is_string(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn a full disk, which every engine reports in its own way, into one clear error."""
    try:
        yield
    except (duckdb.Error, psycopg.Error, OSError) as error:
        full = (
            isinstance(error, psycopg.errors.DiskFull)
            or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
            or any(sign in str(error).lower() for sign in ("no space left", "file too large", "disk quota"))
        )
        if full:
            raise WarehouseFullError(
                "the disk of the warehouse is full; nothing of this step was kept. Free some space and run it again"
            ) from error
        raise


@contextmanager
def open_warehouse(
    settings: Settings, read_only: bool = False, lock_wait_seconds: float = LOCK_WAIT_SECONDS, memory: str = ""
) -> Iterator[Warehouse]:
    """Open the configured warehouse, waiting up to ``lock_wait_seconds`` for another process to leave it.

    ``memory`` bounds what DuckDB holds in memory, e.g. ``1GB`` (default: four fifths of the machine's).

    Raises :class:`WarehouseLockedError` when it stays locked, :class:`WarehouseError` when it can't be opened.
    """
    warehouse: Warehouse
    if settings.dialect == "duckdb":
        file = settings.duckdb_file
        if read_only and not file.exists():
            raise WarehouseError(f"there is no warehouse at {file} yet; run `huiyin run` first")
        file.parent.mkdir(parents=True, exist_ok=True)
        connection = _open_duckdb(file, read_only, lock_wait_seconds)
        if memory:
            connection.execute("SET memory_limit = $1", [memory])
        warehouse = DuckDBWarehouse(connection)
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
        except duckdb.ConnectionException as error:
            raise WarehouseError(f"{file} is already open in this process in another mode: {error}") from error
        except duckdb.IOException as error:
            if "could not set lock" not in str(error).lower():
                raise WarehouseError(f"{file} can't be opened: {error}") from error
            if time.monotonic() >= deadline:
                raise WarehouseLockedError(
                    f"{file} is held by another process for over {lock_wait_seconds:.0f} s;"
                    " wait for the running task, or stop what has it open (BI tools read the published file)"
                ) from error
            time.sleep(0.2)
        else:
            connection.execute("SET TimeZone = 'UTC'")
            # Otherwise a misspelt table quietly becomes a Python variable of that name.
            connection.execute("SET python_enable_replacements = false")
            connection.execute("SET enable_progress_bar = false")
            return connection
