"""A real MariaDB on a loopback port, in a folder of its own, for tests of MySQL as a source."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest

SERVER, INSTALL = Path("/usr/sbin/mariadbd"), Path("/usr/bin/mariadb-install-db")
USER = "huiyin"


@contextmanager
def mariadb() -> Iterator[int]:
    """Start the server; yields its port. User ``huiyin`` has no password. Skips where MariaDB isn't installed."""
    if not (SERVER.exists() and INSTALL.exists()):
        pytest.skip("needs MariaDB (Debian's mariadb-server)")
    folder = Path(tempfile.mkdtemp(prefix="hy-my-"))
    data = folder / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    subprocess.run(
        [str(INSTALL), "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
         "--skip-test-db"],
        check=True, capture_output=True,
    )  # fmt: skip
    start = folder / "start.sql"
    start.write_text(f"create user {USER}@'127.0.0.1';\ngrant all on *.* to {USER}@'127.0.0.1';\n")
    owner = ["--user=root"] if data.owner() == "root" else []
    server = subprocess.Popen(
        [str(SERVER), "--no-defaults", f"--datadir={data}", f"--socket={folder / 's'}", f"--port={port}",
         "--bind-address=127.0.0.1", f"--init-file={start}", "--innodb-buffer-pool-size=16M",
         "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--skip-name-resolve", *owner],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                pymysql.connect(host="127.0.0.1", port=port, user=USER).close()
                break
            except pymysql.err.OperationalError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise
                time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
