"""Read from a table what its suite looks at, and no more."""

from __future__ import annotations

import re
from datetime import datetime

import pandas as pd
import pyarrow as pa

from expectations.suites import Suite
from warehouse.connection import Warehouse

_OWN_COLUMN = re.compile(r"\bthis\.(\w+)")


def absent_references(warehouse: Warehouse, schema: str, suite: Suite) -> set[tuple[str, str]]:
    """Which of :meth:`Suite.references` don't exist."""
    return {
        (place, table)
        for place, table in suite.references()
        if not warehouse.has_table(place.replace("{schema}", schema), table)
    }


def read_frame(warehouse: Warehouse, schema: str, suite: Suite, tomorrow: datetime) -> pd.DataFrame:
    """The suite's columns and derived columns of ``schema.<table>``, which must exist.

    Columns that no expectation looks into are there by name only (all null): texts of hundreds of thousands of rows
    needn't travel so that their names can be checked. Columns that should be there and aren't are left out.
    """
    names = [
        row["column_name"]
        for row in warehouse.rows(
            "select column_name from information_schema.columns"
            f" where table_schema = '{schema}' and table_name = '{suite.table}' order by ordinal_position"
        )
    ]
    read = [f'this."{name}"' for name in names if name in suite.columns]
    for name, sql in suite.derived.items():
        if not set(_OWN_COLUMN.findall(sql)) <= set(names):
            continue  # GX reports the derived column as missing, beside what the suite says about the columns
        expression = sql.replace("{schema}", schema).replace("{tomorrow}", tomorrow.isoformat(sep=" "))
        read.append(f'({expression}) as "{name}"')
    found = warehouse.query(f'select {", ".join(read) or "1 as nothing"} from {schema}."{suite.table}" as this')
    for name in names:
        if name not in suite.columns:
            found = found.append_column(name, pa.nulls(found.num_rows))
    # Dates as instants: GX compares them with the ISO texts of the suites.
    frame: pd.DataFrame = found.to_pandas(date_as_object=False)
    return frame
