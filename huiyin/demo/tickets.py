"""From requests to tickets of the service desk: texts, what the desk records, and the dirt among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal

import numpy as np

from huiyin.demo.company import CHANNELS, DAYS, PRODUCTS, REGIONS, SUBTYPES
from huiyin.demo.demand import Requests
from huiyin.demo.people import Customers
from huiyin.demo.personal import Inventor
from huiyin.demo.timeline import DAY, instant
from huiyin.demo.writer import Writer

Kind = Literal["request", "test", "mis_operation", "spam", "outbound", "abandoned", "duplicate", "merged"]
REGION_NAMES = tuple(REGIONS)
_PRIORITIES = ("urgent", "high", "medium", "low")
# Share of genuine requests by which each kind of dirt comes on top.
_DIRT: dict[Kind, float] = {
    "test": 0.007, "mis_operation": 0.006, "spam": 0.006, "outbound": 0.012, "abandoned": 0.022,
}  # fmt: skip


@dataclass(slots=True)
class Ticket:
    """One ticket with its truth (``subtype``, ``kind``) beside what the desk recorded (``stated_…``)."""

    created: int
    kind: Kind
    channel: str
    subtype: int
    region: int
    city: str
    product: int
    customer: int
    is_vip: bool
    subject: str
    body: str
    priority: str
    story_id: str | None = None
    ticket_id: str = ""
    stated_subtype: int = -1
    stated_product: int = -1
    is_marked_test: bool = False
    duplicate_of: Ticket | None = None
    parent: Ticket | None = None
    has_personal_data: bool = False
    corrected_subtype: int = -1
    tags: list[str] = field(default_factory=list)
    contact: str = ""  # by what the channel knows the customer

    @property
    def day(self) -> int:
        """Number of the day it was created."""
        return self.created // DAY

    def come_from(self, other: Ticket) -> None:
        """Make it the same customer's as the other."""
        self.customer, self.is_vip = other.customer, other.is_vip
        self.region, self.city = other.region, other.city


