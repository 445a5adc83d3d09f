"""Texts that many paste count as one voice, noise as none: how many, which, and where from."""

from __future__ import annotations

from improvement.report.mart import Row
from improvement.report.sections.context import Context, View


def copies(context: Context) -> View:
    """The sentence above, the texts most often copied, and what each source's texts were, of the last 28 days."""
    sources = [row for row in context.copies.sources if row["noise"] or row["copies"]]
    folded = sum(row["copies"] for row in sources)
    noise = sum(row["noise"] for row in sources)
    return {
        "told": context.say("copies_told", copies=context.numbers.count(folded), noise=context.numbers.count(noise))
        if sources
        else "",
        "top": [_text(context, row) for row in context.copies.top],
        "sources": [_source(context, row) for row in sources],
    }


def _text(context: Context, row: Row) -> View:
    return {
        "voice_id": row["voice_id"],
        "text": row["text"],
        "times": context.say("copy_times", count=row["texts"]),
        "accounts": context.numbers.count(row["account_count"]),
        "first_on": context.numbers.day(row["first_on"]),
        "is_campaign": bool(row["is_campaign"]),
    }


def _source(context: Context, row: Row) -> View:
    numbers = context.numbers
    return {
        "source": row["source"],
        "texts": numbers.count(row["texts"]),
        "voices": numbers.count(row["voices"]),
        "copies": numbers.count(row["copies"]),
        "noise": numbers.count(row["noise"]),
        "noise_share": numbers.share(row["noise"] / row["texts"]),
        "kinds": "、".join(
            f"{context.text[f'noise.{kind}']} {numbers.count(row[kind])}"
            for kind in ("advertising", "empty", "machine")
            if row[kind]
        ),
    }
