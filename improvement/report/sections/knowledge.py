"""What agents explain by hand again and again, and whether the knowledge base has it."""

from __future__ import annotations

from improvement.report.mart import Row
from improvement.report.sections.context import Context, View

_SHOWN = 10


def knowledge(context: Context) -> View:
    """The gaps that cost agents most time, each with its best answer and the draft of an entry."""
    rows = context.rows.knowledge_gaps
    computed_on = max((row["computed_on"] for row in rows), default=None)
    return {
        "rows": [_gap(context, row) for row in rows[:_SHOWN]],
        "span": context.say(
            "knowledge_span",
            day=context.numbers.day(computed_on),
            gaps=context.numbers.count(len(rows)),
            hours=context.numbers.number(sum(row["agent_minutes"] for row in rows) / 60),
            share=context.numbers.share(sum(row["agent_time_share"] or 0 for row in rows)),
        )
        if rows
        else "",
    }


def _gap(context: Context, row: Row) -> View:
    numbers, before = context.numbers, row["previous_ticket_count"]
    return {
        "gap_id": row["gap_id"],
        "question": row["question"],
        "state": row["state"],
        "state_name": context.name("gap_state", row["state"]),
        "first_seen": context.say("knowledge_since", day=numbers.day(row["first_seen_on"])),
        "tickets": numbers.count(row["ticket_count"]),
        "change": numbers.change("ticket_count", row["ticket_count"], before) if before else "—",
        "hours": numbers.number(row["agent_minutes"] / 60),
        "share": numbers.share(row["agent_time_share"]),
        "answer": row["answer"] or "",
        "answer_voice_id": f"ticket:{row['answer_ticket_key']}" if row["answer"] else "",
        "answer_from": context.say(
            "knowledge_answer_from",
            ticket=row["answer_ticket_key"],
            support=numbers.count(row["support_count"]),
            held=numbers.count(row["held_count"]),
        )
        if row["answer"]
        else "",
        "article": row["article_title"] or "",
        "article_url": _readable(row["article_url"]),
        "article_id": row["article_id"] or "",
        "draft": row["draft"] or "",
        "title": f"mart.agg_knowledge_gaps · {row['gap_id']} · n = {row['ticket_count']} / {before}",
    }


def _readable(url: str | None) -> str:
    """The link if a browser may follow it: nothing but the web."""
    return url if url and url.startswith(("https://", "http://")) else ""
