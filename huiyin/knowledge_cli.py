"""``huiyin knowledge``: what agents explain by hand again and again, and what the knowledge base lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from huiyin.config import load_settings
from huiyin.nlp_cli import CsvFile, read_csv

console = Console()
app = typer.Typer(no_args_is_help=True, help="What the knowledge base lacks 知识缺口.")
_SHOWN = 10


@app.callback()
def _group() -> None:
    """Keeps the name of the command though there is only one."""


@app.command()
def gaps(
    file: CsvFile,
    out: Annotated[Path, typer.Option(help="Where the gaps go (CSV, UTF-8).", dir_okay=False)],
    column: Annotated[str, typer.Option(help="Column of what customers wrote.", metavar="NAME")] = "text",
    answers: Annotated[
        Path | None,
        typer.Option(help="CSV of agents' messages: ticket_id, text, maybe author_kind.", exists=True, dir_okay=False),
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="CSV of the knowledge base: title, body, url.", exists=True, dir_okay=False)
    ] = None,
    smallest: Annotated[int, typer.Option(min=2, help="A gap is asked in at least so many tickets.")] = 5,
    every_text: Annotated[
        bool, typer.Option("--every-text", help="Take each text for a question; else those that ask how.")
    ] = False,
) -> None:
    """How-to questions that agents answer again and again, with the best answer there is and a draft entry.

    Columns are recognised by name: ticket_id, answer, agent_seconds or agent_minutes, is_solved, reopen_count. The
    share is of agents' time where it is known, else of answers, else of tickets. Quoted text is masked.
    """
    from ingest.personal import mask_text
    from nlp.knowledge import find_gaps, read_articles, read_cases
    from nlp.knowledge.vectors import question_embedder

    settings = load_settings()
    cases = read_cases(read_csv(file, [column]), column, read_csv(answers, []) if answers else None)
    articles = read_articles(read_csv(base, [])) if base else []
    embed = question_embedder(settings, [case.text for case in cases] + [article.title for article in articles])
    found = find_gaps(cases, embed, mask_text, base=articles, smallest=smallest, every_text=every_text)
    out.parent.mkdir(parents=True, exist_ok=True)
    found.table().to_csv(out, index=False)
    for gap in found.gaps[:_SHOWN]:
        console.print(f"· {gap.agent_share:.1%} {escape(gap.question)}({gap.cases} 次,{gap.state})", soft_wrap=True)
    console.print(
        f"[green]✓[/] {len(found.gaps)} gaps in {found.questions:,} questions of {len(cases):,} cases,"
        f" {sum(gap.agent_share for gap in found.gaps):.1%} of all {found.share_of}: {out}",
        soft_wrap=True,
    )
