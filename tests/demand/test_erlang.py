"""Agents required agree with published figures, with an independent formula and with a simulated queue."""

from __future__ import annotations

import heapq
import math
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.integrate import quad

from demand.arrivals import DemandError
from demand.erlang import agents_to_roster, blocking_probability, positions_required, queue, wait_probability


def test_a_worked_example_of_the_r_package_erlangc() -> None:
    # 100 calls in half an hour, 180 s each, 80 % within 20 s.
    found = positions_required(200, 180, 0.8, 20, max_occupancy=0.85)
    assert found.positions == 14
    assert found.load_erlangs == pytest.approx(10)
    assert found.wait_probability == pytest.approx(0.1741319, abs=1e-7)
    assert found.service_level == pytest.approx(0.88835, abs=1e-5)
    assert found.mean_wait_seconds == pytest.approx(7.83593701, abs=1e-6)
    assert found.occupancy == pytest.approx(0.7142857, abs=1e-7)
    assert queue(11, 200, 180, 20).wait_probability == pytest.approx(0.6821182, abs=1e-7)
    assert queue(11, 200, 180, 20).service_level == pytest.approx(0.3896138, abs=1e-7)


def test_a_worked_example_of_the_python_package_call_center_tools() -> None:
    # 1000 calls an hour, 120 s each, 85 % busy at most: the occupancy decides.
    found = positions_required(1000, 120, 0.8, 20, max_occupancy=0.85)
    assert found.positions == 40
    assert (round(found.load_erlangs, 3), round(found.wait_probability, 4)) == (33.333, 0.1907)
    assert (round(found.service_level, 4), round(found.mean_wait_seconds, 2)) == (0.9372, 3.43)
    assert math.ceil(agents_to_roster(found.positions, 0.3)) == 58


@pytest.mark.parametrize(
    ("positions", "load", "blocked"),
    # Rows of the printed Erlang B table: traffic offered at 1 % blocking.
    [(1, 0.0101, 0.01), (5, 1.36, 0.01), (10, 4.46, 0.01), (20, 12.0, 0.01), (50, 37.9, 0.01), (100, 84.1, 0.01)],
)
def test_blocking_agrees_with_the_printed_table(positions: int, load: float, blocked: float) -> None:
    assert blocking_probability(positions, load) == pytest.approx(blocked, rel=0.03)


def wait_by_factorials(positions: int, load: float) -> float:
    """Erlang C as Erlang wrote it."""
    top = load**positions / math.factorial(positions) * positions / (positions - load)
    return top / (sum(load**k / math.factorial(k) for k in range(positions)) + top)


@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_the_recursion_equals_the_sum_of_factorials(positions: int, occupancy: float) -> None:
    load = positions * occupancy
    assert wait_probability(positions, load) == pytest.approx(wait_by_factorials(positions, load), rel=1e-9)


def simulated(positions: int, per_hour: float, handling: float, within: float, calls: int) -> tuple[float, float]:
    """Share answered in time and mean wait of a queue played call by call."""
    chance = random.Random(11)
    free = [0.0] * positions
    now = answered = waited = 0.0
    for number in range(calls):
        now += chance.expovariate(per_hour / 3600)
        begins = max(now, heapq.heappop(free))
        heapq.heappush(free, begins + chance.expovariate(1 / handling))
        if number > calls // 20:  # once it has filled
            answered += begins - now <= within
            waited += begins - now
    counted = calls - 1 - calls // 20
    return answered / counted, waited / counted


@pytest.mark.parametrize(("per_hour", "handling", "within"), [(60, 300, 20), (240, 180, 20), (20, 900, 60)])
def test_a_simulated_queue_answers_as_many_in_time(per_hour: float, handling: float, within: float) -> None:
    expected = positions_required(per_hour, handling, 0.8, within)
    level, wait = simulated(expected.positions, per_hour, handling, within, 150_000)
    assert level == pytest.approx(expected.service_level, abs=0.012)
    assert wait == pytest.approx(expected.mean_wait_seconds, rel=0.08)
    fewer, _ = simulated(expected.positions - 1, per_hour, handling, within, 150_000)
    assert fewer < 0.8 <= level + 0.012


@given(
    st.floats(0, 3000), st.floats(1, 3600), st.floats(0.01, 0.99), st.floats(0, 600), st.floats(0.3, 1.0)
)  # fmt: skip
def test_the_answer_is_the_fewest_that_keep_the_promise(
    per_hour: float, handling: float, level: float, within: float, occupancy: float
) -> None:
    found = positions_required(per_hour, handling, level, within, occupancy)
    assert found.service_level >= level - 1e-12
    assert found.occupancy <= occupancy + 1e-12
    if found.positions > 1:
        fewer = queue(found.positions - 1, per_hour, handling, within)
        assert fewer.service_level < level or fewer.occupancy > occupancy


def test_nobody_is_needed_where_nothing_comes_and_nonsense_is_refused() -> None:
    assert positions_required(0, 300, 0.8, 20).positions == 0
    assert queue(2, 100, 300, 20).mean_wait_seconds == math.inf
    with pytest.raises(DemandError, match="service level"):
        positions_required(10, 300, 80, 20)
    with pytest.raises(DemandError, match="handling time"):
        positions_required(10, 0, 0.8, 20)
    with pytest.raises(DemandError, match="shrinkage"):
        agents_to_roster(3, 1.0)


@given(st.integers(0, 60), st.one_of(st.floats(1e-16, 1e-9), st.floats(0.001, 0.999)), st.floats(0.05, 0.98))
@example(11, 1.8e-15, 10 / 11)
def test_between_whole_numbers_blocking_is_that_of_the_integral_and_falls(
    whole: int, part: float, occupancy: float
) -> None:
    positions = whole + part
    load = positions * occupancy
    # 1 ÷ B = A ∫ e^(−At) (1+t)^N dt, here with u = At, by quadrature.
    inverse, _ = quad(lambda u: math.exp(positions * math.log1p(u / load) - u), 0, 40 + 8 * positions, limit=400)
    assert blocking_probability(positions, load) == pytest.approx(1 / inverse, rel=1e-6)
    assert (
        blocking_probability(whole + 1, load) <= blocking_probability(positions, load)
        <= blocking_probability(whole, load)
    )  # fmt: skip


def test_heavy_loads_are_as_smooth_as_light_ones() -> None:
    for part in (0.2, 0.9):
        below, above = (blocking_probability(510 + part, load) for load in (499.9999, 500.0001))
        assert below == pytest.approx(above, rel=1e-5)
        assert blocking_probability(511, 800) < blocking_probability(510 + part, 800) < blocking_probability(510, 800)
