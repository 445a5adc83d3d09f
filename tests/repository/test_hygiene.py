"""What a stranger finds: a lock that any mirror serves, documents that tell the truth, no trace of a machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from huiyin.config import PROJECT_ROOT

DOCUMENTS = [
    PROJECT_ROOT / "README.md",
    PROJECT_ROOT / "README.zh-CN.md",
    *sorted((PROJECT_ROOT / "docs").glob("*.md")),
]
PLACES = re.compile(r"(?<![\w.:/}$])/(?:work|root|home/\w+)/")


def tracked() -> list[Path]:
    """The files in git, except vendored and binary ones."""
    if shutil.which("git") is None or not (PROJECT_ROOT / ".git").exists():
        pytest.skip("no git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT_ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    return [PROJECT_ROOT / name for name in listed if name and (PROJECT_ROOT / name).is_file()]


def test_the_lock_names_no_registry_and_pins_everything_by_hash() -> None:
    text = (PROJECT_ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8")

    assert "://" not in text
    assert "--index" not in text and "--find-links" not in text and "--trusted-host" not in text
    requirements = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]+\])?==\S+(.*?)(?=^\S|\Z)", text, re.M | re.S)
    assert len(requirements) > 200
    assert [name for name, rest in requirements if "--hash=sha256:" not in rest] == []
    # Several GB that the project does without.
    assert {name.lower() for name, _ in requirements}.isdisjoint({"torch", "sentence-transformers", "triton"})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_make_target_in_a_document_exists(document: Path) -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", makefile, re.M))
    code = " ".join(re.findall(r"`[^`]+`|^```.*?^```", document.read_text(encoding="utf-8"), re.M | re.S))

    assert set(re.findall(r"(?:^|[\s`])make ([a-z][\w-]*)", code)) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_huiyin_command_in_a_document_exists(document: Path) -> None:
    import typer.main

    from huiyin.cli import app

    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    code = " ".join(re.findall(r"`[^`]+`|^```.*?^```", document.read_text(encoding="utf-8"), re.M | re.S))

    assert set(re.findall(r"(?:^|[\s`/])huiyin ([a-z][\w-]*)", code)) <= commands


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", document.read_text(encoding="utf-8"))

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_both_readmes_are_there_and_name_the_two_commands() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        text = (PROJECT_ROOT / name).read_text(encoding="utf-8")
        assert "make demo" in text and "make test" in text


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = []
    for file in tracked():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{file.relative_to(PROJECT_ROOT)}: {match.group()}"
            for match in PLACES.finditer(text)
            if file != Path(__file__)
        ]
    assert found == []


def test_what_runs_make_is_not_in_git() -> None:
    names = [str(file.relative_to(PROJECT_ROOT)) for file in tracked()]
    assert [
        n for n in names if n.startswith(("var/", ".venv/")) or n.endswith((".duckdb", ".db", ".pyc", ".env"))
    ] == []
    assert [file.name for file in tracked() if file.stat().st_size > 5_000_000] == []
