"""``huiyin bi``: what BI tools need besides the published mart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from huiyin.config import load_settings

app = typer.Typer(no_args_is_help=True)
console = Console()


@app.callback()
def _group() -> None:
    """Keeps ``superset`` a command of its own."""


@app.command()
def superset(
    out: Annotated[Path, typer.Argument(metavar="BUNDLE.zip", help="Where the bundle goes.", dir_okay=False)],
    database_url: Annotated[
        str,
        typer.Option(
            help="By what Superset reaches the mart, without a password; default: the published DuckDB file.",
            metavar="URL",
        ),
    ] = "",
) -> None:
    """Write the example dashboard as a bundle that Apache Superset 6.1 imports (docs/bi.md)."""
    from warehouse.superset import write_bundle

    files = write_bundle(load_settings(), out, database_url)
    console.print(f"{len(files)} files: {escape(str(out))}", soft_wrap=True)
