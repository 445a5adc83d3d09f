"""One random company, built once on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import mart_company as company
import psycopg
import pytest
from mart_company import Built

from huiyin.config import Settings
from warehouse.dbt import SELECT_CORE, SELECT_MEANING, run_dbt


def _build(settings: Settings) -> Built:
    rows = company.random_company()
    company.load(settings, rows | company.decisions() | company.demand())
    run_dbt(settings, "build", SELECT_CORE, {"as_of": company.AS_OF})
    built = Built(settings, rows)
    company.load(settings, company.meaning(built.frame("intermediate.int_voices")["voice_id"]))
    run_dbt(settings, "build", SELECT_MEANING, {"as_of": company.AS_OF})
    return built


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's rules with hours and targets of every kind."""
    folder = tmp_path_factory.mktemp("rules") / "own"
    return company.rules_with(folder, service_schedules=company.SCHEDULES, sla_policies=company.POLICIES)


@pytest.fixture(scope="session")
def on_duckdb(tmp_path_factory: pytest.TempPathFactory, rules: Path) -> Built:
    """The company on DuckDB."""
    return _build(Settings(var=tmp_path_factory.mktemp("duckdb"), rules=rules))


@pytest.fixture(scope="session")
def on_postgres(tmp_path_factory: pytest.TempPathFactory, rules: Path, postgres_server: str) -> Iterator[Built]:
    """The company on PostgreSQL."""
    name = f"mart_{uuid4().hex[:12]}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    yield _build(Settings(var=tmp_path_factory.mktemp("postgres"), rules=rules, warehouse=f"{postgres_server}/{name}"))
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
