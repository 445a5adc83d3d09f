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
def session_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings whose model store lives as long as the session."""
    return Settings(var=tmp_path_factory.mktemp("nlp"), mask_key="test-key")


@pytest.fixture(scope="session")
def models_dir(session_settings: Settings) -> Path:
    """That model store."""
    return session_settings.models_dir


@pytest.fixture(scope="session")
def snownlp_engine(models_dir: Path) -> SentimentEngine:
    """The engine with its tables built."""
    return get_engine("snownlp", models_dir)
