"""The weekly run: Parquet of tickets, answers, articles and last week's gaps in, Parquet of gaps out.

What a gap costs and how it changes isn't here: the mart counts it by the tickets that ask, with its handling times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from nlp.handover import write_results
from nlp.knowledge.gaps import Gap, find_gaps
from nlp.knowledge.identity import permanent_ids
from nlp.knowledge.tables import Article, Case
from nlp.knowledge.vectors import question_embedder

SMALLEST = 5
"""Tickets of the window that ask it: fewer are no gap."""
GAP_SCHEMA = pa.schema(
    [
        pa.field("gap_id", pa.int64(), nullable=False),
        pa.field("question", pa.string()),
        pa.field("variants", pa.string()),
        pa.field("answer", pa.string()),
        pa.field("answer_voice_id", pa.string()),
        pa.field("held_count", pa.int64()),
        pa.field("support_count", pa.int64()),
        pa.field("article_source", pa.string()),
        pa.field("article_id", pa.string()),
        pa.field("article_title", pa.string()),
        pa.field("article_url", pa.string()),
        pa.field("article_likeness", pa.float64()),
        pa.field("draft", pa.string()),
        pa.field("first_seen_on", pa.date32(), nullable=False),
        pa.field("is_active", pa.bool_(), nullable=False),
        pa.field("computed_on", pa.date32(), nullable=False),
    ]
)
"""One row a gap for ever; one that is asked no more keeps its number and no text. See :class:`nlp.knowledge.Gap`."""
QUESTION_SCHEMA = pa.schema(
    [
        pa.field("voice_id", pa.string(), nullable=False),
        pa.field("gap_id", pa.int64(), nullable=False),
    ]
)
"""Which ticket asks what. All that a gap quotes stands in its tickets."""
INPUTS = ("cases", "answers", "articles", "known_gaps", "known_questions")


class KnowledgeFileError(HuiyinError):
    """A file of the hand-over can't be used; the message names it."""


def renew_gaps(settings: Settings, folder: Path, as_of_on: date, mask: Callable[[str], str]) -> int:
    """Read :data:`INPUTS` (``<name>.parquet``) of ``folder``, write ``gaps.parquet`` and ``questions.parquet`` there.

    ``mask`` hides personal data in what is quoted. Returns how many gaps there are now. Each file appears when
    complete. Raises :class:`KnowledgeFileError`.
    """
    rows = {name: _read(folder / f"{name}.parquet") for name in INPUTS}
    answers: dict[str, list[str]] = defaultdict(list)
    for row in rows["answers"]:
        answers[row["voice_id"]].append(row["text"])
    cases = [
        Case(
            row["voice_id"],
            row["text"] or "",
            tuple(answers[row["voice_id"]]),
            None,
            bool(row["is_solved"]) and not row["reopen_count"],
        )
        for row in rows["cases"]
    ]
    base = {f"{row['source']}:{row['article_id']}": row for row in rows["articles"] if row["title"]}
    articles = [Article(row["title"], row["body"] or "", row["url"] or "", key) for key, row in base.items()]
    texts = [case.text for case in cases] + [article.title for article in articles]
    found = find_gaps(cases, question_embedder(settings, texts), mask, base=articles, smallest=SMALLEST)

    groups: list[set[str]] = [set() for _ in found.gaps]
    for case, group in zip(cases, found.gap_of_case.tolist(), strict=True):
        if group >= 0:
            groups[group].add(case.key)
    asked = {case.key for case in cases}
    known = {row["voice_id"]: row["gap_id"] for row in rows["known_questions"]}
    first_seen = {row["gap_id"]: row["first_seen_on"] for row in rows["known_gaps"]}
    ids = permanent_ids(groups, known, asked, max(first_seen, default=0))

    gaps = [
        _row(gap, number, base, first_seen.get(number, as_of_on), as_of_on)
        for gap, number in zip(found.gaps, ids, strict=True)
    ]
    gaps += [
        {"gap_id": number, "first_seen_on": day, "is_active": False, "computed_on": as_of_on}
        for number, day in first_seen.items()
        if number not in set(ids)
    ]
    # Who asked what isn't asked any more still tells the gap when it comes back.
    members = {voice: gap for voice, gap in known.items() if voice in asked and gap not in set(ids)}
    for group, number in zip(groups, ids, strict=True):
        members |= dict.fromkeys(group, number)
    write_results(_table(gaps, GAP_SCHEMA), folder / "gaps.parquet")
    write_results(
        _table([{"voice_id": voice, "gap_id": gap} for voice, gap in sorted(members.items())], QUESTION_SCHEMA),
        folder / "questions.parquet",
    )
    return len(found.gaps)


def _row(gap: Gap, number: int, base: dict[str, dict[str, Any]], first_seen_on: date, as_of_on: date) -> dict[str, Any]:
    article = base[gap.article.key] if gap.article else {}
    return {
        "gap_id": number,
        "question": gap.question,
        "variants": "\n".join(gap.variants) or None,
        "answer": gap.answer or None,
        "answer_voice_id": gap.answer_key or None,
        "held_count": gap.held,
        "support_count": gap.support,
        "article_source": article.get("source"),
        "article_id": article.get("article_id"),
        "article_title": article.get("title"),
        "article_url": article.get("url"),
        "article_likeness": gap.likeness if base else None,
        "draft": gap.draft,
        "first_seen_on": first_seen_on,
        "is_active": True,
        "computed_on": as_of_on,
    }


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise KnowledgeFileError(
            f"hand-over file {file} can't be read: {error}; run the task that writes it"
        ) from error
    return rows
