"""Out of the quarantine again, and into it."""

from __future__ import annotations

import pyarrow as pa
import pytest
from ingest_company import TICKET_HEADER, Company

from ingest.quarantine import QuarantineError, Selection, fix, list_rows, reject, replay, show, summary

TICKETS = {"entity": "tickets", "path": "{date}.csv"}


def _deliver_bad_rows(company: Company) -> None:
    company.declare_files(TICKETS)
    company.write(
        "2025-01-05.csv",
        TICKET_HEADER
        + "T1,C1,phone,标题,漏水,2025-01-05 09:00,high\n"
        + "T2,C1,phone,标题,漏水,早上,high\n"
        + "T3,C2,phone,标题,漏水,中午,high\n"
        + "broken\n",
    )
    company.load()


def test_a_corrected_row_is_loaded_once_with_its_pseudonym(company: Company) -> None:
    _deliver_bad_rows(company)
    reasons = [(row["rule"], row["field"], row["waiting"]) for row in summary(company.settings)]
    assert reasons == [("type", "created_at", 2), ("columns", None, 1)]
    waiting = {row["row_key"]: row["quarantine_id"] for row in list_rows(company.settings, Selection("tickets"))}
    assert set(waiting) == {"T2", "T3", None}
    assert fix(company.settings, waiting["T2"], {"created_at": "2025-01-05 08:00"}, "王工") is None
    report = replay(company.settings, "r1", Selection(ids=[waiting["T2"][:10]]))
    assert (report.replayed, report.still_bad, report.unreadable) == (1, (), 0)
    tickets = {row["ticket_id"]: row for row in company.rows("select * from raw.tickets")}
    assert tickets["T2"]["customer_ref"] == tickets["T1"]["customer_ref"]
    assert str(tickets["T2"]["created_at"]) == "2025-01-05 00:00:00"  # in the zone of its source
    assert tickets["T2"]["_batch_id"] == "r1"
    rest = replay(company.settings, "r2", Selection(entity="tickets"))
    assert (rest.replayed, len(rest.still_bad), rest.unreadable) == (0, 1, 1)
    assert (rest.still_bad[0].rule, rest.still_bad[0].field) == ("type", "created_at")
    company.assert_balanced()
    audit = company.rows(
        "select batch_id, fetched, loaded, quarantined from raw.load_audit where origin = 'quarantine' order by 1"
    )
    assert [tuple(row.values()) for row in audit] == [("r1", 1, 1, 0), ("r2", 2, 0, 2)]
    # Reading the very file again doesn't bring the settled row back into quarantine.
    company.write(
        "2025-01-05.csv", (company.folder / "2025-01-05.csv").read_text() + "T9,C1,phone,x,y,2025-01-05,low\n"
    )
    company.load(batch_id="b2")
    assert len(list_rows(company.settings, Selection("tickets"))) == 2


def test_a_replayed_row_does_not_overwrite_a_later_delivery(duckdb_company: Company) -> None:
    company = duckdb_company
    _deliver_bad_rows(company)
    company.write("2025-01-06.csv", TICKET_HEADER + "T2,C1,phone,标题,第二天,2025-01-05 09:00,high\n")
    company.load(batch_id="b2")
    for row in list_rows(company.settings, Selection(rule="type")):
        fix(company.settings, row["quarantine_id"], {"created_at": "2025-01-05 08:00"}, "王工")
    replay(company.settings, "r1")
    found = company.rows("select ticket_id, body from raw.tickets order by 1")
    assert [tuple(row.values()) for row in found] == [("T1", "漏水"), ("T2", "第二天"), ("T3", "漏水")]


def test_a_rejected_row_moves_and_comes_back_as_it_was(company: Company) -> None:
    _deliver_bad_rows(company)
    before = company.rows("select ticket_id, customer_ref, body, created_at, _row_hash from raw.tickets")
    keys = pa.table({"_source": ["desk", "desk", "desk"], "ticket_id": ["T1", "T1", "nobody"]})
    assert reject(company.settings, "tickets", keys, "gate rule", "g1", field="body") == 1
    assert reject(company.settings, "tickets", keys, "gate rule", "g1", field="body") == 0
    assert company.rows("select count(*) as n from raw.tickets") == [{"n": 0}]
    (row,) = list_rows(company.settings, Selection(rule="gate rule"))
    assert (row["origin"], row["field"], row["value"]) == ("gate", "body", "漏水")
    assert replay(company.settings, "r1", Selection(ids=[row["quarantine_id"]])).replayed == 1
    assert company.rows("select ticket_id, customer_ref, body, created_at, _row_hash from raw.tickets") == before
    # Rejected a second time, the same row waits again.
    assert reject(company.settings, "tickets", keys, "gate rule", "g2", field="body") == 1
    assert len(list_rows(company.settings, Selection(rule="gate rule"))) == 1


