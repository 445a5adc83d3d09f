"""Knowledge gaps out of the mart and back: weekly, with numbers that last, without words of who was forgotten."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from huiyin.config import PROJECT_ROOT, Settings
from ingest.contract import ENTITIES
from ingest.personal import mask_text
from nlp.knowledge.vectors import question_embedder
from nlp.knowledge.weekly import GAP_SCHEMA, QUESTION_SCHEMA, renew_gaps
from warehouse.connection import open_warehouse
from warehouse.handover import NLP_TABLES, forget_voices
from warehouse.knowledge import WINDOW_DAYS, export_questions, gaps_are_due, load_gaps

sys.path.append(str(PROJECT_ROOT / "tests" / "nlp"))
from knowledge_texts import ANSWERS, tickets

MONDAY = date(2025, 6, 2)
TICKETS = pa.schema(
    [
        ("ticket_key", pa.string()), ("source", pa.string()), ("ticket_id", pa.string()), ("subject", pa.string()),
        ("body", pa.string()), ("created_on", pa.date32()), ("is_solved", pa.bool_()), ("reopen_count", pa.int64()),
    ]
)  # fmt: skip


@pytest.fixture(params=["duckdb", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A desk with four questions in sixteen days, and a knowledge base that answers one of them."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    settings = Settings(var=tmp_path, warehouse=url, mask_key="k")
    rows, messages, _ = tickets()
    asked = [
        {
            "ticket_key": f"desk:{row['ticket_id']}", "source": "desk", "ticket_id": row["ticket_id"],
            "subject": "咨询个问题", "body": row["text"], "created_on": MONDAY - timedelta(days=number % 16),
            "is_solved": True, "reopen_count": int(row["reopen_count"]),
        }
        for number, row in enumerate(rows)
    ]  # fmt: skip
    said = [
        {
            "message_id": str(number), "ticket_id": row["ticket_id"], "author_role": row["author_kind"],
            "body": row["text"], "sent_at": datetime(2025, 6, 1) + timedelta(seconds=number),  # noqa: DTZ001
        }
        for number, row in enumerate(messages)
    ]  # fmt: skip
    base = [
        {"article_id": "KB-1", "title": "如何找回或重置登录密码", "url": "https://kb/1"},
        {"article_id": "KB-2", "title": "空调怎么连接WiFi", "is_published": False},
    ]
    with open_warehouse(settings) as warehouse:
        _put(warehouse, "mart", "fct_tickets", TICKETS, asked)
        _put(warehouse, "raw", "messages", ENTITIES["messages"].arrow_schema, said)
        _put(warehouse, "raw", "articles", ENTITIES["articles"].arrow_schema, base)
    return settings


@pytest.fixture(scope="module", autouse=True)
def _one_embedder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each weekly run reads the vectors' model anew; here it is read once."""
    embed = question_embedder(Settings(var=tmp_path_factory.mktemp("vectors")), [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nlp.knowledge.weekly.question_embedder", lambda settings, texts: embed)
        yield


def _put(warehouse: Any, schema: str, table: str, columns: pa.Schema, rows: list[dict[str, Any]]) -> None:
    load = {"_source": "desk", "_loaded_at": datetime(2025, 6, 1), "_batch_id": "b", "_row_hash": "h"}  # noqa: DTZ001
    filled = [{name: row.get(name, load.get(name)) for name in columns.names} for row in rows]
    warehouse.create_table(schema, table, columns, ())
    warehouse.append(schema, table, pa.Table.from_pylist(filled, columns))


def _week(settings: Settings, as_of_on: date) -> dict[str, dict[str, Any]]:
    """A weekly run; the active gaps by a word of their question."""
    folder = settings.var_dir / "handover" / "knowledge"
    export_questions(settings, as_of_on, folder)
    renew_gaps(settings, folder, as_of_on, mask_text)
    load_gaps(settings, folder)
    with open_warehouse(settings) as warehouse:
        rows = warehouse.rows("select * from nlp.knowledge_gaps where is_active")
    words = {"发票": "发票", "滤芯": "滤芯", "密码": "密码", "WiFi": "联网", "WIFI": "联网", "wifi": "联网"}
    return {next(words[word] for word in words if word in row["question"]): row for row in rows}


def test_the_warehouse_holds_what_the_weekly_run_writes() -> None:
    assert NLP_TABLES["knowledge_gaps"][0] == GAP_SCHEMA
    assert NLP_TABLES["knowledge_questions"][0] == QUESTION_SCHEMA


def test_gaps_are_found_weekly_keep_their_numbers_and_lose_the_words_of_who_is_forgotten(store: Settings) -> None:
    assert gaps_are_due(store, MONDAY)
    first = _week(store, MONDAY)
    assert set(first) == {"发票", "滤芯", "密码", "联网"}
    for subject, gap in first.items():
        assert gap["answer"] in ANSWERS[subject] and gap["answer_voice_id"].startswith("ticket:desk:T")
        # Found only among published entries.
        assert (gap["article_id"], gap["article_source"]) == (("KB-1", "desk") if subject == "密码" else (None, None))
    assert not gaps_are_due(store, MONDAY + timedelta(days=6))
    assert gaps_are_due(store, MONDAY + timedelta(days=7))

    with open_warehouse(store) as warehouse:
        asking = warehouse.rows("select * from nlp.knowledge_questions order by voice_id")
        number = first["滤芯"]["gap_id"]
        own = [row["voice_id"] for row in asking if row["gap_id"] == number]
        # A week later the filters aren't asked about any more, and the invoices twice as often in other words.
        gone = ", ".join(f"'{voice.removeprefix('ticket:')}'" for voice in own[3:])
        warehouse.execute(f"delete from mart.fct_tickets where ticket_key in ({gone})")
        more = [
            {"ticket_key": f"desk:N{n}", "source": "desk", "ticket_id": f"N{n}", "body": text, "is_solved": False,
             "created_on": MONDAY + timedelta(days=n % 6), "reopen_count": 0}
            for n, text in enumerate(["电子发票怎么开呀", "请问怎么申请电子发票"] * 15)
        ]  # fmt: skip
        rows = [{name: row.get(name) for name in TICKETS.names} for row in more]
        warehouse.append("mart", "fct_tickets", pa.Table.from_pylist(rows, TICKETS))
    second = _week(store, MONDAY + timedelta(days=7))
    assert {subject: gap["gap_id"] for subject, gap in second.items()} == {
        subject: gap["gap_id"] for subject, gap in first.items() if subject != "滤芯"
    }
    assert {gap["first_seen_on"] for gap in second.values()} == {MONDAY}
    with open_warehouse(store) as warehouse:
        idle = warehouse.rows(f"select * from nlp.knowledge_gaps where gap_id = {number}")[0]
    assert (idle["is_active"], idle["question"], idle["draft"]) == (False, None, None)

    # Who is forgotten takes the words of the gap along; the next run finds others.
    voice = second["密码"]["answer_voice_id"]
    assert forget_voices(store, [voice]) == 1
    with open_warehouse(store) as warehouse:
        left = warehouse.rows("select * from nlp.knowledge_gaps where is_active and question is null")
        assert [row["gap_id"] for row in left] == [first["密码"]["gap_id"]]
        assert not any(left[0][name] for name in ("variants", "answer", "answer_voice_id", "draft"))
        assert not warehouse.rows(f"select 1 from nlp.knowledge_questions where voice_id = '{voice}'")
        warehouse.execute(f"delete from mart.fct_tickets where 'ticket:' || ticket_key = '{voice}'")
    assert gaps_are_due(store, MONDAY + timedelta(days=8))
    third = _week(store, MONDAY + timedelta(days=8))
    assert third["密码"]["gap_id"] == first["密码"]["gap_id"]
    assert third["密码"]["answer"] and third["密码"]["answer_voice_id"] != voice

    # Nobody asks any more within twelve weeks: the numbers are never given to other questions.
    assert _week(store, MONDAY + timedelta(days=WINDOW_DAYS + 30)) == {}
    with open_warehouse(store) as warehouse:
        assert warehouse.rows("select count(*) as n from nlp.knowledge_questions") == [{"n": 0}]
        assert warehouse.rows("select count(*) as n from nlp.knowledge_gaps where not is_active") == [{"n": 4}]
