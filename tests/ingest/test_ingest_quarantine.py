"""Out of the quarantine again, and into it."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from conftest import TICKET_HEADER, Company

from ingest.quarantine import QuarantineError, count_waiting, list_rows, reject, replay

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
    assert count_waiting(company.settings) == {("desk", "tickets", "type"): 2, ("desk", "tickets", "columns"): 1}
    waiting = {json.loads(row["payload"]).get("ticket_id"): row for row in list_rows(company.settings, "tickets")}
    report = replay(
        company.settings, "tickets", "r1", [waiting["T2"]["quarantine_id"]], {"created_at": "2025-01-05 08:00"}
    )
    assert (report.replayed, report.still_bad, report.unreadable) == (1, 0, 0)
    tickets = {row["ticket_id"]: row for row in company.rows("select * from raw.tickets")}
    assert tickets["T2"]["customer_ref"] == tickets["T1"]["customer_ref"]
    assert str(tickets["T2"]["created_at"]) == "2025-01-05 00:00:00"  # in the zone of its source
    assert tickets["T2"]["_batch_id"] == "r1"
    rest = replay(company.settings, "tickets", "r2")
    assert (rest.replayed, rest.still_bad, rest.unreadable) == (0, 1, 1)
    # Reading the very file again doesn't bring the settled row back into quarantine.
    company.write(
        "2025-01-05.csv", (company.folder / "2025-01-05.csv").read_text() + "T9,C1,phone,x,y,2025-01-05,low\n"
    )
    company.load(batch_id="b2")
    assert len(list_rows(company.settings, "tickets")) == 2


def test_a_replayed_row_does_not_overwrite_a_later_delivery(duckdb_company: Company) -> None:
    company = duckdb_company
    _deliver_bad_rows(company)
    company.write("2025-01-06.csv", TICKET_HEADER + "T2,C1,phone,标题,第二天,2025-01-05 09:00,high\n")
    company.load(batch_id="b2")
    replay(company.settings, "tickets", "r1", corrections={"created_at": "2025-01-05 08:00"})
    found = company.rows("select ticket_id, body from raw.tickets order by 1")
    assert [tuple(row.values()) for row in found] == [("T1", "漏水"), ("T2", "第二天"), ("T3", "漏水")]


def test_a_rejected_row_moves_and_comes_back_as_it_was(company: Company) -> None:
    _deliver_bad_rows(company)
    before = company.rows("select ticket_id, customer_ref, body, created_at, _row_hash from raw.tickets")
    keys = pa.table({"_source": ["desk", "desk", "desk"], "ticket_id": ["T1", "T1", "nobody"]})
    assert reject(company.settings, "tickets", keys, "gate rule", "g1", field="body") == 1
    assert reject(company.settings, "tickets", keys, "gate rule", "g1", field="body") == 0
    assert company.rows("select count(*) as n from raw.tickets") == [{"n": 0}]
    (row,) = [row for row in list_rows(company.settings, "tickets") if row["rule"] == "gate rule"]
    assert (row["origin"], row["field"], row["value"]) == ("gate", "body", "漏水")
    assert replay(company.settings, "tickets", "r1", [row["quarantine_id"]]).replayed == 1
    assert company.rows("select ticket_id, customer_ref, body, created_at, _row_hash from raw.tickets") == before
    # Rejected a second time, the same row waits again.
    assert reject(company.settings, "tickets", keys, "gate rule", "g2", field="body") == 1
    assert len([row for row in list_rows(company.settings, "tickets") if row["rule"] == "gate rule"]) == 1


def test_unknown_names_are_said_so(duckdb_company: Company) -> None:
    duckdb_company.declare_files(TICKETS)
    settings = duckdb_company.settings
    with pytest.raises(QuarantineError, match="no entity 'ticket'; one of: tickets"):
        replay(settings, "ticket", "r1")
    with pytest.raises(QuarantineError, match="tickets has no field 'colour'"):
        replay(settings, "tickets", "r1", corrections={"colour": "red"})
    with pytest.raises(QuarantineError, match="named by the columns _source, ticket_id"):
        reject(settings, "tickets", pa.table({"ticket_id": ["T1"]}), "rule", "g1")
