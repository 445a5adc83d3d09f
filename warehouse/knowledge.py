"""Tickets, answers and articles out for what the knowledge base lacks, and the gaps back in."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from huiyin.config import Settings
from warehouse.connection import Warehouse, open_warehouse
from warehouse.handover import create_nlp_tables, replace_results

WINDOW_DAYS = 84
"""Twelve weeks: what is asked now and then gets a number, and two spans of four weeks are compared in it."""
RENEWED_AFTER_DAYS = 7
TABLES = {"knowledge_gaps": "gaps", "knowledge_questions": "questions"}
"""Table → name of the file that holds its rows."""

# The text before the subject: a subject says 怎么用, the text what. Reportable tickets only.
_CASES = """
    select
        'ticket:' || ticket_key as voice_id,
        concat_ws(chr(10), body, case when subject <> body or body is null then subject end) as text,
        is_solved,
        reopen_count
    from mart.fct_tickets
    where created_on > {from_on} and created_on <= {to_on} and coalesce(subject, body) is not null
    order by ticket_key
"""
_ANSWERS = """
    select
        'ticket:' || tickets.ticket_key as voice_id,
        messages.body as text
    from raw.messages as messages
    inner join mart.fct_tickets as tickets
        on messages._source = tickets.source and messages.ticket_id = tickets.ticket_id
    where tickets.created_on > {from_on} and tickets.created_on <= {to_on}
        and messages.author_role = 'agent' and coalesce(messages.is_public, true)
        and messages.body is not null and messages._deleted_at is null
    order by tickets.ticket_key, messages.sent_at, messages.message_id
"""
_ARTICLES = """
    select _source as source, article_id, title, body, url
    from raw.articles
    where _deleted_at is null and coalesce(is_published, true)
    order by _source, article_id
"""
_KNOWN_GAPS = "select gap_id, first_seen_on from nlp.knowledge_gaps order by gap_id"
_KNOWN_QUESTIONS = "select voice_id, gap_id from nlp.knowledge_questions order by voice_id"


def gaps_are_due(settings: Settings, as_of_on: date) -> bool:
    """Whether there are none, they are a week old at ``as_of_on``, or one lost its words to somebody who was forgotten.

    Those of a later day stay.
    """
    with open_warehouse(settings) as warehouse:
        create_nlp_tables(warehouse)
        state = warehouse.rows(
            "select max(computed_on) as newest, count(*) filter (where is_active and question is null) as wordless"
            " from nlp.knowledge_gaps"
        )[0]
    newest = state["newest"]
    return newest is None or newest + timedelta(days=RENEWED_AFTER_DAYS) <= as_of_on or bool(state["wordless"])


def export_questions(settings: Settings, as_of_on: date, folder: Path) -> int:
    """Write what :func:`nlp.knowledge.weekly.renew_gaps` reads, of twelve weeks up to ``as_of_on``; how many tickets.

    Texts are masked, as everything behind the loading is.
    """
    days = {"from_on": f"date '{as_of_on - timedelta(days=WINDOW_DAYS)}'", "to_on": f"date '{as_of_on}'"}
    folder.mkdir(parents=True, exist_ok=True)
    with open_warehouse(settings) as warehouse:
        create_nlp_tables(warehouse)
        count = _write(warehouse, _CASES.format(**days), folder / "cases.parquet")
        _write(warehouse, _ANSWERS.format(**days), folder / "answers.parquet")
        _write(warehouse, _ARTICLES, folder / "articles.parquet")
        _write(warehouse, _KNOWN_GAPS, folder / "known_gaps.parquet")
        _write(warehouse, _KNOWN_QUESTIONS, folder / "known_questions.parquet")
    return count


def load_gaps(settings: Settings, folder: Path) -> dict[str, int]:
    """Put the new gaps and who asks them in the place of the old ones, both at once; how many rows each has.

    Raises :class:`warehouse.handover.HandoverError`.
    """
    return replace_results(settings, {name: folder / f"{file}.parquet" for name, file in TABLES.items()})


def _write(warehouse: Warehouse, query: str, file: Path) -> int:
    rows = warehouse.query(query)
    pq.write_table(rows, file)
    return int(rows.num_rows)
