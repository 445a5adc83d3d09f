"""Sentiment of texts: exchangeable engines behind one small protocol.

An engine gives each text the probability of being positive. It takes texts as they were delivered; what its model
needs of normalisation is its own matter.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from huiyin.config import EndpointSettings
from huiyin.errors import HuiyinError
from nlp.sentiment.engine import (
    LABELS,
    NEGATIVE_BELOW,
    POSITIVE_FROM,
    Judgements,
    Label,
    SentimentEngine,
    label_of,
)

__all__ = [
    "ENGINES",
    "LABELS",
    "NEGATIVE_BELOW",
    "POSITIVE_FROM",
    "Judgements",
    "Label",
    "SentimentEngine",
    "UnknownEngineError",
    "get_engine",
    "label_of",
]


class UnknownEngineError(HuiyinError):
    """No sentiment engine has that name."""


def _snownlp(models_dir: Path, retrained: Path | None, endpoint: EndpointSettings) -> SentimentEngine:
    from nlp.sentiment.snownlp_engine import SnowNlpEngine

    return SnowNlpEngine(models_dir, retrained)


def _default(models_dir: Path, retrained: Path | None, endpoint: EndpointSettings) -> SentimentEngine:
    from nlp.sentiment.default_engine import DefaultEngine
    from nlp.sentiment.store import current_model

    return DefaultEngine(current_model(models_dir), models_dir)


def _endpoint(models_dir: Path, retrained: Path | None, endpoint: EndpointSettings) -> SentimentEngine:
    from nlp.endpoint import EndpointSentiment

    return EndpointSentiment(endpoint)


ENGINES: dict[str, Callable[[Path, Path | None, EndpointSettings], SentimentEngine]] = {
    "default": _default,
    "snownlp": _snownlp,
    "endpoint": _endpoint,
}


def get_engine(
    name: str, models_dir: Path, retrained: Path | None = None, endpoint: EndpointSettings | None = None
) -> SentimentEngine:
    """The engine of that name; it keeps its tables and learnt models in ``models_dir``.

    ``retrained``: for engine snownlp, models that SnowNLP saved after training on own texts; ``endpoint``: for engine
    endpoint, the server.
    Raises :class:`UnknownEngineError`, and :class:`nlp.endpoint.EndpointError` for an address that isn't allowed.
    """
    try:
        make = ENGINES[name]
    except KeyError:
        raise UnknownEngineError(
            f"nlp.sentiment_engine: there is no engine {name!r}; use one of {', '.join(sorted(ENGINES))}"
        ) from None
    return make(models_dir, retrained, endpoint or EndpointSettings())
