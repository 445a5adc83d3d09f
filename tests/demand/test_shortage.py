"""What a roster means for those who wait, against figures worked out by hand and by the plan itself."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demand.erlang import queue
from demand.shortage import GroupLoad, served
from demand.staffing import Target, requirements

# 200 calls of 180 s an hour: 10 erlangs, 14 at their desks, 20 on the roster.
CALLS = GroupLoad("calls", "erlang_c", 10.0, 180.0, 14.0, 20.0, 0.714, 1.0, 0.3, 20.0)
# 60 mails of 300 s: 5 hours of work, at 85 % busy 5.88 desks, 8.4 on the roster.
MAILS = GroupLoad("mails", "workload", 5.0, 300.0, 5 / 0.85, 5 / 0.85 / 0.7, 0.85, 1.0, 0.3, 14400.0)


def test_whoever_is_there_serves_calls_first_and_mails_pile_up() -> None:
    calls, mails = served([CALLS, MAILS], 20 + MAILS.required_agents / 4)
    assert calls.service_level == pytest.approx(0.88835, abs=1e-5)  # the worked example of test_erlang.py
    assert calls.mean_wait_seconds == pytest.approx(7.83593701, abs=1e-6)
    assert (calls.contacts, calls.left_contacts) == (pytest.approx(200), 0)
    assert mails.mean_wait_seconds is None
    assert mails.service_level == pytest.approx(0.25)
    assert (mails.contacts, mails.left_contacts) == (pytest.approx(60), pytest.approx(45))


def test_three_calls_short_make_callers_wait_and_six_make_the_queue_grow() -> None:
    (calls,) = served([CALLS], 20 * 11 / 14)  # 11 at their desks
    assert calls.service_level == pytest.approx(0.3896138, abs=1e-7)
    calls, mails = served([CALLS, MAILS], 20 * 8 / 14)
    assert calls.service_level == 0 and math.isinf(calls.mean_wait_seconds or 0)
    assert calls.left_contacts == pytest.approx(40)  # 8 desks handle 160 of 200
    assert (mails.service_level, mails.left_contacts) == (0, pytest.approx(60))


def test_chat_agents_hold_several_sessions() -> None:
    # 60 chats of 600 s: 10 sessions at once; 7 agents with 2 each are 14 positions.
    chats = GroupLoad("chats", "erlang_c", 10.0, 600.0, 7.0, 10.0, 0.7, 2.0, 0.3, 60.0)
    (found,) = served([chats], 10)
    assert found.service_level == pytest.approx(queue(14, 60, 600, 60).service_level)
    assert found.contacts == pytest.approx(60)


def test_an_hour_in_which_nothing_comes_or_all_is_closed_leaves_nobody_waiting() -> None:
    quiet = replace(CALLS, load_erlangs=0.0, required_positions=0.0, required_agents=0.0, occupancy=0.0)
    for agents in (0.0, 3.0):
        (found,) = served([quiet], agents)
        assert (found.service_level, found.mean_wait_seconds, found.left_contacts) == (1, 0, 0)


@given(st.floats(1, 400), st.floats(60, 900), st.floats(0.25, 1), st.integers(1, 3), st.floats(0, 200))
def test_the_plan_itself_keeps_the_promise_and_fewer_agents_never_serve_better(
    count: float, handling: float, open_share: float, concurrency: int, fewer: float
) -> None:
    target = Target("g", "erlang_c", 0.8, 20, handling, concurrency, 0.3, 0.9, False)
    place = {"date_day": pd.Timestamp("2025-01-06"), "hour_of_day": 9, "staffing_group": "g"}
    forecast = pd.DataFrame([{**place, "made_on": place["date_day"], "expected_count": count}])
    row = requirements(forecast, [target], pd.DataFrame([{**place, "open_seconds": 3600 * open_share}])).iloc[0]
    group = GroupLoad(
        "g", "erlang_c", row.load_erlangs, row.handling_seconds, row.required_positions, row.required_agents,
        row.occupancy, concurrency, 0.3, 20,
    )  # fmt: skip
    (kept,) = served([group], row.required_agents)
    assert kept.contacts == pytest.approx(count)
    assert kept.service_level >= row.service_level - 1e-9 >= 0.8 - 1e-9
    (less,) = served([group], max(row.required_agents - fewer, 0))
    assert less.service_level <= kept.service_level + 1e-9
    assert less.left_contacts >= kept.left_contacts - 1e-9
