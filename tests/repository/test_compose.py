"""The team profile, checked without Docker."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from huiyin.config import PROJECT_ROOT, Settings

TEXT = (PROJECT_ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_OFF = {"migrate"}
STORES = {"postgres", "redis"}
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|FERNET|MASK_KEY|AUTH$", re.I)


def environment(service: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in (service.get("environment") or {}).items()}


def test_the_services_of_the_team_profile_are_there() -> None:
    assert set(SERVICES) >= STORES | ONE_OFF | {"api-server", "scheduler", "dag-processor", "worker"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_OFF))
def test_every_lasting_service_is_checked_and_restarted(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] in ("unless-stopped", "always")


def test_all_airflow_services_share_one_image_and_one_environment() -> None:
    airflow = {name: service for name, service in SERVICES.items() if name not in STORES}

    assert len({service["image"] for service in airflow.values()}) == 1
    first = environment(next(iter(airflow.values())))
    assert first["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert all(environment(service) == first for service in airflow.values())


def test_no_secret_is_written_down() -> None:
    for name, service in SERVICES.items():
        for key, value in environment(service).items():
            if SECRET.search(key) and not key.endswith("_FILE"):
                assert "${" in value or value in ("False", "True"), f"{name}: {key}"
    # A password in a URL, and nothing around it.
    for password in re.findall(r"://[^:/@\s\"]*:([^@/\s\"]+)@", TEXT):
        assert re.fullmatch(r"\$\{\w+(:\?[^}]*)?\}", password), password


def test_every_huiyin_variable_is_a_setting() -> None:
    known = {f"HUIYIN_{name.upper()}" for name in Settings.model_fields} | {"HUIYIN_CONFIG"}
    for service in SERVICES.values():
        for key in environment(service):
            if key.startswith("HUIYIN_"):
                assert key.split("__")[0] in known, key


def test_what_must_be_set_is_in_the_example_and_secret_files_stay_out_of_git() -> None:
    example = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")
    written = set(re.findall(r"^#?\s?(\w+)=", example, re.M))
    needed = set(re.findall(r"\$\{(\w+)", TEXT))

    assert needed <= written
    assert re.search(r"^/?\.env$", (PROJECT_ROOT / ".gitignore").read_text(encoding="utf-8"), re.M)


def test_ports_open_on_loopback_only() -> None:
    ports = [str(port) for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_nothing_starts_before_what_it_needs() -> None:
    assert SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in set(SERVICES) - STORES - ONE_OFF:
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully", name
