"""Every DAG keeps the house's rules; parsing stays cheap; whoever opens the warehouse waits for the writer pool."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from airflow_child import in_airflow

from huiyin.config import PROJECT_ROOT, Settings

DAG_FILES = sorted((PROJECT_ROOT / "dags").rglob("*.py"))
EXPECTED = {
    "ingest_tickets", "ingest_crm", "ingest_social", "service_mart", "feedback_mining", "improvement_loop", "learning",
}  # fmt: skip
HEAVY = {"pandas", "pyarrow", "duckdb", "dbt", "great_expectations", "bertopic", "sklearn", "numba", "umap", "psycopg"}
OPENS_WAREHOUSE = (
    "warehouse", "ingest.load", "ingest.calendar", "ingest.freshness", "ingest.health", "ingest.operator_alerts",
    "expectations", "huiyin.erasure",
)  # fmt: skip


@pytest.fixture(scope="module")
def bag(company: Settings) -> dict[str, Any]:
    printed = in_airflow(company, [str(Path(__file__).with_name("dag_facts.py")), str(PROJECT_ROOT / "dags")]).stderr
    facts: dict[str, Any] = json.loads(printed[printed.index('{"errors"') :])
    assert facts["errors"] == {}
    return facts


def tasks(bag: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{name}.{task}": facts for name, dag in bag["dags"].items() for task, facts in dag["tasks"].items()}


def test_all_dags_are_there_and_all_files_together_parse_in_a_second(bag: dict[str, Any]) -> None:
    assert set(bag["dags"]) == EXPECTED
    assert bag["seconds"] < 1


def test_parsing_imports_nothing_heavy(bag: dict[str, Any]) -> None:
    assert HEAVY.isdisjoint(bag["imported"])


def test_every_dag_is_tagged_documented_and_runs_one_at_a_time_without_catching_up(bag: dict[str, Any]) -> None:
    for dag in bag["dags"].values():
        assert "huiyin" in dag["tags"] and len(dag["tags"]) >= 2
        assert len(dag["doc"]) > 100
        assert dag["max_active_runs"] == 1 and dag["catchup"] is False


def test_every_task_has_an_owner_retries_with_backoff_and_tells_the_operator(bag: dict[str, Any]) -> None:
    for task in tasks(bag).values():
        assert task["owner"] == "huiyin"
        assert task["retries"] >= 2 and task["backoff"] > 1 and task["policy"] == "RetryWhatTimeMends"
        assert task["callback"]


def test_each_source_is_a_task_of_its_own_that_updates_its_own_asset(bag: dict[str, Any]) -> None:
    loading = bag["dags"]["ingest_tickets"]["tasks"]
    assert {name: task["updates"] for name, task in loading.items() if task["updates"]} == {
        "desk": ["raw_desk"], "desk_two": ["raw_desk_two"],
    }  # fmt: skip
    assert {name: loading[name]["upstream"] for name in ("desk", "desk_complete", "desk_two")} == {
        "desk": [], "desk_complete": ["desk"], "desk_two": [],
    }  # fmt: skip
    assert bag["dags"]["service_mart"]["waits_for"] == ["raw_crm", "raw_desk", "raw_desk_two", "raw_posts"]


def test_every_dag_ends_with_the_operators_view_which_does_not_decide_its_outcome(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        view = dag["tasks"]["operator-view"]
        assert view["teardown"] and view["pool"] == "warehouse_writer", name
        followed = {upstream for task in dag["tasks"].values() for upstream in task["upstream"]}
        assert set(dag["tasks"]) - followed == {"operator-view"}, name


def test_the_dags_form_one_chain_without_a_ring(bag: dict[str, Any]) -> None:
    updates = {
        asset: name for name, dag in bag["dags"].items() for t in dag["tasks"].values() for asset in t["updates"]
    }
    follows = {name: {updates[asset] for asset in dag["waits_for"]} for name, dag in bag["dags"].items()}
    assert follows["feedback_mining"] == {"service_mart", "learning"}
    assert follows["improvement_loop"] == {"feedback_mining"}
    assert follows["learning"] == follows["ingest_crm"] == set()


def test_scoring_is_mapped_and_waits_for_no_writer(bag: dict[str, Any]) -> None:
    mining = bag["dags"]["feedback_mining"]["tasks"]
    assert mining["score"]["mapped"] and mining["assign"]["mapped"]
    assert mining["score"]["pool"] == mining["assign"]["pool"] == "default_pool"


def test_only_files_are_read_in_the_writer_pool(bag: dict[str, Any]) -> None:
    pools = {name: task["pool"] for name, task in tasks(bag).items() if name.startswith("ingest_")}
    assert pools["ingest_tickets.desk"] == pools["ingest_social.posts"] == "warehouse_writer"
    assert pools["ingest_crm.crm"] == "default_pool"


def test_loading_comes_before_building_in_the_writer_pool(bag: dict[str, Any]) -> None:
    weights = {name: task["priority"] for name, task in tasks(bag).items() if task["pool"] == "warehouse_writer"}
    loads = [weight for name, weight in weights.items() if name.startswith("ingest_")]
    assert min(loads) > max(weight for name, weight in weights.items() if not name.startswith("ingest_"))


def imported(function: ast.FunctionDef) -> set[str]:
    return {node.module for node in ast.walk(function) if isinstance(node, ast.ImportFrom) and node.module}


def task_functions(file: Path) -> list[tuple[ast.FunctionDef, ast.Call | None]]:
    found: list[tuple[ast.FunctionDef, ast.Call | None]] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if ast.unparse(called).split(".")[0] == "task":
                    found.append((node, decorator if isinstance(decorator, ast.Call) else None))
    return found


def test_exactly_the_tasks_that_open_the_warehouse_take_the_writer_pool() -> None:
    checked = 0
    for file in DAG_FILES:
        for function, decorator in task_functions(file):
            pools = [ast.unparse(k.value) for k in decorator.keywords if k.arg == "pool"] if decorator else []
            opens = any(module.startswith(OPENS_WAREHOUSE) for module in imported(function))
            if (file.name, function.name) == ("ingest.py", "load"):
                # It depends on the kind of source; see the test above.
                assert pools == ["WRITER_POOL if source.kind == 'files' else 'default_pool'"]
            else:
                assert pools == (["WRITER_POOL"] if opens else []), f"{file.name}: {function.name}"
            checked += 1
    assert checked >= 15


def test_dag_files_hold_no_sql_and_stay_thin() -> None:
    for file in DAG_FILES:
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) < 150, file.name
        assert not any(word in text for word in ("SELECT ", "INSERT ", "select *", "CREATE TABLE")), file.name
