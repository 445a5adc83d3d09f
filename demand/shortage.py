"""What a roster means for those who wait: the other way round from :mod:`demand.staffing`.

Whoever is rostered serves calls and chats first, each group in proportion to what it requires, and does what can wait
in the time that is left; so a shortage shows first in work that piles up, then in waiting. Since nobody hangs up in
Erlang's model, real callers wait less than this and give up instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from demand.erlang import queue


@dataclass(frozen=True)
class GroupLoad:
    """What one group of channels brings and requires in one hour: a row of fct_staffing_groups."""

    staffing_group: str
    method: str
    load_erlangs: float
    handling_seconds: float
    required_positions: float
    required_agents: float
    occupancy: float
    concurrency: float
    shrinkage: float
    target_seconds: float

    @property
    def open_hours(self) -> float:
        """The open part of the hour; 0 where nothing is required."""
        return self.required_agents * (1 - self.shrinkage) / self.required_positions if self.required_positions else 0.0

    @property
    def contacts(self) -> float:
        """Contacts that are due in the hour."""
        sessions = self.concurrency if self.method == "workload" else 1.0
        return self.load_erlangs * 3600 / self.handling_seconds * sessions * self.open_hours


@dataclass(frozen=True)
class Served:
    """What becomes of a group in one hour.

    ``service_level`` is the share answered within the target, of work that can wait the share that is done in time;
    ``mean_wait_seconds`` is infinite where more comes than can be handled, None for work that can wait;
    ``left_contacts`` is what the hour brings beyond what its agents can handle.
    """

    staffing_group: str
    contacts: float
    service_level: float
    mean_wait_seconds: float | None
    left_contacts: float


def served(groups: Sequence[GroupLoad], rostered_agents: float) -> list[Served]:
    """What so many agents on the roster of a team give each of its groups in one hour."""
    waiting = sum(group.required_agents for group in groups if group.method == "erlang_c")
    other = sum(group.required_agents for group in groups) - waiting
    # Beyond what everything requires, all groups have more hands.
    for_waiting = (
        rostered_agents * waiting / (waiting + other)
        if rostered_agents > waiting + other > 0
        else min(rostered_agents, waiting)
    )
    share_of = {
        "erlang_c": for_waiting / waiting if waiting else 1.0,
        "workload": (rostered_agents - for_waiting) / other if other else 1.0,
    }
    return [_served(group, share_of[group.method]) for group in groups]


def _served(group: GroupLoad, share: float) -> Served:
    """With this share of the agents it requires."""
    contacts = group.contacts
    if group.method == "workload" or not contacts:
        done = min(share, 1.0) if contacts else 1.0
        wait = None if group.method == "workload" else 0.0
        return Served(group.staffing_group, contacts, done, wait, contacts * (1 - done))
    per_hour = group.load_erlangs * 3600 / group.handling_seconds
    positions = group.required_positions * share * group.concurrency
    found = queue(positions, per_hour, group.handling_seconds, group.target_seconds)
    left = max(1 - positions / group.load_erlangs, 0.0)
    return Served(group.staffing_group, contacts, found.service_level, found.mean_wait_seconds, contacts * left)
