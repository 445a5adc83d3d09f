"""The example dashboard: fits the mart; a real Superset imports it and shows the same on DuckDB and on PostgreSQL."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx
import psycopg
import pytest
import yaml
from mart_company import Built

from huiyin.config import PROJECT_ROOT
from warehouse.connection import open_published
from warehouse.publish import publish
from warehouse.superset import BundleError, write_bundle

REQUIREMENTS = ["apache-superset[duckdb,postgres]==6.1.0", "flask-caching<2.4", "rich", "cachetools"]
PASSWORD = secrets.token_urlsafe(12)
Rows = list[tuple[str, ...]]


def bundle_of(built: Built, folder: Path, url: str = "") -> dict[str, Any]:
    """The files of the bundle by name."""
    publish(built.settings)
    write_bundle(built.settings, folder / "bundle.zip", url)
    with zipfile.ZipFile(folder / "bundle.zip") as bundle:
        return {name.removeprefix("huiyin/"): yaml.safe_load(bundle.read(name)) for name in bundle.namelist()}


def test_the_dashboard_asks_only_for_columns_and_metrics_that_there_are(on_duckdb: Built, tmp_path: Path) -> None:
    files = bundle_of(on_duckdb, tmp_path)
    datasets = {content["uuid"]: content for name, content in files.items() if name.startswith("datasets/")}
    with open_published(on_duckdb.settings) as mart:
        for dataset in datasets.values():
            relation = f"({dataset['sql']}) s" if dataset["sql"] else f"mart.{dataset['table_name']}"
            own = ", ".join(column.get("expression", column["column_name"]) for column in dataset["columns"])
            metrics = [metric["expression"] for metric in dataset["metrics"]]
            assert mart.query(f"select {own} from {relation} limit 1").num_rows == 1
            assert mart.query(f"select {', '.join(metrics) or 1} from {relation} limit 1").num_rows == 1
            if not dataset["sql"]:
                real = mart.query(f"from mart.{dataset['table_name']} limit 0").column_names
                assert [c["column_name"] for c in dataset["columns"] if "expression" not in c] == real
            assert all(column["verbose_name"] for column in dataset["columns"])
    charts = {content["uuid"]: content for name, content in files.items() if name.startswith("charts/")}
    for chart in charts.values():
        dataset = datasets[chart["dataset_uuid"]]
        columns = {column["column_name"] for column in dataset["columns"]}
        (query,) = json.loads(chart["query_context"])["queries"]
        asked = {column if isinstance(column, str) else column["label"] for column in query["columns"]}
        assert asked | {condition["col"] for condition in query["filters"]} <= columns, chart["slice_name"]
        assert set(query.get("metrics", [])) <= {metric["metric_name"] for metric in dataset["metrics"]}
    placed = [c["meta"]["uuid"] for c in files["dashboards/service.yaml"]["position"].values() if "CHART" in str(c)
              and isinstance(c, dict) and c["type"] == "CHART"]  # fmt: skip
    assert sorted(placed) == sorted(charts)


def test_a_bundle_for_postgresql_needs_the_url_that_superset_uses(on_postgres: Built, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="--database-url postgresql"):
        bundle_of(on_postgres, tmp_path)


@dataclass(frozen=True)
class Superset:
    """A running Superset, signed in by its API."""

    url: str
    client: httpx.Client

    def import_bundle(self, file: Path, password: str = "") -> None:
        """Import a bundle as docs/bi.md says."""
        with file.open("rb") as bundle:
            answer = self.client.post(
                "/api/v1/assets/import/",
                files={"bundle": (file.name, bundle, "application/zip")},
                data={"passwords": json.dumps({"databases/huiyin.yaml": password})} if password else {},
            )
        assert answer.status_code == 200, answer.text

    def charts(self) -> dict[str, Rows]:
        """What each chart shows, rows in one order."""
        listed = self.client.get("/api/v1/chart/", params={"q": "(page_size:100)"}).json()["result"]
        found: dict[str, Rows] = {}
        for chart in listed:
            answer = self.client.get(f"/api/v1/chart/{chart['id']}/data/", params={"force": "true"})
            assert answer.status_code == 200, f"{chart['slice_name']}: {answer.text}"
            (result,) = answer.json()["result"]
            assert result["status"] == "success", result
            # Sums of two engines differ in their last digits.
            found[chart["slice_name"]] = sorted(
                tuple(f"{value:.9g}" if isinstance(value, float) else str(value) for value in row.values())
                for row in result["data"]
            )
        return found


@pytest.fixture(scope="module")
def superset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    """Superset 6.1 from its wheel, in an environment of its own, with the example configuration."""
    home = tmp_path_factory.mktemp("superset")
    uv = [str(Path(sys.executable).parent / "uv")]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, home / "env"], check=True)
    installed = subprocess.run(
        [*uv, "pip", "install", "-q", "--python", home / "env" / "bin" / "python", *REQUIREMENTS],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    if installed.returncode:
        pytest.skip(f"Superset can't be installed here: {installed.stderr.strip()[-300:]}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AIRFLOW"))} | {
        "SUPERSET_HOME": str(home),
        "SUPERSET_SECRET_KEY": secrets.token_urlsafe(48),
        "SUPERSET_CONFIG_PATH": str(PROJECT_ROOT / "bi" / "superset" / "superset_config.py"),
        "FLASK_APP": "superset",
    }
    binaries = home / "env" / "bin"
    admin = ["--username", "admin", "--firstname", "a", "--lastname", "b", "--email", "a@example.org"]
    for command in (["db", "upgrade"], ["fab", "create-admin", *admin, "--password", PASSWORD], ["init"]):
        done = subprocess.run(
            [binaries / "superset", *command], env=environment, cwd=home, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-2000:]
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(
            [binaries / "gunicorn", "--bind", url.removeprefix("http://"), "--workers", "1", "--threads", "4",
             "--timeout", "120", "superset.app:create_app()"],
            env=environment, cwd=home, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        with httpx.Client(base_url=url, timeout=60, headers={"Referer": url}) as client:
            wait_until_healthy(client, server)
            login = {"username": "admin", "password": PASSWORD, "provider": "db"}
            token = client.post("/api/v1/security/login", json=login).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            client.headers["X-CSRFToken"] = client.get("/api/v1/security/csrf_token/").json()["result"]
            yield Superset(url, client)
    finally:
        server.terminate()
        server.wait(30)


def wait_until_healthy(client: httpx.Client, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        assert server.poll() is None, "Superset ended at once"
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError("Superset doesn't answer")


@pytest.fixture
def analyst(on_postgres: Built) -> Iterator[tuple[Built, str]]:
    """A login of the BI role, and how Superset connects with it."""
    settings = on_postgres.settings.model_copy(update={"bi_role": "huiyin_bi"})
    publish(settings)
    with psycopg.connect(settings.warehouse_url, autocommit=True) as admin:
        admin.execute("create role superset login password 'looking' in role huiyin_bi")
    yield (
        Built(settings, on_postgres.rows),
        settings.warehouse_url.replace("postgresql://postgres:trusted@", "postgresql+psycopg2://superset:XXXXXXXXXX@"),
    )
    with psycopg.connect(settings.warehouse_url, autocommit=True) as admin:
        for role in ("superset", "huiyin_bi"):
            admin.execute(f"drop owned by {role}".encode())
            admin.execute(f"drop role {role}".encode())


@pytest.mark.slow
def test_superset_imports_it_and_shows_the_same_on_both_engines_in_chinese(
    superset: Superset, on_duckdb: Built, analyst: tuple[Built, str], page: Any, tmp_path: Path
) -> None:
    charts = [content for name, content in bundle_of(on_duckdb, tmp_path).items() if name.startswith("charts/")]
    superset.import_bundle(tmp_path / "bundle.zip")
    on_file = superset.charts()
    assert set(on_file) == {chart["slice_name"] for chart in charts}
    assert all(on_file.values()), "a chart is empty"

    foreign: list[str] = []
    page.on("requestfinished", lambda request: foreign.append(request.url))
    page.goto(f"{superset.url}/login/")
    page.fill("input#username", "admin")
    page.fill("input#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/welcome/**", timeout=60_000)
    page.set_viewport_size({"width": 1500, "height": 2900})
    page.goto(f"{superset.url}/superset/dashboard/huiyin-service/")
    for name in on_file:
        page.get_by_text(name, exact=True).first.wait_for(timeout=60_000)
    # The last table is there, with captions, and no chart says that something went wrong.
    page.get_by_text("主要延误环节").first.wait_for(timeout=60_000)
    page.wait_for_function("document.querySelectorAll('canvas').length >= 5", timeout=60_000)
    page.screenshot(path=str(tmp_path / "dashboard.png"), full_page=True)
    text = page.inner_text("body")
    assert "编辑看板" in text and "时间范围" in text
    assert not [sign for sign in ("意外错误", "Unexpected", "Error", "错误") if sign in text]
    assert [url for url in foreign if not url.startswith((superset.url, "data:", "blob:"))] == []

    # Another file is renamed over the published one, as publishing does: the next look sees it.
    published = on_duckdb.settings.published_file
    shutil.copy(published, tmp_path / "next.duckdb")
    with duckdb.connect(str(tmp_path / "next.duckdb")) as mart:
        mart.execute("delete from mart.agg_indicator_daily")
        mart.execute("insert into mart.agg_indicator_daily values ('2024-05-01', 'ticket_count', 'all', 'all', 7, 1)")
    (tmp_path / "next.duckdb").replace(published)
    assert superset.charts()["工单总量"] == [("7",)]

    built, url = analyst
    bundle_of(built, tmp_path, url)
    superset.import_bundle(tmp_path / "bundle.zip", "looking")
    on_server = superset.charts()
    assert set(on_server) == set(on_file)
    for name, rows in on_file.items():
        assert on_server[name] == rows, name
