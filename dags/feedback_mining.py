"""Score what customers wrote: sentiment, opinions and topics of every text that is new, changed, or of an older model.

The texts leave the warehouse as Parquet chunks; the scoring tasks are mapped over the chunks, need no warehouse and may
run on several workers; their results come back by merge. Then texts that say the same are grouped: a pasted text is one
voice. The first run fits the topic model. With no new texts the run only builds and publishes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.sdk import AssetAny, TriggerRule, chain, get_current_context, task

from dags.common.assets import MART, MEANING, SENTIMENT_MODEL, TOPIC_MODEL
from dags.common.build import build_and_publish
from dags.common.operator import end_with, judge_tasks
from dags.common.policy import SETTINGS, WRITER_POOL, pipeline_dag
from huiyin.config import Settings


@task(pool=WRITER_POOL)
def hand_over() -> list[str]:
    """Write the texts to score as Parquet chunks; their paths."""
    from nlp.opinions import opinion_version
    from nlp.scoring import sentiment_version
    from nlp.topics import current_version
    from warehouse.handover import ModelVersions, export_unscored

    versions = ModelVersions(sentiment_version(SETTINGS), current_version(SETTINGS), opinion_version(SETTINGS))
    files = export_unscored(SETTINGS, versions, _folder("texts"))
    return [str(file) for file in files]


@task
def score(chunk: str) -> None:
    """Sentiment, aspects and feelings of one chunk, and its embeddings into the cache."""
    from nlp.opinions import opinions_chunk
    from nlp.scoring import score_chunk

    _result(score_chunk, chunk, "sentiment")
    _result(opinions_chunk, chunk, "opinions")


@task(trigger_rule=TriggerRule.NONE_FAILED)
def topic_model(chunks: list[str]) -> None:
    """Fit the topic model where there is none yet."""
    from nlp.topics import ensure_model

    if chunks:
        ensure_model(SETTINGS, [Path(chunk) for chunk in chunks])


@task
def assign(chunk: str) -> None:
    """Topics of one chunk."""
    from nlp.topics import assign_chunk

    _result(assign_chunk, chunk, "topics")


def _folder(kind: str) -> Path:
    """Where this run keeps what is on its way."""
    run_id = re.sub(r"[^0-9A-Za-z-]+", "_", get_current_context()["run_id"])
    return SETTINGS.handover_dir / f"{run_id}-{kind}"


def _result(work: Callable[[Settings, Path, Path], object], chunk: str, kind: str) -> None:
    in_file = Path(chunk)
    out_file = in_file.parent / kind / in_file.name
    out_file.parent.mkdir(exist_ok=True)
    work(SETTINGS, in_file, out_file)


@task(pool=WRITER_POOL, trigger_rule=TriggerRule.NONE_FAILED)
def load_results(chunks: list[str]) -> list[str]:
    """Merge the results of all chunks into the warehouse, then remove the hand-over."""
    from ingest.model_alerts import settle_models
    from nlp.topics import write_topics
    from nlp.watching import watch_run
    from warehouse.handover import load_assignments, load_opinions, load_scores, load_topics, load_watch

    if not chunks:
        return []
    folder = Path(chunks[0]).parent
    names = [Path(chunk).name for chunk in chunks]
    registry = folder / "registry.parquet"
    write_topics(SETTINGS, registry)
    counts = [
        load_scores(SETTINGS, [folder / "sentiment" / name for name in names]),
        load_assignments(SETTINGS, [folder / "topics" / name for name in names]),
        load_topics(SETTINGS, registry),
        load_opinions(SETTINGS, [folder / "opinions" / name for name in names]),
    ]
    scored, assigned = ([folder / kind / name for name in names] for kind in ("sentiment", "topics"))
    watched = folder / "watched.parquet"
    watch_run(SETTINGS, folder.name, [Path(chunk) for chunk in chunks], scored, assigned, watched)
    load_watch(SETTINGS, watched)
    settle_models(SETTINGS)
    shutil.rmtree(folder)
    return [str(count) for count in counts]


@task(pool=WRITER_POOL, trigger_rule=TriggerRule.NONE_FAILED)
def group_copies() -> list[str]:
    """Group what says the same, of all texts that weren't looked at yet, the oldest first; what each load changed."""
    from nlp.copies import copy_version, fold_copies
    from warehouse.handover import export_unfolded, load_copies

    folder = _folder("copies")
    version, days = copy_version(SETTINGS), SETTINGS.nlp.copy_days
    counts = []
    while export_unfolded(SETTINGS, version, days, folder / "unfolded.parquet"):
        fold_copies(SETTINGS, folder / "unfolded.parquet", folder / "copies.parquet")
        counts.append(str(load_copies(SETTINGS, folder / "copies.parquet")))
    shutil.rmtree(folder, ignore_errors=True)
    return counts


with pipeline_dag(
    "feedback_mining", schedule=AssetAny(MART, SENTIMENT_MODEL, TOPIC_MODEL), doc=__doc__, tags=["nlp"]
) as dag:
    chunks: Any = hand_over()
    scored = score.expand(chunk=chunks)
    model = topic_model(chunks)
    assigned = assign.expand(chunk=chunks)
    chain(scored, model, assigned, load_results(chunks), group_copies(), build_and_publish(MEANING, "meaning"))
    end_with(judge_tasks(), dag)
