"""Loads larger than a transaction: the end is the same, also after a stop in the middle."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from ingest_company import TICKET_HEADER, Company

from ingest.loading import files, stage
from ingest.loading.writer import TableWriter

TABLE = {"entity": "tickets", "path": "big.csv"}


def content(rows: int) -> str:
    """Keys that repeat within and between portions, and rows that belong into the quarantine."""
    lines = [
        f"{number % 700},C{number % 30},phone,,,{'bad' if number % 97 == 0 else '2025-03-01 10:00:00'},high\n"
        for number in range(rows)
    ]
    return TICKET_HEADER + "".join(lines)


def test_a_load_that_stops_between_transactions_is_completed_by_the_next(
    new_company: Callable[[], Company], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = new_company(), new_company()
    for company in (whole, stopped):
        company.declare_files(TABLE)
        os.utime(company.write("big.csv", content(1000)), (1_740_800_000, 1_740_800_000))
    whole.load()
    monkeypatch.setattr(files, "ROWS_PER_TRANSACTION", 150)
    monkeypatch.setattr(stage, "ROWS_PER_PORTION", 60)
    portions = 0
    write = TableWriter.write

    def failing(self: TableWriter, *arguments: object) -> None:
        nonlocal portions
        portions += 1
        if portions == 8:
            raise KeyboardInterrupt
        write(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(TableWriter, "write", failing)
        with pytest.raises(KeyboardInterrupt):
            stopped.load()
    assert stopped.rows("select count(*) as n from raw.tickets")[0]["n"] > 0
    (report,) = stopped.load(batch_id="b2")
    assert report.unchanged > 0
    stopped.assert_balanced()
    ours, theirs = stopped.everything(), whole.everything()
    assert ours["raw.tickets"] == theirs["raw.tickets"]
    assert ours["quarantine.tickets"] == theirs["quarantine.tickets"]
    assert stopped.load(batch_id="b3")[0].skipped == 1
