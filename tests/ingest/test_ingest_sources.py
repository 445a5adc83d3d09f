"""The sources file: what it accepts, and what it says about faults."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from huiyin.config import PROJECT_ROOT, Settings
from ingest.configuration import SourcesFileError
from ingest.connectors.files.config import FilesSource, FileTable
from ingest.connectors.sql.config import SqlSource, SqlTable
from ingest.contract import ENTITIES
from ingest.sources import DECISION_ENTITIES, SourcesFile, load_sources

GOOD = """
timezone: Asia/Shanghai
sources:
  - name: desk
    domain: tickets
    kind: files
    tables:
      - entity: tickets
        path: tickets/{date}.csv
"""


def _load(tmp_path: Path, text: str) -> object:
    (tmp_path / "sources.yml").write_text(text, encoding="utf-8")
    return load_sources(Settings(var=tmp_path, sources=tmp_path / "sources.yml"))


@pytest.mark.parametrize(
    ("change", "with_what", "expected"),
    [
        (
            "entity: tickets",
            "entity: ticketz",
            r"#1 \(desk\) tables #1 \(ticketz\) entity: no entity 'ticketz'; one of: ti",
        ),
        ("path:", "paht:", r"tables #1 \(tickets\) path: Field required"),
        ("path: tickets", "colour: red\n        path: tickets", "colour: no such key"),
        (
            "path: tickets",
            "columns: {nope: x}\n        path: tickets",
            "tickets has no field 'nope'; its fields: ticket_id",
        ),
        (
            "path: tickets",
            "columns: {body: x}\n        constants: {body: y}\n        path: tickets",
            "body is given twice, by columns and by constants",
        ),
        ("path: tickets", "templates: {body: fixed}\n        path: tickets", "no {column} in 'fixed'; use constants"),
        ("path: tickets", "timezone: Mars/Base\n        path: tickets", "'Mars/Base' is no IANA time zone"),
        ("path: tickets", "encoding: gbk2\n        path: tickets", "no encoding 'gbk2'"),
        ("name: desk", "name: decisions", "are built in; choose another"),
        ("name: desk", "name: My Desk", "name: String should match"),
        ("kind: files", "kind: ftp", r"#1 \(desk\): kind: must be one of files, mailbox"),
        ("kind: files", "kind: files\n    kind: sql", "the key 'kind' stands twice"),
        ("sources:", "sources: [", "is not valid YAML"),
    ],
)
def test_a_fault_names_file_source_key_and_remedy(tmp_path: Path, change: str, with_what: str, expected: str) -> None:
    _load(tmp_path, GOOD)
    with pytest.raises(SourcesFileError, match=expected) as raised:
        _load(tmp_path, GOOD.replace(change, with_what, 1))
    assert str(tmp_path / "sources.yml") in str(raised.value)


def test_a_missing_file_says_where_to_start(tmp_path: Path) -> None:
    with pytest.raises(SourcesFileError, match=r"examples/own_files\.yml"):
        load_sources(Settings(var=tmp_path, sources=tmp_path / "none.yml"))


def test_values_arrive_as_they_were_written(tmp_path: Path) -> None:
    text = GOOD + "        values: {is_test: {是: yes, 0123: no}}\n        constants: {created_at: 2025-01-01}\n"
    table = _load(tmp_path, text).sources[0].tables[0]  # type: ignore[attr-defined]
    assert table.values == {"is_test": {"是": "yes", "0123": "no"}}
    assert table.constants == {"created_at": "2025-01-01"}


def test_variables_are_filled_in_and_relative_databases_lie_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_FILE", "crm.db")
    text = GOOD + (
        "  - {name: crm, domain: crm, kind: sql, url: 'sqlite:///${CRM_FILE}',"
        " tables: [{entity: customers, table: c}]}\n"
        "  - {name: erp, domain: crm, kind: sql, url: '${ERP_URL}', tables: [{entity: customers, table: c}]}\n"
    )
    sources = _load(tmp_path, text)
    assert sources.source("crm").url == f"sqlite:///{tmp_path}/crm.db"  # type: ignore[attr-defined]
    assert sources.source("erp").url == "${ERP_URL}"  # type: ignore[attr-defined]  # fails when opened, not before


def test_decisions_are_a_source_of_every_company(tmp_path: Path) -> None:
    decisions = _load(tmp_path, GOOD).sources[-1]  # type: ignore[attr-defined]
    assert isinstance(decisions, SqlSource)
    assert (decisions.name, decisions.domain) == ("decisions", "decisions")
    assert tuple(table.entity for table in decisions.tables) == DECISION_ENTITIES
    assert set(DECISION_ENTITIES) <= set(ENTITIES)


def test_the_examples_are_valid() -> None:
    for name in ("own_files", "citizen_complaints"):
        sources = load_sources(Settings(sources=PROJECT_ROOT / "examples" / f"{name}.yml"))
        assert {source.domain for source in sources.sources} == {"tickets", "crm", "social", "decisions"}


def test_the_documentation_names_every_key_and_every_field() -> None:
    text = (PROJECT_ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    for model in (SourcesFile, FilesSource, SqlSource, FileTable, SqlTable):
        for key in model.model_fields:
            assert f"`{key}`" in text, key
    for entity in ENTITIES.values():
        if entity.name not in DECISION_ENTITIES or entity.name == "actions":
            section = text.split(f"**{entity.name}** – {entity.grain}; key {', '.join(entity.key)}\n")[1].split("**")[0]
            rows = [line.split("|") for line in section.splitlines() if line.startswith("| ")][1:]
            assert [(row[1].strip(), row[2].strip(), row[3].strip() == "yes") for row in rows] == [
                (field.name, field.kind, field.required) for field in entity.fields
            ]


def test_dag_files_can_read_sources_without_loading_arrow_or_pandas() -> None:
    heavy = ["pyarrow", "pandas", "sqlalchemy", "duckdb"]
    code = f"import sys, ingest.sources; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    assert done.stdout.strip() == "[]"
