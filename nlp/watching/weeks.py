"""Weeks and scoring runs beside their reference: Parquet in, one row a measure out.

The reference of a week is the weeks before it in the file. That of a run is what the last weekly look saw, kept in
``models/watching/reference.json`` (counts, no texts); before the first one, and after a model was replaced, the first
large run itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from huiyin.config import Settings
from nlp.cards import write_card
from nlp.files import replacing
from nlp.handover import HandoverFileError, read_voices, write_results
from nlp.sentiment.card import sentiment_card
from nlp.sentiment.store import current_model
from nlp.watching.card import watch_card
from nlp.watching.drift import drift_between
from nlp.watching.profile import Profile, Reading, counted, profile_of, read_texts

WATCH_SCHEMA = pa.schema(
    [
        pa.field("watch_kind", pa.string(), nullable=False),
        pa.field("window_id", pa.string(), nullable=False),
        pa.field("measure", pa.string(), nullable=False),
        pa.field("model_version", pa.string()),
        pa.field("week_start_on", pa.date32()),
        pa.field("text_count", pa.int64()),
        pa.field("reference_count", pa.int64()),
        pa.field("mean_value", pa.float64()),
        pa.field("reference_mean", pa.float64()),
        pa.field("drift_index", pa.float64()),
        pa.field("chance", pa.float64()),
        pa.field("is_drift", pa.bool_()),
        pa.field("watched_at", pa.timestamp("us"), nullable=False),
    ]
)
"""``watch_kind``: week or run; ``window_id``: the week's Monday, or the run. ``mean_value``: share of unknown character
pairs, of texts with an unknown character, of uncertain texts, of noise, without topic; of scores their mean.
``is_drift`` NULL: can't be said."""
FEWEST_OF_REFERENCE = 200
_LATEST = ("text", "occurred_on", "score", "sentiment_version", "topic_id", "topic_version")


def watch_weeks(settings: Settings, latest_file: Path, out_file: Path) -> int:
    """Compare each whole week of the file (text, occurred_on, score, sentiment_version, topic_id, topic_version) with
    the weeks before; write :data:`WATCH_SCHEMA`; make all of the file the reference of the runs to come. How many rows.

    Raises :class:`nlp.handover.HandoverFileError` where the file lacks a column.
    """
    table = pq.read_table(latest_file)
    if missing := set(_LATEST) - set(table.column_names):
        raise HandoverFileError(f"latest texts {latest_file} lack {', '.join(sorted(missing))}; export them again")
    days: list[date] = table["occurred_on"].to_pylist()
    readings = _readings(settings, table["text"].to_pylist(), table)
    mondays = np.array([day - timedelta(days=day.weekday()) for day in days], dtype=object)
    rows = []
    for week in sorted(set(mondays.tolist())):
        inside, before = mondays == week, np.array([other < week for other in mondays], bool)
        for measure, reading in readings.items():
            kept = counted(reading)
            own, reference = profile_of(reading, inside & kept), profile_of(reading, before & kept)
            rows.append(_row("week", f"{week}", measure, own, reference, week))
    if days:
        _keep_reference(settings, {name: profile_of(reading, counted(reading)) for name, reading in readings.items()})
    write_results(pa.Table.from_pylist(rows, schema=WATCH_SCHEMA), out_file)
    if rows:
        write_card(settings, watch_card(rows[-len(readings) :]))
    return len(rows)


def watch_run(
    settings: Settings,
    run_id: str,
    texts_files: Sequence[Path],
    sentiment_files: Sequence[Path],
    topic_files: Sequence[Path],
    out_file: Path,
) -> int:
    """Compare what a scoring run was given and said with the reference; write :data:`WATCH_SCHEMA`. How many rows."""
    texts = [text for file in texts_files for text in read_voices(file)[1]]
    scored = pa.concat_tables([pq.read_table(file, columns=["score", "model_version"]) for file in sentiment_files])
    assigned = pa.concat_tables([pq.read_table(file, columns=["topic_id", "model_version"]) for file in topic_files])
    table = pa.table(
        {
            "score": scored["score"],
            "sentiment_version": scored["model_version"],
            "topic_id": assigned["topic_id"],
            "topic_version": assigned["model_version"],
        }
    )
    readings = _readings(settings, texts, table)
    profiles = {name: profile_of(reading, counted(reading)) for name, reading in readings.items()}
    reference = _reference(settings)
    lacking = {
        name: own
        for name, own in profiles.items()
        if own.texts >= FEWEST_OF_REFERENCE and (name not in reference or reference[name].version != own.version)
    }
    rows = [_row("run", run_id, name, own, reference.get(name), None) for name, own in profiles.items()]
    if lacking:
        _keep_reference(settings, reference | lacking)
    if not (settings.models_dir / "cards" / "sentiment.json").exists():
        # Nothing was learnt here yet: the card of what is shipped.
        write_card(settings, sentiment_card(current_model(settings.models_dir)))
    write_results(pa.Table.from_pylist(rows, schema=WATCH_SCHEMA), out_file)
    return len(rows)


def _readings(settings: Settings, texts: Sequence[str | None], results: pa.Table) -> dict[str, Reading]:
    """Readings of texts and of what the newest versions said of them; results of older ones don't count."""
    scores = np.array([np.nan if value is None else value for value in results["score"].to_pylist()], np.float64)
    topics = results["topic_id"].to_pylist()
    versions = {}
    for kind in ("sentiment", "topic"):
        found = results[f"{kind}_version"].to_pylist()
        present = [version for version in found if version]
        newest = max(set(present), key=present.count) if present else ""
        versions[kind] = newest, np.array([version == newest for version in found], bool)
    readings = read_texts(
        settings,
        [text or "" for text in texts],
        np.where(versions["sentiment"][1], scores, np.nan),
        np.array([-1 if topic is None else topic for topic in topics], np.int64),
        versions["sentiment"][0],
        versions["topic"][0],
    )
    assigned = versions["topic"][1]
    for name in ("topics", "no_topic"):
        kept = readings[name]
        bins = [each if has else "" for each, has in zip(kept.bins, assigned.tolist(), strict=True)]
        readings[name] = Reading(bins, kept.values, kept.version)
    return readings


def _row(
    kind: str, window_id: str, measure: str, own: Profile, reference: Profile | None, week: date | None
) -> dict[str, object]:
    is_same = reference is not None and reference.version == own.version and reference.texts > 0
    drift = drift_between(reference, own) if reference is not None else None
    return {
        "watch_kind": kind,
        "window_id": window_id,
        "measure": measure,
        "model_version": own.version or None,
        "week_start_on": week,
        "text_count": own.texts,
        "reference_count": reference.texts if reference is not None and is_same else 0,
        "mean_value": own.mean if own.texts else None,
        "reference_mean": reference.mean if reference is not None and is_same else None,
        "drift_index": drift.index if drift else None,
        "chance": drift.chance if drift else None,
        "is_drift": drift.is_drift if drift else None,
        "watched_at": datetime.now(UTC).replace(tzinfo=None),
    }


def _reference_file(settings: Settings) -> Path:
    return settings.models_dir / "watching" / "reference.json"


def _reference(settings: Settings) -> dict[str, Profile]:
    file = _reference_file(settings)
    if not file.exists():
        return {}
    return {name: Profile.of_json(stored) for name, stored in json.loads(file.read_text("utf-8")).items()}


def _keep_reference(settings: Settings, profiles: dict[str, Profile]) -> None:
    with replacing(_reference_file(settings)) as beside:
        beside.write_text(json.dumps({name: own.as_json() for name, own in profiles.items()}), "utf-8")
