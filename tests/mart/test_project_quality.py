"""The rules of a well-kept dbt project, on the parsed project itself (those of dbt_project_evaluator that matter here).

An exception is stated where it is made, with its reason: `config.meta.may_be_empty` or `config.meta.reads_sources` of
a mart, or the lists at the top of this file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from huiyin.config import PROJECT_ROOT, Settings
from warehouse.dbt import run_dbt
from warehouse.publish import PUBLIC_MARTS

Node = dict[str, Any]

# What a column of these names must be found in. `None`: where the table itself says what there is.
REFERENCES = {
    "ticket_key": "fct_tickets",
    "topic_id": "dim_topic",
    "indicator_code": "indicators",
    "action_id": "fct_actions",
}
# Marts where such a column isn't one: the later tickets of fct_ticket_links needn't count.
NO_REFERENCE = {"fct_ticket_links": {"ticket_key"}}
# Seeds that Python reads, by warehouse/ and improvement/.
READ_BY_PYTHON = {"routing", "priority_weights", "alert_rules"}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The project as dbt understands it."""
    settings = Settings(var=tmp_path_factory.mktemp("parsed"))
    run_dbt(settings, "parse")
    file = settings.var_dir / "dbt" / settings.dialect / "target" / "manifest.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def of_type(manifest: dict[str, Any], kind: str) -> dict[str, Node]:
    return {name: node for name, node in manifest["nodes"].items() if node["resource_type"] == kind}


def layer(node: Node) -> str:
    return str(node["fqn"][1])


def marts(manifest: dict[str, Any]) -> dict[str, Node]:
    return {node["name"]: node for node in of_type(manifest, "model").values() if layer(node) == "marts"}


