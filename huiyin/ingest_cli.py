"""``huiyin quarantine`` and ``huiyin drift``: what the sources delivered wrongly or otherwise than before."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from huiyin.config import load_settings
from huiyin.local_time import local_minute

if TYPE_CHECKING:  # every command of `huiyin` imports this module; those that need no warehouse shouldn't wait
    from ingest.quarantine import StillBad

quarantine_app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
drift_app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()

_SHORT_ID = 10

Entity = Annotated[str | None, typer.Option(help="Only rows of this entity, e.g. tickets.")]
Source = Annotated[str | None, typer.Option(help="Only what this source delivered.")]
Rule = Annotated[str | None, typer.Option(help="Only rows that break this rule: required, type, range, columns …")]
FieldName = Annotated[str | None, typer.Option("--field", help="Only rows whose fault is in this field.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")]
RowId = Annotated[str, typer.Argument(help="Id of the row; its first characters will do.")]


@quarantine_app.command("list")
def list_(
    entity: Entity = None,
    source: Source = None,
    rule: Rule = None,
    field: FieldName = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows to show, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """How many rows wait and why, and the newest of them. Values are masked."""
    from ingest.quarantine import Selection, list_rows, shown_key, summary

    settings = load_settings()
    chosen = Selection(entity, source, rule, field)
    reasons, rows = summary(settings, chosen), list_rows(settings, chosen, limit)
    if as_json:
        _print_json({"reasons": reasons, "rows": [_with_payload(row) for row in rows]})
        return
    if not reasons:
        console.print("Nothing waits in quarantine.")
        return
    # Line by line: columns would tear ids and remedies apart.
    console.print(f"[bold]{sum(row['waiting'] for row in reasons):,} rows wait[/]")
    for reason in reasons:
        about = f"{reason['source']} · {reason['entity']}: {_fault(reason)}"
        console.print(f"  {reason['waiting']:,} × [bold]{escape(about)}[/] [dim]since {_shown(reason['since_at'])}[/]")
        console.print(f"    → {escape(reason['remedy'])}", highlight=False)
    console.print(f"[bold]The newest {len(rows):,}[/]")
    for row in rows:
        value = "" if row["value"] is None else f" {row['value']}"
        fixed = f"; put right: {', '.join(row['fixed_fields'])}" if row["fixed_fields"] else ""
        what = f"{row['source']} · {row['entity']} {shown_key(row)}".rstrip() + f": {_fault(row)}{value}{fixed}"
        console.print(f"  [bold]{row['quarantine_id'][:_SHORT_ID]}[/] {escape(what)}", highlight=False)
        console.print(f"    [dim]{escape(_place(row))}[/]", highlight=False)
    console.print("`huiyin quarantine show ID`, then `fix ID field=value …`, then `replay`.", style="dim")


@quarantine_app.command("show")
def show_(quarantine_id: RowId, as_json: AsJson = False) -> None:
    """One row with everything that is kept of it: fault, remedy, where it came from, its masked fields, its fixes."""
    from ingest.quarantine import payload_fields, show, shown_key

    row = show(load_settings(), quarantine_id)
    if as_json:
        _print_json(row)
        return
    facts = {
        "id": row["quarantine_id"], "source": row["source"], "entity": row["entity"], "key": shown_key(row),
        "rule": row["rule"], "field": row["field"], "value": row["value"], "remedy": row["remedy"],
        "from": _place(row), "batch": row["batch_id"], "since": row["quarantined_at"],
    }  # fmt: skip
    grid = Table(show_header=False, box=None)
    for name, value in facts.items():
        grid.add_row(f"[bold]{name}[/]", escape(_shown(value)))
    console.print(grid)
    fixes = row["fixes"]
    fields = [
        {"field": name, "delivered": value, "put right": fixes.get(name, "")}
        for name, value in payload_fields(row["payload"] | {name: "" for name in fixes if name not in row["payload"]})
    ]
    _print_table("Fields (masked)", fields)
    if row["fix_log"]:
        _print_table("Put right by", row["fix_log"])


@quarantine_app.command("fix")
def fix_(
    quarantine_id: RowId,
    corrections: Annotated[list[str], typer.Argument(help="field=value …; `field=` empties it.", metavar="F=V …")],
    by: Annotated[str, typer.Option(help="Who puts it right.", default_factory=getpass.getuser)],
    load: Annotated[bool, typer.Option("--replay", help="Load it at once where nothing else is wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put fields of a row right. Values are masked and checked at once; who did it, when, is kept."""
    from ingest.quarantine import Selection, fix, replay

    values = {}
    for correction in corrections:
        name, equals, value = correction.partition("=")
        if not equals:
            raise typer.BadParameter(f"{correction}: write field=value")
        values[name.strip()] = value
    settings = load_settings()
    still = fix(settings, quarantine_id, values, by)
    report = replay(settings, selection=Selection(ids=[quarantine_id])) if load and still is None else None
    if as_json:
        _print_json({"still": still and vars(still), "replayed": report.replayed if report else 0})
    elif still is not None:
        console.print(f"[yellow]![/] put right, but {_told(still)}")
    elif report is not None:
        console.print(f"[green]✓[/] put right and loaded (batch {report.batch_id})")
    else:
        console.print("[green]✓[/] put right; `huiyin quarantine replay` loads it")


