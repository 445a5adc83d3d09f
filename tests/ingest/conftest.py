"""Companies for the tests of ingest, on DuckDB and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ingest_company import TICKET_HEADER, Company

from huiyin.config import Settings

__all__ = ["TICKET_HEADER", "Company"]


@pytest.fixture(params=["duckdb", "postgres"])
def company(request: pytest.FixtureRequest, tmp_path: Path) -> Company:
    """A company whose warehouse is DuckDB, then PostgreSQL."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    return _company(tmp_path, url)


@pytest.fixture
def duckdb_company(tmp_path: Path) -> Company:
    """A company whose warehouse is DuckDB, for what doesn't depend on the engine."""
    return _company(tmp_path, "")


@pytest.fixture
def new_company(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Company]:
    """Makes independent companies on DuckDB."""
    return lambda: _company(tmp_path_factory.mktemp("company"), "")


def _company(folder: Path, warehouse: str) -> Company:
    settings = Settings(var=folder / "var", sources=folder / "sources.yml", warehouse=warehouse, mask_key="test-key")
    return Company(folder, settings)
