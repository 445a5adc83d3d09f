"""Loads that are killed at any moment, or run at once, end where an undisturbed one ends."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import pytest
from ingest_company import Company
from restless_company import PAGE, POSTS, content, forum, load_all, settle, spooled, start

from ingest.connectors.rest import reader as rest
from ingest.errors import SourceError
from ingest.tables import ensure_raw_schema


def undisturbed(company: Company, address: str) -> dict[str, list[tuple[object, ...]]]:
    settle(company, address)
    load_all(company.settings, "b1")
    found = content(company)
    # By hand: 3 days of 400 tickets that overlap by 300, 2 bad lines a day; the date in the key of 9 agents is none;
    # 12 posts of an unknown kind.
    assert len(found["tickets"]) == 600 and len(found["bad tickets"]) == 6
    assert len(found["agents"]) == 800 - 9 and len(found["bad agents"]) == 9
    assert len(found["feedback"]) == POSTS - 12 and len(found["bad feedback"]) == 12
    return found


@pytest.mark.slow
def test_killed_at_random_moments_and_loaded_once_more_raw_is_as_if_nothing_had_happened(
    duckdb_company: Company, new_company: Callable[[], Company]
) -> None:
    chance = random.Random(20250301)
    with forum() as address:
        clean, company = new_company(), duckdb_company
        expected = undisturbed(clean, address)
        settle(company, address)
        ensure_raw_schema(company.settings)
        start(clean, "warm").join()  # the server that forks the others
        began = time.monotonic()
        start(clean, "measured").join()
        whole = 2 * (time.monotonic() - began)  # a repeated load has less to do than the first
        killed = 0
        for number in range(14):
            child = start(company, f"b{number // 3}")
            child.join(chance.uniform(0.05, 0.7) * whole)
            if child.is_alive():
                child.kill()
                child.join()
            killed += child.exitcode == -signal.SIGKILL
        last = start(company, "last")
        last.join()
        assert last.exitcode == 0
        assert killed >= 10
        assert content(company) == content(clean) == expected
        assert spooled(company) == []
        company.assert_balanced()


def test_two_loads_at_once_end_as_one(company: Company, new_company: Callable[[], Company]) -> None:
    with forum() as address:
        expected = undisturbed(new_company(), address)
        settle(company, address)
        children = [start(company, f"b{number}") for number in range(2)]
        for child in children:
            child.join(120)
        assert [child.exitcode for child in children] == [0, 0]
        assert content(company) == expected
        company.assert_balanced()
        assert spooled(company) == []


def test_what_came_before_an_error_is_kept_with_its_position_and_the_rest_comes_next_time(
    duckdb_company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company, answers = duckdb_company, [5]
    monkeypatch.setattr(rest, "RECORDS_PER_DELIVERY", PAGE)
    with forum(answers) as address:
        settle(company, address)
        with pytest.raises(SourceError, match="source forum"):
            company.load("forum")
        some = company.rows("select count(*) as n from raw.feedback")[0]["n"]
        # Five pages of a hundred, each of which begins with the last post of the one before; five are broken.
        fetched = 5 * PAGE - 4
        assert some == fetched - 5
        (failed,) = company.rows("select fetched, loaded from raw.load_audit where error is not null")
        assert failed == {"fetched": fetched, "loaded": some}
        assert company.rows("select count(*) as n from raw.cursors") == [{"n": 1}]
        answers[0] = 1000
        (report,) = company.load("forum")
        assert report.fetched < POSTS
        assert company.rows("select count(*) as n from raw.feedback") == [{"n": POSTS - 12}]
        # The failure of this batch is settled, and what both of its tries fetched is counted.
        audit = company.rows("select sum(fetched) as n, count(error) as failed from raw.load_audit")
        assert audit[0]["n"] == fetched + report.fetched and audit[0]["failed"] == 0
        company.assert_balanced()
