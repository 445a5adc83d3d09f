"""One folder of topics: the registry, the model it names, and a sample of texts to learn from."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huiyin.config import Settings
from nlp.embed import prepare
from nlp.files import lock
from nlp.segment import segmenter
from nlp.text import text_hash
from nlp.topics.model import TopicModel
from nlp.topics.registry import Registry


class TopicStore:
    """Where topics are kept. The default folder is the one the marts are made from; files of their own have others."""

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        self.settings = settings
        self.folder = folder or settings.models_dir / "topics"

    @property
    def registry_file(self) -> Path:
        """The registry."""
        return self.folder / "registry.json"

    def lock(self) -> AbstractContextManager[None]:
        """Hold it to change the registry."""
        return lock(self.folder / ".lock")

    def registry(self) -> Registry:
        """The registry as it is; empty before the first fit."""
        return Registry.load(self.registry_file)

    def save(self, registry: Registry) -> None:
        """Make the registry, and with it the model it names, the current one."""
        registry.save(self.registry_file)

    def model(self, version: str) -> TopicModel:
        """A model of this folder. Raises :class:`nlp.topics.model.TopicModelError`."""
        return TopicModel.load(self.settings, self.folder / version)

    def save_model(self, model: TopicModel, version: str) -> None:
        """Write a model; it isn't current until the registry names it."""
        model.save(self.folder / version)

    def today(self) -> date:
        """The company's date."""
        return datetime.now(ZoneInfo(self.settings.timezone)).date()

    def sample(self, texts: Iterable[str], *, wordless: bool = False) -> list[str]:
        """Different prepared texts that say something, at most ``nlp.topic_fit_texts``; ``wordless``: or nothing.

        What has no subject word, as mere greetings, would only make topics of its own. Chosen by the hash of the
        text: two fits on overlapping data share most of their sample, whatever the order.
        """
        prepared = {prepare(text) for text in texts} - {""}
        ranked = sorted(prepared, key=lambda text: text_hash(f"{self.settings.nlp.seed}:{text}"))
        chosen: list[str] = []
        for text in ranked:
            if len(chosen) == self.settings.nlp.topic_fit_texts:
                break
            if wordless or segmenter().words(text):
                chosen.append(text)
        return chosen
