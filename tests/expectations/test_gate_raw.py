"""The gate on the raw tables: bad rows are caught by real runs of Great Expectations."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gate_company import START, TICKETS, Rows, load

from expectations.gate import GateFailedError, GateReport, check
from huiyin.config import Settings
from ingest.contract import ENTITIES
from warehouse.connection import open_warehouse

PHONE = "13812345678"


def failed(report: GateReport) -> set[str]:
    return {f"{result.table}: {result.expectation}" for result in report.results if not result.success}


def query(settings: Settings, sql: str) -> list[dict[str, Any]]:
    with open_warehouse(settings) as warehouse:
        return warehouse.rows(sql)


def test_a_sound_company_passes_without_a_remark_and_without_a_network(
    settings: Settings, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(settings, rows)

    def refuse(*_: object) -> None:
        raise AssertionError("the gate opened a connection")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.socket.connect_ex", refuse)

    report = check(settings, "raw")

    assert failed(report) == set()
    assert set(report.by_table()) == set(rows)
    assert report.quarantined == {}


# What is spoilt in the last row of an entity, and the column whose expectation must catch it.
SPOILT: list[tuple[str, dict[str, Any], str]] = [
    ("tickets", {"created_at": datetime.fromisoformat("2199-01-01")}, "created_at_is_plausible"),
    ("tickets", {"created_at": datetime.fromisoformat("1970-01-01")}, "created_at_is_plausible"),
    ("tickets", {"priority": "紧急"}, "priority"),
    ("tickets", {"channel": None}, "channel"),
    ("tickets", {"ticket_id": "X", "merged_into_ticket_id": "X"}, "is_not_merged_into_itself"),
    ("tickets", {"body": f"请打{PHONE}给我"}, "is_masked"),
    ("ticket_events", {"field": "colour"}, "field"),
    ("ticket_events", {"new_value": "已解决"}, "new_value"),
    ("messages", {"author_role": "robot"}, "author_role"),
    ("messages", {"body": f"{PHONE}"}, "is_masked"),
    ("customers", {"annual_revenue": -1.0}, "annual_revenue"),
    ("customers", {"phone": PHONE}, "is_masked"),
    ("customers", {"email": "someone@example.com"}, "is_masked"),
    ("rosters", {"ends_at": START - timedelta(hours=1)}, "ends_at, starts_at"),
    ("schedules", {"opens": "9点"}, "opens"),
    ("schedules", {"opens": "22:00", "closes": "06:00"}, "closes_after_it_opens"),
    ("schedule_holidays", {"ends_on": START.date() - timedelta(days=400)}, "ends_after_it_starts"),
    ("identifiers", {"identifier": PHONE}, "is_masked"),
    ("feedback", {"score": 9.0}, "scale_is_sound"),
    ("feedback", {"kind": "nps", "score": None}, "score"),
    ("feedback", {"likes": -4}, "likes"),
]


def test_bad_rows_of_every_kind_go_to_quarantine_and_the_run_goes_on(settings: Settings, rows: Rows) -> None:
    rows["rosters"] = [row | {"agent_ref": f"a-{n}"} for n, row in enumerate(rows["rosters"] * 10)]
    rows["schedules"] = [row | {"schedule_id": f"s-{n}"} for n, row in enumerate(rows["schedules"] * 10)]
    rows["schedule_holidays"] = [
        row | {"schedule_id": f"s-{n}"} for n, row in enumerate(rows["schedule_holidays"] * 40)
    ]
    rows["identifiers"] = [row | {"customer_ref": f"p_{n:016x}"} for n, row in enumerate(rows["identifiers"] * 10)]
    caught: list[tuple[str, str, str]] = []
    for n, (table, spoilt, column) in enumerate(SPOILT):
        bad = rows[table][n] = rows[table][n] | spoilt
        caught.append((table, str(bad[ENTITIES[table].key[0]]), column))
    load(settings, rows)

    report = check(settings, "raw")

    assert report.blocking == []
    assert report.quarantined == Counter(table for table, _, _ in caught)
    assert sorted(waiting(settings)) == sorted(caught)
    for table in report.quarantined:
        assert count(settings, table) == len(rows[table]) - report.quarantined[table]


def waiting(settings: Settings) -> list[tuple[str, str, str]]:
    """Entity, key and column of the rows that the gate sent to quarantine."""
    return [
        (table, json.loads(row["payload"])[entity.key[0]], row["rule"].split("(")[1].rstrip(")"))
        for table, entity in ENTITIES.items()
        for row in query(settings, f"select rule, payload from quarantine.{table} where origin = 'gate'")
    ]


def test_a_pseudonym_whose_digits_happen_to_look_like_a_number_is_no_personal_data(
    settings: Settings, rows: Rows
) -> None:
    rows["customers"][0]["phone"] = f"p_c{PHONE}be09"
    rows["customers"][1]["wechat"] = f"p_{PHONE}ab12"
    load(settings, rows)

    assert check(settings, "raw", ["customers"]).quarantined == {}


def count(settings: Settings, table: str) -> int:
    return int(query(settings, f"select count(*) as n from raw.{table}")[0]["n"])


def test_quarantine_takes_exactly_the_failing_rows_on_postgresql(postgres_settings: Settings, rows: Rows) -> None:
    rows["tickets"][7]["direction"] = "sideways"
    rows["ticket_events"][3]["event_at"] = datetime.fromisoformat("2088-01-01")
    rows["customers"][2]["tier"] = "黄金"
    load(postgres_settings, rows)

    report = check(postgres_settings, "raw")

    assert report.quarantined == {"tickets": 1, "ticket_events": 1, "customers": 1}
    gone = query(postgres_settings, "select payload from quarantine.tickets")
    assert [json.loads(row["payload"])["ticket_id"] for row in gone] == ["T7"]
    assert query(postgres_settings, "select 1 as x from raw.tickets where ticket_id = 'T7'") == []
    # What remains is sound, but for the two events of the ticket that is gone.
    again = check(postgres_settings, "raw", ["tickets", "ticket_events", "customers"])
    assert failed(again) == {"ticket_events: expect_column_values_to_be_in_set(ticket_is_known)"}
    assert again.blocking == []


def test_more_bad_rows_than_the_share_allows_stop_the_run(settings: Settings, rows: Rows) -> None:
    for row in rows["tickets"][:6]:
        row["priority"] = "紧急"
    load(settings, rows)

    with pytest.raises(GateFailedError) as raised:
        check(settings, "raw", ["tickets"])

    message = str(raised.value)
    assert "raw.tickets" in message
    assert "expect_column_values_to_be_in_set(priority)" in message
    assert "6 of 100 rows" in message
    assert "_source=desk ticket_id=T0" in message
    assert "Remedy: Map the source's value" in message
    assert str(settings.data_docs_dir / "index.html") in message
    assert "漏水" not in message
    assert raised.value.report.quarantined == {}
    assert count(settings, "tickets") == TICKETS


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("alter table raw.rosters add column shift_kind varchar", "unexpected columns: shift_kind"),
        ("create or replace table raw.agents as select * exclude (skills) from raw.agents", "missing columns: skills"),
        (
            "create or replace table raw.agents as select * exclude (hired_on) from raw.agents",
            "missing columns: hired_on",
        ),
    ],
)
def test_columns_that_differ_from_the_contract_stop_the_run(
    settings: Settings, rows: Rows, change: str, named: str
) -> None:
    load(settings, rows)
    with open_warehouse(settings) as warehouse:
        warehouse.execute(change)

    with pytest.raises(GateFailedError, match=named):
        check(settings, "raw", ["rosters", "agents"])


def orphaned(rows: Rows) -> None:
    for row in rows["messages"][:20]:
        row["ticket_id"] = "unknown"


def stale(rows: Rows) -> None:
    rows["feedback"] = [row for row in rows["feedback"] if row["created_at"] < START + timedelta(days=10)]


def early(rows: Rows) -> None:
    for row in rows["ticket_events"][:20]:
        row["event_at"] -= timedelta(hours=8)


def unregistered(rows: Rows) -> None:
    for row in rows["tickets"][:20]:
        row["channel"] = "传真"


@pytest.mark.parametrize(
    ("spoil", "table", "expectation"),
    [
        (orphaned, "messages", "expect_column_values_to_be_in_set(ticket_is_known)"),
        (stale, "feedback", "expect_column_max_to_be_between(created_at)"),
        (early, "ticket_events", "expect_column_values_to_be_in_set(is_after_creation)"),
        (unregistered, "tickets", "expect_column_values_to_be_in_set(channel)"),
    ],
)
def test_a_warning_is_told_and_stops_nothing(
    settings: Settings,
    rows: Rows,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Rows], None],
    table: str,
    expectation: str,
) -> None:
    spoil(rows)
    load(settings, rows)

    with caplog.at_level(logging.WARNING, "expectations.gate"):
        report = check(settings, "raw", [table])

    assert [(result.table, result.expectation) for result in report.warnings] == [(table, expectation)]
    assert report.quarantined == {}
    assert expectation in caplog.text


def test_tables_that_no_source_delivers_are_no_failure(settings: Settings, rows: Rows) -> None:
    load(settings, {"tickets": rows["tickets"]})
    with open_warehouse(settings) as warehouse:
        for table in set(rows) - {"tickets", "ticket_events"}:
            warehouse.execute(f"drop table raw.{table}")

    report = check(settings, "raw")

    assert set(report.absent) == set(rows) - {"tickets", "ticket_events"}
    assert report.blocking == []
    assert {result.table for result in report.warnings} == {"ticket_events"}  # it is empty
    # Nothing is said about customers where none can be known.
    assert not any("customer_is_known" in result.expectation for result in report.results)


def test_every_result_is_kept_for_operators(settings: Settings, rows: Rows) -> None:
    rows["agents"][0]["hired_on"] = None
    load(settings, rows)

    first = check(settings, "raw")
    check(settings, "raw", ["agents"])

    kept = query(settings, "select * from raw.gate_results")
    runs = {row["run_at"] for row in kept}
    assert len(runs) == 2
    mine = [row for row in kept if row["run_at"] == first.run_at.replace(tzinfo=None)]
    assert len(mine) == len(first.results)
    (hired,) = [
        row
        for row in mine
        if (row["table_name"], row["expectation"]) == ("agents", "expect_column_values_to_not_be_null(hired_on)")
    ]
    assert (hired["stage"], hired["severity"], hired["success"]) == ("raw", "warning", False)
    assert (hired["unexpected_count"], hired["element_count"]) == (1, 5)


def test_a_table_without_a_suite_is_named(settings: Settings) -> None:
    with pytest.raises(ValueError, match=r"no suite for nonsense in expectations/suites/raw; there are action_effects"):
        check(settings, "raw", ["nonsense"])


def test_data_docs_show_the_failing_rows_in_a_browser_without_a_network(
    settings: Settings, rows: Rows, page: Any
) -> None:
    rows["tickets"][5]["priority"] = "特急"
    rows["tickets"][6]["body"] = f"请打{PHONE}给我"
    load(settings, rows)
    check(settings, "raw", ["tickets", "agents"])
    rows["agents"][0]["valid_from_at"] = START
    report = check(settings, "raw", ["tickets", "agents"])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(report.docs.as_uri())
    assert page.locator("table").first.locator("tbody tr").count() == 2  # the second run replaced the first
    assert "raw.agents" in page.inner_text("main")

    # The first run sent both rows to quarantine, so let another bad row fail.
    load(settings, {"tickets": [rows["tickets"][5] | {"ticket_id": "T-再来"}]})
    page.goto(check(settings, "raw", ["tickets"]).docs.as_uri())
    page.locator("tr", has_text="raw.tickets").first.get_by_text("打开 Open").click()
    page.get_by_label("只看未通过 Failed only").check()
    rows_shown = [row.inner_text() for row in page.locator("main tr").all() if row.is_visible()]
    failing = [text for text in rows_shown if "✗" in text or "values must belong" in text]
    assert len(failing) == 1
    assert "特急" in failing[0]
    assert "desk · T-再来" in failing[0]
    assert "critical" in failing[0]
    assert "Map the source's value" in failing[0]
    assert all(url.startswith("file://") for url in asked)


def test_no_personal_data_reaches_docs_or_message(settings: Settings, rows: Rows) -> None:
    for row in rows["messages"]:
        row["body"] = f"请打{PHONE}给我"
    load(settings, rows)

    with pytest.raises(GateFailedError) as raised:
        check(settings, "raw", ["messages"])

    assert PHONE not in str(raised.value)
    files = [file for folder in (settings.data_docs_dir, settings.var_dir / "gate") for file in all_files(folder)]
    assert files
    assert not [file for file in files if PHONE.encode() in file.read_bytes()]


def all_files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]
