"""A bad line fails no table, a bad file is named with its like, and only files that were agreed on are missed."""

from __future__ import annotations

import json
from datetime import date

import pytest
from ingest_company import TICKET_HEADER, Company

from huiyin.interval import Interval
from ingest.errors import SourceError
from ingest.loading.files import missing_days

GOOD = json.dumps({"ticket_id": "T1", "channel": "phone", "created_at": "2025-01-01"})


def test_a_day_of_nothing_but_broken_lines_or_records_without_key_keeps_no_other_day_from_loading(
    duckdb_company: Company,
) -> None:
    company = duckdb_company
    company.declare_files({"entity": "tickets", "path": "{date}.jsonl"})
    company.write("2025-01-01.jsonl", GOOD)
    company.write("2025-01-02.jsonl", "half a line {\nanother\n")
    company.write("2025-01-03.jsonl", '{"note": "电话 13800138000"}\n[1]\n')
    (report,) = company.load()
    assert (report.fetched, report.loaded, report.quarantined) == (5, 1, 4)
    assert "1380013" not in repr(company.everything())
    company.assert_balanced()


def test_a_table_none_of_whose_records_can_have_a_key_is_a_wrong_mapping(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files({"entity": "tickets", "path": "{date}.jsonl"})
    for content, message in (
        ('{"id": "T1", "created_at": "2025-01-01"}\n', r"2025-01-01\.jsonl has the wrong columns: .* ticket_id"),
        ("ticket_id,created_at\n", r"2025-01-01\.jsonl has no line that is a JSON object"),
    ):
        for day in (1, 2):
            company.write(f"2025-01-0{day}.jsonl", content)
        with pytest.raises(SourceError, match=message):
            company.load()
    assert company.rows("select count(*) as n from quarantine.tickets") == [{"n": 0}]


def test_the_first_three_bad_files_are_named_each_in_its_line(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files({"entity": "tickets", "path": "{date}.csv"})
    for day in range(1, 7):
        header = "ticket_id,channel,created_at\n1,phone,2025-01-01\n"
        company.write(f"2025-01-0{day}.csv", header if day in (1, 4) else f"nothing{day}\nx\n")
    with pytest.raises(SourceError) as raised:
        company.load()
    lines = str(raised.value).splitlines()
    assert [line.partition(".csv ")[0] + ".csv" for line in lines] == [
        f"source desk, tickets: 2025-01-0{day}.csv" for day in (2, 3, 5)
    ]
    assert company.rows("select count(*) as n from raw.tickets") == [{"n": 0}]


@pytest.mark.parametrize(
    ("expected", "unit", "missing"),
    [
        ("all", "day", ["2025-09-28", "2025-09-30", "2025-10-01", "2025-10-02"]),
        # Sunday 28 September 2025 was a make-up workday; from 1 October on it was National Day.
        ("workdays", "day", ["2025-09-28", "2025-09-30"]),
        ("any", "day", []),
    ],
)
def test_only_days_that_bring_a_file_are_missed(expected: str, unit: str, missing: list[str]) -> None:
    interval = Interval(date(2025, 9, 28), date(2025, 10, 3))
    assert missing_days(expected, {date(2025, 9, 29)}, interval) == (unit, missing)


def test_of_monthly_files_whole_months_are_missed() -> None:
    interval = Interval(date(2025, 1, 15), date(2025, 5, 1))
    assert missing_days("monthly", {date(2025, 2, 28)}, interval) == ("month", ["2025-03", "2025-04"])
    assert missing_days("monthly", set(), Interval(date(2025, 4, 20), date(2025, 4, 28))) == ("month", [])


def test_a_file_without_even_a_header_is_told_but_a_day_without_rows_is_not(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files({"entity": "tickets", "path": "{date}.csv"})
    company.write("2025-01-01.csv", TICKET_HEADER)
    company.write("2025-01-02.csv", "")
    (report,) = company.load()
    assert [warning for warning in report.warnings if "header" in warning] == [
        "1 file(s) hold nothing, not even a header: 2025-01-02.csv; have them delivered again if rows were expected"
    ]
