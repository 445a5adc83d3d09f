"""A fitted topic model on disk: centroids under their permanent ids, the embedder, a manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from nlp.embed import Embedder, TfidfEmbedder, Vectors, sentence_embedder
from nlp.files import replacing
from nlp.topics.centroids import Centroids
from nlp.topics.communities import Labels


class TopicModelError(HuiyinError):
    """The current topic model can't be used."""


@dataclass(frozen=True)
class TopicModel:
    """Assigns texts. ``topic_ids`` names the rows of ``centroids``; several rows of one id are what people merged.

    Retired topics keep their directions, so that one that comes back is known again.
    """

    topic_ids: Labels
    centroids: Centroids
    embedder: Embedder
    manifest: dict[str, Any]
    retired_ids: Labels
    retired_means: Vectors

    def save(self, folder: Path) -> None:
        """Write all files; the registry makes the model current afterwards, so no reader sees it half-written."""
        if isinstance(self.embedder, TfidfEmbedder):
            self.embedder.save(folder / "embedder.npz")
        with replacing(folder / "centroids.npz") as beside:
            np.savez(
                beside,
                topic_ids=self.topic_ids,
                middle=self.centroids.middle,
                means=self.centroids.means,
                minimum=self.centroids.minimum,
                spread=self.centroids.spread,
                retired_ids=self.retired_ids,
                retired_means=self.retired_means,
            )
        with replacing(folder / "manifest.json") as beside:
            beside.write_text(json.dumps(self.manifest, ensure_ascii=False, indent=1), "utf-8")

    @classmethod
    def load(cls, settings: Settings, folder: Path) -> TopicModel:
        """Read a model. Raises :class:`TopicModelError`."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            with np.load(folder / "centroids.npz", allow_pickle=False) as stored:
                centroids = Centroids(stored["middle"], stored["means"], stored["minimum"], stored["spread"])
                topic_ids = stored["topic_ids"]
                retired_ids = stored["retired_ids"]
                retired_means = stored["retired_means"]
            embedder = (
                TfidfEmbedder.load(folder / "embedder.npz")
                if manifest["embedder"] == "tfidf"
                else sentence_embedder(settings)
            )
        except (OSError, ValueError, KeyError) as error:
            raise TopicModelError(
                f"topic model {folder} can't be read ({error}); run the DAG `learning`, or remove"
                f" {folder.parent / 'registry.json'} to fit anew with new ids"
            ) from error
        if embedder.version != manifest["embedder_version"]:
            raise TopicModelError(
                f"topic model {folder.name} was fitted with embedder {manifest['embedder_version']}, installed is"
                f" {embedder.version}; run the DAG `learning` to refit"
            )
        return cls(topic_ids, centroids, embedder, manifest, retired_ids, retired_means)
