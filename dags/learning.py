"""End what is kept too long, then refit the topics on all texts and match them to the registry, so that ids stay.

Texts older than the `retention` of the sources file are emptied first, so that no model learns from them. Afterwards
`feedback_mining` assigns the texts anew. Retired topics keep their id and name.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from airflow.sdk import CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.common.assets import TOPIC_MODEL
from dags.common.operator import end_with, judge_tasks
from dags.common.policy import SETTINGS, WRITER_POOL, pipeline_dag


@task(pool=WRITER_POOL)
def end_retention() -> dict[str, int]:
    """Finish erasures that were killed; empty the texts whose retention period is over; how many rows, by table."""
    from huiyin.erasure import end_of_retention, finish_erasures

    finish_erasures(SETTINGS)
    return end_of_retention(SETTINGS)


@task(pool=WRITER_POOL)
def all_texts() -> list[str]:
    """Write all texts as Parquet chunks; their paths."""
    from warehouse.handover import export_texts

    return [str(file) for file in export_texts(SETTINGS, SETTINGS.handover_dir / "learning")]


@task(outlets=[TOPIC_MODEL])
def refit_topics(chunks: list[str]) -> str:
    """Fit, match to the registry, and make the new model the current one."""
    from nlp.topics import refit

    if not chunks:
        raise AirflowSkipException("there are no texts yet")
    outcome = refit(SETTINGS, [Path(chunk) for chunk in chunks])
    shutil.rmtree(Path(chunks[0]).parent)
    return str(outcome)


with pipeline_dag(
    "learning",
    schedule=CronTriggerTimetable("0 4 * * 0", timezone=SETTINGS.timezone),
    doc=__doc__,
    tags=["nlp", "weekly"],
) as dag:
    texts: Any = all_texts()
    end_retention() >> texts
    refit_topics(texts)
    end_with(judge_tasks(), dag)
