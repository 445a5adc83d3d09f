"""Any sentence-transformers folder on this machine as embedder; off by default, needs packages that aren't installed.

With an ONNX export in the folder (``model.onnx`` or ``onnx/model.onnx``) onnxruntime and tokenizers do, which are
small; else the package sentence-transformers. Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

from nlp.embed import EmbedderError, Vectors, unit

_BATCH = 64
_WHOLE_UP_TO = 1 << 20
"""Larger files are told apart by their size and their first megabyte: weights needn't be read for a version."""


class FolderEmbedder:
    """Sentence vectors of the model in a folder."""

    def __init__(self, folder: Path | None) -> None:
        """Raises :class:`nlp.embed.EmbedderError` where the folder holds no model, or what reads it isn't installed."""
        if folder is None:
            raise EmbedderError("nlp.embedder_folder is not set; set it to a folder of sentence-transformers")
        if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
            raise EmbedderError(
                f"nlp.embedder_folder {folder} is no folder of sentence-transformers (no modules.json or config.json)"
            )
        self._folder = folder
        onnx = next((file for file in (folder / "onnx" / "model.onnx", folder / "model.onnx") if file.is_file()), None)
        if onnx is not None and _installed("onnxruntime") and _installed("tokenizers"):
            self._encode = _OnnxEncoder(folder, onnx).encode
        elif _installed("sentence_transformers"):
            self._encode = self._by_sentence_transformers
        else:
            packages = "onnxruntime tokenizers" if onnx is not None else "sentence-transformers"
            raise EmbedderError(
                f"nlp.embedder folder: reading {folder} needs packages that aren't installed;"
                f" run `.venv/bin/python -m pip install {packages}`"
                + ("" if onnx else ", or export the model to ONNX into that folder and install onnxruntime, tokenizers")
            )
        self.version = f"folder-{re.sub(r'[^0-9A-Za-z.]+', '_', folder.name)[:40]}-{_fingerprint(folder)}"

    @cached_property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(self._encode(["客户反馈"]).shape[1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        parts = [self._encode(list(texts[start : start + _BATCH])) for start in range(0, len(texts), _BATCH)]
        return unit(np.concatenate(parts).astype(np.float32))

    def _by_sentence_transformers(self, texts: list[str]) -> Vectors:
        return np.asarray(self._model.encode(texts, convert_to_numpy=True, show_progress_bar=False), np.float32)

    @cached_property
    def _model(self) -> Any:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(self._folder), device="cpu", local_files_only=True)


class _OnnxEncoder:
    """Tokens to token vectors by onnxruntime, pooled as the folder says."""

    def __init__(self, folder: Path, onnx: Path) -> None:
        modules = _json(folder / "modules.json", [])
        kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
        if strange := set(kinds) - {"Transformer", "Pooling", "Normalize"}:
            raise EmbedderError(
                f"nlp.embedder folder: {folder} has steps that ONNX lacks ({', '.join(sorted(strange))}); remove its"
                " ONNX export and run `.venv/bin/python -m pip install sentence-transformers`"
            )
        pooling = _json(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True})
        prefix = "pooling_mode_"
        modes = [name.removeprefix(prefix) for name, on in pooling.items() if name.startswith(prefix) and on]
        if modes not in (["mean_tokens"], ["cls_token"], ["max_tokens"]):
            raise EmbedderError(f"nlp.embedder folder: {folder} pools by {modes}; only mean, cls or max are known here")
        self._mode = modes[0]
        self._onnx = onnx
        self._tokenizer_file = folder / "tokenizer.json"
        if not self._tokenizer_file.is_file():
            raise EmbedderError(f"nlp.embedder folder: {folder} has no tokenizer.json; save its fast tokenizer there")
        self._longest = int(_json(folder / "sentence_bert_config.json", {}).get("max_seq_length") or 256)

    def encode(self, texts: list[str]) -> Vectors:
        """Pooled vectors, not yet of unit length."""
        tokens = self._tokenizer.encode_batch(texts)
        mask = np.array([token.attention_mask for token in tokens], np.int64)
        given = {
            "input_ids": np.array([token.ids for token in tokens], np.int64),
            "attention_mask": mask,
            "token_type_ids": np.array([token.type_ids for token in tokens], np.int64),
        }
        wanted = {entry.name for entry in self._session.get_inputs()}
        vectors = np.asarray(self._session.run(None, {name: given[name] for name in given if name in wanted})[0])
        shown = mask[:, :, None].astype(np.float32)
        if self._mode == "cls_token":
            return np.asarray(vectors[:, 0], np.float32)
        if self._mode == "max_tokens":
            return np.asarray(np.where(shown > 0, vectors, -np.inf).max(axis=1), np.float32)
        return np.asarray((vectors * shown).sum(axis=1) / np.maximum(shown.sum(axis=1), 1e-9), np.float32)

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._tokenizer_file))
        tokenizer.enable_truncation(self._longest)
        # The mask hides the padding, whatever token it is.
        tokenizer.enable_padding()
        return tokenizer

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        return onnxruntime.InferenceSession(str(self._onnx), providers=["CPUExecutionProvider"])


def _installed(package: str) -> bool:
    return util.find_spec(package) is not None


def _json(file: Path, otherwise: Any) -> Any:
    if not file.is_file():
        return otherwise
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise EmbedderError(f"nlp.embedder folder: {file} is no JSON ({error}); copy the model anew") from None


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        if file.suffix in (".md", ".png"):
            continue
        digest.update(f"{file.relative_to(folder)} {file.stat().st_size}".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(_WHOLE_UP_TO))
    return digest.hexdigest()[:8]