@quarantine_app.command("replay")
def replay_(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of rows; none: all that the options name.")] = None,
    entity: Entity = None,
    source: Source = None,
    rule: Rule = None,
    field: FieldName = None,
    as_json: AsJson = False,
) -> None:
    """Load the rows that meet the contract now; the others stay. A batch of its own in raw.load_audit.

    Ends with exit code 1 if rows were chosen and none could be loaded.
    """
    from ingest.quarantine import Selection, replay

    report = replay(load_settings(), selection=Selection(entity, source, rule, field, ids or None))
    if as_json:
        _print_json(vars(report) | {"still_bad": [vars(row) for row in report.still_bad]})
    else:
        console.print(f"{report.replayed:,} rows are loaded (batch {report.batch_id})")
        for row in report.still_bad[:20]:
            console.print(f"[yellow]![/] {row.quarantine_id[:_SHORT_ID]} {_told(row)}")
        if len(report.still_bad) > 20:
            console.print(f"  … and {len(report.still_bad) - 20:,} more")
        if report.unreadable:
            console.print(f"{report.unreadable:,} were no readable rows: only a corrected delivery brings them back")
    if not report.replayed and (report.still_bad or report.unreadable):
        raise typer.Exit(1)


@drift_app.command("list")
def drift_list(
    source: Source = None,
    every: Annotated[bool, typer.Option("--all", help="Also what has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """New, missing and retyped columns and values that nobody registered, with what was done and what to do."""
    from ingest.drift_log import list_drift

    rows = list_drift(load_settings(), source, every)
    if as_json:
        _print_json(rows)
    elif not rows:
        console.print("The sources deliver what they always did.")
    else:
        for row in rows:
            ended = f", ended {_shown(row['ended_at'])}" if row["ended_at"] else ""
            console.print(
                f"[bold]{escape(row['source'])} · {row['entity']}[/]: {escape(row['detail'])}"
                f" [dim]({row['kind']}, {row['row_count']:,} rows in the last load that saw it,"
                f" since {_shown(row['first_seen_at'])}{ended})[/]"
            )
            console.print(f"  {escape(row['action'])} → {escape(row['remedy'])}")


@drift_app.command("accept")
def accept_drift(
    source: Annotated[str, typer.Argument(help="The source.")],
    column: Annotated[str | None, typer.Option(help="Only this new column; default: all new ones.")] = None,
) -> None:
    """Take new columns for known: they are left out from now on and no longer keep `drift: freeze` from loading."""
    from ingest.drift_log import accept

    accepted = accept(load_settings(), source, column)
    console.print(f"accepted: {escape(', '.join(accepted))}")


def _told(row: StillBad) -> str:
    return escape(f"{row.entity}: {row.rule}{f' of {row.field}' if row.field else ''}: {row.remedy}")


def _fault(row: Mapping[str, Any]) -> str:
    return f"{row['rule']} of {row['field']}" if row["field"] else str(row["rule"])


def _place(row: Mapping[str, Any]) -> str:
    number = f", row {row['row_number']:,}" if row["row_number"] is not None else ""
    return f"{row['origin']}{number}"


def _with_payload(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(row) | {"payload": json.loads(row["payload"])}


def _print_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in rows[0] if rows else ():
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(escape(_shown(value)) for value in row.values()))
    console.print(table)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return local_minute(value, load_settings().timezone)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _print_json(value: object) -> None:
    def plain(item: object) -> str:
        return item.isoformat() if isinstance(item, datetime | date) else str(item)

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=plain))
