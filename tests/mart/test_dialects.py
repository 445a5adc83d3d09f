"""DuckDB and PostgreSQL must give the same mart."""

from __future__ import annotations

import pandas as pd
import pytest
from mart_company import Built

from warehouse.publish import PUBLIC_MARTS


@pytest.mark.parametrize("name", PUBLIC_MARTS)
def test_both_engines_give_the_same_table(on_duckdb: Built, on_postgres: Built, name: str) -> None:
    one, other = on_duckdb.frame(name), on_postgres.frame(name)
    assert list(one.columns) == list(other.columns)
    assert len(one) == len(other)
    if name != "fct_cards":
        assert len(one) > 0

    def ordered(frame: pd.DataFrame) -> pd.DataFrame:
        texts = frame.astype(object).where(frame.notna(), None)
        return texts.sort_values(list(frame.columns), key=lambda c: c.map(str)).reset_index(drop=True)

    pd.testing.assert_frame_equal(ordered(one), ordered(other), check_exact=False, rtol=1e-9, check_dtype=False)
