"""``huiyin metrics``: any indicator by any dimension and period, from the published mart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from huiyin.config import load_settings

app = typer.Typer(no_args_is_help=True)
console = Console()


@app.command("list")
def list_all() -> None:
    """Metrics, and what they can be grouped by. Periods: metric_time__day, __week, __month, __quarter, __year."""
    from warehouse.metrics import list_metrics

    metrics = list_metrics(load_settings())
    for group_by in sorted({metric.group_by for metric in metrics}):
        table = Table(title=escape(" ".join(group_by)), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for title in ("metric", "指标"):
            table.add_column(title, overflow="fold")
        for metric in metrics:
            if metric.group_by == group_by:
                table.add_row(metric.name, escape(metric.label))
        console.print(table)


@app.command()
def query(
    metrics: Annotated[
        list[str], typer.Argument(metavar="METRIC…", help="Names of metrics, see `huiyin metrics list`.")
    ],
    by: Annotated[list[str] | None, typer.Option(help="Dimension or period; may be repeated.", metavar="NAME")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Condition, such as \"{{ Dimension('ticket__team') }} = '售后组'\"; may be repeated."),
    ] = None,
    order: Annotated[
        list[str] | None, typer.Option(help="Metric or dimension to sort by; -NAME: the greatest first.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write a CSV (UTF-8) instead.", dir_okay=False)] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead, for a BI tool.")] = False,
) -> None:
    """Query metrics by dimensions and periods."""
    from warehouse.metrics import metrics_sql, query_metrics

    settings = load_settings()
    asked = (settings, metrics, by or [], where or [], order or by or [], limit)
    if sql:
        typer.echo(metrics_sql(*asked))
        return
    found = query_metrics(*asked)
    if out is not None:
        # With a byte order mark, by which Excel knows that it is UTF-8.
        found.to_pandas().to_csv(out, index=False, encoding="utf-8-sig")
        console.print(f"{found.num_rows:,} rows: {escape(str(out))}", soft_wrap=True)
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in found.column_names:
        table.add_column(name, overflow="fold")
    for row in found.to_pylist():
        table.add_row(*(escape(_shown(value)) for value in row.values()))
    console.print(table)


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.4g}" if isinstance(value, float) else str(value).removesuffix(" 00:00:00")