class TicketMaker:
    """Makes all tickets of the year from the requests."""

    def __init__(
        self, rng: np.random.Generator, random: Random, writer: Writer, inventor: Inventor, customers: Customers
    ) -> None:
        self._rng = rng
        self._random = random
        self._writer = writer
        self._inventor = inventor
        self._customers = customers

    def make(self, requests: Requests) -> list[Ticket]:
        """All tickets, by time, numbered by day."""
        genuine = self._genuine(requests)
        tickets = genuine + self._duplicates(genuine)
        for kind, share in _DIRT.items():
            tickets += [self._dirty(kind, genuine) for _ in range(round(share * len(genuine)))]
        tickets.sort(key=lambda ticket: ticket.created)
        number, day = 0, -1
        for ticket in tickets:
            number = number + 1 if ticket.day == day else 1
            day = ticket.day
            ticket.ticket_id = f"T{instant(ticket.created):%y%m%d}{number:04d}"
        return tickets

    def _genuine(self, requests: Requests) -> list[Ticket]:
        rng, draw = self._rng, self._random.random
        count = len(requests)
        vip = self._customers.is_vip_on(requests.customer, requests.created // DAY)
        priorities = rng.choice(4, size=count, p=(0.035, 0.15, 0.55, 0.265))
        known = rng.random(count) < np.array([s.product_known for s in SUBTYPES])[requests.subtype]
        tickets = []
        for created, subtype, region, product, channel, customer, story_id, is_vip, level, is_known in zip(
            requests.created.tolist(), requests.subtype.tolist(), requests.region.tolist(),
            requests.product.tolist(), requests.channel.tolist(), requests.customer.tolist(),
            requests.story.tolist(), vip.tolist(), priorities.tolist(), known.tolist(), strict=True,
        ):  # fmt: skip
            city = self._writer.city_of(REGION_NAMES[region])
            named = product if is_known or story_id == "leaking_batch" else -1
            if level > 0 and ((is_vip and draw() < 0.3) or (SUBTYPES[subtype].code == "product_leak" and draw() < 0.5)):
                level -= 1
            ticket = Ticket(
                created, "request", CHANNELS[channel], subtype, region, city, named,
                customer if draw() < 0.97 else -1, is_vip,
                self._writer.subject(subtype, named, city), self._writer.request(subtype, named, city),
                _PRIORITIES[level], story_id,
            )  # fmt: skip
            self._record(ticket)
            if draw() < 0.06:
                ticket.body = self._inventor.plant(ticket.body, city)
                ticket.has_personal_data = True
            tickets.append(ticket)
        return tickets

    def _record(self, ticket: Ticket) -> None:
        """What the desk notes of it: mostly right, sometimes missing, wrong, or wrong and later corrected."""
        draw = self._random.random
        ticket.stated_product = ticket.product if draw() < 0.96 else -1
        way = draw()
        if way < 0.025:
            return
        ticket.stated_subtype = ticket.subtype
        if way < 0.06:
            ticket.stated_subtype = int(draw() * len(SUBTYPES))
            if draw() < 0.5:
                ticket.corrected_subtype = ticket.subtype

    def _duplicates(self, genuine: list[Ticket]) -> list[Ticket]:
        """The same request once more by another channel; the desk merges about half of them."""
        draw = self._random.random
        copies = []
        for first in genuine:
            if draw() >= 0.024 or first.customer < 0:
                continue
            created = first.created + int(600 + draw() * 16 * 3600)
            if created >= DAYS * DAY:
                continue
            channel = self._writer.pick([name for name in CHANNELS if name != first.channel and name != "phone"])
            body = first.body
            if first.has_personal_data or draw() < 0.75:  # said anew; else pasted
                body = self._writer.request(first.subtype, first.product, first.city)
            copies.append(
                Ticket(
                    created,
                    "merged" if draw() < 0.5 else "duplicate",
                    channel,
                    first.subtype,
                    first.region,
                    first.city,
                    first.product,
                    first.customer,
                    first.is_vip,
                    self._writer.subject(first.subtype, first.product, first.city),
                    body,
                    first.priority,
                    first.story_id,
                    stated_subtype=first.stated_subtype,
                    stated_product=first.stated_product,
                    duplicate_of=first,
                )
            )
        return copies

    def _dirty(self, kind: Kind, genuine: list[Ticket]) -> Ticket:
        """A record that is no request; it comes at the time of some genuine one."""
        random, writer = self._random, self._writer
        model = genuine[random.randrange(len(genuine))]
        created = min(model.created + random.randrange(60, 3000), DAYS * DAY - 1)
        subject_section = {"outbound": "outbound", "test": "test_subject"}.get(kind)
        section = {"mis_operation": "mis_body"}.get(kind, f"{kind}_body")
        product = random.randrange(len(PRODUCTS))
        subject = writer.talk(subject_section, product, model.city) if subject_section else ""
        body = writer.talk(section, product, model.city, rough=kind == "abandoned")
        channel = "phone" if kind == "outbound" or (kind == "abandoned" and random.random() < 0.6) else model.channel
        second = created % DAY
        if channel == "phone" and not 8 * 3600 <= second < 22 * 3600:
            created += 9 * 3600 - second if second < 8 * 3600 else -3 * 3600
        is_request = kind == "abandoned"
        ticket = Ticket(
            created, kind, channel, model.subtype if is_request else -1, model.region, model.city,
            product if is_request else -1,
            -1 if kind in ("test", "spam") else model.customer,
            model.is_vip, subject, body, "low" if kind != "abandoned" else "medium",
            is_marked_test=kind == "test" and random.random() < 0.65,
        )  # fmt: skip
        if kind in ("mis_operation", "spam", "abandoned") and random.random() < 0.8:
            ticket.tags.append(kind)
        return ticket
