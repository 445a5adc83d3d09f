"""The command ``huiyin``: run the loop, look at it, work with what it found."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from huiyin.bi_cli import app as bi_app
from huiyin.config import Settings, load_settings
from huiyin.demand_cli import app as demand_app
from huiyin.drivers_cli import drivers, risk, segments
from huiyin.erasure_cli import forget, retention
from huiyin.errors import HuiyinError
from huiyin.identity_cli import app as identity_app
from huiyin.inbox_cli import inbox
from huiyin.ingest_cli import drift_app, quarantine_app
from huiyin.interval import Interval
from huiyin.knowledge_cli import app as knowledge_app
from huiyin.mask_cli import app as mask_key_app
from huiyin.mask_cli import mask
from huiyin.metrics_cli import app as metrics_app
from huiyin.nlp_cli import app as nlp_app
from huiyin.nlp_cli import evaluate
from huiyin.sources_cli import app as sources_app
from huiyin.topics_cli import app as topics_app
from improvement.cli import app as cards_app

console = Console()
app = typer.Typer(
    name="huiyin",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help=(
        "回音 Huiyin turns what customers tell a company into service that measurably improves.\n\n"
        "[bold]Start:[/] `huiyin demo` makes a demo company and runs the whole loop; `huiyin run --sources FILE` runs"
        " it on your own data (see docs/sources.md); `huiyin up` schedules it in Airflow.\n\n"
        "Settings come from huiyin.toml and HUIYIN_* variables; `huiyin doctor` tells what is wrong with them."
    ),
)
app.add_typer(sources_app, name="sources", help="Connect a system: suggest how to map a file or a table.")
app.add_typer(quarantine_app, name="quarantine", help="Rows that broke the contract: list, show, fix, replay.")
app.add_typer(drift_app, name="drift", help="How the sources' columns and values changed: list, accept.")
app.add_typer(identity_app, name="identity", help="Who is who among customers: list, show, review, link, separate.")
app.add_typer(cards_app, name="cards", help="Work with the improvement backlog 改进卡片.")
app.add_typer(bi_app, name="bi", help="What BI tools need: an example dashboard 看板示例.")
app.add_typer(metrics_app, name="metrics", help="Any indicator by any dimension and period 指标查询.")
app.add_typer(
    topics_app, name="topics", help="Topics 主题: of any CSV file (fit, assign); your own (list, rename, merge, split)."
)
app.add_typer(demand_app, name="demand", help="Arrivals to come and the people they take 来量与人力.")
app.add_typer(nlp_app, name="nlp", help="The language part on any CSV file 文本理解.")
app.add_typer(knowledge_app, name="knowledge", help="What the knowledge base lacks 知识缺口.")
app.add_typer(mask_key_app, name="mask-key", help="Look after the key of the pseudonyms 脱敏密钥.")


@app.callback()
def common(
    var: Annotated[
        Path | None, typer.Option(help="Folder of everything made at run time (HUIYIN_VAR).", metavar="DIR")
    ] = None,
    sources: Annotated[
        Path | None, typer.Option(help="Sources file (HUIYIN_SOURCES).", metavar="FILE", exists=True, dir_okay=False)
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="Folder of business rules (HUIYIN_RULES).", metavar="DIR", exists=True, file_okay=False),
    ] = None,
) -> None:
    """Options that hold for every command; they become the environment, so that Airflow's processes see them too."""
    for key, value in (("HUIYIN_VAR", var), ("HUIYIN_SOURCES", sources), ("HUIYIN_RULES", rules)):
        if value is not None:
            os.environ[key] = str(value.resolve())


@app.command()
def demo(
    scale: Annotated[float, typer.Option(min=0.02, max=3.0, help="Size of the company; 1.0: 42,000 tickets.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same company.")] = 20250101,
) -> None:
    """Make the demo company 和风家电 (once) and run the whole loop over its year 2025."""
    from huiyin.demo import COMPANY_TO_ON, ensure_company

    os.environ.pop("HUIYIN_SOURCES", None)
    settings = load_settings()
    settings = load_settings(sources=settings.demo_dir / "sources.yml")
    os.environ["HUIYIN_SOURCES"] = str(settings.sources_file)
    with _progress() as progress:
        task = progress.add_task("demo company", total=1.0)
        made = ensure_company(
            settings.demo_dir, scale, seed, lambda done, what: progress.update(task, completed=done, description=what)
        )
        progress.update(task, completed=1.0, description=f"demo company: {made}")
    _run(settings, Interval(None, COMPANY_TO_ON))


