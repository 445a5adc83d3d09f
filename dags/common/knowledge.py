"""What agents explain by hand again and again: out of the warehouse, found, and back in, once a week of data."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from airflow.sdk import get_current_context, task

from dags.common.interval import as_of_on
from dags.common.policy import SETTINGS, WRITER_POOL


def knowledge_tasks() -> list[Any]:
    """The three tasks, in their order."""
    asked: Any = questions()
    found: Any = find_gaps(asked)
    return [asked, found, load_gaps(found)]


@task(pool=WRITER_POOL)
def questions() -> str:
    """Write twelve weeks of tickets and answers where the knowledge gaps are a week old; the folder, else empty."""
    from warehouse.knowledge import export_questions, gaps_are_due

    day = as_of_on(get_current_context(), SETTINGS)
    if not gaps_are_due(SETTINGS, day):
        return ""
    folder = SETTINGS.handover_dir / "knowledge"
    export_questions(SETTINGS, day, folder)
    return str(folder)


@task
def find_gaps(folder: str) -> str:
    """What agents explain again and again, the best answer there is, and whether the knowledge base has it."""
    from ingest.personal import mask_text
    from nlp.knowledge.weekly import renew_gaps

    if folder:
        renew_gaps(SETTINGS, Path(folder), as_of_on(get_current_context(), SETTINGS), mask_text)
    return folder


@task(pool=WRITER_POOL)
def load_gaps(folder: str) -> dict[str, int]:
    """Put the gaps in the place of last week's, then remove the hand-over."""
    from warehouse.knowledge import load_gaps as load

    if not folder:
        return {}
    counts = load(SETTINGS, Path(folder))
    shutil.rmtree(folder)
    return counts
