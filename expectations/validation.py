"""Run suites with Great Expectations and keep Data Docs. The only module that imports GX, which takes 4 s."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.core.result_format import ResultFormat
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.core.validation_definition import ValidationDefinition
from great_expectations.data_context.types.base import DataContextConfig, ProgressBarsConfig
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.datasource.fluent.interfaces import Batch

from expectations.suites import MAX_QUARANTINED_SHARE, Suite

SAMPLE_SIZE = 5

Key = dict[str, Any]


@dataclass(frozen=True)
class ExpectationResult:
    """What one expectation found.

    ``unexpected_count`` and ``element_count`` are rows for an expectation about rows, None for one about the table.
    ``keys`` are those of failing rows: all of them where the rows may be quarantined, else a sample. ``finding`` says
    what was seen where it isn't about rows. ``column`` is empty where it isn't about a single one.
    """

    table: str
    expectation: str
    column: str
    severity: str
    success: bool
    unexpected_count: int | None
    element_count: int | None
    keys: tuple[Key, ...]
    finding: str
    why: str
    remedy: str
    may_quarantine: bool
    max_quarantined_share: float

    @property
    def unexpected_share(self) -> float:
        """Share of failing rows; 1 where the expectation isn't about rows."""
        if self.unexpected_count is None or not self.element_count:
            return 1.0
        return self.unexpected_count / self.element_count


class Validator:
    """Runs suites. Results and Data Docs of earlier runs of the same tables are replaced, all others stay."""

    def __init__(self, store: Path, docs: Path, run_at: datetime, parameters: Mapping[str, datetime]) -> None:
        """``store`` keeps suites and results between runs, ``docs`` is the site; ``run_at`` is UTC and aware.

        ``parameters`` are the values of the suites' ``$PARAMETER`` arguments.
        """
        self._store = store
        self._docs = docs
        self._run_id = RunIdentifier(run_time=run_at)
        self._parameters = dict(parameters)
        self._pages: list[Any] = []
        self._suites: list[Suite] = []
        self._context = gx.get_context(project_config=_configuration(store, docs), mode="ephemeral")
        self._source = self._context.data_sources.add_pandas("warehouse")

    def run(self, suite: Suite, frame: pd.DataFrame) -> list[ExpectationResult]:
        """Validate the frame and keep the result for the Data Docs."""
        self._forget(suite)
        expected = ExpectationSuite(
            name=suite.name,
            expectations=[_with_notes(expectation) for expectation in suite.expectations],
            meta=suite.definition["meta"],
        )
        self._context.suites.add(expected)
        batches = self._source.add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe("all")
        definition = self._context.validation_definitions.add(
            ValidationDefinition(name=suite.name, data=batches, suite=expected)
        )
        outcome = definition.run(
            batch_parameters={"dataframe": frame},
            expectation_parameters=self._parameters,
            result_format=_result_format(ResultFormat.SUMMARY, suite),
            run_id=self._run_id,
        )
        self._suites.append(suite)
        page = ExpectationSuiteIdentifier(name=suite.name)
        self._pages += [page, ValidationResultIdentifier(page, self._run_id, outcome.batch_id)]

        def fetch() -> Batch:
            return batches.get_batch(batch_parameters={"dataframe": frame})

        return [_result(suite, found, fetch) for found in outcome.results]

    def write_docs(self) -> Path:
        """Write the pages of this run and the index of all runs kept; returns the index page.

        Raises ``RuntimeError`` where a page is missing, since GX only logs what goes wrong with a page.
        """
        self._context.build_data_docs(resource_identifiers=self._pages)
        for suite in self._suites:
            if not any((self._docs / "validations" / suite.stage / suite.table).rglob("*.html")):
                raise RuntimeError(f"Data Docs of {suite.name} were not written; the log says why")
        return self._docs / "index.html"

    def _forget(self, suite: Suite) -> None:
        (self._store / "expectations" / suite.stage / f"{suite.table}.json").unlink(missing_ok=True)
        shutil.rmtree(self._store / "results" / suite.stage / suite.table, ignore_errors=True)
        shutil.rmtree(self._docs / "validations" / suite.stage / suite.table, ignore_errors=True)


