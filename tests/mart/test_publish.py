"""Readers see the old mart or the new one, whole, and nothing else ever."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import psycopg
import pytest
from mart_company import Built

from warehouse.connection import open_published, open_warehouse
from warehouse.publish import PUBLIC_MARTS, PublishError, publish


def counts(built: Built) -> dict[str, int]:
    with open_warehouse(built.settings) as warehouse:
        return {
            name: warehouse.rows(f"select count(*) as n from {built.schema}.{name}")[0]["n"] for name in PUBLIC_MARTS
        }


def test_the_file_holds_the_public_marts_with_their_descriptions_and_nothing_else(on_duckdb: Built) -> None:
    report = publish(on_duckdb.settings)
    assert report.row_counts == counts(on_duckdb)
    file = on_duckdb.settings.published_file
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    with duckdb.connect(str(file), read_only=True) as reader:
        tables = reader.execute("select schema_name, table_name, comment from duckdb_tables()").fetchall()
        assert {(schema, name) for schema, name, _ in tables} == {("mart", name) for name in PUBLIC_MARTS}
        assert all(comment.startswith("One row per") for _, _, comment in tables)
        undescribed = "select count(*) from duckdb_columns() where not internal and comment is null"
        assert reader.execute(undescribed).fetchall() == [(0,)]
        version = reader.execute("select tags from duckdb_databases() where database_name = 'huiyin'").fetchone()
        assert "v1.4.0" in str(version)


def test_a_reader_keeps_the_mart_it_opened_while_others_are_published(on_duckdb: Built) -> None:
    settings = on_duckdb.settings
    publish(settings)
    code = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True);"
        "print(c.execute('select count(*) from mart.fct_tickets').fetchone()[0], flush=True); sys.stdin.readline();"
        "print(c.execute('select count(*), count(distinct ticket_key), max(length(body)) from mart.fct_tickets')"
        ".fetchone()[0])"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(settings.published_file)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert reader.stdin and reader.stdout
    before = reader.stdout.readline()
    with open_warehouse(settings) as warehouse:
        warehouse.execute("create table mart.kept as from mart.fct_tickets")
        warehouse.execute("delete from mart.fct_tickets where created_hour < 12")
    try:
        publish(settings)
        reader.stdin.write("go\n")
        reader.stdin.close()
        assert reader.stdout.readline() == before
        assert reader.wait(60) == 0
        with open_published(settings) as mart:
            assert mart.rows("select count(*) as n from mart.fct_tickets")[0]["n"] < int(before)
    finally:
        with open_warehouse(settings) as warehouse:
            warehouse.execute("delete from mart.fct_tickets")
            warehouse.execute("insert into mart.fct_tickets from mart.kept")
            warehouse.execute("drop table mart.kept")


def test_an_incomplete_mart_is_refused_and_the_old_one_stays(on_duckdb: Built) -> None:
    settings = on_duckdb.settings
    publish(settings)
    before = settings.published_file.read_bytes()
    with open_warehouse(settings) as warehouse:
        warehouse.execute("alter table mart.dim_topic rename to dim_topic_away")
    try:
        with pytest.raises(PublishError, match="lacks dim_topic; readers keep the old one"):
            publish(settings)
    finally:
        with open_warehouse(settings) as warehouse:
            warehouse.execute("alter table mart.dim_topic_away rename to dim_topic")
    assert settings.published_file.read_bytes() == before


def test_what_a_killed_publication_left_is_swept_away(on_duckdb: Built) -> None:
    folder = on_duckdb.settings.published_file.parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f".{on_duckdb.settings.published_file.name}.dead").write_bytes(b"half a file")
    publish(on_duckdb.settings)
    assert [path.name for path in folder.iterdir()] == [on_duckdb.settings.published_file.name]


def test_postgres_readers_never_miss_the_mart_and_keep_their_rights(on_postgres: Built, tmp_path: Path) -> None:
    settings = on_postgres.settings
    publish(settings)
    with psycopg.connect(settings.warehouse_url, autocommit=True) as admin:
        admin.execute("create role bi_reader login")
        admin.execute("grant usage on schema mart to bi_reader")
        admin.execute("grant select on all tables in schema mart to bi_reader")
    try:
        errors: list[Exception] = []
        seen: set[int] = set()
        stop = threading.Event()

        def read() -> None:
            with psycopg.connect(settings.warehouse_url, autocommit=True) as connection:
                connection.execute("set role bi_reader")
                while not stop.is_set():
                    try:
                        row = connection.execute("select count(*) from mart.fct_sla").fetchone()
                        seen.add(row[0] if row else -1)
                    except psycopg.Error as error:
                        errors.append(error)
                        return

        thread = threading.Thread(target=read)
        thread.start()
        # A long report holds the old tables: publishing must not wait for it, nor it for publishing.
        with psycopg.connect(settings.warehouse_url) as report:
            first = report.execute("select count(*) from mart.fct_tickets").fetchone()
            started = time.monotonic()
            row_counts = publish(settings).row_counts
            assert time.monotonic() - started < 30
            assert report.execute("select 1").fetchone()
        publish(settings)
        stop.set()
        thread.join()
        assert errors == []
        assert seen == {row_counts["fct_sla"]}
        assert first and first[0] == row_counts["fct_tickets"]
        assert row_counts == counts(on_postgres)
        with open_published(settings) as mart:
            names = mart.rows("select nspname as name from pg_namespace where nspname like 'mart%'")
            assert {row["name"] for row in names} == {"mart", "mart_build"}
            described = mart.rows("select obj_description('mart.fct_tickets'::regclass) as comment")
            assert described[0]["comment"].startswith("One row per reportable ticket")
    finally:
        with psycopg.connect(settings.warehouse_url, autocommit=True) as admin:
            admin.execute("drop owned by bi_reader")
            admin.execute("drop role bi_reader")


def test_a_transaction_with_one_snapshot_finds_the_mart_full_after_a_publication(on_postgres: Built) -> None:
    settings = on_postgres.settings
    publish(settings)
    with psycopg.connect(settings.warehouse_url) as backup:
        backup.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        before = backup.execute("select count(*) from mart.fct_sla").fetchone()
        row_counts = publish(settings).row_counts
        after = backup.execute(
            "select (select count(*) from mart.fct_sla), (select count(*) from mart.fct_tickets)"
        ).fetchone()
    assert before == (row_counts["fct_sla"],)
    assert after == (row_counts["fct_sla"], row_counts["fct_tickets"])
