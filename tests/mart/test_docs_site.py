"""The mart's documentation is one page that a browser shows without any network."""

from __future__ import annotations

from typing import Any

import pytest
from mart_company import Built

from warehouse.docs_site import write_docs

pytestmark = pytest.mark.slow


def test_the_page_opens_offline_and_explains_a_column_and_where_it_comes_from(on_duckdb: Built, page: Any) -> None:
    site = write_docs(on_duckdb.settings)
    foreign: list[str] = []
    page.on("request", lambda request: foreign.append(request.url))
    page.context.set_offline(True)
    page.goto(f"{site.as_uri()}#!/model/model.huiyin.fct_tickets")
    page.get_by_text("first_response_business_seconds").first.wait_for(timeout=60_000)
    text = page.inner_text("body")
    assert "One row per reportable ticket" in text
    assert "Service-hour seconds to the first response" in text
    assert "int_tickets" in text, "what it is made of"
    page.goto(f"{site.as_uri()}#!/exposure/exposure.huiyin.committee_report")
    page.get_by_text("委员会报告").first.wait_for(timeout=60_000)
    assert [url for url in foreign if not url.startswith(("file:", "data:", "blob:"))] == []
