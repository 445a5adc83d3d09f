"""Drift: what a source changes is seen, told once, and loses nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ingest_company import Company

from ingest.configuration import TableMapping
from ingest.connectors.delivery import delivery_of_records, utc_now
from ingest.contract import ENTITIES
from ingest.drift import Seen, Watch
from ingest.drift_log import DriftError, accept, list_drift
from ingest.errors import SourceError
from ingest.extra import how_masked

COLUMNS = {"body": "正文", "priority": "级别"}
TABLE = {"entity": "tickets", "path": "{date}.csv", "columns": COLUMNS}
BASE = "ticket_id,channel,created_at,正文,级别"


def declare(company: Company, policy: str, **table: Any) -> None:
    company.declare({"name": "desk", "domain": "tickets", "kind": "files", "drift": policy, "tables": [TABLE | table]})


def day(company: Company, number: int, header: str, *rows: str) -> None:
    company.write(f"2025-01-0{number}.csv", "\n".join([header, *rows]) + "\n")


def open_drift(company: Company) -> list[tuple[str, str]]:
    return sorted((row["kind"], row["name"]) for row in list_drift(company.settings))


def test_the_first_load_is_what_the_source_is_like(duckdb_company: Company) -> None:
    company = duckdb_company
    declare(company, "freeze")
    day(company, 1, BASE + ",内部备注", "T1,phone,2025-01-01 09:00,漏水,high,x")
    (report,) = company.load()
    assert report.warnings == () and open_drift(company) == []
    columns = company.rows("select column_name, state from raw.source_columns order by 1")
    assert {row["column_name"]: row["state"] for row in columns} == {
        "ticket_id": "mapped", "channel": "mapped", "created_at": "mapped", "正文": "mapped", "级别": "mapped",
        "内部备注": "unmapped",
    }  # fmt: skip


def test_a_new_column_is_left_out_and_told_once(company: Company) -> None:
    declare(company, "discard")
    day(company, 1, BASE, "T1,phone,2025-01-01 09:00,漏水,high")
    company.load()
    day(company, 2, BASE + ",满意度", "T2,phone,2025-01-02 09:00,漏水,high,5")
    (report,) = company.load(batch_id="b2")
    assert len(report.warnings) == 1 and "new column 满意度; it is left out: map it" in report.warnings[0]
    day(company, 3, BASE + ",满意度", "T3,phone,2025-01-03 09:00,漏水,high,5")
    (report,) = company.load(batch_id="b3")
    assert report.warnings == () and report.loaded == 1
    assert open_drift(company) == [("new_column", "满意度")]
    assert company.rows("select count(_extra) as n from raw.tickets") == [{"n": 0}]
    # Mapped, it is no longer new.
    declare(company, "discard", columns=COLUMNS | {"product": "满意度"})
    company.load(batch_id="b4")  # reads the first day again, too, which lacks it
    found = company.rows("select ticket_id, product from raw.tickets order by 1")
    assert [row["product"] for row in found] == [None, "5", "5"]
    assert open_drift(company) == []
    (ended,) = list_drift(company.settings, every=True)
    assert ended["ended_at"] is not None and ended["batch_id"] == "b2"


def test_a_missing_column_empties_nothing_and_ends_when_it_is_back(company: Company) -> None:
    declare(company, "discard")
    day(company, 1, BASE, "T1,phone,2025-01-01 09:00,旧,high", "T2,phone,2025-01-01 10:00,旧,low")
    company.load()
    day(company, 2, "ticket_id,channel,created_at,正文", "T1,phone,2025-01-01 09:00,新", "T3,phone,2025-01-02,新")
    (report,) = company.load(batch_id="b2")
    assert "no longer has the column 级别; priority keeps what was loaded before" in report.warnings[0]
    assert (report.loaded, report.merged) == (1, 1)
    found = company.rows("select ticket_id, body, priority from raw.tickets order by 1")
    assert [tuple(row.values()) for row in found] == [("T1", "新", "high"), ("T2", "旧", "low"), ("T3", "新", None)]
    assert open_drift(company) == [("missing_column", "级别")]
    # The same again, unchanged, is no change.
    day(company, 3, "ticket_id,channel,created_at,正文", "T1,phone,2025-01-01 09:00,新")
    (report,) = company.load(batch_id="b3")
    assert (report.unchanged, report.merged, report.warnings) == (1, 0, ())
    day(company, 4, BASE, "T1,phone,2025-01-01 09:00,新,urgent")
    company.load(batch_id="b4")
    assert open_drift(company) == []
    assert company.rows("select priority from raw.tickets where ticket_id = 'T1'") == [{"priority": "urgent"}]
    company.assert_balanced()


def test_an_optional_column_that_maps_by_its_own_name_is_missed_too(duckdb_company: Company) -> None:
    company = duckdb_company
    declare(company, "discard")
    day(company, 1, BASE + ",product", "T1,phone,2025-01-01 09:00,旧,high,空调")
    company.load()
    day(company, 2, BASE, "T1,phone,2025-01-01 09:00,新,high")
    company.load(batch_id="b2")
    assert company.rows("select body, product from raw.tickets") == [{"body": "新", "product": "空调"}]


def test_a_missing_column_that_rows_cannot_do_without_fails_the_table(duckdb_company: Company) -> None:
    company = duckdb_company
    declare(company, "discard", where={"类型": "工单"})
    day(company, 1, BASE + ",类型", "T1,phone,2025-01-01 09:00,漏水,high,工单")
    company.load()
    day(company, 2, BASE, "T2,phone,2025-01-02 09:00,漏水,high")
    with pytest.raises(SourceError, match=r"no longer has the column.*类型, without which"):
        company.load(batch_id="b2")
    day(company, 2, "channel,created_at,正文,级别,类型", "phone,2025-01-02 09:00,漏水,high,工单")
    with pytest.raises(SourceError, match=r"no longer has the column.*ticket_id.*, without which"):
        company.load(batch_id="b3")
    assert company.rows("select count(*) as n from raw.tickets") == [{"n": 1}]
    assert ("missing_column", "类型") in open_drift(company)


def test_a_mapped_column_that_never_came_is_a_fault_of_the_configuration(duckdb_company: Company) -> None:
    company = duckdb_company
    declare(company, "evolve")
    day(company, 1, "ticket_id,channel,created_at,正文", "T1,phone,2025-01-01 09:00,漏水")
    with pytest.raises(SourceError, match="columns missing: 级别"):
        company.load()


def test_frozen_columns_let_nothing_reach_raw_until_they_are_accepted(company: Company) -> None:
    declare(company, "freeze")
    day(company, 1, BASE, "T1,phone,2025-01-01 09:00,漏水,high")
    company.load()
    day(company, 2, BASE + ",满意度", "T2,phone,2025-01-02 09:00,漏水,high,5")
    for batch_id in ("b2", "b3"):
        with pytest.raises(SourceError, match=r"new: 满意度.*huiyin drift accept desk"):
            company.load(batch_id=batch_id)
    assert company.rows("select ticket_id from raw.tickets") == [{"ticket_id": "T1"}]
    assert open_drift(company) == [("new_column", "满意度")]
    with pytest.raises(DriftError, match="no new column 别的 to accept; new ones: 满意度"):
        accept(company.settings, "desk", "别的")
    assert accept(company.settings, "desk") == ["满意度"]
    assert company.load(batch_id="b4")[0].loaded == 1
    assert open_drift(company) == []
    day(company, 3, "ticket_id,channel,created_at,正文,满意度", "T3,phone,2025-01-03 09:00,漏水,5")
    with pytest.raises(SourceError, match=r"missing: 级别"):
        company.load(batch_id="b5")


def test_evolving_sources_keep_new_columns_masked(company: Company) -> None:
    declare(company, "evolve")
    day(company, 1, BASE, "T1,phone,2025-01-01 09:00,漏水,high")
    company.load()
    day(
        company, 2, BASE + ",联系人,回访电话,备注,product_name",
        "T2,phone,2025-01-02 09:00,漏水,high,张伟,13800013800,打13900013900找我,空调",
        "T1,phone,2025-01-01 09:00,漏水,high,,,,",
    )  # fmt: skip
    (report,) = company.load(batch_id="b2")
    assert len(report.warnings) == 4 and all("kept in _extra" in warning for warning in report.warnings)
    rows = {row["ticket_id"]: row["_extra"] for row in company.rows("select ticket_id, _extra from raw.tickets")}
    assert rows["T1"] is None
    extra = json.loads(rows["T2"])
    assert extra["联系人"].startswith("n_") and extra["回访电话"].startswith("p_")
    assert "13900013900" not in extra["备注"] and "找我" in extra["备注"] and extra["product_name"] == "空调"
    # A change of nothing but such a column is a change of the row.
    day(company, 3, BASE + ",备注", "T2,phone,2025-01-02 09:00,漏水,high,已回访")
    (report,) = company.load(batch_id="b3")
    assert report.merged == 1
    day(company, 4, BASE + ",备注", "T2,phone,2025-01-02 09:00,漏水,high,已回访")
    (report,) = company.load(batch_id="b4")
    assert (report.unchanged, report.merged) == (1, 0)


def test_a_retyped_column_is_one_drift_and_its_rows_wait_in_quarantine(company: Company) -> None:
    declare(company, "discard")
    good = [f"T{n},phone,2025-01-01 09:00,漏水,high" for n in range(30)]
    day(company, 1, BASE, *good)
    company.load()
    day(company, 2, BASE, *(f"U{n},phone,第{n}班,漏水,high" for n in range(25)), "U99,phone,2025-01-02,漏水,high")
    (report,) = company.load(batch_id="b2")
    assert (report.quarantined, report.loaded) == (25, 1)
    assert [line for line in report.warnings if "created_at" in line] == list(report.warnings)
    assert "can no longer be read as instant; its rows are in quarantine" in report.warnings[0]
    (drift,) = list_drift(company.settings)
    assert (drift["kind"], drift["name"], drift["row_count"]) == ("retyped_column", "created_at", 25)
    day(company, 3, BASE, "V1,phone,2025-01-03,漏水,high")
    company.load(batch_id="b3")
    assert open_drift(company) == []
    declare(company, "freeze")
    day(company, 4, BASE, *(f"W{n},phone,第{n}班,漏水,high" for n in range(25)))
    with pytest.raises(SourceError, match="values can't be read any more: created_at"):
        company.load(batch_id="b4")
    assert company.rows("select count(*) as n from quarantine.tickets where batch_id = 'b4'") == [{"n": 0}]


def test_a_handful_of_bad_values_is_no_drift(duckdb_company: Company) -> None:
    company = duckdb_company
    declare(company, "freeze")
    day(company, 1, BASE, *(f"T{n},phone,昨天,漏水,high" for n in range(19)))
    assert company.load()[0].quarantined == 19
    assert open_drift(company) == []


def test_unregistered_values_are_kept_counted_and_told_once(company: Company) -> None:
    declare(company, "freeze")
    day(company, 1, BASE, "T1,传真,2025-01-01 09:00,漏水,high", "T2,传真,2025-01-01 09:00,漏水,high")
    assert "channel: 2 value(s) outside the registered ones" in company.load()[0].warnings[0]
    day(company, 2, BASE, "T3,传真,2025-01-02 09:00,漏水,high", "T4,飞鸽,2025-01-02 09:00,漏水,high")
    (report,) = company.load(batch_id="b2")
    assert len(report.warnings) == 1 and "飞鸽 (1)" in report.warnings[0] and "传真" not in report.warnings[0]
    seen = {row["detail"].split(" ")[4].strip(","): row["row_count"] for row in list_drift(company.settings)}
    assert seen == {"传真": 1, "飞鸽": 1}
    declare(company, "freeze", values={"channel": {"传真": "phone"}})
    company.load(batch_id="b3")
    assert [row["detail"].split(" ")[4] for row in list_drift(company.settings)] == ["飞鸽,"]


def watched(rows: list[dict[str, Any]], watch: Watch | None = None) -> tuple[Watch, Seen]:
    watch = watch or Watch("crm", ENTITIES["tickets"], "tickets", TableMapping(entity="tickets"), "discard")
    return watch, watch.look_at(delivery_of_records("tickets", rows, utc_now()))


def test_records_may_leave_out_what_is_empty_but_not_what_was_always_there() -> None:
    always = {"ticket_id": "1", "channel": "phone", "created_at": "2025-01-01", "subject": "x"}
    watch, _ = watched([always | {"region": "华东"}] * 10 + [always] * 90)
    # Region is filled in a tenth of the records: forty without say nothing, two hundred do (.9^200 < 1e-6 … but it is
    # rare, and rare columns come in clumps). The subject was always there: five records without it are enough.
    no_region = [always] * 200
    assert watched(no_region, watch)[1].absent_fields == frozenset()
    no_subject = [{name: value for name, value in always.items() if name != "subject"}]
    assert watched(no_subject * 5, watch)[1].absent_fields == {"subject"}
    assert watched(no_subject, watch)[1].absent_fields == {"subject"}  # still missing
    assert watched([always], watch)[1].absent_fields == frozenset()


@pytest.mark.parametrize(
    ("column", "how"),
    [
        ("客户姓名", "name"), ("联系人", "name"), ("customer_name", "name"), ("userName", "name"), ("nickname", "name"),
        ("requester.name", "name"), ("收件人地址", "identifier"), ("手机号", "identifier"),
        ("contact_phone", "identifier"), ("客户编号", "identifier"), ("requesterId", "identifier"),
        ("billingAddress", "identifier"), ("e-mail", "identifier"), ("Email", "identifier"), ("openid", "identifier"),
        ("身份证号", "identifier"), ("client_ip", "identifier"), ("product_name", "free_text"), ("商品名", "free_text"),
        ("channelName", "free_text"), ("remark", "free_text"), ("备注", "free_text"), ("description", "free_text"),
        ("filename", "free_text"), ("trip_id", "free_text"), ("UID", "identifier"),
    ],
)  # fmt: skip
def test_a_columns_name_says_whether_it_holds_personal_data(column: str, how: str) -> None:
    assert how_masked(column) == how