@app.command()
def run(
    sources: Annotated[
        Path | None,
        typer.Option(help="Sources file; default: sources.yml, else the demo's.", exists=True, dir_okay=False),
    ] = None,
    from_on: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First local day to load.")
    ] = None,
    to_on: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Day after the last; also the day the backlog is judged at."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(help="Folder of CSV business rules.", exists=True, file_okay=False)
    ] = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Build all of the mart anew, not only what changed.")
    ] = False,
) -> None:
    """Run the loop once: ingest, gate, mart, mining, improvement. Running it again changes nothing.

    Without --from and --to everything not loaded yet is loaded. Ends with exit code 1 if any source failed; what
    the others delivered is published all the same.
    """
    common(sources=sources, rules=rules)
    settings = load_settings()
    try:
        interval = Interval(from_on.date() if from_on else None, to_on.date() if to_on else None)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if full_refresh:
        from warehouse.builds import forget_build
        from warehouse.connection import open_warehouse

        with open_warehouse(settings) as warehouse:
            forget_build(warehouse)
    _run(settings, interval)


def _run(settings: Settings, interval: Interval) -> None:
    from huiyin.runner import run_pipeline

    with _progress() as progress:
        report = run_pipeline(settings, interval, progress)
    for failure in report.failures:
        console.print(f"[red]✗ {escape(failure.task)}[/]: {escape(failure.message)}")
    where = Table.grid(padding=(0, 2))
    for what, place in report.places():
        where.add_row(what, f"[cyan]{escape(str(place))}[/]")
    console.print(where, soft_wrap=True)
    if report.failures:
        raise typer.Exit(1)


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1024, max=65535)] = 8080,
) -> None:
    """Serve Airflow on loopback with the DAGs scheduled and the latest report inside its UI; Ctrl-C stops all."""
    from huiyin.up import up as serve

    serve(load_settings(), port)


@app.command()
def status() -> None:
    """What was loaded, published and found, and what needs a hand."""
    from huiyin.status import tables

    for table in tables(load_settings()):
        console.print(table)


@app.command()
def report(
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last day to report on; default: the last day of data."),
    ] = None,
) -> None:
    """Write the committee's report (HTML and Excel) from the published mart and print its path."""
    from improvement.loop import last_day_of_data
    from improvement.report import write_report

    settings = load_settings()
    day = as_of.date() if as_of else last_day_of_data(settings)
    console.print(str(write_report(settings, day)), soft_wrap=True)


@app.command()
def docs() -> None:
    """Explain the mart as one page (models, columns, tests, lineage) that opens offline, and print its path."""
    from warehouse.docs_site import write_docs

    console.print(str(write_docs(load_settings())), soft_wrap=True)


@app.command()
def doctor() -> None:
    """Check versions, folders, databases, rules and sources; say what to do. Exit code 1 if a run can't work."""
    from huiyin.doctor import examine

    findings = list(examine(load_settings()))
    marks = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "error": "[red]✗[/]"}
    table = Table(box=None, show_header=False)
    for finding in findings:
        remedy = f"\n[bold]→ {escape(finding.remedy)}[/]" if finding.remedy else ""
        table.add_row(marks[finding.level], finding.check, escape(finding.detail) + remedy)
    console.print(table)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


app.command()(mask)
app.command()(drivers)
app.command()(segments)
app.command()(risk)
app.command()(evaluate)
app.command()(forget)
app.command()(inbox)
app.command()(retention)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        console=console,
    )


def main() -> None:
    """Entry point: errors meant for people are printed as such, defects keep their traceback."""
    try:
        app()
    except Exception as error:
        # Messages may quote a value; reading the rules of masking takes a moment, so only now.
        from ingest.unsaid import masked_error

        masked = masked_error(error)
        if not isinstance(masked, HuiyinError):
            raise masked from masked.__cause__
        Console(stderr=True).print(f"[red]✗[/] {escape(str(masked))}", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
