"""The command line says what it does and what is wrong, without tracebacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from huiyin.airflow_env import settings_environment
from huiyin.cli import app
from huiyin.config import Settings
from huiyin.interval import Interval
from ingest.load import ingest_source
from ingest.quarantine import QuarantineError


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


def test_a_run_in_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "sources.yml").write_text(
        "sources:\n  - {name: desk, domain: tickets, kind: files, tables: [{entity: tickets, path: 'desk.csv'}]}\n",
        encoding="utf-8",
    )
    var = tmp_path / "var"
    var.write_text("a file where the folder should be", encoding="utf-8")
    ended = huiyin("--sources", str(tmp_path / "sources.yml"), "run", var=var)
    assert ended.returncode == 1
    assert f"{var} can't be written" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_bad_row_is_seen_put_right_and_loaded_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "sources.yml").write_text(
        "company: x\nsources:\n"
        "  - {name: desk, domain: tickets, kind: files, tables: [{entity: tickets, path: 'desk.csv'}]}\n",
        encoding="utf-8",
    )
    (tmp_path / "desk.csv").write_text(
        "ticket_id,customer_ref,channel,subject,body,created_at\nT1,13800013800,飞鸽,标题,漏水,明天\n", encoding="utf-8"
    )
    settings = Settings(var=tmp_path / "var", sources=tmp_path / "sources.yml", mask_key="k")
    ingest_source(settings, "desk", Interval(), "b1")

    def command(*arguments: str) -> Result:
        environment = settings_environment(settings) | {"COLUMNS": "200"}
        return CliRunner().invoke(app, arguments, env=environment)

    listed = json.loads(command("quarantine", "list", "--json").stdout)
    assert [(reason["rule"], reason["field"], reason["waiting"]) for reason in listed["reasons"]] == [
        ("type", "created_at", 1)
    ]
    key = listed["rows"][0]["quarantine_id"]
    shown = command("quarantine", "show", key[:8]).stdout
    assert "明天" in shown and "desk.csv, row 1" in shown and "13800013800" not in shown
    refused = command("quarantine", "fix", key, "created_at=后天")
    assert refused.exit_code == 1 and isinstance(refused.exception, QuarantineError)
    assert "write YYYY-MM-DD" in str(refused.exception)
    assert command("quarantine", "replay", key).exit_code == 1
    fixed = command("quarantine", "fix", key[:8], "created_at=2025-01-05 12:00", "--by", "王工", "--replay")
    assert fixed.exit_code == 0 and "put right and loaded" in fixed.stdout
    assert "Nothing waits" in command("quarantine", "list").stdout
    assert "channel has the value 飞鸽" in command("drift", "list").stdout
    assert "no new column to accept" in str(command("drift", "accept", "desk").exception)


def test_doctor_asks_each_system_whether_it_lets_us_in(tmp_path: Path) -> None:
    (tmp_path / "sources.yml").write_text(
        "company: x\nsources:\n"
        "  - {name: crm, domain: crm, kind: sql, url: 'sqlite:///gone.db', tables: [{entity: agents, table: a}]}\n"
        "  - {name: mail, domain: tickets, kind: mailbox, host: 127.0.0.1, port: 9, user: x,"
        " password: '${MAIL_PASSWORD}', own: ['@example.com']}\n",
        encoding="utf-8",
    )
    ended = huiyin("--sources", str(tmp_path / "sources.yml"), "doctor", var=tmp_path / "var", MAIL_PASSWORD="y")
    assert ended.returncode == 1
    assert "there is no database file" in ended.stdout
    assert "source mail" in ended.stdout and ended.stdout.count("✗") == 2
