"""One folder of topics: the registry, the model it names, and a sample of texts to learn from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huiyin.config import Settings
from nlp.duplicates import Boilerplate, DuplicateIndex, learn_boilerplate
from nlp.embed import prepare
from nlp.files import lock
from nlp.noise import noise_detector
from nlp.segment import ServiceSegmenter, segmenter
from nlp.text import text_hash
from nlp.topics.model import TopicModel
from nlp.topics.registry import Registry

_COPIES_FROM = 0.8
"""Jaccard similarity from which a text of a sample is a copy of another; lower, terse texts on one subject would go."""


def boilerplate_dir(settings: Settings) -> Path:
    """Where everything that ever was learned as boilerplate is kept, whatever folder of topics it was for."""
    return settings.models_dir / "boilerplate"


class TopicStore:
    """Where topics are kept. The default folder is the one the marts are made from; files of their own have others."""

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        self.settings = settings
        self.folder = folder or settings.models_dir / "topics"

    @property
    def is_default(self) -> bool:
        """Whether the marts are made from it."""
        return self.folder == self.settings.models_dir / "topics"

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

    @property
    def segmenter(self) -> ServiceSegmenter:
        """The segmenter with the company's words."""
        return segmenter(self.settings)

    @property
    def _boilerplate_file(self) -> Path:
        return self.folder / "boilerplate.json"

    def learn_boilerplate(self, texts: Sequence[str]) -> None:
        """Learn the sentences that recur in these texts, as :meth:`prepared` will remove them from now on."""
        learned = learn_boilerplate(texts)
        if learned.sentences:
            # Vectors are kept by what was embedded: to forget a text, all it ever was must be known.
            learned.save(boilerplate_dir(self.settings) / f"{learned.digest}.json")
        learned.save(self._boilerplate_file)

    def boilerplate(self) -> Boilerplate:
        """What was learned last. Raises :class:`nlp.duplicates.boilerplate.BoilerplateError`."""
        return Boilerplate.load(self._boilerplate_file)

    def prepared(self, texts: Iterable[str]) -> list[str]:
        """What of each text is embedded: without boilerplate, see also :func:`nlp.embed.prepare`. May be empty.

        Raises :class:`nlp.duplicates.boilerplate.BoilerplateError`.
        """
        boilerplate = self.boilerplate()
        return [prepare(boilerplate.remove(text)) for text in texts]

    def sample(self, texts: Sequence[str], *, wordless: bool = False) -> list[str]:
        """Different prepared texts that say something, at most ``nlp.topic_fit_texts``; ``wordless``: or nothing.

        What has no subject word, as mere greetings, would only make topics of its own, as would noise and texts pasted
        many times with small changes. Chosen by the hash of the text: two fits on overlapping data share most of their
        sample, whatever the order.
        """
        raw: dict[str, str] = {}
        for text, key in zip(texts, self.prepared(texts), strict=True):
            raw[key] = min(raw.get(key, text), text)
        raw.pop("", None)
        detector, cutter, copies = noise_detector(self.settings), self.segmenter, DuplicateIndex(_COPIES_FROM)
        chosen: list[str] = []
        for text in sorted(raw, key=lambda text: text_hash(f"{self.settings.nlp.seed}:{text}")):
            if len(chosen) == self.settings.nlp.topic_fit_texts:
                break
            if not (wordless or cutter.words(text)) or detector.find(raw[text]) is not None:
                continue
            if copies.add(len(chosen), text) == len(chosen):
                chosen.append(text)
        return chosen
