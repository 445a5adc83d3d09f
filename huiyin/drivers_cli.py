"""``huiyin drivers``, ``segments`` and ``risk``: what moves an outcome, who the customers are, who may leave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from huiyin.nlp_cli import CsvFile, read_csv

if TYPE_CHECKING:
    import pandas as pd

console = Console()
_SHOWN = 10

OutFile = Annotated[Path, typer.Option(help="Where the result goes (CSV, UTF-8).", dir_okay=False)]


def drivers(
    file: CsvFile,
    out: OutFile,
    target: Annotated[str, typer.Option(help="csat, nps, repeat, churn, or the column of another outcome.")] = "csat",
    goal: Annotated[
        list[str] | None,
        typer.Option(help="What a wait could be brought to, in its unit: first_response_minutes=30.", metavar="NAME=N"),
    ] = None,
    scale: Annotated[str, typer.Option(help="Range of another rating, such as 1:10.", metavar="LOW:HIGH")] = "",
    topic: Annotated[list[str] | None, typer.Option(help="Subject column.", metavar="NAME")] = None,
    flag: Annotated[list[str] | None, typer.Option(help="0/1 column.", metavar="NAME")] = None,
    wait: Annotated[list[str] | None, typer.Option(help="Column of a duration.", metavar="NAME")] = None,
    count: Annotated[list[str] | None, typer.Option(help="Column such as hand-overs.", metavar="NAME")] = None,
    mix: Annotated[list[str] | None, typer.Option(help="Column held constant.", metavar="NAME")] = None,
) -> None:
    """What moves an outcome, each with its 95 % interval, the gain if it were mended, and where patience ends.

    One row a ticket; rows without an answer may stay. Columns are recognised by the names of mart.fct_tickets
    (topic_label, …_seconds, transfer_count, channel, customer_tier, team, created_at, customer_ref) and aspect_…;
    what an option names replaces what was recognised for that role.
    """
    from dataclasses import replace

    from nlp.drivers import analyse, guess_roles
    from nlp.drivers.roles import read_outcome

    frame = read_csv(file, [])
    limits = _limits(scale)
    guessed = guess_roles(frame, read_outcome(frame, target, limits).column)
    roles = replace(
        guessed,
        topics=tuple(topic or guessed.topics),
        flags=tuple(flag or guessed.flags),
        waits=tuple(wait or guessed.waits),
        counts=tuple(count or guessed.counts),
        mix=tuple(mix or guessed.mix),
    )
    table = analyse(frame, target, roles, _goals(goal or []), scale=limits)
    _write(table, out)
    for said in table["sentence"].head(_SHOWN):
        console.print(f"· {escape(said)}", soft_wrap=True)
    console.print(f"[green]✓[/] {len(table)} drivers of {target} from {len(frame):,} rows: {out}", soft_wrap=True)


def segments(
    file: CsvFile,
    out: OutFile,
    seed: Annotated[int, typer.Option(help="The same seed gives the same segments.")] = 20250101,
) -> None:
    """Segments of customers by behaviour and need, with Chinese names; one row a customer.

    One row a ticket or voice: customer_ref and created_at or occurred_at; what else there is (topic_label, csat_score,
    is_repeat_contact, sentiment_label, emotions, customer_tier, annual_revenue …) is used.
    """
    from nlp.segments import segment_customers

    table = segment_customers(read_csv(file, []), seed)
    _write(table.reset_index(), out)
    for name, count in table["segment"].value_counts().items():
        console.print(f"· {escape(str(name))}: {count:,}", soft_wrap=True)
    console.print(f"[green]✓[/] {len(table):,} customers: {out}", soft_wrap=True)


def risk(
    file: CsvFile,
    out: OutFile,
    window_days: Annotated[int, typer.Option(min=1, help="Customers who wrote in the last days of the file.")] = 90,
) -> None:
    """Customers at risk of leaving, the most urgent first, with reasons in Chinese.

    With a column churned_on (the day a customer left, empty while a customer) or churned (1, 0, empty: not known yet)
    the risk is a calibrated probability, else a score that only orders. Other columns as for `huiyin segments`.
    """
    from nlp.segments import customers_at_risk

    report = customers_at_risk(read_csv(file, []), window_days)
    _write(report.customers.reset_index(), out)
    console.print(escape(report.note_zh), soft_wrap=True)
    if (judged := report.reliability) is not None:
        how = (
            f"probability; on customers of whom nothing was learnt: area under the curve {judged.auc:.2f}"
            f" ({judged.auc_low:.2f}–{judged.auc_high:.2f}), calibration error {judged.calibration_error:.3f}"
        )
        for row in judged.groups.itertuples():
            console.print(f"  {row.said:6.1%} said, {row.was:6.1%} left, {row.customers:,} customers")
    else:
        how = "score that only orders: churn isn't known of enough customers"
    console.print(f"[green]✓[/] {len(report.customers):,} customers, {how}: {out}", soft_wrap=True)


def _goals(options: list[str]) -> dict[str, float]:
    goals = {}
    for option in options:
        name, _, value = option.rpartition("=")
        try:
            goals[name] = float(value)
        except ValueError as error:
            raise typer.BadParameter(f"--goal {option}: write it as first_response_minutes=30") from error
    return goals


def _limits(scale: str) -> tuple[float, float] | None:
    if not scale:
        return None
    try:
        low, high = map(float, scale.split(":"))
    except ValueError as error:
        raise typer.BadParameter(f"--scale {scale}: write it as 1:10") from error
    return low, high


def _write(table: pd.DataFrame, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out, index=False, float_format="%.6g")
