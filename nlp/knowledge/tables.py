"""The tables that knowledge gaps are found in: what customers asked, what agents answered, what is written down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from huiyin.errors import HuiyinError

_TICKET = ("ticket_key", "ticket_id", "工单号", "工单编号", "case_id", "id")
_ANSWER = ("answer", "reply", "agent_text", "回复", "答复", "客服回复")
_AUTHOR = ("author_kind", "author_type", "sender", "author", "role", "发送方")
_SECONDS = ("agent_seconds", "handle_seconds", "handling_seconds", "work_seconds")
_MINUTES = ("agent_minutes", "handle_minutes", "handling_minutes", "处理时长", "处理分钟")
_SOLVED = ("is_solved", "solved", "is_resolved", "是否解决", "已解决")
_REOPENED = ("is_reopened", "reopened", "reopen_count", "重开次数", "是否重开")
_TITLE, _BODY, _URL = (
    ("title", "标题", "question", "问题"),
    ("body", "content", "正文", "内容", "answer"),
    ("url", "链接"),
)
_NOT_AGENTS = frozenset({"customer", "user", "requester", "bot", "system", "客户", "用户", "机器人", "系统"})
_NO = frozenset({"", "0", "0.0", "false", "f", "no", "n", "否", "未解决", "nan", "none"})


class KnowledgeDataError(HuiyinError, ValueError):
    """A table can't be used; the message names the column that is missing."""


@dataclass(frozen=True)
class Case:
    """One ticket or message: what the customer wrote, what agents answered, and whether that held.

    ``seconds``: time agents spent on it, None where it isn't known. ``held``: solved and not reopened.
    """

    key: str
    text: str
    answers: tuple[str, ...]
    seconds: float | None
    held: bool


@dataclass(frozen=True)
class Article:
    """An entry of the knowledge base; ``key``: what it is known by there, empty where that isn't told."""

    title: str
    body: str
    url: str
    key: str = ""


def read_cases(frame: pd.DataFrame, text: str = "text", answers: pd.DataFrame | None = None) -> list[Case]:
    """One case a ticket (a row where there is no column of tickets); columns are recognised by their names.

    ``answers``: messages with the ticket's number and ``text``, in their order; those of customers, bots and systems
    (column author_kind, sender …) don't count. Without a column that says so, tickets count as solved and not reopened.
    Raises :class:`KnowledgeDataError`.
    """
    _need(frame, text, "questions")
    ticket = _first(frame, _TICKET)
    by_ticket: dict[str, list[str]] = defaultdict(list)
    if answers is not None:
        answer_ticket = _first(answers, _TICKET)
        if not ticket or not answer_ticket:
            raise KnowledgeDataError(f"answers need the ticket's number in both files: one of {', '.join(_TICKET)}")
        answer_text = _first(answers, ("text", *_ANSWER, *_BODY))
        _need(answers, answer_text or "text", "answers")
        author = _first(answers, _AUTHOR)
        said_by = answers[author] if author else [""] * len(answers)
        for key, said, who in zip(answers[answer_ticket], answers[answer_text], said_by, strict=True):
            if str(who).strip().lower() not in _NOT_AGENTS and str(said).strip():
                by_ticket[str(key)].append(str(said))
    columns = {
        name: _first(frame, names) for name, names in (("answer", _ANSWER), ("solved", _SOLVED), ("re", _REOPENED))
    }
    seconds, factor = (found, 1.0) if (found := _first(frame, _SECONDS)) else (_first(frame, _MINUTES), 60.0)
    cases: dict[str, Case] = {}
    for number, row in enumerate(frame.to_dict("records")):
        key = str(row[ticket]) if ticket else str(number)
        own = [str(row[columns["answer"]])] if columns["answer"] and str(row[columns["answer"]]).strip() else []
        held = not (columns["solved"] and _is_no(row[columns["solved"]])) and not (
            columns["re"] and not _is_no(row[columns["re"]])
        )
        spent = _number(row[seconds]) if seconds else None
        case = Case(
            key, str(row[text]), tuple(own or by_ticket.get(key, ())), None if spent is None else spent * factor, held
        )
        before = cases.get(key)
        # Several messages of one ticket: one case with all the customer wrote; the facts of the ticket are the same.
        cases[key] = case if before is None else Case(
            key, f"{before.text}\n{case.text}", (*before.answers, *own), before.seconds, before.held and held
        )  # fmt: skip
    return list(cases.values())


def read_articles(frame: pd.DataFrame) -> list[Article]:
    """The entries of a knowledge base with title, body, url (the last two may be absent). Raises the same error."""
    title = _first(frame, _TITLE)
    if not title:
        raise KnowledgeDataError(
            f"the knowledge base has no column title; it has: {', '.join(map(str, frame.columns))}"
        )
    body, url = _first(frame, _BODY), _first(frame, _URL)
    return [
        Article(str(row[title]), str(row[body]) if body else "", str(row[url]) if url else "")
        for row in frame.to_dict("records")
        if str(row[title]).strip()
    ]


def _first(frame: pd.DataFrame, names: Iterable[str]) -> str:
    return next((name for name in names if name in frame.columns), "")


def _need(frame: pd.DataFrame, column: str, what: str) -> None:
    if column not in frame.columns:
        raise KnowledgeDataError(
            f"the table of {what} has no column {column}; it has: {', '.join(map(str, frame.columns))}"
        )


def _is_no(value: object) -> bool:
    return str(value).strip().lower() in _NO


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if number == number and number >= 0 else None
