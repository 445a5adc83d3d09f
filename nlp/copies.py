"""Which texts of a hand-over file say the same as one before them: one voice with a count."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from huiyin.config import Settings
from nlp.duplicates.groups import join_groups
from nlp.handover import HandoverFileError, write_results
from nlp.text import TEXT_VERSION
from nlp.topics.store import TopicStore

ALIKE_FROM = 0.7
"""Jaccard similarity from which a text counts as a copy; stricter than a mere search, as it takes voices away."""

COPY_SCHEMA = pa.schema(
    [
        pa.field("voice_id", pa.string(), nullable=False),
        pa.field("text_hash", pa.string(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("first_voice_id", pa.string(), nullable=False),
        pa.field("first_text_hash", pa.string()),
        pa.field("boilerplate", pa.string()),
    ]
)
"""One row a text. ``first_voice_id`` names the group: the first voice that said it, itself where it is that one;
``first_text_hash``: of its text then, NULL where that voice is gone; ``boilerplate``: what was not compared, a file's
name in the model store."""

_READ = ("voice_id", "text", "text_hash", "occurred_at", "first_voice_id", "is_new")
_DAY_MICROSECONDS = 86_400_000_000


def copy_version(settings: Settings) -> str:
    """The version that :func:`fold_copies` writes: it changes with the rule, not with what boilerplate is learned."""
    return f"copies-1+{TEXT_VERSION}-{ALIKE_FROM}-{settings.nlp.copy_days}d"


def fold_copies(settings: Settings, in_file: Path, out_file: Path) -> None:
    """Read Parquet of texts that were grouped before and of new ones, write :data:`COPY_SCHEMA` of the new ones.

    The file has voice_id, text, text_hash, occurred_at, first_voice_id (of the grouped ones) and is_new; new ones come
    last, in the order in which they join groups. Sentences that were learned as boilerplate don't make texts alike,
    unless a text is nothing else. The output appears at once when complete. Raises
    :class:`nlp.handover.HandoverFileError` and :class:`nlp.duplicates.boilerplate.BoilerplateError`.
    """
    found = _read(in_file)
    voices, hashes = found["voice_id"].to_pylist(), found["text_hash"].to_pylist()
    is_new = found["is_new"].to_pylist()
    known_count = is_new.index(True) if True in is_new else len(is_new)
    groups: list[str] = found["first_voice_id"].to_pylist()[:known_count]
    place_of = {voice: place for place, voice in enumerate(voices[:known_count])}
    # Where a group's first is gone, the earliest that is left is compared in its place; the group keeps its name.
    known: list[int] = []
    for place, group in enumerate(groups):
        known.append(place_of.setdefault(group, place))
    boilerplate = TopicStore(settings).boilerplate()
    texts = [text or "" for text in found["text"].to_pylist()]
    firsts = join_groups(
        [boilerplate.remove(text) or text for text in texts],
        [instant / _DAY_MICROSECONDS for instant in pc.cast(found["occurred_at"], pa.int64()).to_pylist()],
        known,
        alike_from=ALIKE_FROM,
        window_days=settings.nlp.copy_days,
    )
    hash_of = dict(zip(voices, hashes, strict=True))
    named = [groups[first] if first < known_count else voices[first] for first in firsts[known_count:]]
    count = len(named)
    table = pa.table(
        {
            "voice_id": voices[known_count:],
            "text_hash": hashes[known_count:],
            "model_version": [copy_version(settings)] * count,
            "first_voice_id": named,
            "first_text_hash": [hash_of.get(group) for group in named],
            "boilerplate": [boilerplate.digest if boilerplate.sentences else ""] * count,
        },
        schema=COPY_SCHEMA,
    )
    write_results(table, out_file)


def _read(file: Path) -> pa.Table:
    try:
        found = pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise HandoverFileError(f"hand-over file {file} can't be read: {error}; export it again") from error
    if missing := [name for name in _READ if name not in found.column_names]:
        raise HandoverFileError(f"hand-over file {file} lacks {', '.join(missing)}")
    occurred_at = pc.cast(found["occurred_at"], pa.timestamp("us"))
    return found.set_column(found.column_names.index("occurred_at"), "occurred_at", occurred_at)
