"""The warehouse connection on DuckDB and on a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from huiyin.config import Settings
from warehouse.connection import (
    MergeCounts,
    Warehouse,
    WarehouseError,
    WarehouseFullError,
    WarehouseLockedError,
    open_warehouse,
)

COLUMNS = pa.schema(
    [
        pa.field("k", pa.string(), nullable=False),
        pa.field("v", pa.string()),
        pa.field("at", pa.timestamp("us")),
        pa.field("_row_hash", pa.string()),
    ]
)


@pytest.fixture(params=["duckdb", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    return Settings(var=tmp_path, warehouse=url)


@pytest.fixture
def warehouse(store: Settings) -> Iterator[Warehouse]:
    with open_warehouse(store) as opened:
        opened.create_table("raw", "things", COLUMNS, key=("k",))
        yield opened


def rows(*values: tuple[str, str | None, int]) -> pa.Table:
    return pa.table(
        {
            "k": [k for k, _, _ in values],
            "v": pa.array([v for _, v, _ in values], pa.string()),
            "at": pa.array([datetime.fromisoformat(f"2025-01-{day:02}") for _, _, day in values], pa.timestamp("us")),
            "_row_hash": [str(v) for _, v, _ in values],
        }
    )


def stored(warehouse: Warehouse) -> dict[str, str]:
    return {row["k"]: row["v"] for row in warehouse.rows("select k, v from raw.things")}


def test_a_merge_tells_new_changed_and_equal_rows_apart(warehouse: Warehouse) -> None:
    assert warehouse.merge("raw", "things", rows(("a", "1", 1), ("b", "1", 1)), ("k",)) == MergeCounts(2, 0, 0)
    second = rows(("a", "1", 1), ("b", "2", 1), ("c", "1", 1))
    assert warehouse.merge("raw", "things", second, ("k",)) == MergeCounts(1, 1, 1)
    assert warehouse.merge("raw", "things", second, ("k",)) == MergeCounts(0, 0, 3)
    assert stored(warehouse) == {"a": "1", "b": "2", "c": "1"}


def test_an_older_delivery_never_replaces_a_newer_one_even_after_the_row_went_back_and_forth(
    warehouse: Warehouse,
) -> None:
    def deliver(value: str, day: int) -> MergeCounts:
        return warehouse.merge("raw", "things", rows(("a", value, day)), ("k",), version="at")

    deliver("A", 1)
    assert deliver("B", 5) == MergeCounts(0, 1, 0)
    assert deliver("C", 3) == MergeCounts(0, 0, 1)
    assert stored(warehouse) == {"a": "B"}
    assert deliver("B", 9) == MergeCounts(0, 0, 1)  # equal, but delivered later than what follows
    assert deliver("D", 7) == MergeCounts(0, 0, 1)
    assert stored(warehouse) == {"a": "B"}


def test_a_merge_counts_by_label_and_does_not_store_it(warehouse: Warehouse) -> None:
    warehouse.merge("raw", "things", rows(("a", "1", 1)), ("k",))
    labelled = rows(("a", "2", 1), ("b", "1", 1), ("c", "1", 1)).append_column("file", pa.array(["x", "x", "y"]))
    counts = warehouse.merge_labelled("raw", "things", labelled, ("k",), "file")
    assert counts == {"x": MergeCounts(1, 1, 0), "y": MergeCounts(1, 0, 0)}
    assert stored(warehouse) == {"a": "2", "b": "1", "c": "1"}


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")) | st.none(), min_size=1))
def test_any_text_comes_back_as_it_was_stored(warehouse: Warehouse, texts: list[str | None]) -> None:
    warehouse.execute("delete from raw.things")
    warehouse.append(
        "raw", "things", pa.table({"k": [str(n) for n in range(len(texts))], "v": pa.array(texts, pa.string())})
    )
    assert stored(warehouse) == {str(n): text for n, text in enumerate(texts)}


def test_every_type_comes_back_as_it_was_stored_and_absent_columns_are_null(warehouse: Warehouse) -> None:
    schema = pa.schema(
        [
            ("n", pa.int64()), ("x", pa.float64()), ("b", pa.bool_()), ("d", pa.date32()),
            ("at", pa.timestamp("us")), ("t", pa.string()), ("absent", pa.string()),
        ]
    )  # fmt: skip
    warehouse.create_table("raw", "types", schema)
    given_rows = pa.Table.from_pylist(
        [
            {
                "n": -(2**62),
                "x": 0.1,
                "b": True,
                "d": date(2025, 2, 28),
                "at": datetime.fromisoformat("2025-01-01 02:03:04.000005"),
                "t": "",
            },
            {"n": None, "x": None, "b": None, "d": None, "at": None, "t": None},
        ],
        schema=pa.schema([field for field in schema if field.name != "absent"]),
    )
    warehouse.append("raw", "types", given_rows)
    back = warehouse.query("select * from raw.types order by n nulls last")
    assert back.schema.types == schema.types
    assert back.drop_columns(["absent"]).to_pylist() == given_rows.to_pylist()
    assert back.column("absent").null_count == 2
    empty = warehouse.query("select * from raw.types where n = 0")
    assert empty.schema.types == schema.types


def test_exact_numbers_of_both_engines_arrive_as_floats(warehouse: Warehouse) -> None:
    warehouse.merge("raw", "things", rows(("a", "1", 1)), ("k",))
    found = warehouse.query("select sum(cast(v as bigint)) as s, avg(cast(v as decimal(9, 2))) as m from raw.things")
    assert found.to_pylist() == [{"s": 1.0, "m": 1.0}]
    assert found.schema.field("s").type == pa.float64()


def test_an_error_undoes_the_whole_outer_transaction(warehouse: Warehouse) -> None:
    with pytest.raises(RuntimeError), warehouse.transaction():
        with warehouse.transaction():
            warehouse.merge("raw", "things", rows(("a", "1", 1)), ("k",))
        raise RuntimeError("killed")
    assert stored(warehouse) == {}


def test_rows_are_selected_and_deleted_by_their_keys(warehouse: Warehouse) -> None:
    warehouse.merge("raw", "things", rows(("a", "1", 1), ("b", "1", 1), ("c", "1", 1)), ("k",))
    keys = pa.table({"k": ["a", "b", "nobody"]})
    assert sorted(warehouse.select_matching("raw", "things", keys).column("k").to_pylist()) == ["a", "b"]
    warehouse.delete_matching("raw", "things", keys, "t.k <> 'b'")
    assert stored(warehouse) == {"b": "1", "c": "1"}


def test_a_column_that_a_later_release_added_is_null_in_old_rows(warehouse: Warehouse) -> None:
    warehouse.merge("raw", "things", rows(("a", "1", 1)), ("k",))
    for _ in range(2):
        warehouse.add_missing_columns("raw", "things", pa.schema([("v", pa.string()), ("extra", pa.int64())]))
    assert warehouse.rows("select v, extra from raw.things") == [{"v": "1", "extra": None}]


def test_a_misspelt_table_is_an_error_and_not_a_python_variable(settings: Settings) -> None:
    with open_warehouse(settings) as warehouse:
        rows_of_python = pa.table({"a": [1]})
        with pytest.raises(duckdb.CatalogException):
            warehouse.query("select * from rows_of_python")
        assert rows_of_python.num_rows == 1


def test_a_locked_warehouse_is_named_after_the_wait_and_opens_once_it_is_free(settings: Settings) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()",
            str(settings.duckdb_file),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin and holder.stdout
    assert holder.stdout.readline() == b"held\n"
    with (
        pytest.raises(WarehouseLockedError, match="held by another process"),
        open_warehouse(settings, lock_wait_seconds=0.3),
    ):
        pass
    threading.Timer(0.5, holder.stdin.close).start()
    with open_warehouse(settings, lock_wait_seconds=20) as warehouse:
        assert warehouse.rows("select 1 as one") == [{"one": 1}]
    holder.wait(20)
    holder.stdout.close()


def test_a_file_that_is_no_warehouse_and_a_missing_one_are_said_so(settings: Settings) -> None:
    with pytest.raises(WarehouseError, match="no warehouse at"), open_warehouse(settings, read_only=True):
        pass
    settings.duckdb_file.write_bytes(b"this is no database block, it is only a text" * 500)
    with pytest.raises(WarehouseError, match="can't be opened"), open_warehouse(settings, lock_wait_seconds=0):
        pass


def test_an_unreachable_postgres_is_said_without_its_password(tmp_path: Path) -> None:
    unreachable = Settings(var=tmp_path, warehouse="postgresql://u:secret@127.0.0.1:1/x")
    with pytest.raises(WarehouseError, match="can't be reached") as raised, open_warehouse(unreachable):
        pass
    assert "secret" not in str(raised.value)


def test_a_full_disk_is_one_clear_error_and_the_warehouse_stays_as_it_was(settings: Settings) -> None:
    with open_warehouse(settings) as warehouse:
        warehouse.create_table("raw", "things", COLUMNS)
        warehouse.append("raw", "things", rows(("kept", "1", 1)))
    child = textwrap.dedent(
        """
        import resource, signal, sys, secrets
        import pyarrow as pa
        from huiyin.config import Settings
        from warehouse.connection import WarehouseFullError, open_warehouse
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        data = pa.table({"k": [secrets.token_hex(500) for _ in range(10_000)]})
        try:
            with open_warehouse(Settings(var=sys.argv[1])) as warehouse, warehouse.transaction():
                warehouse.append("raw", "things", data)
        except WarehouseFullError as error:
            print("full:", error)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", child, str(settings.var_dir)], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("full:"), done.stderr
    assert issubclass(WarehouseFullError, WarehouseError)
    with open_warehouse(settings) as warehouse:
        assert stored(warehouse) == {"kept": "1"}
