"""Texts out of the warehouse and their meaning back in: the only passage between SQL and NLP.

NLP never opens the warehouse; it reads Parquet files of texts and writes Parquet files of results. What is already
scored by the current model version with the same text isn't handed over again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from warehouse.connection import MergeCounts, Warehouse, open_warehouse

NLP_TABLES: dict[str, tuple[pa.Schema, tuple[str, ...]]] = {
    "sentiment": (
        pa.schema(
            [
                pa.field("voice_id", pa.string(), nullable=False),
                pa.field("text_hash", pa.string(), nullable=False),
                pa.field("model_version", pa.string(), nullable=False),
                pa.field("score", pa.float64()),
                pa.field("label", pa.string()),
                pa.field("scored_at", pa.timestamp("us"), nullable=False),
                pa.field("noise", pa.string()),
                pa.field("noise_reason", pa.string()),
            ]
        ),
        ("voice_id", "model_version"),
    ),
    "copies": (
        pa.schema(
            [
                pa.field("voice_id", pa.string(), nullable=False),
                pa.field("text_hash", pa.string(), nullable=False),
                pa.field("model_version", pa.string(), nullable=False),
                pa.field("first_voice_id", pa.string(), nullable=False),
                pa.field("first_text_hash", pa.string()),
                pa.field("boilerplate", pa.string()),
                pa.field("found_at", pa.timestamp("us"), nullable=False),
            ]
        ),
        ("voice_id",),
    ),
    "topic_assignment": (
        pa.schema(
            [
                pa.field("voice_id", pa.string(), nullable=False),
                pa.field("text_hash", pa.string(), nullable=False),
                pa.field("topic_id", pa.int64(), nullable=False),
                pa.field("similarity", pa.float64()),
                pa.field("model_version", pa.string(), nullable=False),
                pa.field("assigned_at", pa.timestamp("us"), nullable=False),
            ]
        ),
        ("voice_id",),
    ),
    "opinions": (
        pa.schema(
            [
                pa.field("voice_id", pa.string(), nullable=False),
                pa.field("text_hash", pa.string(), nullable=False),
                pa.field("model_version", pa.string(), nullable=False),
                pa.field("kind", pa.string(), nullable=False),
                pa.field("code", pa.string(), nullable=False),
                pa.field("name_zh", pa.string()),
                pa.field("polarity", pa.string(), nullable=False),
                pa.field("strength", pa.float64()),
                pa.field("words", pa.string()),
            ]
        ),
        ("voice_id", "kind", "code", "polarity"),
    ),
    "topics": (
        pa.schema(
            [
                pa.field("topic_id", pa.int64(), nullable=False),
                pa.field("label", pa.string()),
                pa.field("keywords", pa.string()),
                pa.field("text_count", pa.int64()),
                pa.field("state", pa.string()),
                pa.field("born_on", pa.date32()),
                pa.field("model_version", pa.string(), nullable=False),
                pa.field("parent_id", pa.int64()),
                pa.field("parent_label", pa.string()),
                pa.field("problem_subtype", pa.string()),
                pa.field("problem_type", pa.string()),
                pa.field("stage", pa.string()),
                pa.field("root_cause_class", pa.string()),
                pa.field("class_confidence", pa.float64()),
                pa.field("retired_on", pa.date32()),
                pa.field("split_from", pa.int64()),
                pa.field("merged_into", pa.int64()),
            ]
        ),
        ("topic_id",),
    ),
    "drivers": (
        pa.schema(
            [
                pa.field("target", pa.string(), nullable=False),
                pa.field("driver_kind", pa.string(), nullable=False),
                pa.field("driver_column", pa.string(), nullable=False),
                pa.field("driver", pa.string(), nullable=False),
                pa.field("affected_count", pa.int64()),
                pa.field("goal", pa.float64()),
                pa.field("affected_share", pa.float64()),
                pa.field("mean_there", pa.float64()),
                pa.field("effect", pa.float64()),
                pa.field("effect_low", pa.float64()),
                pa.field("effect_high", pa.float64()),
                pa.field("gain", pa.float64()),
                pa.field("gain_low", pa.float64()),
                pa.field("gain_high", pa.float64()),
                pa.field("threshold", pa.float64()),
                pa.field("threshold_low", pa.float64()),
                pa.field("threshold_high", pa.float64()),
                pa.field("threshold_verdict", pa.string()),
                pa.field("is_harmful", pa.bool_()),
                pa.field("is_certain", pa.bool_()),
                pa.field("sentence_zh", pa.string()),
                pa.field("computed_on", pa.date32(), nullable=False),
            ]
        ),
        ("target", "driver_column", "driver"),
    ),
    "customer_insights": (
        pa.schema(
            [
                pa.field("customer_ref", pa.string(), nullable=False),
                pa.field("segment_id", pa.int64()),
                pa.field("segment_zh", pa.string()),
                pa.field("risk", pa.float64()),
                pa.field("risk_method", pa.string()),
                pa.field("priority", pa.float64()),
                pa.field("reasons_zh", pa.string()),
                pa.field("revenue_at_risk", pa.float64()),
                pa.field("contact_count", pa.int64()),
                pa.field("main_topic", pa.string()),
                pa.field("computed_on", pa.date32(), nullable=False),
            ]
        ),
        ("customer_ref",),
    ),
    "knowledge_gaps": (
        pa.schema(
            [
                pa.field("gap_id", pa.int64(), nullable=False),
                pa.field("question", pa.string()),
                pa.field("variants", pa.string()),
                pa.field("answer", pa.string()),
                pa.field("answer_voice_id", pa.string()),
                pa.field("held_count", pa.int64()),
                pa.field("support_count", pa.int64()),
                pa.field("article_source", pa.string()),
                pa.field("article_id", pa.string()),
                pa.field("article_title", pa.string()),
                pa.field("article_url", pa.string()),
                pa.field("article_likeness", pa.float64()),
                pa.field("draft", pa.string()),
                pa.field("first_seen_on", pa.date32(), nullable=False),
                pa.field("is_active", pa.bool_(), nullable=False),
                pa.field("computed_on", pa.date32(), nullable=False),
            ]
        ),
        ("gap_id",),
    ),
    "knowledge_questions": (
        pa.schema(
            [
                pa.field("voice_id", pa.string(), nullable=False),
                pa.field("gap_id", pa.int64(), nullable=False),
            ]
        ),
        ("voice_id",),
    ),
    "model_watch": (
        pa.schema(
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
        ),
        ("watch_kind", "window_id", "measure"),
    ),
}
ROW_HASH = "_row_hash"
# A text and its hash as the warehouse sees them; md5 gives the same hexadecimal on both engines.
_VOICES = "SELECT voice_id, text, md5(text) AS text_hash FROM intermediate.int_voices WHERE trim(text) <> ''"

_VOICES_IN_TIME = _VOICES.replace("text,", "text, occurred_at,", 1)
CHUNKS_FOLDED = 4
# An index of copies is small beside the texts, so more of them fit into memory than where vectors are made.
_UNFOLDED = """
    WITH voices AS ({voices}),
    grouped AS (
        SELECT v.voice_id, v.text, v.text_hash, v.occurred_at, c.first_voice_id,
            coalesce(f.occurred_at, v.occurred_at) AS first_at,
            c.voice_id IS NULL OR c.model_version <> {version} OR c.text_hash <> v.text_hash
                OR coalesce(c.first_text_hash <> f.text_hash, false) AS is_new
        FROM voices v
        LEFT JOIN nlp.copies c ON c.voice_id = v.voice_id
        LEFT JOIN voices f ON f.voice_id = c.first_voice_id
    ),
    taken AS (SELECT * FROM grouped WHERE is_new ORDER BY occurred_at, voice_id LIMIT {limit}),
    span AS (SELECT min(occurred_at) AS from_at, max(occurred_at) AS to_at FROM taken)
    SELECT voice_id, text, text_hash, occurred_at, first_voice_id, is_new
    FROM grouped
    WHERE NOT is_new
        AND first_at >= (SELECT from_at FROM span) - interval '{days} days'
        AND first_at <= (SELECT to_at FROM span) + interval '{days} days'
    UNION ALL
    SELECT voice_id, text, text_hash, occurred_at, NULL, is_new FROM taken
    ORDER BY is_new, occurred_at, voice_id
