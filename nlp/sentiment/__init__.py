"""Sentiment of texts: exchangeable engines behind one small protocol.

An engine gives each text the probability of being positive. It takes texts as they were delivered; what its model
needs of normalisation is its own matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from huiyin.errors import HuiyinError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

POSITIVE_FROM = 0.6
"""Scores of at least this are labelled positive."""
NEGATIVE_BELOW = 0.4
"""Scores below this are labelled negative; between the two, neutral."""


class SentimentEngine(Protocol):
    """Scores texts. ``version`` changes whenever a text could get another score."""

    @property
    def version(self) -> str:
        """Engine and data, such as ``snownlp-0.12.3-1a2b3c4d``."""
        ...

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The probability (0…1) of each text being positive."""
        ...


class UnknownEngineError(HuiyinError):
    """No sentiment engine has that name."""


def _snownlp(models_dir: Path) -> SentimentEngine:
    from nlp.sentiment.snownlp_engine import SnowNlpEngine

    return SnowNlpEngine(models_dir)


_ENGINES: dict[str, Callable[[Path], SentimentEngine]] = {"snownlp": _snownlp}


def get_engine(name: str, models_dir: Path) -> SentimentEngine:
    """The engine of that name; it keeps its tables in ``models_dir``. Raises :class:`UnknownEngineError`."""
    try:
        make = _ENGINES[name]
    except KeyError:
        raise UnknownEngineError(
            f"nlp.sentiment_engine: there is no engine {name!r}; use one of {', '.join(sorted(_ENGINES))}"
        ) from None
    return make(models_dir)


def label_of(score: float) -> str:
    """positive, neutral or negative by :data:`POSITIVE_FROM` and :data:`NEGATIVE_BELOW`."""
    if score >= POSITIVE_FROM:
        return "positive"
    return "negative" if score < NEGATIVE_BELOW else "neutral"
