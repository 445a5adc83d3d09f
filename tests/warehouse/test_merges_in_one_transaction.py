"""Many merges of the same keys in one transaction end as a dictionary would; DuckDB's row ids would not."""

from __future__ import annotations

import random

import pyarrow as pa

from huiyin.config import Settings
from warehouse.connection import open_warehouse

COLUMNS = pa.schema(
    [pa.field("k", pa.string(), nullable=False), pa.field("_row_hash", pa.string()), pa.field("v", pa.int64())]
)


def test_merges_deletes_and_appends_of_one_transaction_end_as_a_dictionary_would(settings: Settings) -> None:
    chance, expected = random.Random(2), dict[str, tuple[str, int]]()
    for _ in range(4):
        with open_warehouse(settings) as warehouse:
            warehouse.create_table("raw", "a", COLUMNS, ("k",))
            with warehouse.transaction():
                for _ in range(5):
                    new = {
                        f"K{n}": (str(chance.randint(0, 3)), chance.randint(0, 9))
                        for n in chance.sample(range(2000), chance.randint(1, 300))
                    }
                    hashes, versions = [h for h, _ in new.values()], [v for _, v in new.values()]
                    rows = pa.table({"k": list(new), "_row_hash": hashes, "v": versions}, schema=COLUMNS)
                    warehouse.merge("raw", "a", rows, ("k",), version="v")
                    expected |= {k: row for k, row in new.items() if k not in expected or row[1] >= expected[k][1]}
                    keys = rows.select(["k"]).slice(0, 20)
                    moved = warehouse.select_matching("raw", "a", keys)
                    warehouse.delete_matching("raw", "a", keys)
                    warehouse.append("raw", "a", moved)
            found = warehouse.rows("select * from raw.a")
        assert {row["k"]: (row["_row_hash"], row["v"]) for row in found} == expected
