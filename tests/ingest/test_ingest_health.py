"""The operator's view: what a source should bring, what it brought, and one alert for what is wrong."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from ingest_company import TICKET_HEADER, Company
from rich.console import Console

from huiyin.status import tables
from ingest.balance import check_balance
from ingest.calendar import calendar_days, load_calendar
from ingest.connectors.delivery import utc_now
from ingest.errors import SourceError
from ingest.health import Evidence, Health, assess, comparable_counts, judge
from ingest.operator_alerts import Condition, settle, settle_tasks
from ingest.tables import LOAD_AUDIT, ensure_tables
from warehouse.connection import open_warehouse

SHANGHAI = "Asia/Shanghai"
CALENDAR = {row["date_day"]: row["day_kind"] for row in calendar_days(2025, 2025).to_pylist()}


def local(text: str) -> datetime:
    """Naive UTC of a Chinese wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(SHANGHAI)).astimezone(UTC).replace(tzinfo=None)


def steady(until_on: date, weeks: int = 12, workday: int = 100, day_off: int = 20) -> dict[date, int]:
    """Rows a day of a source that brings some every day, up to and including ``until_on``."""
    days = (until_on - timedelta(days=n) for n in range(weeks * 7))
    return {day: workday if CALENDAR[day] in ("workday", "makeup_workday") else day_off for day in days}


def judged(daily: Mapping[date, int], as_of: str, newest: str | None = None, every_hours: float = 24) -> Health:
    at = local(as_of)
    newest_at = local(newest) if newest else at - timedelta(hours=2)
    return judge(Evidence("desk", "tickets", every_hours, newest_row_at=newest_at, daily=daily), at, SHANGHAI, CALENDAR)


def test_a_day_is_compared_with_days_like_it() -> None:
    # Wednesday 2025-10-01 begins the National Day holidays; Sunday 2025-09-28 and Saturday 2025-10-11 are worked.
    daily = {day: int(f"{day:%m%d}") for day in steady(date(2025, 11, 30), weeks=20)}
    wednesdays = comparable_counts(daily, date(2025, 10, 15), CALENDAR)
    assert wednesdays == [924, 917, 910, 903, 827, 820]  # not 10-08 and 10-01, which were holidays
    sundays = comparable_counts(daily, date(2025, 10, 12), CALENDAR)
    assert 928 not in sundays and 1005 not in sundays and sundays[:2] == [921, 914]
    holiday = comparable_counts(daily, date(2025, 10, 3), CALENDAR)
    assert {1001, 1002, 927, 921} <= set(holiday) and 928 not in holiday and 930 not in holiday
    makeup = comparable_counts(daily, date(2025, 10, 11), CALENDAR)
    assert {1010, 1009, 930, 928} <= set(makeup) and 1008 not in makeup and 927 not in makeup
    assert comparable_counts({}, date(2025, 10, 15), CALENDAR) == []


def test_half_a_days_rows_are_low_volume_unless_the_day_is_a_holiday() -> None:
    daily = steady(date(2025, 9, 30))
    assert judged(daily, "2025-10-01 02:00").state == "ok"
    low = judged(daily | {date(2025, 9, 30): 40}, "2025-10-01 02:00")
    assert (low.state, low.rows_last_day, low.rows_expected) == ("low_volume", 40, 100.0)
    assert low.reason == "40 rows on 2025-09-30; 100 expected"
    assert judged(daily | {date(2025, 9, 30): 260}, "2025-10-01 02:00").state == "high_volume"
    assert judged(daily | {date(2025, 9, 30): 75}, "2025-10-01 02:00").state == "ok"
    # Twenty rows on a Wednesday are few; on a Wednesday that is National Day they are usual.
    assert judged(daily | {date(2025, 10, 1): 20}, "2025-10-02 02:00").state == "ok"
    assert judged(daily | {date(2025, 10, 1): 0}, "2025-10-02 02:00", "2025-10-01 23:00").state == "low_volume"


def test_what_is_always_uneven_is_not_alarming() -> None:
    uneven = {day: (5, 400, 30, 220)[day.toordinal() % 4] for day in steady(date(2025, 9, 30))}
    assert judged(uneven | {date(2025, 9, 30): 40}, "2025-10-01 02:00").state == "ok"
    few = dict.fromkeys(steady(date(2025, 9, 30)), 4)
    assert judged(few | {date(2025, 9, 30): 0}, "2025-10-01 02:00").state == "ok"


