"""Write the report of a day: page and workbook, each complete or not there at all."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import date
from pathlib import Path
from tempfile import NamedTemporaryFile

from huiyin.config import Settings
from improvement.report import models_page
from improvement.report.captions import captions_of
from improvement.report.copies import read_copies
from improvement.report.evidence import read_evidence
from improvement.report.excel import workbook_bytes
from improvement.report.mart import read_mart
from improvement.report.numbers import Numbers
from improvement.report.page import render_page
from improvement.report.periods import Periods
from improvement.report.sections.context import Context
from warehouse.connection import open_published

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}\.html")


def write_report(settings: Settings, as_of_on: date) -> Path:
    """Write ``<as_of_on>.html`` and ``.xlsx`` into ``settings.reports_dir`` and return the page's path.

    ``latest.html`` becomes the same page unless a report of a later day is there. Files are replaced by rename, so
    that a reader never sees half of one; writing the same day again replaces it. Raises
    ``warehouse.connection.WarehouseError`` where no mart is published and
    ``improvement.ops.database.OpsDatabaseError`` where the ops database can't be opened.
    """
    periods = Periods(as_of_on)
    with open_published(settings) as mart:
        rows = read_mart(mart, periods)
        evidence = read_evidence(settings, [row["card_id"] for row in rows.cards])
        quoted = [verbatim.voice_id for found in evidence.values() for verbatim in found.verbatims]
        copies = read_copies(mart, periods, quoted)
    text = captions_of(settings.locale)
    context = Context(periods, rows, evidence, text, Numbers(text), copies)

    folder = settings.reports_dir
    folder.mkdir(parents=True, exist_ok=True)
    page_file = folder / f"{as_of_on}.html"
    workbook_file = page_file.with_suffix(".xlsx")
    page = render_page(context, workbook=workbook_file.name, zone=settings.timezone).encode()
    # What a page links to first: it never links to what isn't there.
    _replace(folder / models_page.FILE, models_page.render_models(settings).encode())
    _replace(workbook_file, workbook_bytes(context))
    _replace(page_file, page)
    if max(file.name for file in folder.iterdir() if _DATED.fullmatch(file.name)) == page_file.name:
        _replace(folder / "latest.html", page)
    return page_file


def _replace(file: Path, content: bytes) -> None:
    """Write beside the file, then rename over it."""
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as draft:
        try:
            draft.write(content)
            draft.flush()
            os.fsync(draft.fileno())
            Path(draft.name).chmod(0o644)
            Path(draft.name).replace(file)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(draft.name).unlink()
            raise
