"""The whole loop on the team profile's stores: PostgreSQL as warehouse and as ops database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from warehouse.publish import PUBLIC_MARTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_demo_runs_on_postgresql_and_publishes_every_mart(tmp_path: Path, postgres_url: str) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HUIYIN_")}
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("create database ops")
    ops_url = postgres_url.rpartition("/")[0] + "/ops"
    try:
        ended = subprocess.run(
            [str(Path(sys.executable).parent / "huiyin"), "--var", str(tmp_path), "demo", "--scale", "0.05"],
            env=clean | {"HUIYIN_WAREHOUSE": postgres_url, "HUIYIN_OPS_DB": ops_url, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=840,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
        assert not (tmp_path / "warehouse.duckdb").exists()
        assert not (tmp_path / "ops.db").exists()
        with psycopg.connect(postgres_url) as mart, psycopg.connect(ops_url) as ops:
            rows = {
                name: mart.execute(f"select count(*) from mart.{name}".encode()).fetchall()[0][0]
                for name in PUBLIC_MARTS
            }
            decided = ops.execute("select count(*) from alerts").fetchall()[0][0]
            reported = mart.execute("select count(*) from mart.fct_alerts").fetchall()[0][0]
            delivered = mart.execute("select count(*) from raw.tickets").fetchall()[0][0]
            reconciled = mart.execute("select sum(ticket_count) from mart.agg_ticket_reconciliation").fetchall()[0][0]
        assert rows["fct_tickets"] > 1000 and rows["fct_sentiment"] > 1000 and rows["agg_indicator_summary"] > 100
        assert decided == reported > 0
        assert delivered == reconciled
        assert (tmp_path / "reports" / "latest.html").stat().st_size > 100_000
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("drop database ops with (force)")