def test_silence_is_late_where_rows_were_to_be_expected() -> None:
    daily = steady(date(2025, 9, 24))
    late = judged(daily, "2025-09-26 02:00", "2025-09-24 20:00")
    assert (late.state, late.hours_since_new) == ("late", 30.0)
    assert late.since_at == local("2025-09-25 20:00")
    assert late.reason == "nothing new for 30 hours; expected every 24"
    assert judged(daily, "2025-09-25 10:00", "2025-09-24 20:00").state != "late"
    assert judged(daily, "2025-09-26 02:00", "2025-09-24 20:00", every_hours=48).state != "late"
    # A source that rests at weekends and on holidays isn't late after them: National Day is eight days long.
    office = steady(date(2025, 9, 30), day_off=0)
    assert judged(office, "2025-09-29 02:00", "2025-09-28 17:00").state == "ok"
    assert judged(office, "2025-10-09 02:00", "2025-09-30 17:00").state == "ok"
    assert judged(office, "2025-10-10 02:00", "2025-09-30 17:00").state == "late"
    # Without a history to compare with, what is configured holds.
    assert judged({date(2025, 9, 24): 5}, "2025-09-26 02:00", "2025-09-24 20:00").state == "late"


def test_failing_becomes_down_after_as_long_as_something_new_should_take() -> None:
    at = local("2025-09-26 02:00")
    for hours, state in ((0, "failing"), (23, "failing"), (24, "down"), (90, "down")):
        since = at - timedelta(hours=hours)
        evidence = Evidence("crm", "customers", 24, error="no route to host; mend it", failing_since_at=since)
        health = judge(evidence, at, SHANGHAI, CALENDAR)
        assert (health.state, health.since_at) == (state, since)
        assert health.reason.endswith("no route to host; mend it")


def _write_day(company: Company, day: date, rows: int = 30) -> None:
    lines = [f"T{day:%m%d}{n},C{n},phone,标题,漏水,{day} {8 + n % 12:02}:30,high\n" for n in range(rows)]
    company.write(f"{day}.csv", TICKET_HEADER + "".join(lines))


def _load_day(company: Company, day: date, rows: int = 30) -> None:
    _write_day(company, day, rows)
    company.load(batch_id=f"b{day}")


def _open_alerts(company: Company) -> list[str]:
    rows = company.rows("select alert_key from raw.operator_alerts where closed_at is null order by 1")
    return [row["alert_key"] for row in rows]


def test_a_source_is_judged_by_what_it_loaded(company: Company, caplog: pytest.LogCaptureFixture) -> None:
    company.declare_files({"entity": "tickets", "path": "{date}.csv"}, {"entity": "agents", "path": "agents.csv"})
    company.write("agents.csv", "agent_ref,valid_from_at,team\nA1,2025-01-01,一线\n")
    load_calendar(company.settings)
    for n in range(35):
        _write_day(company, date(2025, 5, 26) + timedelta(days=n))
    company.load()
    found, settled = assess(company.settings, local("2025-06-30 02:00"))
    states = {(health.entity, health.state) for health in found}
    assert states == {("tickets", "ok"), ("agents", "ok")} and settled.opened == ()
    stored = company.rows("select * from raw.source_health where entity = 'tickets'")[0]
    assert (stored["rows_last_day"], stored["rows_expected"]) == (
        30,
        None,
    )  # three Sundays are too few, and one holiday
    _load_day(company, date(2025, 6, 30), rows=3)
    with caplog.at_level(logging.WARNING, "huiyin.operator"):
        for _ in range(3):
            assess(company.settings, local("2025-07-01 02:00"))
        assert _open_alerts(company) == ["source/desk/volume"]
        _load_day(company, date(2025, 7, 1))
        assess(company.settings, local("2025-07-02 02:00"))
    assert _open_alerts(company) == []
    lines = [record.getMessage() for record in caplog.records if record.name == "huiyin.operator"]
    assert [line.split()[0] for line in lines] == ["OPENED", "CLOSED"]
    assert "3 rows on 2025-06-30; 30 expected" in lines[0]
    # A backfill of older days is judged no earlier than what was judged before.
    found, _ = assess(company.settings, local("2025-06-10 02:00"))
    assert {health.assessed_at for health in found} == {local("2025-07-02 02:00")}


