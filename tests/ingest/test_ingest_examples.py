"""The example of real data loads, and its figures are those of the file itself."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from huiyin.config import PROJECT_ROOT, Settings
from huiyin.interval import Interval
from ingest.load import ingest_source
from warehouse.connection import open_warehouse


def test_citizens_complaints_become_tickets_messages_feedback_and_customers(shared_data: Path, tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, sources=PROJECT_ROOT / "examples/citizen_complaints.yml", mask_key="test-key")
    given = pd.read_csv(shared_data / "citizen_complaints.csv.gz", dtype=str, keep_default_na=False)
    for name in ("citizen_desk", "citizen_forum", "citizen_register"):
        for report in ingest_source(settings, name, Interval(), "b1"):
            assert report.quarantined == 0
            assert report.fetched == report.loaded + report.merged + report.unchanged
    replied = given[given["source"] == "replied"]
    with open_warehouse(settings) as warehouse:
        counts = {
            table: warehouse.rows(f"select count(*) as n from raw.{table}")[0]["n"]
            for table in ("tickets", "messages", "ticket_events", "feedback", "customers")
        }
        waits = warehouse.rows(
            "select avg(epoch(r.sent_at) - epoch(t.created_at)) as mean_seconds from raw.tickets t"
            " join raw.messages r on r.ticket_id = t.ticket_id and r.author_role = 'agent'"
        )[0]["mean_seconds"]
        strangers = warehouse.rows(
            "select count(*) as n from raw.tickets where customer_ref not in (select customer_ref from raw.customers)"
        )[0]["n"]
        likes = warehouse.rows("select sum(likes) as n from raw.feedback")[0]["n"]
    assert counts == {
        "tickets": len(replied),
        "messages": 2 * len(replied),
        "ticket_events": len(replied),
        "feedback": given[given["source"] != "replied"].drop_duplicates(["source", "id"]).shape[0],
        "customers": given["user"].nunique(),
    }
    assert strangers == 0
    assert likes == pd.to_numeric(given.loc[given["source"] == "hotspot", "upvotes"]).sum()
    waited = pd.to_datetime(replied["replied_at"]) - pd.to_datetime(replied["created_at"])
    assert abs(waits - waited.dt.total_seconds().mean()) < 1
