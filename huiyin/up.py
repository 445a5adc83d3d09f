"""Serve the embedded Airflow on loopback: api-server (UI), scheduler, DAG processor, and the inbox if used.

DuckDB and SQLite admit one machine and few processes, which is what this profile is for; teams use the compose file.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from huiyin.airflow_env import airflow_environment, prepare, sign_in
from huiyin.config import Settings
from huiyin.errors import HuiyinError
from ingest.sources import load_sources

HOST = "127.0.0.1"
# Each component with its command. Log servers listen on all interfaces and aren't needed on one machine.
COMPONENTS = {
    "airflow-api-server": ["airflow", "api-server"],
    "airflow-scheduler": ["airflow", "scheduler", "--skip-serve-logs"],
    "airflow-dag-processor": ["airflow", "dag-processor"],
}
INBOX_PORT = 8090
START_SECONDS = 180
STOP_SECONDS = 20


class ServeError(HuiyinError):
    """Airflow could not be served; the message names the component and its log."""


def up(settings: Settings, port: int = 8080) -> None:
    """Serve Airflow on 127.0.0.1 with the DAGs scheduled; returns when stopped by Ctrl-C or SIGTERM.

    Where ``port`` is in use the next free one is taken. Raises :class:`ServeError` where a component dies or doesn't
    become healthy, and what :func:`ingest.sources.load_sources` raises.
    """
    console = Console()
    components = dict(COMPONENTS)
    pushing = [source.name for source in load_sources(settings).sources if source.kind == "webhook"]
    inbox_port = free_port(INBOX_PORT) if pushing else INBOX_PORT
    if pushing:
        components["inbox"] = ["huiyin.cli", "inbox", "--port", str(inbox_port)]
    chosen = free_port(port)
    if chosen != port:
        console.print(f"port {port} is in use; taking {chosen}")
    base = f"http://{HOST}:{chosen}"
    with console.status("preparing Airflow"):
        prepare(settings)
    logs = settings.var_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with _stop_on_sigterm(), _components(settings, components, chosen, logs) as children:
        try:
            with console.status("starting Airflow"):
                _wait_until_healthy(base, children, logs)
            user, password = sign_in(settings)
            where = Table.grid(padding=(0, 2))
            where.add_row("Airflow", f"[cyan]{base}[/]")
            where.add_row("report 报告", f"[cyan]{base}/plugin/huiyin-report[/]")
            for name in pushing:
                where.add_row(f"events of {name}", f"[cyan]http://{HOST}:{inbox_port}/hooks/{name}[/]")
            where.add_row("sign in", f"[cyan]{user}[/] / [cyan]{password}[/]")
            where.add_row("logs", f"[cyan]{logs}[/]")
            console.print(where, soft_wrap=True)
            console.print("The DAGs run daily at 02:00; Ctrl-C stops everything.")
            while True:
                _all_alive(children, logs)
                time.sleep(1)
        except KeyboardInterrupt:
            console.print("stopping …")


def free_port(first: int) -> int:
    """The first port from ``first`` on that nothing listens on at 127.0.0.1. Raises :class:`ServeError`."""
    for port in range(first, min(first + 50, 65536)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ServeError(f"no free port from {first} on; choose another with --port")


@contextmanager
def _stop_on_sigterm() -> Iterator[None]:
    """SIGTERM stops like Ctrl-C, so that service managers end all components too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _components(
    settings: Settings, components: Mapping[str, list[str]], port: int, logs: Path
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The processes, each in a group of its own; all groups are gone afterwards."""
    environment = os.environ | airflow_environment(settings, port)
    # The DAGs come to run at once instead of paused: whoever calls `huiyin up` wants them scheduled.
    environment["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] = "False"
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in components.items():
            with (logs / f"{name}.log").open("wb") as log:
                children[name] = subprocess.Popen(
                    [sys.executable, "-m", *command],
                    env=environment,
                    cwd=settings.home,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        yield children
    finally:
        _stop(children)


def _stop(children: dict[str, subprocess.Popen[bytes]]) -> None:
    for child in children.values():
        _signal_group(child, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for child in children.values():
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.1, deadline - time.monotonic()))
        # Whatever is left of the group, such as a task that was running.
        _signal_group(child, signal.SIGKILL)
        child.wait()


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return


def _all_alive(children: dict[str, subprocess.Popen[bytes]], logs: Path) -> None:
    for name, child in children.items():
        if child.poll() is not None:
            raise ServeError(f"{name} ended with code {child.returncode}; see {logs / f'{name}.log'}")


def _wait_until_healthy(base: str, children: dict[str, subprocess.Popen[bytes]], logs: Path) -> None:
    """Wait until api-server, scheduler and DAG processor report that they are healthy."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        _all_alive(children, logs)
        health = _health(base)
        if all(health.get(part) == "healthy" for part in ("metadatabase", "scheduler", "dag_processor")):
            return
        time.sleep(0.5)
    raise ServeError(f"Airflow didn't become healthy within {START_SECONDS} s: {health}; see the logs in {logs}")


def _health(base: str) -> dict[str, str]:
    """Status of each component by name; empty while the api-server doesn't answer yet."""
    try:
        # No proxy: this is loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{base}/api/v2/monitor/health", timeout=5) as answer:
            parts = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return {}
    return {name: str((part or {}).get("status")) for name, part in parts.items()}
