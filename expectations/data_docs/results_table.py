"""The table of results with what an operator needs beside GX's columns: which rows, how grave, why, what to do."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.render.renderer.content_block.validation_results_table_content_block import (
    ValidationResultsTableContentBlockRenderer,
)

SHOWN_KEYS = 5


class ResultsTableRenderer(ValidationResultsTableContentBlockRenderer):
    """GX's table and three more columns. Its own way to add columns (``meta_properties``) fails in 1.24."""

    @classmethod
    def _process_content_block(cls, content_block: Any, has_failed_evr: bool, render_object: Any = None) -> None:
        super()._process_content_block(content_block, has_failed_evr, render_object)
        content_block.header_row += ["失败的行 Failing rows", "级别 Severity", "原因与处置 Why and remedy"]

    @classmethod
    def _get_content_block_fn(
        cls, expectation_type: str, expectation_config: ExpectationConfiguration | None = None
    ) -> Callable[..., list[list[Any]]] | None:
        row_of = super()._get_content_block_fn(expectation_type, expectation_config)
        if row_of is None:
            return None

        def longer_row(result: ExpectationValidationResult, **arguments: Any) -> list[list[Any]]:
            rows: list[list[Any]] = row_of(result=result, **arguments)
            config = result.expectation_config
            meta = (config.meta if config else None) or {}
            severity = config.severity.value if config else ""
            reason = f"{meta.get('why', '')}<br>{meta.get('remedy', '')}"
            return [[*rows[0], [_keys(result)], [severity], [reason]], *rows[1:]]

        return longer_row


def _keys(result: ExpectationValidationResult) -> str:
    """Keys of some failing rows; ids and pseudonyms only, no other value of the row."""
    if result.success:
        return ""
    names = result.result.get("unexpected_index_column_names", [])
    rows = result.result.get("partial_unexpected_index_list") or []
    shown = [" · ".join(str(row[name]) for name in names) for row in rows[:SHOWN_KEYS]]
    return "<br>".join(html.escape(key) for key in shown)
