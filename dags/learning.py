"""End what is kept too long, then learn: sentiment from the company's own ratings, topics from all texts.

Texts older than the `retention` of the sources file are emptied first, so that no model learns from them. Sentiment is
promoted only if it is better on later ratings than the current model. Topics are refitted and matched to the registry,
so that ids stay. Afterwards `feedback_mining` judges and assigns anew. Retired topics keep their id and name.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from airflow.sdk import CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.common.assets import SENTIMENT_MODEL, TOPIC_MODEL
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


@task(pool=WRITER_POOL)
def ratings() -> str:
    """Write rated texts and the latest texts as Parquet; the folder."""
    from warehouse.ratings import export_latest_texts, export_ratings

    folder = SETTINGS.handover_dir / "learning_sentiment"
    export_ratings(SETTINGS, folder / "ratings.parquet")
    export_latest_texts(SETTINGS, folder / "latest.parquet")
    return str(folder)


@task(outlets=[SENTIMENT_MODEL])
def learn_sentiment(chunks: list[str], folder: str) -> str:
    """Learn from the ratings, promote if better."""
    from nlp.scoring import text_embedder
    from nlp.sentiment.learning import learn_from_ratings

    outcome = learn_from_ratings(
        SETTINGS, [Path(chunk) for chunk in chunks], Path(folder) / "ratings.parquet", text_embedder(SETTINGS)
    )
    if not outcome.promoted:
        raise AirflowSkipException(str(outcome))
    return str(outcome)


@task(pool=WRITER_POOL)
def watch_models(folder: str) -> dict[str, list[str]]:
    """Compare each of the latest weeks with those before: texts, scores, topics; alert the operator to a drift."""
    from ingest.model_alerts import settle_models
    from nlp.watching import watch_weeks
    from warehouse.handover import load_watch

    watched = Path(folder) / "watched.parquet"
    watch_weeks(SETTINGS, Path(folder) / "latest.parquet", watched)
    load_watch(SETTINGS, watched)
    settled = settle_models(SETTINGS)
    return {"opened": list(settled.opened), "closed": list(settled.closed)}


@task(outlets=[TOPIC_MODEL])
def refit_topics(chunks: list[str]) -> str:
    """Fit, match to the registry, and make the new model the current one."""
    from nlp.topics import refit

    if not chunks:
        raise AirflowSkipException("there are no texts yet")
    return str(refit(SETTINGS, [Path(chunk) for chunk in chunks]))


@task
def remove_hand_over() -> None:
    """Remove the texts that were handed over: a teardown, so whatever became of the learning."""
    for name in ("learning", "learning_sentiment"):
        shutil.rmtree(SETTINGS.handover_dir / name, ignore_errors=True)


with pipeline_dag(
    "learning",
    schedule=CronTriggerTimetable("0 4 * * 0", timezone=SETTINGS.timezone),
    doc=__doc__,
    tags=["nlp", "weekly"],
) as dag:
    texts: Any = all_texts()
    rated: Any = ratings()
    end_retention() >> [texts, rated]
    [learn_sentiment(texts, rated), refit_topics(texts), watch_models(rated)] >> remove_hand_over().as_teardown()
    end_with(judge_tasks(), dag)
