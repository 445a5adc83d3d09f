"""``huiyin demand``: forecast arrivals of any CSV file, and agents required by Erlang C."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from huiyin.config import load_settings
from huiyin.nlp_cli import CsvFile, read_csv

if TYPE_CHECKING:
    from demand.arrivals import Arrivals
    from demand.effects import Calendar

console = Console()
app = typer.Typer(no_args_is_help=True, help="Arrivals to come and the people they take 来量与人力.")


@app.command()
def forecast(
    file: CsvFile,
    out: Annotated[Path, typer.Option(help="Where the forecast goes (CSV, UTF-8).", dir_okay=False)],
    column: Annotated[str, typer.Option(help="Column of the local instants, one row a request.")] = "created_at",
    channel: Annotated[str, typer.Option(help="Column to forecast apart; empty: all together.", metavar="NAME")] = "",
    from_on: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day to forecast; default: after the last one."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=92, help="Days ahead.")] = 28,
    campaigns: Annotated[
        Path | None,
        typer.Option(help="CSV of campaigns; default: campaigns.csv of the rules.", exists=True, dir_okay=False),
    ] = None,
    holidays: Annotated[bool, typer.Option(help="Chinese holidays and make-up workdays (调休).")] = True,
) -> None:
    """Arrivals of the next days by hour, with low and high for 8 of 10 hours, and how good such forecasts were.

    Rows: made_on, date_day, hour_of_day, channel, expected_count, low_count, high_count, method. The method is chosen
    by forecasts from the last weeks, whose errors are shown beside those of repeating the last week.
    """
    import pandas as pd

    from demand.arrivals import count_instants, read_arrivals
    from demand.files import forecast_frame

    frame = read_csv(file, [column, *([channel] if channel else [])])
    rows = count_instants(frame[column], frame[channel] if channel else None)
    arrivals = read_arrivals(rows, from_on.date() if from_on else None)
    plans = campaigns or load_settings().rules_dir / "campaigns.csv"
    calendar = _calendar(arrivals, days, pd.read_csv(plans), holidays)
    table, method = forecast_frame(arrivals, calendar, horizon=days)
    out.parent.mkdir(parents=True, exist_ok=True)
    table.drop(columns="is_backtest").to_csv(out, index=False)
    _show_accuracy(arrivals, calendar, method)
    total = table["expected_count"].sum()
    console.print(
        f"[green]✓[/] {total:,.0f} arrivals expected in the {days} days from {arrivals.next_on} by {method}, after"
        f" {arrivals.daily.sum():,.0f} in {len(arrivals)} days: {out}",
        soft_wrap=True,
    )


@app.command()
def agents(
    arrivals: Annotated[float, typer.Option(min=0, help="Arrivals in an hour.")],
    handling: Annotated[float, typer.Option(min=1, help="Handling time of one, in seconds.")],
    level: Annotated[float, typer.Option(min=0.01, max=0.999, help="Share to answer in time.")] = 0.8,
    within: Annotated[float, typer.Option(min=0, help="In how many seconds.")] = 20,
    occupancy: Annotated[float, typer.Option(min=0.1, max=1, help="How busy an agent may be.")] = 0.85,
    shrinkage: Annotated[float, typer.Option(min=0, max=0.9, help="Share of paid time away from the desk.")] = 0.3,
    concurrency: Annotated[int, typer.Option(min=1, help="Chats one agent holds at once; calls: 1.")] = 1,
) -> None:
    """Agents required by Erlang C, and what two fewer or more would mean."""
    from demand.erlang import agents_to_roster, positions_required, queue

    needed = positions_required(arrivals, handling, level, within, occupancy)
    desks = math.ceil(needed.positions / concurrency)
    table = Table("at desks 座席", "answered in time 服务水平", "mean wait 平均等待", "busy 占用率", "")
    for number in range(max(desks - 2, 1), desks + 3):
        found = queue(number * concurrency, arrivals, handling, within)
        wait = "grows without end" if math.isinf(found.mean_wait_seconds) else f"{found.mean_wait_seconds:.1f} s"
        mark = "required" if number == desks else ""
        table.add_row(str(number), f"{found.service_level:.1%}", wait, f"{found.occupancy:.1%}", mark)
    console.print(table)
    roster = math.ceil(agents_to_roster(desks, shrinkage) - 1e-9)
    console.print(
        f"load {needed.load_erlangs:.2f} erlangs; [bold]{desks}[/] at their desks, [bold]{roster}[/] on the roster with"
        f" {shrinkage:.0%} shrinkage",
        soft_wrap=True,
    )


def _calendar(arrivals: Arrivals, days: int, campaigns: object, holidays: bool) -> Calendar:
    import pandas as pd

    from demand.effects import read_calendar
    from ingest.calendar import calendar_days

    last = arrivals.next_on + timedelta(days=days)
    kinds = calendar_days(arrivals.first_on.year, last.year).to_pandas() if holidays else pd.DataFrame()
    assert isinstance(campaigns, pd.DataFrame)
    return read_calendar(kinds, campaigns)


def _show_accuracy(arrivals: Arrivals, calendar: Calendar, method: str) -> None:
    from demand.backtest import accuracy, origins, run_trials
    from demand.model import forecast as forecast_plan
    from demand.model import seasonal_naive

    made_on: list[date] = origins(arrivals, 8)
    if not made_on:
        console.print("the history is too short to tell how good the forecast is: 9 weeks are needed", soft_wrap=True)
        return
    trials = run_trials(
        arrivals,
        made_on,
        lambda known: {"forecast": forecast_plan(known, calendar, method), "last week again": seasonal_naive(known)},
    )
    table = Table("week ahead 第几周", "method 方法", "MAPE of days", "WAPE of days", "WAPE of hours", "bias 偏差")
    for row in accuracy(trials).sort_values(["week", "method"]).to_dict("records"):
        shares = [f"{row[name]:.1%}" for name in ("daily_mape", "daily_wape", "hourly_wape", "bias")]
        table.add_row(str(row["week"]), str(row["method"]), *shares)
    console.print(f"errors of {len(made_on)} earlier forecasts, each by what was known then:")
    console.print(table)