"""


class HandoverError(HuiyinError):
    """A result file doesn't hold what the warehouse needs; the message names file and columns."""


def create_nlp_tables(warehouse: Warehouse) -> None:
    """Create schema ``nlp`` and its tables unless they exist, so that dbt can read them before the first scoring."""
    for table, (schema, key) in NLP_TABLES.items():
        columns = schema.append(pa.field(ROW_HASH, pa.string()))
        warehouse.create_table("nlp", table, columns, key)
        warehouse.add_missing_columns("nlp", table, columns)


@dataclass(frozen=True)
class ModelVersions:
    """The versions of the models that the results of a hand-over will carry."""

    sentiment: str
    topics: str
    opinions: str


def export_unscored(settings: Settings, versions: ModelVersions, folder: Path) -> list[Path]:
    """Write the texts that lack a result of one of these model versions, or whose text has changed since.

    Returns Parquet files of at most ``settings.nlp.chunk_size`` rows (voice_id, text, text_hash), in a stable order;
    no file when nothing is new. ``folder`` is emptied first: it holds this hand-over only.
    """
    lacking = " OR ".join(
        f"NOT EXISTS (SELECT 1 FROM nlp.{table} r WHERE r.voice_id = v.voice_id"
        f" AND r.text_hash = v.text_hash AND r.model_version = {_literal(version)})"
        for table, version in (
            ("sentiment", versions.sentiment),
            ("topic_assignment", versions.topics),
            ("opinions", versions.opinions),
        )
    )
    query = f"SELECT v.voice_id, v.text, v.text_hash FROM ({_VOICES}) v WHERE {lacking} ORDER BY v.voice_id"
    return _export(settings, query, folder, "unscored")


