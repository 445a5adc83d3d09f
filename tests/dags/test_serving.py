"""`huiyin up`: real Airflow components on loopback, the report behind Airflow's own sign-in, a clean end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from huiyin.airflow_env import airflow_environment, settings_environment, sign_in
from huiyin.config import Settings
from huiyin.up import free_port

REPORT = "<!doctype html><title>改进报告</title><script>document.title = '图表'</script>"


@dataclass
class Served:
    settings: Settings
    process: subprocess.Popen[bytes]
    base: str
    printed: str


@pytest.fixture(scope="module")
def served(company: Settings) -> Iterator[Served]:
    """A running `huiyin up`."""
    company.reports_dir.mkdir(parents=True)
    (company.reports_dir / "latest.html").write_text(REPORT, encoding="utf-8")
    output = company.var_dir / "up.out"
    port = free_port(18080)
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "huiyin.cli", "up", "--port", str(port)],
            env=os.environ | settings_environment(company) | {"COLUMNS": "200"},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + 240
    while "Ctrl-C" not in output.read_text(encoding="utf-8"):
        assert process.poll() is None and time.monotonic() < deadline, output.read_text(encoding="utf-8")
        time.sleep(0.5)
    yield Served(company, process, f"http://127.0.0.1:{port}", output.read_text(encoding="utf-8"))
    if process.poll() is None:
        process.terminate()
        process.wait(60)


def request(url: str, token: str | None = None, body: dict[str, str] | None = None) -> tuple[int, Any, str]:
    """Status, headers and text of an answer; the token goes as the browser's cookie."""
    headers = {"Content-Type": "application/json"} | ({"Cookie": f"_token={token}"} if token else {})
    call = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(call, timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def token(served: Served) -> str:
    user, password = sign_in(served.settings)
    status, _, text = request(f"{served.base}/auth/token", body={"username": user, "password": password})
    assert status == 201
    return str(json.loads(text)["access_token"])


@pytest.mark.slow
def test_up_prints_where_to_look_and_a_sign_in_that_works(served: Served) -> None:
    user, password = sign_in(served.settings)
    assert served.base in served.printed and password in served.printed
    assert token(served)
    assert request(f"{served.base}/auth/token", body={"username": user, "password": "wrong"})[0] == 401


@pytest.mark.slow
def test_the_report_is_shown_to_nobody_who_has_not_signed_in(served: Served) -> None:
    for intruder in (None, "x.y.z", token(served)[:-3] + "abc"):
        status, _, text = request(f"{served.base}/huiyin/latest", intruder)
        assert status in (401, 403)
        assert "改进报告" not in text


@pytest.mark.slow
def test_who_has_signed_in_gets_the_report_sandboxed(served: Served) -> None:
    status, headers, text = request(f"{served.base}/huiyin/latest", token(served))
    assert (status, text) == (200, REPORT)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'self'" in policy
    sandbox = policy.partition("sandbox ")[2].partition(";")[0].split()
    assert "allow-scripts" in sandbox and "allow-same-origin" not in sandbox
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.slow
def test_the_report_is_a_page_inside_airflows_ui(served: Served, page: Any) -> None:
    user, password = sign_in(served.settings)
    page.goto(f"{served.base}/plugin/huiyin-report")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/plugin/huiyin-report", timeout=30_000)
    frame = page.wait_for_selector("iframe", timeout=30_000).content_frame()
    frame.wait_for_load_state()
    # The report's own script ran, and it has an origin of its own: Airflow's session is out of its reach.
    assert frame.title() == "图表"
    assert frame.evaluate("window.origin") == "null"


@pytest.mark.slow
def test_the_dags_are_scheduled(served: Served) -> None:
    deadline = time.monotonic() + 60
    dags: dict[str, bool] = {}
    while len(dags) < 7 and time.monotonic() < deadline:
        _, _, text = request(f"{served.base}/api/v2/dags", token(served))
        dags = {dag["dag_id"]: dag["is_paused"] for dag in json.loads(text)["dags"]}
        time.sleep(1)
    assert len(dags) == 7 and not any(dags.values())


@pytest.mark.slow
def test_everything_listens_on_loopback_only_and_ends_with_the_command(served: Served) -> None:
    family = [psutil.Process(served.process.pid), *psutil.Process(served.process.pid).children(recursive=True)]
    assert len(family) > 3
    listening = [
        connection.laddr.ip
        for member in family
        for connection in member.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening and set(listening) == {"127.0.0.1"}
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0
    assert [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE] == []


def test_a_port_in_use_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port


def test_secrets_are_long_made_once_and_readable_by_the_owner_only(settings: Settings) -> None:
    first, second = airflow_environment(settings), airflow_environment(settings)
    assert first == second
    assert len(first["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64
    sign_in(settings)
    files = [file for file in settings.airflow_home.iterdir() if re.search(r"\.key$|passwords", file.name)]
    assert len(files) == 4
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_child_processes_see_the_very_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(var=tmp_path, warehouse="postgresql://u:p@h/db", timezone="Asia/Tokyo", mask_key="k")
    settings.nlp.chunk_size = 123
    for name, value in settings_environment(settings).items():
        monkeypatch.setenv(name, value)
    seen = Settings()
    assert (seen.var_dir, seen.warehouse, seen.timezone) == (tmp_path, settings.warehouse, "Asia/Tokyo")
    assert seen.nlp.chunk_size == 123
