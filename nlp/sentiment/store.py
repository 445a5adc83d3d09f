"""Which default model is the current one: the shipped one until a learnt one was promoted.

``models/sentiment/<version>/`` holds a learnt model (``model.npz``) and its card (``card.json``, ``card.md``);
``models/sentiment/current.json`` names the promoted one. The folder is written first, then the name, in one step each,
so a killed promotion leaves the old model.
"""

from __future__ import annotations

import json
from pathlib import Path

from nlp.files import replacing
from nlp.sentiment.default_engine import shipped_model
from nlp.sentiment.model import SentimentModel, SentimentModelError


def sentiment_dir(models_dir: Path) -> Path:
    """Where this engine's models are kept."""
    return models_dir / "sentiment"


def current_version(models_dir: Path) -> str | None:
    """The promoted version; None: the shipped model is the current one. Raises :class:`SentimentModelError`."""
    file = sentiment_dir(models_dir) / "current.json"
    try:
        return str(json.loads(file.read_text("utf-8"))["version"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise SentimentModelError(
            f"{file} can't be read: {error}; remove it to go back to the shipped model"
        ) from error


def current_model(models_dir: Path) -> SentimentModel:
    """The promoted model, else the shipped one. Raises :class:`SentimentModelError`."""
    version = current_version(models_dir)
    if version is None:
        return shipped_model()
    return SentimentModel.load(sentiment_dir(models_dir) / version / "model.npz")


def save_model(models_dir: Path, model: SentimentModel) -> Path:
    """Keep a learnt model under its version; returns its folder. It isn't current by that."""
    folder = sentiment_dir(models_dir) / model.version
    model.save(folder / "model.npz")
    return folder


def promote(models_dir: Path, version: str) -> None:
    """Make a kept version the current one."""
    with replacing(sentiment_dir(models_dir) / "current.json") as beside:
        beside.write_text(json.dumps({"version": version}), "utf-8")
