"""Take texts out of what the language part keeps: the vectors from which topics are learnt."""

from __future__ import annotations

from collections.abc import Iterable

from huiyin.config import Settings
from nlp.duplicates import Boilerplate
from nlp.embed import forget_vectors, prepare
from nlp.topics.store import boilerplate_dir


def forget_texts(settings: Settings, texts: Iterable[str]) -> int:
    """Remove the cached vectors of these voices' texts; how many there were.

    The fitted models hold no text and no vector of one: centroids and words of whole topics only. The next refit learns
    from the voices that are left.
    """
    given = list(texts)
    embedded = {prepare(text) for text in given}
    for file in sorted(boilerplate_dir(settings).glob("*.json")):
        learned = Boilerplate.load(file)
        embedded |= {prepare(learned.remove(text)) for text in given}
    return forget_vectors(settings, sorted(embedded))
