"""Erlang's delay formula: how long callers wait for one of several agents, and how many agents a promise takes.

The queue M/M/N: arrivals at random, handling times exponential, nobody hangs up, first come first served (A. K. Erlang,
"Solution of some problems in the theory of probabilities of significance in automatic telephone exchanges", 1917).
With callers who hang up, fewer wait than this says, so the number of agents is on the safe side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import gammaincc, gammaln

from demand.arrivals import DemandError

_MOST_POSITIONS = 100_000


@dataclass(frozen=True)
class Queue:
    """What a number of positions gives: shares are 0…1, the wait is in seconds."""

    positions: float
    load_erlangs: float
    wait_probability: float
    service_level: float
    mean_wait_seconds: float
    occupancy: float


def blocking_probability(positions: float, load_erlangs: float) -> float:
    """Erlang B, by its recursion B(n) = A·B(n−1) ÷ (n + A·B(n−1)), which never overflows.

    Between whole numbers, as rosters less breaks give them, by its continuous extension
    1 ÷ B(N) = A ∫ e^(−At) (1+t)^N dt (D. L. Jagerman, "Some properties of the Erlang loss function", 1974).
    """
    part = positions % 1
    blocked = 1.0 if part == 0 or load_erlangs == 0 else 1 / _inverse_blocking(part, load_erlangs)
    for number in range(1, math.floor(positions) + 1):
        blocked = load_erlangs * blocked / (number + part + load_erlangs * blocked)
    return blocked


def _inverse_blocking(part: float, load: float) -> float:
    """1 ÷ B of less than one position: e^A · A^(−N) · Γ(N+1, A), for heavy loads its asymptotic series."""
    if load > 500:
        return 1 + part / load * (1 + (part - 1) / load * (1 + (part - 2) / load))
    return float(math.exp(load - part * math.log(load) + gammaln(part + 1)) * gammaincc(part + 1, load))


def wait_probability(positions: float, load_erlangs: float) -> float:
    """Erlang C: the probability that all positions are taken; 1 where the load exceeds them.

    From Erlang B: C = B ÷ (1 − ρ (1 − B)), ρ = A ÷ N.
    """
    if load_erlangs >= positions:
        return 1.0 if load_erlangs > 0 else 0.0
    return _delayed(blocking_probability(positions, load_erlangs), load_erlangs / positions)


def _delayed(blocked: float, occupancy: float) -> float:
    return blocked / (1 - occupancy * (1 - blocked))


def queue(positions: float, arrivals_per_hour: float, handling_seconds: float, target_seconds: float) -> Queue:
    """Waiting with so many positions; the service level is the share answered within ``target_seconds``."""
    load = arrivals_per_hour * handling_seconds / 3600
    waits = wait_probability(positions, load)
    if load >= positions:
        lost = load > 0
        return Queue(positions, load, float(lost), float(not lost), math.inf if lost else 0.0, float(lost))
    free = positions - load
    level = 1 - waits * math.exp(-free * target_seconds / handling_seconds)
    return Queue(positions, load, waits, level, waits * handling_seconds / free, load / positions)


def positions_required(
    arrivals_per_hour: float,
    handling_seconds: float,
    service_level: float,
    target_seconds: float,
    max_occupancy: float = 1.0,
) -> Queue:
    """The fewest positions that answer ``service_level`` within ``target_seconds``, busy ``max_occupancy`` at most.

    Raises :class:`DemandError` for figures that mean nothing.
    """
    if not (arrivals_per_hour >= 0 and handling_seconds > 0 and target_seconds >= 0):
        raise DemandError("arrivals and target must not be negative and the handling time must be above 0 seconds")
    if not (0 < service_level < 1 and 0 < max_occupancy <= 1):
        raise DemandError("the service level must lie between 0 and 1 and the occupancy above 0 and at most at 1")
    load = arrivals_per_hour * handling_seconds / 3600
    if load == 0:
        return Queue(0, 0.0, 0.0, 1.0, 0.0, 0.0)
    if load > _MOST_POSITIONS * max_occupancy:
        raise DemandError(f"a load of {load:,.0f} erlangs is beyond any service desk; is the handling time in seconds?")
    blocked = 1.0
    for positions in range(1, 2 * _MOST_POSITIONS):
        blocked = load * blocked / (positions + load * blocked)
        if load < positions and load / positions <= max_occupancy:
            waits = _delayed(blocked, load / positions)
            if 1 - waits * math.exp(-(positions - load) * target_seconds / handling_seconds) >= service_level:
                return queue(positions, arrivals_per_hour, handling_seconds, target_seconds)
    raise DemandError(f"no number of agents answers {service_level:.2%} within {target_seconds:g} s")


def agents_to_roster(positions: float, shrinkage: float) -> float:
    """Agents to roster so that so many positions are filled while a share is at breaks, training or ill."""
    if not 0 <= shrinkage < 1:
        raise DemandError("shrinkage is the share of paid time not spent at the desk, from 0 up to, not including, 1")
    return positions / (1 - shrinkage)