def export_texts(settings: Settings, folder: Path) -> list[Path]:
    """Write all texts (voice_id, text, text_hash), scored or not, for fitting models; files as in export_unscored."""
    return _export(settings, f"{_VOICES} ORDER BY voice_id", folder, "texts")


def load_scores(settings: Settings, files: Iterable[Path]) -> MergeCounts:
    """Merge sentiment results into ``nlp.sentiment``; loading a file again changes nothing.

    Each file has voice_id, text_hash, model_version, score, label, noise and noise_reason. Raises
    :class:`HandoverError`.
    """
    return _load(settings, "sentiment", files, "scored_at")


def load_assignments(settings: Settings, files: Iterable[Path]) -> MergeCounts:
    """Merge topic results into ``nlp.topic_assignment``, one topic a text; loading a file again changes nothing.

    Each file has voice_id, text_hash, topic_id, similarity and model_version. Raises :class:`HandoverError`.
    """
    return _load(settings, "topic_assignment", files, "assigned_at")


def export_unfolded(settings: Settings, version: str, window_days: int, file: Path) -> int:
    """Write texts that weren't looked at for copies yet, the oldest first, and those that they may be copies of.

    Returns how many new ones there are, at most ``nlp.chunk_size`` × :data:`CHUNKS_FOLDED`; 0: nothing is left, and no
    file is written. A text counts as new, too, when it or the first of its group has changed. The others are all texts
    of groups whose first is at most ``window_days`` away. Columns: voice_id, text, text_hash, occurred_at,
    first_voice_id, is_new; new ones come last, both kinds in the order of their instants.
    """
    query = _UNFOLDED.format(
        voices=_VOICES_IN_TIME,
        version=_literal(version),
        days=int(window_days),
        limit=settings.nlp.chunk_size * CHUNKS_FOLDED,
    )
    with open_warehouse(settings) as warehouse:
        create_nlp_tables(warehouse)
        texts = warehouse.query(query)
    new_count = int(sum(texts["is_new"].to_pylist()))
    if new_count:
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(texts, file)
    return new_count


def load_copies(settings: Settings, file: Path) -> MergeCounts:
    """Merge groups of copies into ``nlp.copies``; loading a file again changes nothing.

    Raises :class:`HandoverError`.
    """
    return _load(settings, "copies", [file], "found_at")


def load_opinions(settings: Settings, files: Iterable[Path]) -> int:
    """Put the opinions of these texts in the place of what ``nlp.opinions`` holds of them; how many rows there are now.

    Each file holds all opinions of each of its texts, at least the row ``none``. Raises :class:`HandoverError`.
    """
    schema, key = NLP_TABLES["opinions"]
    read = [read_results(file, schema) for file in files]
    if not read:
        return 0
    rows = _last_of_each_key(pa.concat_tables(read), key)
    rows = with_row_hash(rows)
    with open_warehouse(settings) as warehouse:
        create_nlp_tables(warehouse)
        with warehouse.transaction():
            warehouse.delete_matching("nlp", "opinions", rows.group_by(["voice_id"]).aggregate([]))
            warehouse.append("nlp", "opinions", rows)
    return int(rows.num_rows)


def replace_results(settings: Settings, files: Mapping[str, Path]) -> dict[str, int]:
    """Put the rows of each file in the place of all that its table of ``nlp`` holds, all tables at once.

    ``files``: table → file. How many rows each table has now. Raises :class:`HandoverError`.
    """
    found = {name: with_row_hash(read_results(file, NLP_TABLES[name][0])) for name, file in files.items()}
    with open_warehouse(settings) as warehouse:
        create_nlp_tables(warehouse)
        with warehouse.transaction():
            for name, rows in found.items():
                warehouse.execute(f"delete from nlp.{name}")
                warehouse.append("nlp", name, rows)
    return {name: rows.num_rows for name, rows in found.items()}


def load_topics(settings: Settings, file: Path) -> MergeCounts:
    """Merge the topic registry (columns of ``nlp.topics``) into the warehouse. Raises :class:`HandoverError`."""
    return _load(settings, "topics", [file], None)


def load_watch(settings: Settings, file: Path) -> MergeCounts:
    """Merge what watching the models found into ``nlp.model_watch``. Raises :class:`HandoverError`."""
    return _load(settings, "model_watch", [file], "watched_at")


