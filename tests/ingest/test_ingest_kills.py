"""Loads that are killed at any moment, or run at once, end where an undisturbed one ends."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import pytest
from conftest import Company
from restless_company import POSTS, content, forum, load_all, settle, spooled, start

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
