"""A small company's folder of sources, and eyes into its warehouse.

A module of its own beside conftest.py: processes that tests start import it by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from huiyin.config import Settings
from huiyin.interval import Interval
from ingest.contract import ENTITIES
from ingest.load import LoadReport, ingest_source
from warehouse.connection import open_warehouse

TICKET_HEADER = "ticket_id,customer_ref,channel,subject,body,created_at,priority\n"


@dataclass
class Company:
    """Writes sources, loads them, looks at the result."""

    folder: Path
    settings: Settings

    def declare(self, *sources: dict[str, Any]) -> None:
        """Write the sources file."""
        content = {"company": "测试公司", "timezone": "Asia/Shanghai", "sources": list(sources)}
        (self.folder / "sources.yml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    def declare_files(self, *tables: dict[str, Any], name: str = "desk") -> None:
        """Write a sources file with one source of files."""
        self.declare({"name": name, "domain": "tickets", "kind": "files", "tables": list(tables)})

    def write(self, name: str, content: str | bytes) -> Path:
        """Put a file beside the sources file."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def load(self, name: str = "desk", interval: Interval | None = None, batch_id: str = "b1") -> list[LoadReport]:
        """Load a source."""
        return ingest_source(self.settings, name, interval or Interval(), batch_id)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Ask the warehouse."""
        with open_warehouse(self.settings) as warehouse:
            return warehouse.rows(sql)

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """All rows of raw and quarantine without the columns that tell when and in which batch."""
        with open_warehouse(self.settings) as warehouse:
            tables = warehouse.rows(
                "select table_schema as s, table_name as t from information_schema.tables"
                " where table_schema in ('raw', 'quarantine') and table_name in"
                f" ({', '.join(repr(name) for name in (*ENTITIES, 'calendar_days'))})"
            )
            found = {}
            for table in tables:
                rows = warehouse.query(f"select * from {table['s']}.{table['t']}")
                kept = [
                    n for n in rows.column_names if n not in ("_loaded_at", "_batch_id", "batch_id", "quarantined_at")
                ]
                found[f"{table['s']}.{table['t']}"] = sorted(rows.select(kept).to_pylist(), key=repr)
        return found

    def assert_balanced(self) -> None:
        """Every row fetched is accounted for."""
        unbalanced = self.rows(
            "select * from raw.load_audit where fetched <> loaded + merged + unchanged + quarantined"
        )
        assert not unbalanced
