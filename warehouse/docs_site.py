"""The mart explained as one HTML page that opens offline: models, columns, tests, lineage, by dbt."""

from __future__ import annotations

from pathlib import Path

from huiyin.config import Settings
from warehouse.dbt import run_dbt


def write_docs(settings: Settings) -> Path:
    """Write ``var/docs/index.html`` from the project and the warehouse as they are, and return its path.

    Raises :class:`warehouse.dbt.DbtFailedError` and ``WarehouseError``.
    """
    run_dbt(settings, "docs generate")
    made = settings.var_dir / "dbt" / settings.dialect / "target" / "static_index.html"
    page = settings.var_dir / "docs" / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    made.replace(page)
    return page
