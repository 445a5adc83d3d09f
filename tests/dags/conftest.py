"""Sources of a company with three domains."""

from __future__ import annotations

import pytest

from huiyin.config import Settings

SOURCES = """
company: 测试公司
sources:
  - {name: desk, domain: tickets, kind: files, tables: [{entity: tickets, path: "tickets/*.csv"}]}
  - {name: desk_two, domain: tickets, kind: files, tables: [{entity: tickets, path: "absent/*.csv"}]}
  - {name: crm, domain: crm, kind: sql, url: "sqlite:///crm.db", tables: [{entity: customers, table: customers}]}
  - {name: posts, domain: social, kind: files, tables: [{entity: feedback, path: "posts/*.jsonl"}]}
"""


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with a sources file; the files it names needn't exist."""
    folder = tmp_path_factory.mktemp("company")
    (folder / "sources.yml").write_text(SOURCES, encoding="utf-8")
    return Settings(var=folder / "var", sources=folder / "sources.yml", mask_key="k")
