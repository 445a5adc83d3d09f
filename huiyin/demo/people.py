"""Customers and agents of the demo company, with their changes over time and the agents' shifts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from huiyin.demo.company import DAYS, FIRST_ON, FRONT, REGIONS, TEAMS
from huiyin.demo.personal import Inventor
from huiyin.demo.timeline import DAY, Floats, Ints, day_of, is_workday

SEGMENTS = ("家庭用户", "租房青年", "小微企业", "酒店民宿", "物业地产")
NEW_AGENTS_HIRED_ON = date(2025, 7, 7)
ROSTERED_AHEAD_DAYS = 28  # rosters are made so long before the day
SHIFTS = {"early": (8, 16), "late": (14, 22), "office": (9, 18)}


@dataclass(frozen=True)
class CustomerSpan:
    """One row of the CRM's customer table."""

    customer: int
    valid_from_on: date
    is_vip: bool
    annual_revenue: float


class Customers:
    """All customers, as arrays by customer number; ordered by the day they became customers."""

    def __init__(self, rng: np.random.Generator, inventor: Inventor, scale: float) -> None:
        count = max(400, round(10_400 * scale))
        share_new = 0.13
        joined = np.where(rng.random(count) < share_new, rng.integers(1, DAYS, count), -rng.integers(0, 365 * 8, count))
        self.since_day: Ints = np.sort(joined)
        self.region: Ints = rng.choice(len(REGIONS), size=count, p=list(REGIONS.values()))
        self.segment: Ints = rng.choice(len(SEGMENTS), size=count, p=(0.62, 0.22, 0.09, 0.04, 0.03))
        self.is_vip = rng.random(count) < np.where(self.segment >= 2, 0.3, 0.11)
        self.revenue: Floats = np.round(
            np.exp(rng.normal(7.6, 0.6, count)) * np.where(self.is_vip, 5, 1) * np.where(self.segment >= 2, 4, 1), 2
        )
        self._activity = np.exp(rng.normal(0, 0.8, count)) * np.where(self.is_vip, 1.7, 1)
        self.names = [inventor.name() for _ in range(count)]
        self.mobiles = [inventor.mobile() for _ in range(count)]
        self.emails = [inventor.email() if draw < 0.6 else None for draw in rng.random(count)]
        self.wechats = [inventor.wechat() if draw < 0.5 else None for draw in rng.random(count)]
        # A change of tier of some: up for good custom, down for none.
        changes = rng.random(count) < np.where(self.is_vip, 0.06, 0.05)
        self.change_day: Ints = np.where(changes, rng.integers(20, DAYS - 5, count), DAYS)
        self.change_day = np.where(self.change_day > self.since_day + 10, self.change_day, DAYS)

    def __len__(self) -> int:
        return len(self.since_day)

    @staticmethod
    def ref(customer: int) -> str:
        """The number by which all systems of the company know a customer."""
        return f"C{customer + 1:06d}"

    def is_vip_on(self, customer: Ints, day: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Tier of customers (index) on days; unknown customers (−1) are regular."""
        is_changed = day >= self.change_day[customer]
        vip: np.ndarray[tuple[int], np.dtype[np.bool_]] = (self.is_vip[customer] ^ is_changed) & (customer >= 0)
        return vip

    def draw(self, rng: np.random.Generator, region: Ints, day: Ints) -> Ints:
        """A customer of the region who was one by that day, the active ones more often."""
        chosen = np.full(len(region), -1, dtype=np.int64)
        for index in range(len(REGIONS)):
            wanted = np.flatnonzero(region == index)
            members = np.flatnonzero(self.region == index)
            cumulated = np.cumsum(self._activity[members])
            known = np.maximum(np.searchsorted(self.since_day[members], day[wanted], side="right"), 1)
            target = rng.random(len(wanted)) * cumulated[known - 1]
            chosen[wanted] = members[np.minimum(np.searchsorted(cumulated, target), known - 1)]
        return chosen

    def spans(self) -> list[CustomerSpan]:
        """Validity spans, by customer and date."""
        spans = []
        for customer in range(len(self)):
            is_vip, revenue = bool(self.is_vip[customer]), float(self.revenue[customer])
            since = FIRST_ON + timedelta(days=int(self.since_day[customer]))
            spans.append(CustomerSpan(customer, since, is_vip, revenue))
            if self.change_day[customer] < DAYS:
                changed = FIRST_ON + timedelta(days=int(self.change_day[customer]))
                spans.append(CustomerSpan(customer, changed, not is_vip, round(revenue * (0.5 if is_vip else 2.6), 2)))
        return spans


@dataclass(frozen=True)
class Agent:
    """An agent; ``moves`` are (day number, team), the first at hiring."""

    number: int
    hired_on: date
    role: str
    skills: str
    moves: tuple[tuple[int, str], ...]
    is_new: bool = False

    @property
    def ref(self) -> str:
        """The number by which all systems know the agent."""
        return f"A{self.number:04d}"

    def team_on(self, day: int) -> str | None:
        """The team on a day, None before hiring."""
        team = None
        for moved, name in self.moves:
            if moved <= day:
                team = name
        return team


@dataclass(frozen=True)
class Shift:
    """One agent's shift, in seconds of the company's clock."""

    agent: Agent
    starts: int
    ends: int


class Agents:
    """All agents with their rosters."""

    def __init__(self, rng: np.random.Generator, scale: float) -> None:
        staffing = max(0.3, min(scale, 1.0)) if scale < 1 else scale
        self.all: list[Agent] = []
        for team, size in TEAMS.items():
            for _ in range(max(4, round(size * staffing))):
                hired = date(2025, 1, 1) - timedelta(days=int(rng.integers(60, 3200)))
                self._hire(rng, team, hired)
        for _ in range(max(2, round(10 * staffing))):
            self._hire(rng, FRONT, NEW_AGENTS_HIRED_ON + timedelta(days=int(rng.integers(0, 16))), is_new=True)
        self.shifts: list[Shift] = []
        self._duty: dict[tuple[str, int, bool], list[Agent]] = {}
        for day in range(DAYS + ROSTERED_AHEAD_DAYS):
            self._plan(day)

    def _hire(self, rng: np.random.Generator, team: str, hired: date, is_new: bool = False) -> None:
        tenure_years = (date(2025, 1, 1) - hired).days / 365
        lead = tenure_years > 4 and rng.random() < 0.2
        role = "组长" if lead else "资深专员" if tenure_years > 3 else "专员" if tenure_years > 0.5 else "新员工"
        moves = [(day_of(hired), team)]
        if team == FRONT and not is_new and rng.random() < 0.12:
            others = [name for name in TEAMS if name != FRONT]
            moves.append((int(rng.integers(30, DAYS - 30)), others[int(rng.integers(len(others)))]))
        skills = "、".join(["普通话", *(s for s in ("粤语", "英语", "四川话", "邮件", "投诉") if rng.random() < 0.2)])
        self.all.append(Agent(len(self.all) + 1, hired, role, skills, tuple(moves), is_new))

    def _plan(self, day: int) -> None:
        works = is_workday(FIRST_ON + timedelta(days=day))
        for agent in self.all:
            team = agent.team_on(day)
            if team is None:
                continue
            if team == FRONT:
                # Five days of seven, the free days and the shifts go round.
                if (day + agent.number * 3) % 7 >= 5:
                    continue
                name = "early" if (day // 7 + agent.number) % 2 else "late"
            elif works:
                name = "office"
            else:
                continue
            opens, closes = SHIFTS[name]
            self.shifts.append(Shift(agent, day * DAY + opens * 3600, day * DAY + closes * 3600))
            if day >= DAYS:  # rostered, but nobody has worked there yet
                continue
            for is_late in (False, True) if name == "office" else (name == "late",):
                self._duty.setdefault((team, day, is_late), []).append(agent)

    @cached_property
    def _members(self) -> dict[str, list[Agent]]:
        return {team: [a for a in self.all if a.moves[0][1] == team and not a.is_new] for team in TEAMS}

    def on_duty(self, team: str, at: int, draw: float) -> Agent:
        """Someone of the team whose shift covers the instant; after hours one of the standing members."""
        day, second = divmod(at, DAY)
        present = self._duty.get((team, day, second >= 15 * 3600)) or self._members[team]
        return present[int(draw * len(present))]
