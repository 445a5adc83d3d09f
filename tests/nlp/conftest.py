"""What the tests of this room share: one compilation, one set of SnowNLP tables for the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from huiyin.config import Settings
from nlp.sentiment import SentimentEngine, get_engine


@pytest.fixture(scope="session", autouse=True)
def _one_numba_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(tmp_path_factory.mktemp("numba")))
        yield


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store that lives as long as the session."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def snownlp_engine(models_dir: Path) -> SentimentEngine:
    """The engine with its tables built."""
    return get_engine("snownlp", models_dir)


@pytest.fixture(scope="session")
def session_settings(models_dir: Path) -> Settings:
    """Settings around that model store."""
    return Settings(var=models_dir.parent / f"{models_dir.name}-var", mask_key="test-key")
