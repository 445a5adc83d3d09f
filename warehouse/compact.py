"""Rewrite the warehouse without what was deleted: engines only mark deleted rows, their bytes stay in the file."""

from __future__ import annotations

import os
from uuid import uuid4

from huiyin.config import Settings
from warehouse.connection import DuckDBWarehouse, Warehouse, open_warehouse

# Where an erased person's rows were.
_SCHEMAS = ("raw", "quarantine", "history", "nlp", "staging", "intermediate", "mart", "mart_build")


def compact(settings: Settings) -> None:
    """Write the stores anew so that deleted rows are gone from the disk too.

    DuckDB: the whole file is copied and renamed over; a killed call leaves the old one. PostgreSQL: ``VACUUM FULL`` of
    the tables of the raw layer (what dbt builds is new anyway), which needs the tables' owner and locks each in turn.
    Raises :class:`warehouse.connection.WarehouseError`.
    """
    with open_warehouse(settings) as warehouse:
        if isinstance(warehouse, DuckDBWarehouse):
            _rewrite(settings, warehouse)
        else:
            _vacuum(warehouse)


def _rewrite(settings: Settings, warehouse: DuckDBWarehouse) -> None:
    file = settings.duckdb_file
    for leftover in file.parent.glob(f".{file.name}.*"):
        leftover.unlink()
    beside = file.parent / f".{file.name}.{uuid4().hex}"
    name = warehouse.rows("SELECT current_database() AS name")[0]["name"]
    try:
        warehouse.execute(f"""ATTACH '{str(beside).replace("'", "''")}' AS compacted""")
        warehouse.execute(f'COPY FROM DATABASE "{name}" TO compacted')
        warehouse.execute("DETACH compacted")
        with beside.open("rb+") as written:
            os.fsync(written.fileno())
        # Still open here, so no other process can have written in between; its log is written out first.
        warehouse.execute("FORCE CHECKPOINT")
        beside.replace(file)
    finally:
        for leftover in file.parent.glob(f"{beside.name}*"):
            leftover.unlink()


def _vacuum(warehouse: Warehouse) -> None:
    names = ", ".join(f"'{schema}'" for schema in _SCHEMAS)
    tables = warehouse.rows(
        "SELECT table_schema AS s, table_name AS t FROM information_schema.tables"
        f" WHERE table_type = 'BASE TABLE' AND table_schema IN ({names})"
    )
    for row in tables:
        warehouse.execute(f'VACUUM FULL "{row["s"]}"."{row["t"]}"')
