"""PostgreSQL can plan a build: it has counted what dbt wrote, and looks up what is touched by an index."""

from __future__ import annotations

import psycopg
from mart_company import Built


def test_every_table_that_dbt_writes_is_counted_at_once(on_postgres: Built) -> None:
    with psycopg.connect(on_postgres.settings.warehouse_url) as connection:
        uncounted = connection.execute(
            "select schemaname, relname from pg_stat_user_tables where last_analyze is null"
            " and schemaname in ('rules', 'history', 'intermediate', 'mart_build') order by 1, 2"
        ).fetchall()
        counted = connection.execute(
            "select count(*), count(distinct schemaname) from pg_stat_user_tables where last_analyze is not null"
            " and schemaname in ('rules', 'history', 'intermediate', 'mart_build')"
        ).fetchone()
    assert uncounted == []
    assert counted and counted[0] > 80 and counted[1] == 4


def test_each_touched_key_stands_once_and_has_an_index(on_postgres: Built) -> None:
    with psycopg.connect(on_postgres.settings.warehouse_url) as connection:
        indexed = connection.execute(
            "select tablename from pg_indexes where schemaname = 'intermediate' and indexdef like 'CREATE UNIQUE%'"
        ).fetchall()
    assert {"int_touched_tickets", "int_touched_feedback", "int_touched_voices", "int_touched_days"} <= {
        name for (name,) in indexed
    }
