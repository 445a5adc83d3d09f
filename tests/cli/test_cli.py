"""The command line says what it does and what is wrong, without tracebacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def huiyin(*arguments: str, var: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HUIYIN_")}
    return subprocess.run(
        [str(Path(sys.executable).parent / "huiyin"), *arguments],
        env=clean | {"HUIYIN_VAR": str(var), "COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_names_every_command(tmp_path: Path) -> None:
    shown = huiyin("--help", var=tmp_path).stdout
    for command in ("demo", "run", "up", "status", "report", "doctor", "cards", "quarantine", "drift"):
        assert command in shown


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("HUIYIN_NLP__CHUNK_SIZE", "many", "nlp.chunk_size"),
        ("HUIYIN_TIMEZONE", "Asia/Pekin", "timezone"),
        ("HUIYIN_WAREHOUSE", "mysql://x", "warehouse"),
    ],
)
def test_a_bad_setting_is_named_with_its_key(tmp_path: Path, variable: str, value: str, named: str) -> None:
    ended = huiyin("status", var=tmp_path, **{variable: value})
    assert ended.returncode == 1
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unreadable_configuration_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "huiyin.toml"
    broken.write_text("warehouse = ", encoding="utf-8")
    ended = huiyin("status", var=tmp_path, HUIYIN_CONFIG=str(broken))
    assert ended.returncode == 1
    assert str(broken) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_status_before_the_first_run_says_what_to_do(tmp_path: Path) -> None:
    ended = huiyin("status", var=tmp_path)
    assert ended.returncode == 1
    assert "huiyin run" in ended.stderr


def test_doctor_finds_missing_rules_and_missing_sources(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    sources = tmp_path / "sources.yml"
    sources.write_text(
        "company: x\ntimezone: Asia/Shanghai\nsources:\n"
        "  - {name: desk, domain: tickets, kind: files, tables: [{entity: tickets, path: 'no/{date}.csv'}]}\n",
        encoding="utf-8",
    )
    ended = huiyin("--rules", str(rules), "--sources", str(sources), "doctor", var=tmp_path / "var")
    assert ended.returncode == 1
    assert "sla_policies.csv" in ended.stdout
    assert "there is no folder" in ended.stdout
    assert "→" in ended.stdout


def test_doctor_is_content_with_a_working_installation(tmp_path: Path) -> None:
    ended = huiyin("doctor", var=tmp_path / "var")
    assert ended.returncode == 0, ended.stdout


def test_an_empty_interval_is_refused(tmp_path: Path) -> None:
    ended = huiyin("run", "--from", "2025-03-02", "--to", "2025-03-01", var=tmp_path)
    assert ended.returncode == 2
    assert "exclusive" in ended.stderr


def test_a_run_without_sources_says_where_to_begin(tmp_path: Path) -> None:
    ended = huiyin("run", var=tmp_path)
    assert ended.returncode == 1
    assert "sources" in ended.stderr
    assert "Traceback" not in ended.stderr
