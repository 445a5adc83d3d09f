"""What happens to a ticket after it was created: replies, hand-overs, waiting, solution, reopening, closing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random

import numpy as np

from huiyin.demo.company import COMPLAINTS, DAYS, FRONT, SUBTYPE_INDEX, SUBTYPES
from huiyin.demo.identities import Identities
from huiyin.demo.people import Agent, Agents
from huiyin.demo.personal import Inventor
from huiyin.demo.stories import BY_ID
from huiyin.demo.tickets import Ticket
from huiyin.demo.timeline import DAY, FRONT_HOURS, OFFICE_HOURS, Floats, Ints, day_of, is_peak
from huiyin.demo.writer import Writer

# Median seconds to the first human words, in service hours.
_FIRST_RESPONSE = {"phone": 35, "web_chat": 110, "wechat": 420, "app": 700, "email": 6600}
_CHAT = ("web_chat", "wechat", "app")
# Share of the plain chats that the bot ends alone, and of tickets to which an agent links an article.
_BOT_SOLVES = 0.12
_LINKED = {True: 0.45, False: 0.2}  # solved at the first contact, or not
_ARTICLES = 4  # of each subtype
_END = DAYS * DAY


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the event log; seconds of the company's clock."""

    ticket_id: str
    at: int
    field: str
    old: str
    new: str
    actor: str
    role: str


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the message log."""

    ticket_id: str
    at: int
    author: str
    role: str
    is_public: bool
    body: str


@dataclass(slots=True)
class Outcome:
    """How a ticket ended, for the surveys."""

    ticket: Ticket
    agent: Agent
    solved: int
    first_response_seconds: int
    resolution_hours: float
    is_reopened: bool


@dataclass
class _Plan:
    """Planned instants of tickets, by position."""

    first: Ints
    transferred: Ints
    solved: Ints
    is_first_contact: list[bool]
    reopened: Ints
    solved_again: Ints
    closed: Ints


class Desk:
    """Works the tickets off; ``events``, ``messages`` and ``outcomes`` collect what happened."""

    def __init__(
        self,
        rng: np.random.Generator,
        random: Random,
        writer: Writer,
        inventor: Inventor,
        agents: Agents,
        identities: Identities,
    ) -> None:
        self._rng = rng
        self._random = random
        self._writer = writer
        self._inventor = inventor
        self._agents = agents
        self._identities = identities
        self._by_new_agents: deque[Outcome] = deque(maxlen=60)
        self.events: list[Event] = []
        self.messages: list[Message] = []
        self.outcomes: list[Outcome] = []

    def work(self, tickets: list[Ticket]) -> None:
        """Work all tickets off, by time of creation."""
        plan = self._plan(tickets)
        columns = (
            plan.first.tolist(), plan.transferred.tolist(), plan.solved.tolist(), plan.is_first_contact,
            plan.reopened.tolist(), plan.solved_again.tolist(), plan.closed.tolist(),
        )  # fmt: skip
        for ticket, *instants in zip(tickets, *columns, strict=True):
            if ticket.duplicate_of:
                ticket.come_from(ticket.duplicate_of)
            if ticket.kind in ("request", "duplicate"):
                self._request(ticket, *instants)
            else:
                self._short(ticket)

    # -- when ------------------------------------------------------------------------------------------------------

    def _plan(self, tickets: list[Ticket]) -> _Plan:
        rng, count = self._rng, len(tickets)
        created = np.array([ticket.created for ticket in tickets])
        subtype = np.array([max(ticket.subtype, 0) for ticket in tickets])
        is_vip = np.array([ticket.is_vip for ticket in tickets])
        priority = np.array([("urgent", "high", "medium", "low").index(ticket.priority) for ticket in tickets])
        is_mail = np.array([ticket.channel == "email" for ticket in tickets])
        median = np.array([_FIRST_RESPONSE[ticket.channel] for ticket in tickets], dtype=float)
        load = np.bincount(created // DAY, minlength=DAYS) / (count / DAYS)
        wait = median * np.exp(rng.normal(0, 0.75, count)) * np.where(is_peak(created), 1.6, 1.0)
        wait *= np.clip(load[created // DAY], 0.6, 3.0) * np.where(is_vip, 0.65, 1)
        wait *= np.where(rng.random(count) < 0.05, rng.uniform(6, 30, count), 1.0)
        seconds = np.maximum(wait, 6).astype(np.int64)
        first = np.where(is_mail, OFFICE_HOURS.add(created, seconds), FRONT_HOURS.add(created, seconds))

        is_first_contact = rng.random(count) < np.array([s.first_contact for s in SUBTYPES])[subtype]
        session = np.maximum(np.exp(rng.normal(6.4, 0.7, count)), 60).astype(np.int64)
        transferred = first + session
        hours = np.array([s.hours for s in SUBTYPES])[subtype] * np.exp(rng.normal(0, 0.55, count))
        hours *= np.array([0.55, 0.8, 1.0, 1.15])[priority] * np.where(is_vip, 0.85, 1.0)
        hours *= _story_hours(created, subtype)
        solved = np.where(is_first_contact, transferred, OFFICE_HOURS.add(transferred, (hours * 3600).astype(np.int64)))

        risky = np.isin(subtype, [SUBTYPE_INDEX["repair_quality"], SUBTYPE_INDEX["information_inconsistent"]])
        is_reopened = rng.random(count) < np.where(risky, 0.1, 0.045)
        pause = rng.integers(3600, 40 * 3600, count)
        reopened = np.where(is_reopened, solved + pause, _END)
        again = OFFICE_HOURS.add(np.where(is_reopened, reopened, solved), (hours * 0.5 * 3600).astype(np.int64))
        solved_again = np.where(is_reopened, again, solved)
        closed = solved_again + 48 * 3600 + rng.integers(0, 3600, count)
        return _Plan(first, transferred, solved, is_first_contact.tolist(), reopened, solved_again, closed)

    # -- what ------------------------------------------------------------------------------------------------------

    def _request(
        self,
        ticket: Ticket,
        first: int,
        transferred: int,
        solved: int,
        is_first_contact: bool,
        reopened: int,
        solved_again: int,
        closed: int,
    ) -> None:
        draw, writer = self._random.random, self._writer
        if ticket.story_id == "new_agents" and ticket.kind == "request":
            self._blame(ticket)
        subtype, product, city = ticket.subtype, ticket.product, ticket.city
        # Of its own, so that the rest of the company stays as it is.
        habit = Random(ticket.ticket_id)
        is_plain = is_first_contact and ticket.kind == "request" and not ticket.story_id and reopened >= _END
        bot_solves = is_plain and ticket.channel in _CHAT and habit.random() < _BOT_SOLVES
        if bot_solves:
            first = ticket.created + 10 + int(habit.random() * 20)
            solved = solved_again = first + 40 + int(habit.random() * 300)
            closed = solved + 48 * 3600
        customer = self._known_as(ticket)
        agent = self._agents.on_duty(FRONT, first, draw())
        self._opened(ticket, customer)
        if ticket.channel in _CHAT:
            self._say(ticket, ticket.created + 2 + int(draw() * 7), "BOT", "bot", writer.talk("bot", product, city))
        picked = max(ticket.created + 1, first - 5 - int(draw() * 20))
        reply = writer.reply(subtype, product, city, SUBTYPES[subtype].team)
        if not bot_solves:
            self._note(ticket, picked, "assignee", "", agent.ref)
            self._note(ticket, first, "status", "new", "open", agent.ref, "agent")
            self._say(ticket, first, agent.ref, "agent", reply)
            if habit.random() < _LINKED[is_first_contact]:
                article = f"KB-{subtype + 1:02d}{1 + int(habit.random() * _ARTICLES)}"
                self._note(ticket, first + 15, "knowledge_article", "", article, agent.ref, "agent")
        self._tag(ticket, first)
        if ticket.channel != "phone" and draw() < 0.55:
            said = writer.talk("customer_more", product, city, rough=True)
            sent = first + 30 + int(draw() * 400)
            if draw() < 0.05 and sent < _END:
                said = self._inventor.plant(said, city)
            self._say(ticket, sent, customer, "customer", said)
        solver, state = agent, "new" if bot_solves else "open"
        if not is_first_contact:
            solver, state = self._hand_over(ticket, agent, transferred, solved)
        author, role = ("BOT", "bot") if bot_solves else (solver.ref, "agent")
        self._note(ticket, solved, "status", state, "solved", author, role)
        self._say(ticket, solved, author, role, writer.solution(subtype, product, city))
        if draw() < 0.3:
            thanks = writer.talk("customer_thanks", product, city, rough=True)
            self._say(ticket, solved + 40 + int(draw() * 2000), customer, "customer", thanks)
        if reopened < _END:
            again = writer.talk("customer_reopen", product, city, rough=True)
            self._say(ticket, reopened, customer, "customer", again)
            self._note(ticket, reopened, "status", "solved", "open", customer, "customer")
            self._note(ticket, solved_again, "status", "open", "solved", solver.ref, "agent")
            self._say(ticket, solved_again, solver.ref, "agent", writer.solution(subtype, product, city))
        self._note(ticket, closed, "status", "solved", "closed")
        outcome = Outcome(
            ticket, agent, solved_again, first - ticket.created, (solved - ticket.created) / 3600, reopened < _END
        )
        if ticket.kind == "request" and solved_again < _END:
            self.outcomes.append(outcome)
        if agent.is_new and ticket.customer >= 0:
            self._by_new_agents.append(outcome)

    def _opened(self, ticket: Ticket, customer: str) -> None:
        self._note(ticket, ticket.created, "status", "", "new", customer, "customer")
        self._note(ticket, ticket.created, "team", "", FRONT)
        if ticket.body:
            self._say(ticket, ticket.created, customer, "customer", ticket.body)

    def _hand_over(self, ticket: Ticket, agent: Agent, at: int, solved: int) -> tuple[Agent, str]:
        """To the team that can solve it, some by way of the complaints team; returns the solver and the status."""
        draw, writer = self._random.random, self._writer
        team, holder, span = FRONT, agent, max(solved - at, 60)
        wanted = SUBTYPES[ticket.subtype].team
        route = [COMPLAINTS, wanted] if wanted != COMPLAINTS and draw() < 0.1 else [wanted]
        for step, target in enumerate(route):
            moved = at + int(step * span * 0.25)
            self._note(ticket, moved, "team", team, target, holder.ref, "agent")
            taken = OFFICE_HOURS.add_one(moved, int(60 + draw() * min(span * 0.2, 5400)))
            taken_at = min(taken, solved - 1)
            successor = self._agents.on_duty(target, taken_at, draw())
            self._note(ticket, taken_at, "assignee", holder.ref, successor.ref, successor.ref, "agent")
            if draw() < 0.35:
                text = writer.talk("team_transfer" if draw() < 0.5 else "note", -1, ticket.city, target)
                self._say(ticket, moved, holder.ref, "agent", text, is_public=False)
            team, holder = target, successor
        state = "open"
        if draw() < 0.55:
            begin, end = solved - int(span * 0.55), solved - int(span * 0.15)
            state = "pending" if draw() < 0.55 else "on_hold"
            self._note(ticket, begin, "status", "open", state, holder.ref, "agent")
            waiting = writer.talk("agent_ask" if state == "pending" else "agent_wait", -1, ticket.city, team)
            self._say(ticket, begin, holder.ref, "agent", waiting)
            if state == "pending":
                more = writer.talk("customer_more", ticket.product, ticket.city, rough=True)
                self._say(ticket, end, ticket.contact, "customer", more)
            if draw() < 0.85:
                self._note(ticket, end, "status", state, "open")
                state = "open"
        return holder, state

    def _known_as(self, ticket: Ticket) -> str:
        """Note by what the channel knows the customer, now that it is settled who that is."""
        ticket.contact = self._identities.contact(ticket.customer, ticket.channel, ticket.day)
        return ticket.contact

    def _blame(self, ticket: Ticket) -> None:
        """A complaint about a new agent comes from a customer whom one served in the days before."""
        earlier = [o.ticket for o in self._by_new_agents if 0 < ticket.created - o.ticket.created < 6 * DAY]
        if earlier:
            ticket.parent = earlier[int(self._random.random() * len(earlier))]
            ticket.come_from(ticket.parent)

    def _short(self, ticket: Ticket) -> None:
        """Records that are no requests, and merged ones, end soon."""
        draw = self._random.random
        customer = self._known_as(ticket)
        agent = self._agents.on_duty(FRONT, ticket.created, draw())
        if ticket.kind == "outbound":
            self._note(ticket, ticket.created, "status", "", "new", agent.ref, "agent")
            self._note(ticket, ticket.created, "assignee", "", agent.ref)
            self._note(ticket, ticket.created + 120 + int(draw() * 600), "status", "new", "closed", agent.ref, "agent")
            return
        self._opened(ticket, customer)
        if ticket.kind == "abandoned":
            gone = ticket.created + 30 + int(draw() * 900)
            self._note(ticket, gone, "status", "new", "closed")
            self._tag(ticket, gone)
            return
        seen = FRONT_HOURS.add_one(ticket.created, 60 + int(draw() * 1500))
        self._note(ticket, seen, "assignee", "", agent.ref)
        self._tag(ticket, seen, agent.ref)
        self._note(ticket, seen + 10 + int(draw() * 60), "status", "new", "closed", agent.ref, "agent")

    def _tag(self, ticket: Ticket, at: int, actor: str = "") -> None:
        for tag in ticket.tags:
            self._note(ticket, at, "tag", "", tag, actor, "agent" if actor else "system")
        if ticket.corrected_subtype >= 0:
            old = SUBTYPES[ticket.stated_subtype].code if ticket.stated_subtype >= 0 else ""
            self._note(ticket, at + 60, "problem_subtype", old, SUBTYPES[ticket.corrected_subtype].code)

    def _note(
        self, ticket: Ticket, at: int, field: str, old: str, new: str, actor: str = "", role: str = "system"
    ) -> None:
        if at < _END:
            self.events.append(Event(ticket.ticket_id, at, field, old, new, actor, role))

    def _say(self, ticket: Ticket, at: int, author: str, role: str, body: str, is_public: bool = True) -> None:
        if at < _END:
            self.messages.append(Message(ticket.ticket_id, at, author, role, is_public, body))


def _story_hours(created: Ints, subtype: Ints) -> Floats:
    """How the stories change the time to a solution."""
    factor = np.ones(len(created))
    creep = BY_ID["refund_creep"]
    slow = subtype == SUBTYPE_INDEX["refund_slow"]
    factor[slow] = creep.factor ** (created[slow] / DAY / 30.4)
    faster = BY_ID["spare_parts_fix"]
    fixed = (subtype == SUBTYPE_INDEX["repair_slow"]) & (created >= day_of(faster.starts_on) * DAY)
    factor[fixed] = faster.factor
    stall = BY_ID["logistics_stall"]
    begin, end = day_of(stall.starts_on) * DAY, (day_of(stall.ends_on) + 1) * DAY
    factor[(subtype == SUBTYPE_INDEX["logistics_delay"]) & (created >= begin) & (created < end)] = 1.5
    return factor
