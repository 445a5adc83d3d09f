"""What the rooms agreed on is what the project has: tables, columns, keys, documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from mart_company import CALENDAR, Built

from huiyin.config import PROJECT_ROOT
from ingest.contract import ENTITIES, PRIORITIES, STATUSES, TIERS
from ingest.identity.tables import IDENTITY
from ingest.tables import QUARANTINE
from warehouse.builds import BUILD_TABLES
from warehouse.demand import DEMAND_TABLES
from warehouse.handover import NLP_TABLES
from warehouse.publish import PUBLIC_MARTS

MODELS = PROJECT_ROOT / "dbt_project" / "models"
SQL_TYPES = {
    "string": "text",
    "int64": "bigint",
    "double": "double precision",
    "bool": "boolean",
    "date32[day]": "date",
    "timestamp[us]": "timestamp",
}


def properties(kind: str) -> dict[str, dict[str, Any]]:
    """All entries of one kind in the property files."""
    files = sorted(MODELS.rglob("_*.yml"))
    return {entry["name"]: entry for file in files for entry in yaml.safe_load(file.read_text()).get(kind, [])}


def test_sources_have_the_columns_types_and_keys_of_the_contract_and_of_the_handover() -> None:
    tables = {name: (entity.arrow_schema, ("_source", *entity.key)) for name, entity in ENTITIES.items()}
    tables |= NLP_TABLES | BUILD_TABLES | DEMAND_TABLES
    tables |= {"identity": (IDENTITY, ("ref",)), "calendar_days": (CALENDAR, ("date_day",))}
    sources = properties("sources")
    rejected = {t["name"]: t for t in sources.pop("quarantine")["tables"]}
    for table in rejected.values():
        assert {c["name"]: c["data_type"] for c in table["columns"]} == {
            f.name: SQL_TYPES[str(f.type)] for f in QUARANTINE
        }
        assert table["config"]["meta"]["key"] == ["quarantine_id"]
    declared = {t["name"]: t for source in sources.values() for t in source["tables"]}
    assert set(declared) == set(tables)
    for name, table in declared.items():
        schema, key = tables[name]
        assert {c["name"]: c["data_type"] for c in table["columns"]} == {f.name: SQL_TYPES[str(f.type)] for f in schema}
        assert table["config"]["meta"]["key"] == list(key), name


def test_targets_may_name_what_the_contract_knows() -> None:
    values = properties("seeds")["sla_policies"]["config"]["meta"]["values"]
    assert values["customer_tier"] == list(TIERS)
    assert values["priority"] == list(PRIORITIES)
    assert values["pauses_on"] == [status for status in STATUSES if status != "closed"]


def architecture() -> dict[str, list[str]]:
    """Public marts and their columns as docs/architecture.md lists them; empty where it refers to the contract."""
    text = (PROJECT_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    marts: dict[str, list[str]] = {}
    for names, columns in re.findall(r"^\| ((?:dim|fct|agg|bi)_[\w, ]+) \| [^|]+ \| (.+) \|$", text, re.M):
        bare = re.sub(r"\([^)]*\)", "", columns).replace("p50_…, p90_…,", "p50_first_response_minutes,"
                                                         " p90_first_response_minutes,")  # fmt: skip
        for name in names.split(", "):
            marts[name] = [] if "contract" in bare else [part.strip() for part in bare.split(",")]
    return marts


def test_public_marts_are_those_of_the_architecture_column_by_column(on_duckdb: Built) -> None:
    listed = architecture()
    assert set(listed) == set(PUBLIC_MARTS)
    for name, columns in listed.items():
        expected = columns or [field.name for field in ENTITIES[name.removeprefix("fct_")].fields]
        assert list(on_duckdb.frame(name).columns) == expected, name


def test_every_public_column_is_described_and_every_model_has_a_description() -> None:
    models = properties("models")
    files = {file.stem for file in MODELS.rglob("*.sql")}
    assert set(models) == files
    assert all(model["description"] for model in models.values())
    for name in PUBLIC_MARTS:
        assert models[name]["description"].startswith("One row per "), f"{name}: the grain comes first"
        assert all(column["description"] for column in models[name]["columns"])


def test_each_public_mart_has_an_exposure() -> None:
    read = {
        match
        for exposure in properties("exposures").values()
        for dependency in exposure["depends_on"]
        for match in re.findall(r"ref\('(\w+)'\)", dependency)
    }
    assert read == set(PUBLIC_MARTS)


def test_metrics_are_documented_once_each() -> None:
    text = Path(PROJECT_ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rules = (PROJECT_ROOT / "dbt_project" / "seeds" / "indicators.csv").read_text(encoding="utf-8")
    for code in [line.split(",")[0] for line in rules.splitlines()[1:]]:
        rows = re.findall(rf"^\| `{code}` .*$", text, re.M)
        assert len(rows) == 1, code
        assert len(re.split(r"(?<!\\)\|", rows[0])) == 9, (
            f"{code}: definition, formula, unit, columns, left out, known as"
        )
