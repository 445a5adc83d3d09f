"""The registry: which topics there have ever been, under ids that are never given twice, and what people decided."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from huiyin.errors import HuiyinError
from nlp.files import replacing
from nlp.topics.taxonomy import ProblemClass

_FORMAT = 2
_READABLE = (1, 2)

Event = Literal["birth", "split", "merge", "retirement", "revival", "rename"]


class RegistryError(HuiyinError):
    """The registry can't be read, or doesn't have what was asked for."""


@dataclass
class Topic:
    """One topic. ``split_from`` and ``merged_into`` are ids of the topics it came from or went into."""

    topic_id: int
    label: str
    keywords: list[str]
    text_count: int
    born_on: str
    state: Literal["active", "retired"] = "active"
    retired_on: str | None = None
    split_from: int | None = None
    merged_into: int | None = None
    name: str | None = None
    """What people call it; goes before the label."""
    parent_id: int | None = None
    problem_class: ProblemClass | None = None

    @property
    def shown(self) -> str:
        """The name for readers."""
        return self.name or self.label


@dataclass
class Group:
    """A coarse subject that holds topics; its ids are counted apart from theirs."""

    group_id: int
    label: str


@dataclass(frozen=True)
class Lineage:
    """What happened to a topic: when (UTC), with which other topic, by whom (empty: the model), in which version."""

    at: str
    event: Event
    topic_id: int
    other_id: int | None = None
    by: str = ""
    note: str = ""
    version: str = ""


@dataclass
class Registry:
    """All topics, groups and their lineage, and the version of the model that assigns them.

    ``fingerprint``: of the data the model has learnt from; ``moved_on``: when all topics last followed their texts;
    ``history`` tells each fit in a line of numbers.
    """

    version: str = ""
    topics: list[Topic] = field(default_factory=list)
    history: list[dict[str, str | int]] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    lineage: list[Lineage] = field(default_factory=list)
    fingerprint: str = ""
    moved_on: str = ""

    @property
    def next_id(self) -> int:
        """An id no topic has had; the first is 1."""
        return max((topic.topic_id for topic in self.topics), default=0) + 1

    @property
    def next_group_id(self) -> int:
        """An id no group has had; the first is 1."""
        return max((group.group_id for group in self.groups), default=0) + 1

    def active(self) -> dict[int, Topic]:
        """The topics that texts are assigned to."""
        return {topic.topic_id: topic for topic in self.topics if topic.state == "active"}

    def group_labels(self) -> dict[int, str]:
        """Group id → label."""
        return {group.group_id: group.label for group in self.groups}

    def topic(self, topic_id: int) -> Topic:
        """An active topic. Raises :class:`RegistryError`."""
        found = self.active().get(topic_id)
        if found is None:
            raise RegistryError(f"there is no active topic {topic_id}; `huiyin topics list` shows them")
        return found

    def kept_apart(self) -> frozenset[tuple[int, int]]:
        """Pairs of ids that people split and nothing may merge again."""
        return frozenset(
            (min(line.topic_id, line.other_id), max(line.topic_id, line.other_id))
            for line in self.lineage
            if line.event == "split" and line.by and line.other_id is not None
        )

    def record(self, event: Event, topic_id: int, *, other_id: int | None = None, by: str = "", note: str = "") -> None:
        """Add a line to the lineage."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.lineage.append(Lineage(now, event, topic_id, other_id, by, note, self.version))

    def retire(self, topic: Topic, on: date, merged_into: int | None, by: str = "") -> None:
        """End a topic; its row and its id stay."""
        topic.state, topic.retired_on, topic.merged_into = "retired", on.isoformat(), merged_into
        self.record("retirement" if merged_into is None else "merge", topic.topic_id, other_id=merged_into, by=by)

    @classmethod
    def load(cls, file: Path) -> Registry:
        """Read the registry; an empty one where there is none yet. Raises :class:`RegistryError`."""
        try:
            stored = json.loads(file.read_text("utf-8"))
            if stored.pop("format") not in _READABLE:
                raise RegistryError(f"topic registry {file} is of a later release; this one reads formats {_READABLE}")
            return cls(
                version=stored["version"],
                topics=[_topic(topic) for topic in stored["topics"]],
                history=stored["history"],
                groups=[Group(**group) for group in stored.get("groups", [])],
                lineage=[Lineage(**line) for line in stored.get("lineage", [])],
                fingerprint=stored.get("fingerprint", ""),
                moved_on=stored.get("moved_on", ""),
            )
        except FileNotFoundError:
            return cls()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RegistryError(
                f"topic registry {file} is damaged ({error}); restore it from a backup,"
                " or remove it to start with new ids"
            ) from error

    def save(self, file: Path) -> None:
        """Replace the registry in one step: this makes ``version`` the current model."""
        content = {"format": _FORMAT} | asdict(self)
        with replacing(file) as beside:
            beside.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")


def _topic(stored: dict[str, object]) -> Topic:
    problem_class = stored.pop("problem_class", None)
    topic = Topic(**stored)  # type: ignore[arg-type]
    if isinstance(problem_class, dict):
        topic.problem_class = ProblemClass(**problem_class)
    return topic
