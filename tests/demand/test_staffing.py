"""Agents by hour: queues by Erlang C, work that can wait spread within its target, closed hours carried over."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demand.arrivals import DemandError
from demand.erlang import positions_required
from demand.files import staffing_files
from demand.staffing import Target, read_targets, requirements

DAY = date(2025, 3, 3)
CALLS = Target("hotline", "erlang_c", 0.8, 20, 300, 1, 0.3, 0.85, False)
MAILS = Target("written", "workload", float("nan"), 4 * 3600, 600, 1, 0.2, 0.8, True)


def planned(counts: list[float], group: str = "hotline") -> pd.DataFrame:
    """A forecast from midnight on, hour by hour."""
    return pd.DataFrame(
        [
            {
                "made_on": DAY,
                "date_day": DAY + timedelta(days=n // 24),
                "hour_of_day": n % 24,
                "staffing_group": group,
                "expected_count": count,
            }
            for n, count in enumerate(counts)
        ]
    )


def opening(hours: dict[int, int], days: int = 1, group: str = "hotline") -> pd.DataFrame:
    """Open seconds by hour of each day."""
    return pd.DataFrame(
        [
            {"staffing_group": group, "date_day": DAY + timedelta(days=d), "hour_of_day": hour, "open_seconds": seconds}
            for d in range(days)
            for hour, seconds in hours.items()
        ]
    )


def test_calls_in_closed_hours_are_lost_and_open_ones_are_staffed_by_erlang() -> None:
    counts = [0.0] * 24
    counts[7], counts[9], counts[10] = 5, 30, 60
    found = requirements(planned(counts), [CALLS], opening({9: 3600, 10: 3600})).set_index("hour_of_day")
    for hour in (9, 10):
        needed = positions_required(counts[hour], 300, 0.8, 20, 0.85)
        assert found.loc[hour, "required_positions"] == needed.positions
        assert found.loc[hour, "required_agents"] == pytest.approx(needed.positions / 0.7)
        assert found.loc[hour, "service_level"] >= 0.8
    assert found["required_agents"].sum() == pytest.approx(found.loc[[9, 10], "required_agents"].sum())


def test_chats_of_the_night_wait_for_the_opening_and_an_agent_holds_several() -> None:
    counts = [1.0] * 24
    chat = replace(CALLS, staffing_group="chat", concurrency=3, carries_over=True)
    found = requirements(
        planned(counts, "chat"), [chat], opening(dict.fromkeys(range(8, 22), 3600), group="chat")
    ).set_index("hour_of_day")
    sessions = positions_required(9, 300, 0.8, 20, 0.85)  # eight of the night and one of its own
    assert found.loc[8, "load_erlangs"] == pytest.approx(9 * 300 / 3600)
    assert found.loc[8, "required_positions"] == -(-sessions.positions // 3)
    assert found.loc[7, "required_positions"] == found.loc[23, "required_positions"] == 0


def test_half_an_hour_open_takes_half_the_agent_hours_at_the_full_rate() -> None:
    counts = [0.0] * 24
    counts[9] = 15
    found = requirements(planned(counts), [CALLS], opening({9: 1800})).set_index("hour_of_day")
    needed = positions_required(30, 300, 0.8, 20, 0.85)
    assert found.loc[9, "required_positions"] == needed.positions
    assert found.loc[9, "required_agents"] == pytest.approx(needed.positions / 0.7 / 2)


def test_mails_are_worked_off_evenly_within_their_target_across_the_night() -> None:
    counts = [0.0] * 48
    counts[16] = 12  # the office closes at 18: two hours today, two tomorrow
    found = requirements(
        planned(counts, "written"), [MAILS], opening(dict.fromkeys(range(9, 18), 3600), days=2, group="written")
    )
    busy = found[found["load_erlangs"] > 0]
    assert list(zip(busy["date_day"], busy["hour_of_day"], strict=True)) == [
        (DAY, 16), (DAY, 17), (DAY + timedelta(days=1), 9), (DAY + timedelta(days=1), 10),
    ]  # fmt: skip
    assert busy["load_erlangs"].tolist() == pytest.approx([12 * 600 / (4 * 3600)] * 4)
    assert busy["required_agents"].tolist() == pytest.approx([0.5 / 0.8 / 0.8] * 4)


@given(
    st.lists(st.floats(0, 50), min_size=72, max_size=72),
    st.integers(1, 8),
    st.sets(st.integers(0, 23), min_size=1),
    st.booleans(),
)
def test_no_work_is_lost_or_done_before_it_came(
    counts: list[float], hours: int, opens: set[int], carries: bool
) -> None:
    # The last day brings nothing, so that all windows end within the plan if there is time enough.
    counts = counts[:24] + [0.0] * 48
    target = replace(MAILS, target_seconds=hours * 3600, carries_over=carries)
    found = requirements(
        planned(counts, "written"), [target], opening(dict.fromkeys(opens, 3600), days=3, group="written")
    )
    came = sum(count for hour, count in enumerate(counts) if carries or hour % 24 in opens)
    done = found["load_erlangs"].sum() * 3600
    if len(opens) * 2 >= hours + 1:
        assert done == pytest.approx(came * 600, rel=1e-9, abs=1e-6)
    else:
        assert done <= came * 600 + 1e-6
    assert (found.loc[~found["hour_of_day"].isin(opens), "load_erlangs"] == 0).all()
    by_hour, arrived = found["load_erlangs"].cumsum() * 3600, pd.Series(counts).cumsum() * 600
    assert (by_hour <= arrived.to_numpy() + 1e-6).all()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("method", "guess", "method is one of erlang_c, workload"),
        ("service_level", None, "service_level lies between 0 and 1"),
        ("shrinkage", 1.0, "shrinkage lies from 0 up to 1"),
        ("concurrency", 0.5, "concurrency is 1 or more"),
    ],
)
def test_a_target_that_means_nothing_is_named_with_its_group(field: str, value: object, said: str) -> None:
    row = vars(CALLS) | {field: value}
    with pytest.raises(DemandError, match=f"group hotline: {said}"):
        read_targets(pd.DataFrame([row]))


def test_files_in_files_out(tmp_path: Path) -> None:
    planned([10.0] * 24).to_parquet(tmp_path / "planned.parquet")
    pd.DataFrame([vars(CALLS)]).to_parquet(tmp_path / "targets.parquet")
    opening({9: 3600}).to_parquet(tmp_path / "opening.parquet")
    assert staffing_files(tmp_path, tmp_path / "out") == 24
    written = pd.read_parquet(tmp_path / "out" / "staffing.parquet")
    assert written.loc[written["required_agents"] > 0, "hour_of_day"].tolist() == [9]