def _result(suite: Suite, found: ExpectationValidationResult, fetch: Callable[[], Batch]) -> ExpectationResult:
    config = found.expectation_config
    if config is None or config.meta is None:
        raise RuntimeError(f"GX gave a result without its expectation for {suite.name}")
    meta = config.meta
    details = found.result
    may_quarantine = meta.get("on_failure") == "quarantine"
    share = float(meta.get("max_quarantined_share", MAX_QUARANTINED_SHARE))
    failing = details.get("partial_unexpected_index_list") or []
    if may_quarantine and failing and details["unexpected_count"] <= share * details["element_count"]:
        complete = fetch().validate(config.to_domain_obj(), result_format=_result_format(ResultFormat.COMPLETE, suite))
        failing = complete.result["unexpected_index_list"]
    else:
        failing = failing[:SAMPLE_SIZE]
    return ExpectationResult(
        table=suite.table,
        expectation=_label(config.type, config.kwargs),
        column=config.kwargs.get("column", ""),
        severity=str(config.severity.value),
        success=bool(found.success),
        unexpected_count=details.get("unexpected_count"),
        element_count=details.get("element_count"),
        keys=tuple({name: row[name] for name in suite.key} for row in failing),
        finding=_finding(found),
        why=meta["why"],
        remedy=meta["remedy"],
        may_quarantine=may_quarantine,
        max_quarantined_share=share,
    )


def _label(kind: str, arguments: Mapping[str, Any]) -> str:
    """``expect_…(column, …)``."""
    columns = [arguments[name] for name in ("column", "column_A", "column_B") if name in arguments]
    columns += arguments.get("column_list", [])
    return f"{kind}({', '.join(columns)})" if columns else kind


def _finding(found: ExpectationValidationResult) -> str:
    """What was seen, for expectations about the table and for those that couldn't be evaluated."""
    if problems := _exception_messages(found.exception_info or {}):
        return "; ".join(problems)
    mismatched = (found.result.get("details") or {}).get("mismatched")
    if mismatched:
        return "; ".join(f"{kind} columns: {', '.join(names)}" for kind, names in mismatched.items())
    observed = found.result.get("observed_value")
    return "" if observed is None else f"found {observed}"


def _exception_messages(info: Mapping[str, Any]) -> list[str]:
    # GX gives either one record or one for each metric that failed.
    records = [info] if "raised_exception" in info else list(info.values())
    return sorted({str(record["exception_message"]) for record in records if record.get("raised_exception")})


def _with_notes(expectation: dict[str, Any]) -> dict[str, Any]:
    """The expectation with reason and remedy as the notes that Data Docs show on the page of the suite."""
    meta = expectation["meta"]
    notes = [f"{expectation['severity']}: {meta['why']}", f"Remedy: {meta['remedy']}"]
    if meta.get("on_failure") == "quarantine":
        share = meta.get("max_quarantined_share", MAX_QUARANTINED_SHARE)
        notes.append(f"Failing rows go to quarantine; blocks beyond {share:.0%} of the rows.")
    return {**expectation, "notes": notes}


def _result_format(kind: ResultFormat, suite: Suite) -> dict[str, Any]:
    return {
        "result_format": kind.value,
        "unexpected_index_column_names": suite.key,
        "partial_unexpected_count": 20,
        "return_unexpected_index_query": False,
    }


def _configuration(store: Path, docs: Path) -> DataContextConfig:
    """A context whose suites and results are files, so that Data Docs show what other stages found as well."""

    def files(folder: Path) -> dict[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}

    def own(module: str, name: str) -> dict[str, str]:
        return {"module_name": f"expectations.data_docs.{module}", "class_name": name}

    results_page = {
        "class_name": "ValidationResultsPageRenderer",
        "column_section_renderer": {
            "class_name": "ValidationResultsColumnSectionRenderer",
            "table_renderer": own("results_table", "ResultsTableRenderer"),
        },
    }
    memory = {"class_name": "InMemoryStoreBackend"}
    return DataContextConfig(
        config_version=4,
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        expectations_store_name="expectations",
        validation_results_store_name="results",
        checkpoint_store_name="checkpoints",
        stores={
            "expectations": {"class_name": "ExpectationsStore", "store_backend": files(store / "expectations")},
            "results": {"class_name": "ValidationResultsStore", "store_backend": files(store / "results")},
            "checkpoints": {"class_name": "CheckpointStore", "store_backend": memory},
            "validation_definition_store": {"class_name": "ValidationDefinitionStore", "store_backend": memory},
        },
        data_docs_sites={
            "huiyin": {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": files(docs),
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "view": own("views", "IndexPageView")},
                "site_section_builders": {
                    "expectations": {"view": own("views", "PageView")},
                    "validations": {"view": own("views", "PageView"), "renderer": results_page},
                    "profiling": "None",
                },
            }
        },
    )
