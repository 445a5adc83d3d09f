"""Every room imports only what the table of docs/architecture.md allows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from huiyin.config import PROJECT_ROOT

LEAVES = {"huiyin.config", "huiyin.errors", "huiyin.interval"}
# Frameworks and stores that only some rooms may know.
ONLY_IN = {
    "airflow": {"huiyin", "dags", "plugins"},
    "dbt": {"warehouse"},
    "great_expectations": {"expectations", "huiyin"},
    "duckdb": {"warehouse", "huiyin"},
    "psycopg": {"warehouse", "huiyin"},
    "bertopic": {"nlp"},
    "statsforecast": {"demand"},
}


def allowed() -> dict[str, set[str] | None]:
    """Room → rooms it may import besides itself and the leaves; None: all."""
    text = (PROJECT_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (`\w+/`(?:, `\w+/`)*) \| [^|]+ \| ([^|]+) \|$", text, re.M)
    rooms: dict[str, set[str] | None] = {}
    for names, cell in table:
        for name in re.findall(r"`(\w+)/`", names):
            rooms[name] = None if cell.strip() == "all" else set(re.findall(r"`(\w+)`", cell))
    return rooms


ROOMS = allowed()


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def files(room: str) -> list[Path]:
    return sorted((PROJECT_ROOT / room).rglob("*.py"))


def test_the_table_names_every_room() -> None:
    assert set(ROOMS) == {
        "huiyin", "warehouse", "ingest", "expectations", "dbt_project", "nlp", "demand", "improvement", "dags",
        "plugins",
    }  # fmt: skip


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_it_may(room: str) -> None:
    permitted = ROOMS[room]
    wrong = []
    for file in files(room):
        for line, name in imports(file):
            top = name.split(".")[0]
            is_leaf = any(name == leaf or name.startswith(f"{leaf}.") for leaf in LEAVES)
            strange_room = (
                top in ROOMS and top != room and not is_leaf and permitted is not None and top not in permitted
            )
            if strange_room or room not in ONLY_IN.get(top, {room}):
                wrong.append(f"{file.relative_to(PROJECT_ROOT)}:{line} imports {name}")
    assert wrong == []


def test_the_leaves_import_nothing_of_the_project_but_leaves() -> None:
    for leaf in sorted(LEAVES):
        file = PROJECT_ROOT / f"{leaf.replace('.', '/')}.py"
        strange = [
            name
            for _, name in imports(file)
            if name.split(".")[0] in ROOMS and not any(name.startswith(other) for other in LEAVES)
        ]
        assert strange == [], leaf