def test_unknown_names_are_said_so(duckdb_company: Company) -> None:
    duckdb_company.declare_files(TICKETS)
    settings = duckdb_company.settings
    with pytest.raises(QuarantineError, match="no entity 'ticket'; one of: tickets"):
        replay(settings, "r1", Selection(entity="ticket"))
    with pytest.raises(QuarantineError, match="no row waits under the id abc"):
        fix(settings, "abc", {"colour": "red"}, "王工")
    with pytest.raises(QuarantineError, match="no id of a row"):
        list_rows(settings, Selection(ids=["x'; drop table raw.tickets"]))
    with pytest.raises(QuarantineError, match="named by the columns _source, ticket_id"):
        reject(settings, "tickets", pa.table({"ticket_id": ["T1"]}), "rule", "g1")


def test_a_fix_is_masked_checked_at_once_and_signed(duckdb_company: Company) -> None:
    company = duckdb_company
    _deliver_bad_rows(company)
    settings = company.settings
    (row,) = [row for row in list_rows(settings) if row["row_key"] == "T3"]
    key = row["quarantine_id"]
    with pytest.raises(QuarantineError, match="tickets has no field 'colour'"):
        fix(settings, key, {"colour": "red"}, "王工")
    with pytest.raises(QuarantineError, match="created_at: type: write YYYY-MM-DD"):
        fix(settings, key, {"created_at": "明天", "body": "x"}, "王工")
    assert show(settings, key)["fix_log"] == []
    still = fix(settings, key, {"customer_ref": "C1", "body": "请打13800013800"}, "王工")
    assert still is not None and (still.rule, still.field) == ("type", "created_at")
    assert fix(settings, key, {"created_at": "2025年1月5日 中午12:00".replace("中午", "")}, "李工") is None
    shown = show(settings, key)
    assert "13800013800" not in repr(shown) and "C1" not in repr(shown["fixes"])
    assert shown["fixes"]["created_at"] == "2025-01-05 04:00:00Z"
    assert {entry["fixed_by"] for entry in shown["fix_log"]} == {"王工", "李工"}
    # Reading the very file again finds the same bad row; the fix stays with it.
    company.write("2025-01-05.csv", (company.folder / "2025-01-05.csv").read_text() + "bad again\n")
    company.load(batch_id="b2")
    assert replay(settings, "r1", Selection(rule="type", ids=[key])).replayed == 1
    found = company.rows(
        "select customer_ref, body, created_at from raw.tickets where ticket_id in ('T1', 'T3') order by ticket_id"
    )
    assert found[0]["customer_ref"] == found[1]["customer_ref"]
    assert "13800013800" not in found[1]["body"]


