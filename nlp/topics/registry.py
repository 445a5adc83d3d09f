"""The registry: which topics there have ever been, under ids that are never given twice."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from huiyin.errors import HuiyinError
from nlp.files import replacing

_FORMAT = 1


class RegistryError(HuiyinError):
    """The registry can't be read."""


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


@dataclass
class Registry:
    """All topics and the version of the model that assigns them; ``history`` tells each fit in a line of numbers."""

    version: str = ""
    topics: list[Topic] = field(default_factory=list)
    history: list[dict[str, str | int]] = field(default_factory=list)

    @property
    def next_id(self) -> int:
        """An id no topic has had; the first is 1."""
        return max((topic.topic_id for topic in self.topics), default=0) + 1

    def active(self) -> dict[int, Topic]:
        """The topics that texts are assigned to."""
        return {topic.topic_id: topic for topic in self.topics if topic.state == "active"}

    def retire(self, topic: Topic, on: date, merged_into: int | None) -> None:
        """End a topic; its row and its id stay."""
        topic.state, topic.retired_on, topic.merged_into = "retired", on.isoformat(), merged_into

    @classmethod
    def load(cls, file: Path) -> Registry:
        """Read the registry; an empty one where there is none yet. Raises :class:`RegistryError`."""
        try:
            stored = json.loads(file.read_text("utf-8"))
            if stored["format"] != _FORMAT:
                raise RegistryError(
                    f"topic registry {file} has format {stored['format']}, this release reads {_FORMAT}"
                )
            return cls(stored["version"], [Topic(**topic) for topic in stored["topics"]], stored["history"])
        except FileNotFoundError:
            return cls()
        except (ValueError, KeyError, TypeError) as error:
            raise RegistryError(
                f"topic registry {file} is damaged ({error}); restore it from a backup,"
                " or remove it to start with new ids"
            ) from error

    def save(self, file: Path) -> None:
        """Replace the registry in one step: this makes ``version`` the current model."""
        content = {"format": _FORMAT} | asdict(self)
        with replacing(file) as beside:
            beside.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
