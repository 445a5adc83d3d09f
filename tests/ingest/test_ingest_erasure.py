"""A forgotten person is gone from every raw table, stays gone when old files come again, and leaves the totals."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ingest_company import Company

from huiyin.config import Settings
from huiyin.erasure import reports_that_quote
from ingest.erasure import end_retention, erase_person, voices_of
from ingest.masking import load_masker
from warehouse.connection import open_warehouse

TICKETS = (
    "ticket_id,customer_ref,channel,subject,body,created_at\n"
    "T1,C1,phone,漏水,热水器漏水还没人来,2025-03-01 09:00\n"
    "T2,C2,phone,退款,退款一直不到账,2025-03-01 10:00\n"
    "T3,C1,app,又漏水,修了三次还是漏,2025-03-02 09:00\n"
)
MESSAGES = (
    "message_id,ticket_id,author_ref,author_role,body,sent_at\n"
    "M1,T1,C1,customer,我家住三楼快来修,2025-03-01 09:01\n"
    "M2,T1,A7,agent,师傅明天上门,2025-03-01 09:30\n"
    "M3,T2,C2,customer,什么时候到账,2025-03-01 10:01\n"
)
EVENTS = (
    "event_id,ticket_id,event_at,field,new_value,actor_ref,actor_role\n"
    "E1,T1,2025-03-01 09:00,status,new,C1,customer\n"
    "E2,T1,2025-03-01 09:30,assignee,A7,A7,agent\n"
)
CUSTOMERS = (
    "customer_ref,valid_from_at,name,tier,segment,region,annual_revenue,phone\n"
    "C1,2020-01-01,王小明,vip,家庭用户,华东,8000,13812345678\n"
    "C2,2020-01-01,李大海,regular,家庭用户,华北,900,13987654321\n"
)
FEEDBACK = (
    "feedback_id,kind,ticket_id,customer_ref,score,text,created_at\n"
    "F1,csat,T1,,1,师傅态度差还迟到,2025-03-03 09:00\n"
    "F2,post,,C1,,垃圾热水器大家别买,2025-03-03 10:00\n"
    "F3,csat,T2,C2,5,很满意,2025-03-03 11:00\n"
)
IDENTIFIERS = "customer_ref,identifier_kind,identifier\nC1,phone,13812345678\nC2,phone,13987654321\n"
ERASED_AT = datetime.fromisoformat("2026-01-01")


ENTITY_FILES = ("tickets", "messages", "ticket_events", "customers", "feedback", "identifiers")


@pytest.fixture
def both(company: Company) -> Company:
    """The loaded company, on DuckDB and on PostgreSQL."""
    return loaded(company)


@pytest.fixture
def one(duckdb_company: Company) -> Company:
    """The loaded company on DuckDB."""
    return loaded(duckdb_company)


def loaded(company: Company) -> Company:
    contents = (TICKETS, MESSAGES, EVENTS, CUSTOMERS, FEEDBACK, IDENTIFIERS)
    for name, content in zip(ENTITY_FILES, contents, strict=True):
        company.write(f"{name}.csv", content)
    company.declare_files(*({"entity": name, "path": f"{name}.csv"} for name in ENTITY_FILES))
    company.load()
    return company


def forget(settings: Settings, *customers: str) -> Any:
    masker = load_masker(settings)
    refs = [masker.pseudonym(customer) for customer in customers]
    with open_warehouse(settings) as warehouse:
        return erase_person(warehouse, masker, refs, "E-1", ERASED_AT, "request 17")


def dump(company: Company) -> str:
    return json.dumps(company.everything(), ensure_ascii=False, default=str)


def test_texts_and_links_of_the_person_are_gone_and_everybody_elses_stay(both: Company) -> None:
    masker = load_masker(both.settings)
    before = dump(both)

    done = forget(both.settings, "C1", "13812345678")

    after = dump(both)
    for trace in (
        masker.pseudonym("C1"),
        masker.pseudonym("13812345678"),
        masker.name("王小明"),
        "漏",
        "垃圾",
        "态度差",
        "三楼",
    ):
        assert trace in before
        assert trace not in after, trace
    for kept in (masker.pseudonym("C2"), masker.name("李大海"), "退款一直不到账", "什么时候到账", "很满意"):
        assert kept in after
    assert len(done.voice_ids) == 4
    assert done.rows == {
        "raw.tickets": 2, "raw.messages": 2, "raw.ticket_events": 2, "raw.customers": 1, "raw.feedback": 2,
        "raw.identifiers": 1,
    }  # fmt: skip


def test_totals_and_breakdowns_stay_and_the_persons_rows_stay_one_unknown_customers(one: Company) -> None:
    forget(one.settings, "C1", "13812345678")

    tickets = one.rows("select ticket_id, customer_ref, channel, created_at from raw.tickets order by ticket_id")
    assert [row["ticket_id"] for row in tickets] == ["T1", "T2", "T3"]
    unknown = tickets[0]["customer_ref"]
    assert unknown == tickets[2]["customer_ref"] != tickets[1]["customer_ref"]
    (customer,) = one.rows(f"select * from raw.customers where customer_ref = '{unknown}'")
    assert (customer["tier"], customer["segment"], customer["region"]) == ("vip", "家庭用户", "华东")
    assert (customer["name"], customer["phone"], customer["annual_revenue"]) == (None, None, None)
    scores = one.rows("select score, ticket_id, customer_ref from raw.feedback where feedback_id in ('F1', 'F2')")
    assert {(row["score"], row["ticket_id"], row["customer_ref"]) for row in scores} == {
        (1.0, "T1", None), (None, None, unknown)
    }  # fmt: skip
    assert one.rows("select actor_ref from raw.ticket_events where event_id = 'E2'")[0]["actor_ref"] is not None


def test_the_surrogate_can_not_be_derived_from_the_person(one: Company) -> None:
    forget(one.settings, "C1")
    first = one.rows("select customer_ref from raw.tickets where ticket_id = 'T1'")[0]["customer_ref"]

    with open_warehouse(one.settings) as warehouse:
        for entity in ENTITY_FILES:
            warehouse.execute(f"delete from raw.{entity}")
        warehouse.execute("delete from raw.load_state")
        warehouse.execute("delete from raw.erasure_marks")
        warehouse.execute("delete from raw.erasures")
    one.load(batch_id="b2")
    forget(one.settings, "C1")

    assert one.rows("select customer_ref from raw.tickets where ticket_id = 'T1'")[0]["customer_ref"] != first


def test_old_files_that_come_again_change_nothing(both: Company) -> None:
    forget(both.settings, "C1", "13812345678")
    after = dump(both)

    for entity, content in (
        ("tickets", TICKETS),
        ("messages", MESSAGES),
        ("customers", CUSTOMERS),
        ("feedback", FEEDBACK),
    ):
        both.write(f"{entity}.csv", content + "\n")
    both.write("identifiers.csv", IDENTIFIERS + "C9,phone,13700000001\n")
    reports = both.load(batch_id="b2")

    assert dump(both).count("漏") == 0
    assert sum(report.loaded for report in reports) == 1
    assert [report.merged for report in reports if report.entity != "identifiers"] == [0] * 5
    for report in reports:
        assert report.fetched == report.loaded + report.merged + report.unchanged + report.quarantined
    ours = [row for row in both.everything()["raw.identifiers"] if row["identifier"] in after]
    assert len(ours) == 1


def test_a_correction_of_an_old_ticket_brings_nothing_personal_back(one: Company) -> None:
    forget(one.settings, "C1", "13812345678")

    one.write("tickets.csv", TICKETS.replace("T1,C1,phone,漏水", "T1,C1,email,漏水严重"))
    one.load(batch_id="b2")

    (ticket,) = one.rows("select * from raw.tickets where ticket_id = 'T1'")
    assert (ticket["channel"], ticket["subject"], ticket["body"]) == ("email", None, None)
    assert ticket["customer_ref"] != load_masker(one.settings).pseudonym("C1")


def test_who_comes_back_later_is_a_customer_again(one: Company) -> None:
    forget(one.settings, "C1", "13812345678")

    one.write("tickets.csv", TICKETS + "T4,C1,phone,新机器,新买的机器很好,2026-02-01 09:00\n")
    one.load(batch_id="b2")

    (ticket,) = one.rows("select * from raw.tickets where ticket_id = 'T4'")
    assert ticket["customer_ref"] == load_masker(one.settings).pseudonym("C1")
    assert ticket["body"] == "新买的机器很好"


def test_rejected_rows_of_the_person_are_deleted(one: Company) -> None:
    one.write("messages.csv", MESSAGES + "M4,T1,C1,robot,快点来修,2025-03-01\nM5,T2,C2,robot,快退款,2025-03-01\n")
    one.load(batch_id="b2")

    done = forget(one.settings, "C1")

    assert done.rows["quarantine.messages"] == 1
    assert [json.loads(row["payload"])["message_id"] for row in one.rows("select * from quarantine.messages")] == ["M5"]


def test_forgetting_twice_finds_nothing_more(one: Company) -> None:
    forget(one.settings, "C1")
    after = dump(one)

    masker = load_masker(one.settings)
    with open_warehouse(one.settings) as warehouse:
        assert voices_of(warehouse, [masker.pseudonym("C1")]) == []
        again = erase_person(warehouse, masker, [masker.pseudonym("C1")], "E-2", ERASED_AT, "again")

    assert (again.rows, again.voice_ids) == ({}, ())
    assert dump(one) == after


def test_texts_older_than_their_retention_go_and_stay_away(both: Company) -> None:
    now = datetime.fromisoformat("2025-03-05")
    masker = load_masker(both.settings)
    days = {"tickets": 3, "quarantine": 1}
    with open_warehouse(both.settings) as warehouse:
        assert end_retention(warehouse, days, masker, now, is_trial=True) == {"raw.tickets": 2}
        assert end_retention(warehouse, days, masker, now) == {"raw.tickets": 2}
        assert end_retention(warehouse, days, masker, now) == {"raw.tickets": 0}
    bodies = {row["ticket_id"]: row["body"] for row in both.rows("select ticket_id, body from raw.tickets")}
    # 2025-03-01 10:00 in Shanghai is over three days before 2025-03-05 00:00 UTC, 2025-03-02 09:00 is not.
    assert bodies == {"T1": None, "T2": None, "T3": "修了三次还是漏"}


def test_the_loader_keeps_no_text_beyond_its_retention(tmp_path: Path, one: Company) -> None:
    old = (datetime.now() - timedelta(days=40)).date()  # noqa: DTZ005
    recent = (datetime.now() - timedelta(days=2)).date()  # noqa: DTZ005
    file = one.folder / "sources.yml"
    file.write_text("retention: {tickets: 30}\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    one.write(
        "tickets.csv",
        f"ticket_id,customer_ref,channel,body,created_at\nT8,C2,phone,旧的话,{old}\nT9,C2,phone,新的话,{recent}\n",
    )
    one.load(batch_id="b2")

    found = {row["ticket_id"]: row["body"] for row in one.rows("select * from raw.tickets where ticket_id >= 'T8'")}
    assert found == {"T8": None, "T9": "新的话"}


def test_dated_reports_that_quote_the_person_are_known_by_text_question_and_answer(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path)
    settings.reports_dir.mkdir(parents=True)
    for name, page in {
        "2025-06-01.html": "<td>机器漏水&quot;三天&quot;了</td>",
        "2025-06-02.html": "<p>问:请问WiFi怎么连?</p>",
        "2025-06-03.html": '<span data-voice="ticket:desk:T1">长按五秒</span>',
        "2025-06-04.html": '<span data-voice="ticket:desk:T12">长按五秒</span> 漏水',
        "latest.html": "机器漏水&quot;三天&quot;了",
    }.items():
        (settings.reports_dir / name).write_text(page, encoding="utf-8")
    texts = ['机器漏水"三天"了', "你们的空调不错。请问WiFi怎么连?我试了很久。"]
    assert reports_that_quote(settings, texts, ["ticket:desk:T1"]) == [f"2025-06-0{day}.html" for day in (1, 2, 3)]
