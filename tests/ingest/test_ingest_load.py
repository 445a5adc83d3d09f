"""Loading: what comes in is accounted for, twice is once, killed is repeatable, late never wins."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from ingest_company import TICKET_HEADER, Company

from huiyin.config import PROJECT_ROOT
from huiyin.interval import Interval
from ingest.configuration import SourcesFileError
from ingest.contract import ENTITIES
from ingest.errors import SourceError
from ingest.load import ensure_raw_schema
from warehouse.connection import open_warehouse

TICKETS = {"entity": "tickets", "path": "tickets/{date}.csv"}


def line(ticket_id: str, body: str = "漏水", created_at: str = "2025-01-01 09:00:00", channel: str = "phone") -> str:
    return f"{ticket_id},C1,{channel},标题,{body},{created_at},high\n"


def bodies(company: Company) -> dict[str, str]:
    return {row["ticket_id"]: row["body"] for row in company.rows("select ticket_id, body from raw.tickets")}


def test_good_rows_are_typed_masked_and_stamped_and_bad_ones_told_why(company: Company) -> None:
    company.declare_files(TICKETS)
    company.write(
        "tickets/2025-01-01.csv",
        TICKET_HEADER + line("T1", "电话13800013800") + line("T2", created_at="昨天") + line("", "没有编号")
        + "T4,too,few\n" + line("T5", channel="传真") + line("T1", "后来改的"),
    )  # fmt: skip
    (report,) = company.load()
    assert (report.fetched, report.loaded, report.merged, report.unchanged, report.quarantined) == (6, 2, 1, 0, 3)
    assert "channel: 1 value(s) outside the registered ones, kept as they came: 传真 (1)" in report.warnings[0]
    tickets = {row["ticket_id"]: row for row in company.rows("select * from raw.tickets")}
    assert set(tickets) == {"T1", "T5"}
    assert tickets["T1"]["body"] == "后来改的"
    assert tickets["T1"]["created_at"] == datetime.fromisoformat("2025-01-01 01:00:00")
    assert tickets["T1"]["customer_ref"].startswith("p_")
    assert (tickets["T1"]["_source"], tickets["T1"]["_batch_id"]) == ("desk", "b1")
    assert tickets["T5"]["channel"] == "传真"
    bad = {row["rule"]: row for row in company.rows("select * from quarantine.tickets")}
    assert {rule: (row["field"], row["row_number"], row["value"]) for rule, row in bad.items()} == {
        "type": ("created_at", 2, "昨天"),
        "required": ("ticket_id", 3, None),
        "columns": (None, 4, None),
    }
    assert all(row["origin"] == "tickets/2025-01-01.csv" and row["remedy"] for row in bad.values())
    company.assert_balanced()


def test_nothing_personal_reaches_warehouse_or_quarantine(company: Company) -> None:
    company.declare_files(
        {"entity": "customers", "path": "customers.csv"},
        {"entity": "tickets", "path": "tickets.csv"},
    )
    company.write(
        "customers.csv",
        "customer_ref,valid_from_at,name,phone,email,tier\n"
        "13800013800,2025-01-01,张伟,13800013801,zw@example.org,vip\n"
        "C2,someday,李静怡,13800013802,ljy@example.org,vip\n"
        "C3,2025-01-01,王小明,13800013803,broken@example.org\n",
    )
    company.write(
        "tickets.csv", TICKET_HEADER + "T1,13800013800,phone,找张伟先生,我叫张伟 13800013801,13800013804,high\n"
    )
    company.load()
    everything = repr(company.everything())
    for secret in ("1380001380", "zw@", "ljy@", "broken@", "张伟", "李静怡", "王小明", "C2", "C3"):
        assert secret not in everything, secret
    assert company.rows("select count(*) as n from quarantine.customers") == [{"n": 2}]
    shown = company.rows("select value, payload from quarantine.tickets")[0]
    assert shown["value"] == "[手机号1]"
    assert company.rows("select customer_ref from raw.customers")[0]["customer_ref"] in shown["payload"]


def test_loading_twice_is_loading_once(company: Company) -> None:
    company.declare_files(TICKETS)
    for day in (1, 2):
        company.write(
            f"tickets/2025-01-0{day}.csv", TICKET_HEADER + line(f"T{day}") + line("", "bad") + line("T0", str(day))
        )
    company.load()
    once = company.everything()
    (again,) = company.load(batch_id="b2")
    assert (again.fetched, again.skipped) == (0, 2)
    assert company.everything() == once
    # Touched but equal files are recognised by their content; rewritten ones are read and change nothing.
    for file in (company.folder / "tickets").iterdir():
        os.utime(file, (1, 1))
    assert company.load(batch_id="b3")[0].skipped == 2
    company.rows("select 1 as one")
    with open_warehouse(company.settings) as warehouse:
        warehouse.execute("delete from raw.load_state")
    (reread,) = company.load(batch_id="b4")
    assert (reread.fetched, reread.loaded, reread.merged, reread.unchanged, reread.quarantined) == (6, 0, 1, 3, 2)
    assert company.everything() == once
    company.assert_balanced()


def test_a_late_or_repeated_old_file_never_overwrites_a_newer_one(company: Company) -> None:
    company.declare_files(TICKETS)
    company.write("tickets/2025-01-05.csv", TICKET_HEADER + line("T1", "第五天") + line("T2", "第五天"))
    company.load(batch_id="b1")
    company.write("tickets/2025-01-03.csv", TICKET_HEADER + line("T1", "第三天") + line("T3", "第三天"))
    (late,) = company.load(batch_id="b2")
    assert (late.loaded, late.merged, late.unchanged, late.skipped) == (1, 0, 1, 1)
    assert bodies(company) == {"T1": "第五天", "T2": "第五天", "T3": "第三天"}
    company.write("tickets/2025-01-06.csv", TICKET_HEADER + line("T1", "第六天"))
    (newer,) = company.load(batch_id="b3")
    assert (newer.loaded, newer.merged) == (0, 1)
    assert bodies(company)["T1"] == "第六天"


def test_a_corrected_file_clears_its_quarantine(company: Company) -> None:
    company.declare_files(TICKETS)
    company.write("tickets/2025-01-01.csv", TICKET_HEADER + line("T1", created_at="?") + "broken\n")
    company.load()
    assert company.rows("select count(*) as n from quarantine.tickets") == [{"n": 2}]
    company.write("tickets/2025-01-01.csv", TICKET_HEADER + line("T1"))
    (report,) = company.load(batch_id="b2")
    assert (report.loaded, report.quarantined) == (1, 0)
    assert company.rows("select count(*) as n from quarantine.tickets") == [{"n": 0}]


def test_a_changed_mapping_reads_unchanged_files_again(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files(TICKETS)
    company.write("tickets/2025-01-01.csv", TICKET_HEADER + line("T1", channel="传真"))
    company.load()
    company.declare_files(TICKETS | {"values": {"channel": {"传真": "phone"}}})
    (report,) = company.load(batch_id="b2")
    assert (report.merged, report.skipped) == (1, 0)
    assert company.rows("select channel from raw.tickets") == [{"channel": "phone"}]


def test_only_the_intervals_days_are_read_and_missing_ones_named(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files(TICKETS)
    for day in (1, 2, 4):
        company.write(f"tickets/2025-01-0{day}.csv", TICKET_HEADER + line(f"T{day}"))
    (report,) = company.load(interval=Interval(date(2025, 1, 2), date(2025, 1, 5)))
    assert set(bodies(company)) == {"T2", "T4"}
    assert report.warnings == ("no file for 1 day(s) of tickets/{date}.csv: 2025-01-03",)
    (empty,) = company.load(interval=Interval(date(2025, 2, 1), date(2025, 2, 2)), batch_id="b2")
    assert (empty.fetched, len(empty.warnings)) == (0, 1)
    audit = company.rows("select origin, fetched, interval_from_on from raw.load_audit where batch_id = 'b2'")
    assert audit == [{"origin": "tickets/{date}.csv", "fetched": 0, "interval_from_on": date(2025, 2, 1)}]


def test_one_file_feeds_several_entities_by_filters_constants_and_templates(duckdb_company: Company) -> None:
    company = duckdb_company
    message = {"entity": "messages", "path": "all.csv", "where": {"kind": ["a", "b"]}}
    company.declare_files(
        message
        | {
            "columns": {"body": "question", "sent_at": "asked"},
            "templates": {"message_id": "{no}-q", "ticket_id": "T{no}"},
            "constants": {"author_role": "customer"},
        },
        message
        | {
            "columns": {"body": "answer", "sent_at": "answered"},
            "templates": {"message_id": "{no}-a", "ticket_id": "T{no}"},
            "constants": {"author_role": "agent"},
        },
    )
    company.write(
        "all.csv",
        "no,kind,question,asked,answer,answered\n1,a,问,2025-01-01,答,2025-01-02\n2,c,x,2025-01-01,y,2025-01-01\n",
    )
    reports = company.load()
    assert [(report.origin, report.fetched) for report in reports] == [("all.csv", 1), ("all.csv#2", 1)]
    found = company.rows("select message_id, ticket_id, author_role, body from raw.messages order by 1")
    assert [tuple(row.values()) for row in found] == [("1-a", "T1", "agent", "答"), ("1-q", "T1", "customer", "问")]
    assert company.load(batch_id="b2")[1].skipped == 1
    company.assert_balanced()


def test_a_failing_table_does_not_keep_the_others_from_loading(company: Company) -> None:
    company.declare_files(
        {"entity": "agents", "path": "agents.csv"},
        {"entity": "tickets", "path": "tickets.csv", "columns": {"body": "正文"}},
        {"entity": "messages", "path": "messages.csv"},
    )
    company.write("agents.csv", "agent_ref,valid_from_at,team\nA1,2025-01-01,一线\n")
    company.write("tickets.csv", "内部码,created_at,channel\n1,2025-01-01,phone\n")
    with pytest.raises(SourceError) as raised:
        company.load()
    first, second = str(raised.value).splitlines()
    assert first == (
        "source desk, tickets: tickets.csv has the wrong columns: columns missing: 正文; no column for the required"
        " field(s) ticket_id of tickets; found: 内部码, created_at, channel; name them under `columns`, or have the"
        " file delivered as agreed"
    )
    assert second.startswith("source desk, messages: there is no file ")
    assert company.rows("select count(*) as n from raw.agents") == [{"n": 1}]
    errors = company.rows("select entity, error from raw.load_audit where error is not null order by 1")
    assert [row["entity"] for row in errors] == ["messages", "tickets"]
    # Once mended, the same batch leaves no trace of the failure.
    company.write("messages.csv", "message_id,ticket_id,author_role,sent_at\n")
    company.write("tickets.csv", "ticket_id,created_at,channel,正文\n1,2025-01-01,phone,好\n")
    company.load()
    assert company.rows("select count(*) as n from raw.load_audit where error is not null") == [{"n": 0}]


def test_a_row_fault_in_the_last_file_leaves_nothing_of_a_table_that_fails(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files(TICKETS)
    company.write("tickets/2025-01-01.csv", TICKET_HEADER + line("T1"))
    company.write("tickets/2025-01-02.csv", "nothing,of,this\n1,2,3\n")
    with pytest.raises(SourceError, match=r"tickets/2025-01-02\.csv no longer has the column"):
        company.load()
    assert bodies(company) == {}
    assert company.rows("select count(*) as n from raw.load_state") == [{"n": 0}]


def test_errors_name_source_and_remedy(duckdb_company: Company) -> None:
    company = duckdb_company
    company.declare_files(TICKETS)
    with pytest.raises(SourcesFileError, match="there is no source 'crm'; known: desk, decisions"):
        company.load("crm")
    ensure_raw_schema(company.settings)
    file = company.write("tickets/2025-01-01.csv", TICKET_HEADER)
    if os.geteuid() != 0:
        file.chmod(0)
        with pytest.raises(SourceError, match="can't be read: Permission denied"):
            company.load()
        file.chmod(0o600)
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    arguments = [sys.executable, "-c", hold, str(company.settings.duckdb_file)]
    holder = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin and holder.stdout and holder.stdout.readline()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_warehouse.__wrapped__, "__defaults__", (False, 0.2, ""))  # type: ignore[attr-defined]
        with pytest.raises(SourceError, match=r"source desk could not be loaded: .* held by another process"):
            company.load()
    holder.communicate()


def test_decisions_without_an_ops_database_are_empty_and_all_tables_exist(company: Company) -> None:
    company.declare_files(TICKETS)
    reports = company.load("decisions")
    assert [report.fetched for report in reports] == [0] * 5
    assert not any(report.warnings for report in reports)
    ensure_raw_schema(company.settings)
    with open_warehouse(company.settings) as warehouse:
        for entity in ENTITIES:
            assert warehouse.has_table("raw", entity)
            assert warehouse.has_table("quarantine", entity)


FIELD = st.sampled_from(
    ["T1", "T2", "T3", "", "2025-01-01", "2025-02-30", "phone", "fax", "vip", "﻿", "a,b", 'q"', "漏水\n"]
)


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.lists(FIELD, min_size=1, max_size=6), max_size=12), min_size=1, max_size=4))
@example([[["\ufeff"], ["T1", "phone", "2025-01-01", "漏水"]]])
@example([[["T1", "phone", "2025-02-30", "漏水"]], [["T1", "phone", "2025-01-01", "漏水"]]])
def test_whatever_comes_is_accounted_for_and_loading_again_changes_nothing(
    duckdb_company: Company, deliveries: list[list[list[str]]]
) -> None:
    company = duckdb_company
    # A source of its own for each example; the warehouse stays.
    name = f"desk{sum(1 for _ in company.folder.glob('desk*'))}"
    company.declare_files({"entity": "tickets", "path": f"{name}/{{date}}.csv"}, name=name)
    for day, records in enumerate(deliveries, 1):
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer)
        writer.writerow(["ticket_id", "channel", "created_at", "body"])
        writer.writerows(records)
        company.write(f"{name}/2025-01-0{day}.csv", buffer.getvalue())
    (report,) = company.load(name)
    assert report.fetched == report.loaded + report.merged + report.unchanged + report.quarantined
    assert report.fetched == sum(len(records) for records in deliveries)
    company.assert_balanced()
    before = company.everything()
    assert sum(row["_source"] == name for row in before["raw.tickets"]) == report.loaded
    # A rejected row leaves quarantine only when a later file brings a good one of the same key.
    good = {row["ticket_id"] for row in before["raw.tickets"] if row["_source"] == name}
    whole = [record[0].strip("\ufeff \n") for records in deliveries for record in records if len(record) == 4]
    superseded = sum(key in good for key in whole) - report.loaded - report.merged - report.unchanged
    standing = sum(row["source"] == name for row in before["quarantine.tickets"])
    assert report.quarantined - superseded <= standing <= report.quarantined
    with open_warehouse(company.settings) as warehouse:
        warehouse.execute("delete from raw.load_state")
    company.load(name, batch_id="b2")
    assert company.everything() == before


# Runs a load that kills itself without warning at the n-th call of a step of the warehouse.
SUICIDAL = """
import os, signal, sys
import ingest.load, ingest.loading.stage, warehouse.connection
from huiyin.config import Settings
from huiyin.interval import Interval

