"""BI tools read while marts are built; on PostgreSQL by a role that can read the mart and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from mart_company import AS_OF, Built
from psycopg.conninfo import make_conninfo

from huiyin.config import PROJECT_ROOT
from warehouse.connection import open_warehouse
from warehouse.dbt import run_dbt
from warehouse.publish import PUBLIC_MARTS, PublishError, publish

# As a tool does: a connection for each look on DuckDB, one for all on PostgreSQL. A line a look, or why it failed.
LOOK = (
    "select (select count(*) from mart.fct_tickets), (select count(distinct ticket_key) from mart.fct_sla),"
    " (select count(*) from mart.bi_captions where column_name = ''),"
    " (select min(created_hour) from mart.fct_tickets)"
)
DUCKDB_READER = f"""
import duckdb, json, sys, time
while True:
    try:
        with duckdb.connect(sys.argv[1], read_only=True) as connection:
            print(json.dumps(connection.execute("{LOOK}").fetchone()), flush=True)
    except duckdb.Error as error:
        print(json.dumps(str(error)), flush=True)
"""
POSTGRES_READER = f"""
import json, psycopg, sys, time
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    while True:
        try:
            print(json.dumps(connection.execute("{LOOK}").fetchone()), flush=True)
        except psycopg.Error as error:
            print(json.dumps(str(error)), flush=True)
        time.sleep(0.01)