def test_a_source_that_is_gone_is_one_alert_until_it_is_back(company: Company) -> None:
    company.declare_files({"entity": "tickets", "path": "t.csv"}, {"entity": "messages", "path": "m.csv"})
    for n in range(3):
        with pytest.raises(SourceError):
            company.load(batch_id=f"b{n}")
        assess(company.settings, local(f"2025-06-0{n + 1} 02:00"))
    alert = company.rows("select * from raw.operator_alerts")[0]
    assert (alert["alert_key"], alert["severity"], alert["occurrences"]) == ("source/desk/delivery", "critical", 3)
    assert alert["message"].startswith("source desk is down: tickets: loading has failed for 48 hours: there is no")
    health = {row["entity"]: row for row in company.rows("select * from raw.source_health")}
    assert health["messages"]["since_at"] == local("2025-06-01 02:00")
    company.write("t.csv", TICKET_HEADER + "T1,C1,phone,标题,漏水,2025-06-03 20:00,high\n")
    company.write("m.csv", "message_id,ticket_id,author_role,sent_at\nM1,T1,agent,2025-06-03 20:00\n")
    company.load(batch_id="b4")
    assess(company.settings, local("2025-06-04 02:00"))
    assert _open_alerts(company) == []
    assert company.rows("select count(*) as n from raw.operator_alerts") == [{"n": 1}]
    kept = company.rows("select state, last_error from raw.source_health where entity = 'tickets'")[0]
    assert kept["state"] == "ok" and "there is no file" in kept["last_error"]