var, sources, url, step, fatal = sys.argv[1:]
ingest.loading.stage.ROWS_PER_PORTION = 200
for kind in (warehouse.connection.DuckDBWarehouse, warehouse.connection.PostgresWarehouse):
    def counted(self, *arguments, _original=getattr(kind, step), **options):
        counted.calls += 1
        if counted.calls == int(fatal):
            os.kill(os.getpid(), signal.SIGKILL)
        return _original(self, *arguments, **options)
    counted.calls = 0
    setattr(kind, step, counted)
settings = Settings(var=var, sources=sources, warehouse=url, mask_key="test-key")
ingest.load.ingest_source(settings, "desk", Interval(), "b1")
"""


@pytest.mark.parametrize(
    ("step", "fatal"),
    [("merge_labelled", 4), ("append", 1), ("append", 3)],
)
def test_a_load_that_is_killed_anywhere_leaves_nothing_half_done_and_can_be_repeated(
    company: Company, new_company: Callable[[], Company], step: str, fatal: int
) -> None:
    clean = new_company()
    for each in (clean, company):
        each.declare_files(TICKETS, {"entity": "messages", "path": "messages.csv"})
        for day in range(1, 4):
            rows = "".join(line(f"T{day}-{n}", f"第{n}条") for n in range(300)) + line("", "bad") + "broken\n"
            each.write(f"tickets/2025-01-0{day}.csv", TICKET_HEADER + rows)
        messages = "".join(f"M{n},T1-{n},agent,你好,2025-01-01 10:00\n" for n in range(300))
        each.write("messages.csv", "message_id,ticket_id,author_role,body,sent_at\n" + messages)
        os.utime(each.folder / "messages.csv", (1_735_700_000, 1_735_700_000))
    clean.load()
    ensure_raw_schema(company.settings)
    arguments = [
        str(company.settings.var_dir), str(company.folder / "sources.yml"), company.settings.warehouse, step, str(fatal)
    ]  # fmt: skip
    child = subprocess.run([sys.executable, "-c", SUICIDAL, *arguments], cwd=PROJECT_ROOT, check=False)
    assert child.returncode == -signal.SIGKILL
    counts = [
        company.rows(f"select count(*) as n from {table}")[0]["n"]
        for table in ("raw.tickets", "quarantine.tickets", "raw.load_state", "raw.messages")
    ]
    assert counts in ([0, 0, 0, 0], [900, 6, 3, 0])
    company.load()
    assert company.everything() == clean.everything()
    company.assert_balanced()
