"""`huiyin forget` and `huiyin retention`: what people may ask of us, and what the law asks anyway."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from huiyin.config import load_settings

console = Console()


def forget(
    customer: Annotated[
        str,
        typer.Argument(help="Number, phone, e-mail, account or handle as a system knows it; - reads standard input."),
    ],
    reason: Annotated[str, typer.Option(help="Why, for the receipt: request number, date, legal ground.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Take a person out of every store, for good; totals of closed periods stay. Prints a receipt.

    Pass the customer by standard input (`huiyin forget -`) to keep it out of the shell's history.
    """
    from huiyin.erasure import forget as forget_person

    who = input().strip() if customer == "-" else customer
    # dbt writes the command that it was called by into its artifacts.
    sys.argv[1:] = ["forget", "-"]
    if not yes and not typer.confirm("This can't be undone. Go on?"):
        raise typer.Abort
    receipt = forget_person(load_settings(), who, reason, console.print)
    table = Table(title=f"Receipt {receipt.erasure_id}", title_justify="left", show_header=False)
    table.add_row("when (UTC)", receipt.erased_at)
    table.add_row("reason", escape(receipt.reason))
    for name, number in receipt.rows.items():
        table.add_row(f"rows of {name}", f"{number:,}")
    table.add_row("voices without text now", f"{receipt.voices:,}")
    table.add_row("verbatims on cards", f"{receipt.verbatims:,}")
    table.add_row("reports written again", ", ".join(receipt.reports) or "none quoted the person")
    table.add_row("topics are relearnt", receipt.topics_are_relearnt)
    for place in receipt.not_reached:
        table.add_row("[yellow]not reached[/]", place)
    console.print(table)


def retention(
    trial: Annotated[bool, typer.Option("--trial", help="Only say what would go.")] = False,
) -> None:
    """Empty texts, and drop rejected rows, that are kept longer than `retention` in the sources file says."""
    from huiyin.erasure import end_of_retention

    done = end_of_retention(load_settings(), trial)
    if not done:
        console.print("nothing is kept by days: the sources file has no `retention`, or nothing is that old")
    for name, number in sorted(done.items()):
        console.print(f"{name}: {number:,} row(s) {'would lose' if trial else 'lost'} their text")