def test_a_value_that_was_masked_away_must_be_given_before_the_row_is_loaded(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files(TICKETS)
    company.write("2025-01-05.csv", TICKET_HEADER + "13800013800,C1,phone,标题,漏水,早上,high\n")
    company.load()
    (row,) = list_rows(company.settings)
    assert "13800013800" not in repr(row["payload"])
    still = fix(company.settings, row["quarantine_id"], {"created_at": "2025-01-05"}, "王工")
    assert still is not None and (still.rule, still.field) == ("masked", "ticket_id")
    assert replay(company.settings, "r1").replayed == 0
    assert fix(company.settings, row["quarantine_id"], {"ticket_id": "T-7"}, "王工") is None
    assert replay(company.settings, "r2").replayed == 1
    assert company.rows("select ticket_id from raw.tickets") == [{"ticket_id": "T-7"}]


def test_a_fix_is_read_whatever_way_the_source_writes_its_instants(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files(TICKETS | {"formats": {"created_at": "%d/%m/%Y %H:%M"}})
    company.write(
        "2025-01-05.csv",
        TICKET_HEADER + "T1,C1,,标题,漏水,05/01/2025 09:00,high\n" + "T2,C1,phone,标题,漏水,noon,high\n",
    )
    company.load()
    waiting = {row["row_key"]: row["quarantine_id"] for row in list_rows(company.settings)}
    assert fix(company.settings, waiting["T1"], {"channel": "phone"}, "王工") is None
    assert fix(company.settings, waiting["T2"], {"created_at": "2025-01-05 12:00"}, "王工") is None
    assert replay(company.settings, "r1").replayed == 2
    found = company.rows("select ticket_id, created_at from raw.tickets order by 1")
    assert [str(row["created_at"]) for row in found] == ["2025-01-05 01:00:00", "2025-01-05 04:00:00"]


def _gate(company: Company, *ticket_ids: str) -> int:
    keys = pa.table({"_source": ["crm"] * len(ticket_ids), "ticket_id": list(ticket_ids)})
    return reject(company.settings, "tickets", keys, "body is not empty", "g1", field="body")


def _deliver_sql(company: Company, body: str) -> None:
    import sqlite3

    with sqlite3.connect(company.folder / "desk.db") as connection:
        connection.execute("drop table if exists t")
        connection.execute("create table t (ticket_id text, channel text, body text, created_at text)")
        connection.executemany("insert into t values (?, 'phone', ?, '2025-01-05 09:00')", [("T1", body), ("T2", "好")])
    connection.close()


def test_a_rejected_row_that_a_full_read_brings_again_stays_where_it_is(company: Company) -> None:
    table = {"entity": "tickets", "table": "t"}
    company.declare({"name": "crm", "domain": "crm", "kind": "sql", "url": "sqlite:///desk.db", "tables": [table]})
    _deliver_sql(company, "坏")
    company.load("crm")
    assert _gate(company, "T1") == 1
    for batch_id in ("b2", "b3"):
        (report,) = company.load("crm", batch_id=batch_id)
        assert (report.fetched, report.loaded, report.unchanged, report.quarantined) == (2, 0, 1, 1)
        assert company.rows("select ticket_id from raw.tickets") == [{"ticket_id": "T2"}]
        assert len(list_rows(company.settings)) == 1
    # Put right by hand, it stays right although the source still delivers the bad row.
    (row,) = list_rows(company.settings)
    assert fix(company.settings, row["quarantine_id"], {"body": "改好了"}, "王工") is None
    assert replay(company.settings, "r1").replayed == 1
    (report,) = company.load("crm", batch_id="b4")
    assert (report.fetched, report.merged, report.unchanged, report.quarantined) == (2, 0, 2, 0)
    body = "select body from raw.tickets where ticket_id = 'T1'"
    assert company.rows(body) == [{"body": "改好了"}]
    # Changed in the source, the source is right again.
    _deliver_sql(company, "源头改了")
    (report,) = company.load("crm", batch_id="b5")
    assert (report.merged, report.unchanged) == (1, 1)
    assert company.rows(body) == [{"body": "源头改了"}]
    company.assert_balanced()


def test_a_rejected_row_that_is_corrected_in_the_source_leaves_the_quarantine(company: Company) -> None:
    table = {"entity": "tickets", "table": "t"}
    company.declare({"name": "crm", "domain": "crm", "kind": "sql", "url": "sqlite:///desk.db", "tables": [table]})
    _deliver_sql(company, "坏")
    company.load("crm")
    _gate(company, "T1")
    _deliver_sql(company, "好了")
    (report,) = company.load("crm", batch_id="b2")
    assert (report.loaded, report.unchanged, report.quarantined) == (1, 1, 0)
    assert list_rows(company.settings) == []


def test_a_bad_row_leaves_the_quarantine_when_a_later_file_delivers_it_well(duckdb_company: Company) -> None:
    company = duckdb_company
    _deliver_bad_rows(company)
    company.write("2025-01-04.csv", TICKET_HEADER + "T3,C2,phone,标题,前一天的,2025-01-04 09:00,high\n")
    company.write("2025-01-06.csv", TICKET_HEADER + "T2,C1,phone,标题,第二天,2025-01-05 09:00,high\n")
    company.load(batch_id="b2")
    assert {row["row_key"] for row in list_rows(company.settings)} == {"T3", None}