def test_a_source_that_is_no_longer_configured_is_forgotten(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files({"entity": "tickets", "path": "t.csv"})
    with pytest.raises(SourceError):
        company.load()
    assess(company.settings, local("2025-06-01 02:00"))
    company.declare_files({"entity": "tickets", "path": "t.csv"}, name="other")
    assess(company.settings, local("2025-06-02 02:00"))
    assert _open_alerts(company) == []
    assert [row["source"] for row in company.rows("select source from raw.source_health")] == ["other"]


def test_a_failure_that_left_no_trace_in_the_audit_counts_all_the_same(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files({"entity": "tickets", "path": "t.csv"})
    company.write("t.csv", TICKET_HEADER + "T1,C1,phone,标题,漏水,2025-06-01 09:00,high\n")
    company.load()
    assess(company.settings, local("2025-06-01 10:00"), {"desk": "the process was killed"})
    row = company.rows("select state, last_error from raw.source_health")[0]
    assert tuple(row.values()) == ("failing", "the process was killed")
    assess(company.settings, local("2025-06-01 11:00"))
    assert company.rows("select state, last_error from raw.source_health")[0]["state"] == "ok"


def test_drift_that_loses_something_stays_an_alert_until_it_ends(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files({"entity": "tickets", "path": "{date}.csv"})
    _load_day(company, date(2025, 6, 1))
    company.write("2025-06-02.csv", "ticket_id,channel,subject,created_at\nX1,phone,标题,2025-06-02 09:00\n")
    company.load(batch_id="b2")
    assess(company.settings, local("2025-06-03 02:00"))
    assert _open_alerts(company) == ["source/desk/drift"]
    message = company.rows("select message from raw.operator_alerts")[0]["message"]
    assert "no longer has the column body" in message
    _load_day(company, date(2025, 6, 3))
    assess(company.settings, local("2025-06-04 02:00"))
    assert _open_alerts(company) == []


def test_an_uneven_account_is_one_alert_until_a_batch_comes_out_even(company: Company) -> None:
    company.declare_files({"entity": "tickets", "path": "t.csv"})
    company.write("t.csv", TICKET_HEADER + "T1,C1,phone,标题,漏水,2025-06-01 09:00,high\n")
    company.load()
    assert _open_alerts(company) == []
    row = {
        "batch_id": "b'2", "source": "desk", "entity": "tickets", "origin": "t.csv", "fetched": 10, "loaded": 7,
        "merged": 0, "unchanged": 1, "quarantined": 0, "deleted": 0, "started_at": utc_now(), "finished_at": utc_now(),
    }  # fmt: skip
    with open_warehouse(company.settings) as warehouse:
        warehouse.append("raw", "load_audit", pa.Table.from_pylist([row], schema=LOAD_AUDIT))
        assert check_balance(warehouse, "desk", "b'2").opened == ("source/desk/balance",)
        assert check_balance(warehouse, "desk", "b'2").opened == ()
        assert check_balance(warehouse, "crm", "b'2").closed == ()
    assert "+2 of 10 rows" in company.rows("select message from raw.operator_alerts")[0]["message"]
    balance = company.rows("select unaccounted, is_balanced from raw.load_balance order by unaccounted")
    assert [tuple(row.values()) for row in balance] == [(0, True), (2, False)]
    assess(company.settings, local("2025-06-01 10:00"))
    assert _open_alerts(company) == ["source/desk/balance"]
    company.load(batch_id="b3")
    assert _open_alerts(company) == []
    with open_warehouse(company.settings) as warehouse:
        told = check_balance(warehouse, "desk", "b3", ["raw.tickets grew by 1 rows where 2 were counted as loaded"])
    assert told.opened == ("source/desk/balance",)


def test_rows_that_vanish_on_their_way_are_noticed(duckdb_company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    from warehouse.connection import DuckDBWarehouse

    company = duckdb_company
    company.declare_files({"entity": "tickets", "path": "t.csv"})
    company.write("t.csv", TICKET_HEADER + "T1,C1,phone,标题,漏水,2025-06-01 09:00,high\n")
    merge = DuckDBWarehouse.merge_labelled

    def losing(self: DuckDBWarehouse, schema: str, table: str, *rest: object, **more: object) -> object:
        counts = merge(self, schema, table, *rest, **more)  # type: ignore[arg-type]
        if table == "tickets" and schema == "raw":
            self.execute("delete from raw.tickets")
        return counts

    monkeypatch.setattr(DuckDBWarehouse, "merge_labelled", losing)
    company.load()
    message = company.rows("select message from raw.operator_alerts")[0]["message"]
    assert "raw.tickets grew by 0 rows where 1 were counted as loaded" in message


def test_a_task_is_one_alert_from_its_first_failure_to_its_next_success(company: Company) -> None:
    settings = company.settings
    failed = {"gate_raw": "a rule failed; mend it"}
    assert settle_tasks(settings, "service_mart", failed, ["calendar"]).opened == ("task/service_mart.gate_raw",)
    assert settle_tasks(settings, "service_mart", failed, ["calendar"]).opened == ()
    assert settle_tasks(settings, "service_mart", {}, ["news"]).closed == ()  # skipped: nothing is known
    assert settle_tasks(settings, "feedback_mining", {}, ["gate_raw"]).closed == ()
    assert settle_tasks(settings, "service_mart", {}, ["gate_raw"]).closed == ("task/service_mart.gate_raw",)
    assert settle_tasks(settings, "service_mart", failed, []).opened == ("task/service_mart.gate_raw",)
    rows = company.rows("select occurrences, closed_at is null as is_open from raw.operator_alerts order by opened_at")
    assert [tuple(row.values()) for row in rows] == [(2, False), (1, True)]


def test_alerts_that_closed_long_ago_are_forgotten(duckdb_company: Company) -> None:
    condition = Condition("source/desk/volume", "volume", "x", "y", source="desk")
    with open_warehouse(duckdb_company.settings) as warehouse:
        ensure_tables(warehouse)
        settle(warehouse, [condition], lambda key: True)
        settle(warehouse, [], lambda key: True)
        warehouse.execute("update raw.operator_alerts set closed_at = closed_at - interval '401 days'")
        settle(warehouse, [], lambda key: True)
        assert warehouse.rows("select * from raw.operator_alerts") == []


def test_status_tells_each_trouble_once_and_whole_in_100_columns(company: Company) -> None:
    company.declare_files({"entity": "tickets", "path": "{date}.csv"}, name="the_service_desk_of_the_north")
    company.write("2025-06-01.csv", TICKET_HEADER + "T1,C1,phone,标题,漏水,2025-06-01 09:00,high\n")
    company.load("the_service_desk_of_the_north")
    company.write("2025-06-02.csv", "ticket_id,channel\nT2,phone\n")
    for attempt in ("b2", "b3"):
        with pytest.raises(SourceError):
            company.load("the_service_desk_of_the_north", batch_id=attempt)
        assess(company.settings, local("2025-06-03 02:00"))
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        for part in tables(company.settings):
            console.print(part)
    shown = capture.get()
    assert shown.count("source/the_service_desk_of_the_north/delivery") == 1
    row = next(line for line in shown.splitlines() if line.startswith(" the_service_desk_of_the_north "))
    assert row.split()[1:3] == ["tickets", "failing"] and "2025-06-01 09:00" in row
    flowing = " ".join(shown.split())
    assert "without which its rows can't be loaded; have it delivered as before" in flowing
