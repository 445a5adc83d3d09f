"""``huiyin mask`` and ``huiyin mask-key``: mask a file, look after the key of the pseudonyms."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from huiyin.config import load_settings
from huiyin.errors import HuiyinError

console = Console()
app = typer.Typer(no_args_is_help=True, help="Look after the key of the pseudonyms 脱敏密钥.")

_LARGEST_CELL = 16 * 1024 * 1024


class MaskFileError(HuiyinError):
    """The file can't be masked; the message says why."""


@app.command()
def rotate() -> None:
    """Supersede the key: every pseudonym that is stored is rewritten, joins stay. Stop everything else before.

    A generated key is added to var/mask.key (back that up afterwards); a key in HUIYIN_MASK_KEY stands there as
    "old new" before. Then run `huiyin run`, which makes the marts anew.
    """
    from ingest.rotation import rotate as rotate_key

    report = rotate_key(load_settings())
    console.print(
        f"[green]✓[/] {report.keys} keys now; {report.values:,} different values in {report.columns} columns and"
        f" {report.inbox_events:,} waiting events rewritten. Now run `huiyin run`, and back up the key.",
        soft_wrap=True,
    )


def mask(
    file: Annotated[Path, typer.Argument(help="CSV file, UTF-8 or GB18030.", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option(help="Where the masked CSV goes (UTF-8).", dir_okay=False)],
    column: Annotated[
        list[str] | None, typer.Option(help="Column of free text; may be given several times.", metavar="NAME")
    ] = None,
    identifier: Annotated[
        list[str] | None, typer.Option(help="Column of customers' numbers, phones, addresses …", metavar="NAME")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="Column of persons' names.", metavar="NAME")] = None,
) -> None:
    """Mask columns of a CSV file: texts get placeholders such as \\[手机号1], identifiers and names pseudonyms."""
    from ingest.masking import load_masker
    from ingest.personal import mask_text

    masker = load_masker(load_settings())
    how: dict[str, Callable[[str], str]] = dict.fromkeys(column or [], mask_text)
    how |= dict.fromkeys(identifier or [], masker.pseudonym) | dict.fromkeys(name or [], masker.name)
    if not how:
        raise typer.BadParameter("name at least one --column, --identifier or --name")
    if out.resolve() == file.resolve():
        raise typer.BadParameter("--out must be another file than the one that is read")
    rows, changed = _mask_file(file, out, how)
    console.print(f"[green]✓[/] {rows:,} rows, {changed:,} cells masked: {out}", soft_wrap=True)


def _mask_file(file: Path, out: Path, how: dict[str, Callable[[str], str]]) -> tuple[int, int]:
    """Mask row by row, so that the size doesn't matter; returns how many rows there were and cells changed."""
    csv.field_size_limit(_LARGEST_CELL)
    rows = changed = 0
    try:
        with file.open(encoding=_encoding(file), newline="") as source:
            reader = csv.reader(source)
            header = next(reader, None)
            if header is None:
                raise MaskFileError(f"{file} is empty")
            if missing := [name for name in how if name not in header]:
                raise MaskFileError(f"{file} has no column {', '.join(missing)}; it has: {', '.join(header)}")
            places = {index: how[name] for index, name in enumerate(header) if name in how}
            with out.open("w", encoding="utf-8", newline="") as target:
                writer = csv.writer(target)
                writer.writerow(header)
                for row in reader:
                    for index, function in places.items():
                        if index < len(row) and row[index]:
                            masked = function(row[index])
                            changed += masked != row[index]
                            row[index] = masked
                    writer.writerow(row)
                    rows += 1
    except (UnicodeDecodeError, csv.Error) as error:
        # The error may quote what stands there.
        raise MaskFileError(f"{file} can't be read after row {rows}: it is no CSV in UTF-8 or GB18030") from error
    return rows, changed


def _encoding(file: Path) -> str:
    with file.open("rb") as stream:
        try:
            for line in stream:
                line.decode("utf-8-sig")
        except UnicodeDecodeError:
            return "gb18030"
    return "utf-8-sig"
