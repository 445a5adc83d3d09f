"""The suites as files: complete, in step with the contract, blind to personal data."""

from __future__ import annotations

import re
from typing import Any

import pytest

from expectations.suites import SUITES_DIR, Stage, Suite, load_suites
from huiyin.config import PROJECT_ROOT
from ingest.contract import ENTITIES

ARCHITECTURE = (PROJECT_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SUITES = [suite for stage in ("raw", "mart") for suite in load_suites(stage)]


def marts_of_architecture() -> dict[str, list[str]]:
    """Mart → columns of the table of public marts, without what is said in brackets."""
    section = ARCHITECTURE.split("## Public marts")[1].split("\n## ")[0]
    marts: dict[str, list[str]] = {}
    for names, columns in re.findall(r"^\| (\w+(?:, \w+)*) \| [^|]+ \| ([^|]+) \|$", section, re.M):
        for name in names.split(", "):
            entity = name.removeprefix("fct_")
            marts[name] = (
                [field.name for field in ENTITIES[entity].fields]
                if "the contract's fields" in columns
                else re.sub(r" \([^)]*\)", "", columns).strip().split(", ")
            )
    marts.pop("mart", None)
    return marts


def column_set(suite: Suite) -> list[str]:
    (found,) = [
        written["kwargs"]["column_set"]
        for written in suite.definition["expectations"]
        if written["type"] == "expect_table_columns_to_match_set"
    ]
    return list(found)


def test_every_entity_has_a_suite_with_the_columns_of_the_contract() -> None:
    suites = {suite.table: suite for suite in load_suites("raw")}

    assert set(suites) == set(ENTITIES)
    for name, entity in ENTITIES.items():
        assert column_set(suites[name]) == entity.arrow_schema.names
        assert suites[name].key == ["_source", *entity.key]


def test_every_public_mart_has_a_suite_with_its_columns() -> None:
    suites = {suite.table: suite for suite in load_suites("mart")}
    marts = marts_of_architecture()

    assert set(suites) == set(marts)
    for name, columns in marts.items():
        written = [column for column in columns if "…" not in column]
        assert set(written) <= set(column_set(suites[name])), name
        if len(written) == len(columns):
            assert set(written) == set(column_set(suites[name])), name


def test_lists_of_values_and_required_fields_are_those_of_the_contract() -> None:
    for suite in load_suites("raw"):
        expected = {
            (e["type"], e["kwargs"].get("column")): e for e in suite.expectations if "row_condition" not in e["kwargs"]
        }
        for field in ENTITIES[suite.table].fields:
            if field.values:
                found = expected["expect_column_values_to_be_in_set", field.name]["kwargs"]["value_set"]
                assert tuple(found) == field.values, f"{suite.name}.{field.name}"
            if field.required:
                assert ("expect_column_values_to_not_be_null", field.name) in expected, f"{suite.name}.{field.name}"


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_every_expectation_says_why_and_what_to_do_and_is_one_of_gx(suite: Suite) -> None:
    from great_expectations.core.expectation_suite import ExpectationSuite

    built = ExpectationSuite(name=suite.name, expectations=suite.expectations)

    assert suite.definition["name"] == suite.name
    assert suite.definition["meta"]["about"]
    assert len(built.expectations) == len(suite.expectations)
    for written in suite.expectations:
        assert written["severity"] in ("critical", "warning")
        assert written["meta"]["why"].endswith(".")
        assert written["meta"]["remedy"].endswith(".")
        assert set(written["meta"]) <= {"why", "remedy", "on_failure", "max_quarantined_share"}
    assert set(suite.derived) <= {c for e in suite.expectations for c in columns_of(e)}


def columns_of(expectation: dict[str, Any]) -> list[str]:
    arguments = expectation["kwargs"]
    return [arguments[name] for name in ("column", "column_A", "column_B") if name in arguments]


def test_no_expectation_shows_values_of_free_text_or_names() -> None:
    """Data Docs list failing values, so values of personal fields may only be asked whether they are there."""
    personal = {
        field.name for entity in ENTITIES.values() for field in entity.fields if field.personal in ("free_text", "name")
    }
    seen = [
        f"{suite.name}: {written['type']}({column})"
        for suite in SUITES
        for written in suite.expectations
        for column in columns_of(written)
        if column in personal and written["type"] != "expect_column_values_to_not_be_null"
    ]
    assert seen == []


def test_only_raw_rows_are_ever_sent_to_quarantine() -> None:
    assert not [s.name for s in load_suites("mart") for e in s.expectations if "on_failure" in e["meta"]]


@pytest.mark.parametrize("stage", ["raw", "mart"])
def test_nothing_but_suites_lies_among_the_suites(stage: Stage) -> None:
    assert {file.suffix for file in (SUITES_DIR / stage).iterdir()} == {".json"}