def sound_tests(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Arguments of the `sound` test of each model that has one."""
    found = {}
    for test in of_type(manifest, "test").values():
        if test.get("test_metadata", {}).get("name") == "sound":
            arguments = test["test_metadata"]["kwargs"]
            found[test["attached_node"].split(".")[-1]] = arguments.get("arguments", arguments)
    return found


def parents(node: Node, kind: str) -> list[str]:
    return [name for name in node["depends_on"]["nodes"] if name.startswith(f"{kind}.")]


def test_the_marts_are_the_public_ones_and_each_is_a_table_with_an_enforced_contract(manifest: dict[str, Any]) -> None:
    found = marts(manifest)
    assert set(found) == set(PUBLIC_MARTS)
    for name, node in found.items():
        assert node["config"]["contract"]["enforced"], name
        # Events are stored once, in intermediate; who publishes the mart copies the view's rows into a table.
        expected = ("view",) if name == "fct_ticket_events" else ("table", "incremental")
        assert node["config"]["materialized"] in expected, name
        for column in node["columns"].values():
            assert column["data_type"] and column["description"], f"{name}.{column['name']}"


def test_each_mart_has_a_tested_key_of_columns_that_may_not_be_null(manifest: dict[str, Any]) -> None:
    tested = sound_tests(manifest)
    for name, node in marts(manifest).items():
        assert name in tested, f"{name}: give it the test `sound`"
        key = tested[name]["key"]
        assert key and set(key) <= set(node["columns"]), name


def test_no_mart_may_be_empty_unnoticed(manifest: dict[str, Any]) -> None:
    tested = sound_tests(manifest)
    unguarded = [
        name
        for name, node in marts(manifest).items()
        if not tested[name].get("filled_from") and not node["config"]["meta"].get("may_be_empty")
    ]
    assert unguarded == [], "give `sound` what they are filled_from, or say in config.meta.may_be_empty why they may be"


def test_each_column_that_refers_to_another_table_is_looked_up_there(manifest: dict[str, Any]) -> None:
    tested = sound_tests(manifest)
    missing = []
    for name, node in marts(manifest).items():
        known = {reference["column"] for reference in tested[name].get("references", [])}
        for column, table in REFERENCES.items():
            if column in node["columns"] and column not in known and tested[name]["key"] != [column] and name != table:
                missing.append(f"{name}.{column} → {table}")
    excused = [f"{name}.{column} → {REFERENCES[column]}" for name, cols in NO_REFERENCE.items() for column in cols]
    assert sorted(set(missing) - set(excused)) == []


def test_layers_depend_only_on_what_is_below_them(manifest: dict[str, Any]) -> None:
    models = of_type(manifest, "model")
    for node in models.values():
        sources = parents(node, "source")
        below = {layer(models[name]) for name in parents(node, "model")}
        match layer(node):
            case "staging":
                assert sources and not below, f"{node['name']}: staging reads sources and nothing else"
            case "intermediate":
                assert below <= {"staging", "intermediate", "marts"}, node["name"]
                # What a build has to touch is told by when rows were loaded, which staging leaves out.
                assert not sources or re.match(r"int_(touched_|loads|meaning_loads)", node["name"]), (
                    f"{node['name']} reads {sources}: read them through staging"
                )
            case "marts":
                assert not sources or node["config"]["meta"].get("reads_sources"), (
                    f"{node['name']} reads {sources}: read them through staging"
                )


def test_relations_are_named_by_ref_and_source_only(manifest: dict[str, Any]) -> None:
    for node in of_type(manifest, "model").values():
        code = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|--[^\n]*", "", node["raw_code"], flags=re.S)
        hard_coded = re.findall(r"\b(?:from|join)\s+(?:raw|nlp|staging|intermediate|mart|rules|build)\.\w+", code, re.I)
        assert hard_coded == [], node["name"]


def test_names_say_the_layer(manifest: dict[str, Any]) -> None:
    prefixes = {"staging": ("stg_",), "intermediate": ("int_",), "marts": ("dim_", "fct_", "agg_", "bi_")}
    for node in of_type(manifest, "model").values():
        assert node["name"].startswith(prefixes[layer(node)]), node["original_file_path"]
        assert node["description"].startswith("One row"), f"{node['name']}: the grain comes first"
    # An instant ends in _at, a local date in _on (or is the day itself), a flag begins with is_ or has_.
    for name, node in marts(manifest).items():
        for column in node["columns"].values():
            what = f"{name}.{column['name']} is a {column['data_type']}"
            if column["data_type"] == "timestamp":
                assert column["name"].endswith("_at"), what
            if column["data_type"] == "date":
                assert column["name"].endswith("_on") or column["name"] == "date_day", what
            if column["data_type"] == "boolean":
                assert column["name"].startswith(("is_", "has_", "was_")), what


def test_nothing_lies_unused(manifest: dict[str, Any]) -> None:
    readers = manifest["child_map"]
    models = of_type(manifest, "model")
    # What an earlier build left is read by name, and so are a few tables by Python.
    code = "".join(node["raw_code"] for node in models.values())
    code += "".join(file.read_text(encoding="utf-8") for file in sources_of_python(["warehouse"]))
    by_name = set(re.findall(r"built\(\"(\w+)\"\)|\bintermediate\.(\w+)", code))

    def is_read(name: str) -> bool:
        read = any(child.split(".")[0] in ("model", "snapshot") for child in readers[name])
        return read or any(name.split(".")[-1] in names for names in by_name)

    assert [n["name"] for key, n in models.items() if n["name"] not in PUBLIC_MARTS and not is_read(key)] == []
    seeds = of_type(manifest, "seed")
    assert {node["name"] for key, node in seeds.items() if not is_read(key)} == READ_BY_PYTHON


def sources_of_python(folders: list[str]) -> Iterator[Path]:
    for folder in folders:
        path = PROJECT_ROOT / folder
        yield from path.rglob("*.py") if path.is_dir() else [path]


def marts_named_in(files: Iterator[Path]) -> set[str]:
    texts = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return set(re.findall(r"\bmart\.((?:dim|fct|agg|bi)_\w+)", texts)) & set(PUBLIC_MARTS)


def test_exposures_name_the_marts_that_their_sql_reads(manifest: dict[str, Any]) -> None:
    exposures = {node["name"]: node for node in manifest["exposures"].values()}
    assert {"board", "committee_report", "alerts", "business_intelligence"} <= set(exposures)
    declared = {}
    for name, exposure in exposures.items():
        named = {parent.split(".")[-1] for parent in exposure["depends_on"]["nodes"]}
        folders = exposure["config"]["meta"].get("reads")
        if folders:
            declared[name] = folders
            assert named == marts_named_in(sources_of_python(folders)), name
        else:
            assert named == set(PUBLIC_MARTS), name
    # Whoever reads the published mart is declared.
    covered = {file for folders in declared.values() for file in sources_of_python(folders)}
    readers = {
        file
        for file in sources_of_python(["huiyin", "improvement", "demand", "dags", "plugins"])
        if marts_named_in(iter([file]))
    }
    assert readers - covered == set(), "name these files in meta.reads of an exposure"


def test_each_unit_test_proves_a_rule_of_the_list_and_each_rule_has_one(manifest: dict[str, Any]) -> None:
    page = (PROJECT_ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    section = page.split("## Rules and their tests")[1].split("\n## ")[0]
    listed = re.findall(r"^\| [^|]+ \| ([^|]+) \|$", section, re.M)[1:]
    named = [name for cell in listed for name in re.findall(r"`(\w+)`", cell)]
    tests = {node["name"] for node in manifest["unit_tests"].values()}
    assert sorted(named) == sorted(tests), "list the rule in docs/metrics.md, Rules and their tests"
    assert all(re.search(r"`\w+`", cell) for cell in listed), "a rule has no test"


def test_sources_that_deliver_daily_are_watched_by_their_last_load(manifest: dict[str, Any]) -> None:
    watched = {
        node["name"]: node
        for node in manifest["sources"].values()
        if node["freshness"] and node["freshness"]["error_after"]["count"]
    }
    assert set(watched) == {"tickets", "ticket_events", "messages", "customers", "agents", "feedback"}
    for name, node in watched.items():
        assert node["freshness"]["warn_after"] == {"count": 2, "period": "hour"}
        assert node["freshness"]["error_after"] == {"count": 6, "period": "hour"}
        assert f"raw.load_audit where entity = '{name}'" in node["loaded_at_query"]
    assert all(node["description"] for node in manifest["sources"].values())
