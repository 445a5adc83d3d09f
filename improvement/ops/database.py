"""Open the ops database: SQLite in WAL mode, or PostgreSQL; created and upgraded on first use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from huiyin.config import Settings
from huiyin.errors import HuiyinError

_MIGRATIONS = Path(__file__).parent / "migrations"
# Any constant will do: it names the one lock that upgrades and appends to the audit chain take on PostgreSQL.
_POSTGRES_LOCK = 7_043_118


class OpsDatabaseError(HuiyinError):
    """The ops database can't be opened; the message says why and what to do."""


def _engine(url: str) -> Engine:
    engine = create_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _connect(connection: Any, _record: object) -> None:
            connection.isolation_level = None  # SQLAlchemy, not the driver, begins transactions
            for pragma in ("busy_timeout=30000", "journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # A deferred transaction that turns to writing may fail at once with "database is locked".
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def take_lock(connection: Connection) -> None:
    """Wait for the writers' lock of this database, held until the transaction ends (SQLite has it by BEGIN)."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})


def _upgrade(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()
    with engine.begin() as connection:
        if MigrationContext.configure(connection).get_current_revision() == head:
            return
        take_lock(connection)  # two processes may open a new database at the same moment
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def open_ops(settings: Settings) -> Iterator[Session]:
    """A session on the ops database, in one transaction that is committed at the end or rolled back on an error.

    Creates the database or brings it to the newest version first. Raises :class:`OpsDatabaseError`.
    """
    url = settings.ops_db_url
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = _engine(url)
    try:
        try:
            _upgrade(engine)
        except OperationalError as error:
            raise OpsDatabaseError(
                f"ops database {parsed.render_as_string()} can't be opened: {str(error.orig).strip()};"
                " check HUIYIN_OPS_DB, that its server runs and that its folder may be written"
            ) from error
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    finally:
        engine.dispose()