def forget_voices(settings: Settings, voice_ids: Sequence[str]) -> int:
    """Delete the results of these voices, and the hand-over files that may hold their texts; how many rows went."""
    keys = pa.table({"voice_id": pa.array(sorted(set(voice_ids)), pa.string())})
    gone = 0
    with open_warehouse(settings) as warehouse:
        create_nlp_tables(warehouse)
        with warehouse.transaction():
            for table in ("sentiment", "topic_assignment", "opinions", "copies"):
                gone += warehouse.select_matching("nlp", table, keys).num_rows
                warehouse.delete_matching("nlp", table, keys)
            # Whom else the list holds is ranked anew at the next run.
            gone += int(warehouse.rows("SELECT count(*) AS n FROM nlp.customer_insights")[0]["n"])
            warehouse.execute("DELETE FROM nlp.customer_insights")
            gone += _forget_questions(warehouse, keys)
    if settings.handover_dir.exists():
        shutil.rmtree(settings.handover_dir)
    return int(gone)


# What a gap quotes from its tickets.
_QUOTED = ("question", "variants", "answer", "answer_voice_id", "draft")


def _forget_questions(warehouse: Warehouse, voices: pa.Table) -> int:
    """Take voices out of the knowledge gaps; a gap that they are of keeps its number and waits for new words.

    All that a gap quotes stands in its tickets, so no other gap holds anything of them.
    """
    asked = warehouse.select_matching("nlp", "knowledge_questions", voices)
    gaps = sorted({str(gap) for gap in asked.column("gap_id").to_pylist()})
    if gaps:
        emptied = ", ".join(f"{name} = NULL" for name in _QUOTED)
        warehouse.execute(f"UPDATE nlp.knowledge_gaps SET {emptied} WHERE gap_id IN ({', '.join(gaps)})")
    warehouse.delete_matching("nlp", "knowledge_questions", voices)
    return int(asked.num_rows)


def _export(settings: Settings, query: str, folder: Path, stem: str) -> list[Path]:
    with open_warehouse(settings) as warehouse:
        create_nlp_tables(warehouse)
        texts = warehouse.query(query)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    size = settings.nlp.chunk_size
    files = []
    for number, start in enumerate(range(0, texts.num_rows, size)):
        file = folder / f"{stem}-{number:04d}.parquet"
        pq.write_table(texts.slice(start, size), file)
        files.append(file)
    return files


def _load(settings: Settings, table: str, files: Iterable[Path], instant: str | None) -> MergeCounts:
    schema, key = NLP_TABLES[table]
    read = [read_results(file, schema, instant) for file in files]
    if not read:
        return MergeCounts(0, 0, 0)
    rows = _last_of_each_key(pa.concat_tables(read), key)
    # The instant of loading stays out of the hash: the same result again isn't a change.
    compared = rows.select([name for name in schema.names if name != instant])
    rows = with_row_hash(rows, compared)
    with open_warehouse(settings) as warehouse:
        create_nlp_tables(warehouse)
        return warehouse.merge("nlp", table, rows, key, ROW_HASH)


def read_results(file: Path, schema: pa.Schema, instant: str | None = None) -> pa.Table:
    """The file with exactly the columns and types of the table; the instant of loading is filled in where absent.

    Raises :class:`HandoverError` for a file that can't be read or lacks a column.
    """
    try:
        found = pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise HandoverError(f"result file {file} can't be read: {error}; run the scoring again") from error
    if instant is not None and instant not in found.column_names:
        now = datetime.now(UTC).replace(tzinfo=None)
        found = found.append_column(instant, pa.array([now] * found.num_rows, pa.timestamp("us")))
    missing = [name for name in schema.names if name not in found.column_names]
    if missing:
        raise HandoverError(f"result file {file} lacks the columns {', '.join(missing)}")
    try:
        return found.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, ValueError) as error:
        raise HandoverError(f"result file {file} doesn't fit nlp.*: {error}") from error


def _last_of_each_key(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    """Each key once, the last of several: a text that stands in two files was scored twice, with the same result."""
    numbered = rows.append_column("_position", pa.array(range(rows.num_rows), pa.int64()))
    last = numbered.group_by(list(key)).aggregate([("_position", "max")])["_position_max"]
    return rows.take(last)


def with_row_hash(rows: pa.Table, compared: pa.Table | None = None) -> pa.Table:
    """The rows and their hash, of the columns that are ``compared``; default: all."""
    values = zip(*(column.to_pylist() for column in (rows if compared is None else compared).columns), strict=True)
    hashes = [hashlib.blake2b(repr(row).encode(), digest_size=16).hexdigest() for row in values]
    return rows.append_column(ROW_HASH, pa.array(hashes, pa.string()))


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
