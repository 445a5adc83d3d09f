"""The embedded Airflow: its environment, its secrets, its metadata database.

Airflow reads its configuration once, when it is first imported, from the environment. So everything of Huiyin that
needs Airflow runs in a child process which is given :func:`airflow_environment`; this module itself doesn't import
Airflow unless it is run as that child (``python -m huiyin.airflow_env``).
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from huiyin.config import Settings, load_settings
from huiyin.errors import HuiyinError

WRITER_POOL = "warehouse_writer"
ADMIN = "admin"
# Two metadata databases: a scheduler would otherwise run the tasks of a `huiyin run` a second time.
SERVED = "airflow.db"
RUNS = "runs.db"


class AirflowSetupError(HuiyinError):
    """The embedded Airflow can't be prepared; the message names the log to read."""


def airflow_environment(settings: Settings, port: int = 8080, database: str = SERVED) -> dict[str, str]:
    """The variables that make Airflow ours: folders, SQLite metadata, local executor, loopback, secrets, settings.

    The secrets are made on the first call, readable by the owner only, and stay the same afterwards: all components
    must share them. ``port`` is where the api-server listens on 127.0.0.1; ``database`` names the metadata file. Only
    what is ours is returned; merge it over ``os.environ``.
    """
    home = settings.airflow_home
    return {
        **settings_environment(settings),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(settings.home / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        # The warehouse pool lets one writer through; more processes than cores only pay for mapped scoring.
        "AIRFLOW__CORE__PARALLELISM": str(max(2, os.cpu_count() or 2)),
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": settings.timezone,
        "AIRFLOW__CORE__FERNET_KEY": _secret(home / "fernet.key", _fernet_key),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__AUTH_MANAGER": (
            "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:ADMIN",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / database}",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__INSTANCE_NAME": "回音 Huiyin",
        "AIRFLOW__API__SECRET_KEY": _secret(home / "api.key", _token),
        "AIRFLOW__API_AUTH__JWT_SECRET": _secret(home / "jwt.key", _token),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(settings.var_dir / "logs" / "airflow"),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # Nothing phones home; numerical libraries don't each start a thread per core beside the task processes.
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "GX_ANALYTICS_ENABLED": "False",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # `import huiyin` and `import ingest` must find this checkout, wherever a component is started.
        "PYTHONPATH": str(settings.home),
        "PYTHONUNBUFFERED": "1",
    }


def settings_environment(settings: Settings) -> dict[str, str]:
    """The settings as HUIYIN_… variables, so that a child process sees exactly these settings."""
    values = settings.model_dump(mode="json", exclude_none=True)
    values |= {"home": str(settings.home), "var": str(settings.var_dir)}
    if settings.sources is not None:
        values["sources"] = str(settings.sources_file)
    if settings.rules is not None:
        values["rules"] = str(settings.rules_dir)
    return dict(_variables("HUIYIN", values))


def _variables(prefix: str, values: Mapping[str, Any], joiner: str = "_") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}{joiner}{key.upper()}"
        if isinstance(value, dict):
            yield from _variables(name, value, "__")
        else:
            yield name, str(value)


def sign_in(settings: Settings) -> tuple[str, str]:
    """User and password of the embedded Airflow; the password is made on the first call."""
    file = settings.airflow_home / "passwords.json"
    return ADMIN, json.loads(_secret(file, lambda: json.dumps({ADMIN: secrets.token_urlsafe(12)})))[ADMIN]


def prepare(settings: Settings) -> None:
    """Create or migrate the served metadata database and the one-slot writer pool; instant when already done.

    Raises :class:`AirflowSetupError`.
    """
    sign_in(settings)
    if _is_prepared(settings, SERVED):
        return
    finished = subprocess.run(
        [sys.executable, "-m", "huiyin.airflow_env"],
        env=os.environ | airflow_environment(settings),
        cwd=settings.home,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        log = settings.var_dir / "logs" / "airflow-prepare.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(finished.stdout + finished.stderr, encoding="utf-8")
        raise AirflowSetupError(
            f"Airflow's metadata database in {settings.airflow_home} can't be prepared; see {log}."
            " If it was left by another version, move that folder away: it holds run history only"
        )
    _stamp(settings, SERVED).write_text(_prepared_for(), encoding="utf-8")


def prepare_here(settings: Settings, database: str = SERVED) -> None:
    """:func:`prepare`, within a process that already has :func:`airflow_environment` and may import Airflow."""
    if not _is_prepared(settings, database):
        migrate()
        _stamp(settings, database).write_text(_prepared_for(), encoding="utf-8")


def migrate() -> None:
    """Create or migrate the metadata database that Airflow's configuration names, and the writer pool in it.

    One slot on every warehouse: DuckDB admits one writer, and two dbt builds of one mart would undo each other.
    """
    from airflow.models.pool import Pool
    from airflow.utils import db

    db.upgradedb()
    Pool.create_or_update_pool(
        WRITER_POOL, slots=1, description="One task at a time opens the warehouse", include_deferred=False
    )


def _is_prepared(settings: Settings, database: str) -> bool:
    stamp = _stamp(settings, database)
    exists = (settings.airflow_home / database).exists() and stamp.exists()
    return exists and stamp.read_text(encoding="utf-8") == _prepared_for()


def _stamp(settings: Settings, database: str) -> Path:
    return settings.airflow_home / f"{database}.prepared"


def _prepared_for() -> str:
    return f"apache-airflow-core {version('apache-airflow-core')}, pool {WRITER_POOL}"


def _token() -> str:
    return secrets.token_urlsafe(64)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _secret(file: Path, make: Callable[[], str]) -> str:
    """The secret kept in that file, made once. Safe where two processes start at the same time."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(make())
        with suppress(FileExistsError):  # unlike a rename, a link never replaces what another process has just made
            os.link(draft, file)
        draft.unlink()
    return file.read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    if sys.argv[1:] == ["--export"]:
        for key, setting in airflow_environment(load_settings()).items():
            print(f"export {key}={shlex.quote(setting)}")
    else:
        migrate()