"""


@contextmanager
def reading(code: str, place: str, seen_file: Path) -> Iterator[None]:
    """A process of its own that looks at the mart again and again, from before the body until after it."""
    with seen_file.open("w") as looks:
        process = subprocess.Popen([sys.executable, "-c", code, place], stdout=looks)
        try:
            wait_for_a_look(seen_file)
            yield
            wait_for_a_look(seen_file)
        finally:
            process.kill()
            process.wait(30)


def wait_for_a_look(seen_file: Path) -> None:
    size = seen_file.stat().st_size
    for _ in range(600):
        if seen_file.stat().st_size > size:
            return
        time.sleep(0.05)
    raise AssertionError("the reader sees nothing for half a minute")


def shrink(built: Built) -> None:
    """Rows go in a first statement and in a second; nobody may see the one without the other."""
    with open_warehouse(built.settings) as warehouse:
        for name in ("fct_tickets", "fct_sla"):
            warehouse.execute(f"create table {built.schema}.kept_{name} as select * from {built.schema}.{name}")
        warehouse.execute(f"delete from {built.schema}.fct_tickets where created_hour < 12")
        warehouse.execute(
            f"delete from {built.schema}.fct_sla where ticket_key not in"
            f" (select ticket_key from {built.schema}.fct_tickets)"
        )


def restore(built: Built) -> None:
    with open_warehouse(built.settings) as warehouse:
        for name in ("fct_tickets", "fct_sla"):
            warehouse.execute(f"delete from {built.schema}.{name}")
            warehouse.execute(f"insert into {built.schema}.{name} select * from {built.schema}.kept_{name}")
            warehouse.execute(f"drop table {built.schema}.kept_{name}")


def build_and_publish(built: Built) -> None:
    shrink(built)
    try:
        run_dbt(built.settings, "build", ["dim_channel", "bi_captions"], {"as_of": AS_OF})
        publish(built.settings)
    finally:
        restore(built)
    publish(built.settings)


def assert_whole_marts_only(seen_file: Path) -> None:
    """The whole mart and the small one were seen, never an error and never parts of either."""
    # The last line may be cut.
    looks = [json.loads(line) for line in seen_file.read_text().splitlines()[:-1]]
    assert [look for look in looks if isinstance(look, str)] == []
    states = {tuple(look) for look in looks}
    assert len(looks) > 10
    assert len(states) == 2
    assert {state[2] for state in states} == {len(PUBLIC_MARTS)}
    assert {state[3] for state in states} == {0, 12}


def test_the_published_file_is_readable_all_the_time_while_another_process_builds(
    on_duckdb: Built, tmp_path: Path
) -> None:
    publish(on_duckdb.settings)
    with reading(DUCKDB_READER, str(on_duckdb.settings.published_file), tmp_path / "seen"):
        build_and_publish(on_duckdb)
    assert_whole_marts_only(tmp_path / "seen")


@pytest.fixture
def bi_login(on_postgres: Built) -> Iterator[tuple[Built, str]]:
    """The company whose publications grant the role huiyin_bi, and how a member of it connects."""
    settings = on_postgres.settings.model_copy(update={"bi_role": "huiyin_bi"})
    publish(settings)
    with psycopg.connect(settings.warehouse_url, autocommit=True) as admin:
        admin.execute("create role analyst login password 'looking' in role huiyin_bi")
    yield Built(settings, on_postgres.rows), make_conninfo(settings.warehouse_url, user="analyst", password="looking")
    with psycopg.connect(settings.warehouse_url, autocommit=True) as admin:
        for role in ("analyst", "huiyin_bi"):
            admin.execute(f"drop owned by {role}".encode())
            admin.execute(f"drop role {role}".encode())


def test_a_member_of_the_bi_role_reads_the_mart_and_nothing_else(bi_login: tuple[Built, str]) -> None:
    built, login = bi_login
    publish(built.settings)
    with psycopg.connect(login, autocommit=True) as analyst:
        for name in PUBLIC_MARTS:
            analyst.execute(f"select * from mart.{name} limit 1".encode())
        for statement in (
            "select * from raw.tickets",
            "select * from mart_build.fct_tickets",
            "select * from intermediate.int_tickets",
            "select * from nlp.sentiment",
            "delete from mart.fct_tickets",
            "insert into mart.dim_channel select * from mart.dim_channel",
            "truncate mart.fct_tickets",
            "create table mart.mine as select 1",
            "create table public.mine as select 1",
            "drop table mart.dim_channel",
            "create schema mine",
            "copy mart.dim_channel to program 'cat'",
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)):
                analyst.execute(statement.encode())


def test_a_bi_login_reads_whole_marts_all_the_time_while_they_are_built(
    bi_login: tuple[Built, str], tmp_path: Path
) -> None:
    built, login = bi_login
    with reading(POSTGRES_READER, login, tmp_path / "seen"):
        build_and_publish(built)
    assert_whole_marts_only(tmp_path / "seen")


def test_a_login_that_may_not_create_roles_is_told_what_to_ask_for(on_postgres: Built) -> None:
    url = on_postgres.settings.warehouse_url
    database = url.rsplit("/", 1)[1]
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("create role plain login password 'plain'")
        admin.execute(f'grant create on database "{database}" to plain'.encode())
        admin.execute("grant usage on schema mart_build to plain")
        admin.execute("grant select on all tables in schema mart_build to plain")
    try:
        plain = url.replace("postgres:trusted@", "plain:plain@")
        settings = on_postgres.settings.model_copy(update={"bi_role": "huiyin_bi_2", "warehouse": plain})
        with pytest.raises(PublishError, match="Have an administrator run: CREATE ROLE huiyin_bi_2 NOLOGIN"):
            publish(settings)
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("drop owned by plain")
            admin.execute("drop role plain")


def test_each_column_of_each_mart_has_a_chinese_caption(on_duckdb: Built) -> None:
    captions = on_duckdb.frame("bi_captions")
    assert set(captions[captions["column_name"] == ""]["table_name"]) == set(PUBLIC_MARTS)
    named = captions[captions["column_name"] != ""].set_index(["table_name", "column_position"])["column_name"]
    for name in PUBLIC_MARTS:
        expected = dict(enumerate(on_duckdb.frame(name).columns, start=1))
        assert named[name].sort_index().to_dict() == expected, name
    is_chinese = captions["caption_zh"].str.contains(r"[\u4e00-\u9fff]", regex=True)
    nameless = captions[~is_chinese]
    assert [f"{row.table_name}.{row.column_name}" for row in nameless.itertuples()] == [], (
        f"name them in {PROJECT_ROOT / 'dbt_project' / 'seeds' / 'captions.csv'}"
    )
    # Two columns of one mart that are called the same can't be told apart in a tool.
    columns = captions[captions["column_name"] != ""]
    assert columns[columns.duplicated(["table_name", "caption_zh"], keep=False)].empty
