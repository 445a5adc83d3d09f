"""Ratings after service, NPS answers, reviews and posts on social networks."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np

from huiyin.demo.company import DAYS, PRODUCTS, SUBTYPES
from huiyin.demo.identities import Identities
from huiyin.demo.lifecycle import Outcome
from huiyin.demo.people import Customers
from huiyin.demo.personal import Inventor
from huiyin.demo.stories import BY_ID, story_scale
from huiyin.demo.tickets import REGION_NAMES, Ticket
from huiyin.demo.timeline import DAY, campaign_lift, day_of, day_weights
from huiyin.demo.writer import Writer

POST_PLATFORMS = {"weibo": 0.36, "xiaohongshu": 0.28, "douyin": 0.22, "forum": 0.14}
REVIEW_PLATFORMS = {"ecommerce": 0.78, "app_store": 0.22}
_APP_MATTERS = ("login_failure", "app_bug", "network_setup", "membership")
_POSTS, _REVIEWS = 9_000, 8_000


@dataclass(slots=True)
class Feedback:
    """One rating, answer, review or post; ``product`` is an index or −1, ``created`` seconds of the clock."""

    feedback_id: str
    kind: str
    created: int
    channel: str
    text: str
    score: int | None = None
    likes: int | None = None
    ticket_id: str = ""
    customer: int = -1
    product: int = -1
    region: int = -1
    contact: str | None = None  # by what the system knows the writer
    has_personal_data: bool = False

    @property
    def product_name(self) -> str | None:
        """The product as systems write it."""
        return PRODUCTS[self.product].name if self.product >= 0 else None

    @property
    def region_name(self) -> str | None:
        """The sales region."""
        return REGION_NAMES[self.region] if self.region >= 0 else None


class Public:
    """Collects the year's feedback."""

    def __init__(
        self,
        rng: np.random.Generator,
        random: Random,
        writer: Writer,
        inventor: Inventor,
        customers: Customers,
        identities: Identities,
    ) -> None:
        self._rng = rng
        self._random = random
        self._writer = writer
        self._inventor = inventor
        self._customers = customers
        self._identities = identities

    # -- surveys ---------------------------------------------------------------------------------------------------

    def csat(self, outcomes: list[Outcome]) -> list[Feedback]:
        """Ratings 1…5 of some of the solved tickets: waiting, reopening and rude agents cost points."""
        answers, draw, number = [], self._random.random, 0
        noise = self._rng.normal(0, 0.8, len(outcomes))
        trouble = BY_ID["new_agents"]
        first, last = day_of(trouble.starts_on), day_of(trouble.ends_on)
        for outcome, wobble in zip(outcomes, noise.tolist(), strict=True):
            ticket = outcome.ticket
            is_rude = outcome.agent.is_new and first <= ticket.day <= last
            if draw() > (0.32 if is_rude else 0.3):
                continue
            answered = outcome.solved + 300 + int(draw() ** 2 * 2 * DAY)
            if answered >= DAYS * DAY:
                continue
            liking = 4.95 + wobble - 0.28 * np.log1p(outcome.resolution_hours / 12)
            liking -= 0.22 * np.log1p(outcome.first_response_seconds / 1800) + 0.8 * outcome.is_reopened
            liking -= 1.9 * is_rude + 0.5 * (SUBTYPES[ticket.subtype].code == "agent_attitude")
            score = int(min(max(round(float(liking)), 1), 5))
            number += 1
            answer = Feedback(
                f"CS{number:06d}", "csat", answered, "survey", self._comment(ticket, score), score,
                ticket_id=ticket.ticket_id, customer=ticket.customer, product=ticket.product, region=ticket.region,
                contact=ticket.contact or None,
            )  # fmt: skip
            answers.append(self._with_personal_data(answer, 0.004, ticket.city))
        return answers

    def _comment(self, ticket: Ticket, score: int) -> str:
        draw, writer = self._random.random, self._writer
        if draw() > (0.5 if score <= 2 else 0.28):
            return ""
        if score >= 4:
            return writer.said("csat_good", ticket.product, ticket.city)
        if score == 3:
            return writer.said("csat_plain", ticket.product, ticket.city)
        if draw() < 0.6:
            return writer.comment(ticket.subtype, ticket.product, ticket.city)
        return writer.said("csat_bad", ticket.product, ticket.city)

    def nps(self, tickets: list[Ticket]) -> list[Feedback]:
        """Monthly answers 0…10 of a sample of customers; who had trouble lately recommends less."""
        rng, draw = self._rng, self._random.random
        answers: list[Feedback] = []
        troubles = np.zeros(len(self._customers))
        for ticket in tickets:
            if ticket.customer >= 0 and not SUBTYPES[max(ticket.subtype, 0)].asks:
                troubles[ticket.customer] += 1
        for month in range(12):
            asked = rng.choice(len(self._customers), size=max(12, round(len(self._customers) * 0.028)), replace=False)
            for customer in asked.tolist():
                created = int((month * 30.4 + 18 + draw() * 8) * DAY)
                if self._customers.since_day[customer] > created // DAY:
                    continue
                product = self._random.randrange(len(PRODUCTS))
                liking = 8.6 + rng.normal(0, 1.7) - 0.35 * min(troubles[customer], 6)
                score = int(min(max(round(liking), 0), 10))
                section = "nps_good" if score >= 9 else "nps_plain" if score >= 7 else "nps_bad"
                city = self._city(int(self._customers.region[customer]))
                text = self._writer.said(section, product, city) if draw() < 0.45 else ""
                answers.append(
                    Feedback(
                        f"NP{len(answers) + 1:06d}",
                        "nps",
                        created,
                        "survey",
                        text,
                        score,
                        customer=customer,
                        region=int(self._customers.region[customer]),
                        contact=self._identities.number(customer),
                    ),
                )
        return sorted(answers, key=lambda answer: answer.created)

    # -- public voices ---------------------------------------------------------------------------------------------

    def posts(self, tickets: list[Ticket], scale: float) -> list[Feedback]:
        """Posts on social networks: complaints follow the tickets, a competitor's meme comes in June."""
        voices = self._voices(tickets, round(_POSTS * scale), tuple(POST_PLATFORMS.items()), is_review=False)
        story = BY_ID["competitor_meme"]
        first, last = day_of(story.starts_on), day_of(story.ends_on)
        for _ in range(round(60 * (last - first + 1) * story_scale(scale))):
            day = first + int(self._random.triangular(0, last - first + 1, 2))
            channel = self._random.choice(("weibo", "weibo", "douyin", "xiaohongshu"))
            voice = Feedback(
                "", "post", day * DAY + self._second(), channel, self._writer.meme(), likes=self._likes(2.5)
            )
            voice.contact = self._identities.handle(-1, channel)
            voices.append(voice)
        return _numbered(voices, "P")

    def copies_and_advertising(self, posts: list[Feedback], scale: float, seed: int) -> list[Feedback]:
        """The posts with a complaint that many accounts paste in three days of October, and advertising all year.

        Drawn by themselves, so that everything else stays as it would be without them.
        """
        random = Random(seed)
        story = BY_ID["copied_complaint"]
        first, last = day_of(story.starts_on), day_of(story.ends_on)

        def post(day: int, channel: str, text: str, likes: int) -> Feedback:
            voice = Feedback("", "post", day * DAY + 8 * 3600 + random.randrange(14 * 3600), channel, text, likes=likes)
            voice.contact = f"yezhu{random.randrange(10**6):06d}" if random.random() < 0.9 else None
            return voice

        found = list(posts)
        for _ in range(round(60 * story_scale(scale))):
            channel = random.choice(("weibo", "weibo", "xiaohongshu", "forum"))
            found.append(post(random.randint(first, last), channel, self._writer.copied(random), random.randrange(9)))
        for _ in range(round(120 * story_scale(scale))):
            channel = random.choice(tuple(POST_PLATFORMS))
            found.append(post(random.randrange(DAYS), channel, self._writer.advertising(random), 0))
        return _numbered(found, "P")

    def reviews(self, tickets: list[Ticket], scale: float) -> list[Feedback]:
        """Reviews with one to five stars in shops and app stores."""
        voices = self._voices(tickets, round(_REVIEWS * scale), tuple(REVIEW_PLATFORMS.items()), is_review=True)
        return _numbered(voices, "R")

    def _voices(
        self, tickets: list[Ticket], count: int, platforms: tuple[tuple[str, float], ...], is_review: bool
    ) -> list[Feedback]:
        rng = self._rng
        requests = [ticket for ticket in tickets if ticket.kind == "request"]
        complaints = [ticket for ticket in requests if not SUBTYPES[ticket.subtype].asks]
        app_matters = [ticket for ticket in complaints if SUBTYPES[ticket.subtype].code in _APP_MATTERS]
        days = day_weights() ** 0.4 * (1 + 0.5 * campaign_lift())
        drawn_days = rng.choice(DAYS, size=count, p=days / days.sum()).tolist()
        channels = rng.choice([name for name, _ in platforms], size=count, p=[share for _, share in platforms]).tolist()
        shares = (0.62, 0.13, 0.0) if is_review else (0.2, 0.13, 0.17)
        moods = rng.choice(4, size=count, p=(*shares, 1 - sum(shares))).tolist()
        return [
            self._voice(day, channel, mood, app_matters if channel == "app_store" else complaints, is_review)
            for day, channel, mood in zip(drawn_days, channels, moods, strict=True)
        ]

    def _voice(self, day: int, channel: str, mood: int, complaints: list[Ticket], is_review: bool) -> Feedback:
        random, writer = self._random, self._writer
        draw = random.random
        kind = "review" if is_review else "post"
        created = day * DAY + self._second()
        if mood == 3:
            # The matter of some ticket becomes public within two days.
            cause = complaints[random.randrange(len(complaints))]
            created = min(cause.created + int(draw() * 2 * DAY), DAYS * DAY - 1)
            text = writer.complaint_post(cause.subtype, cause.product, cause.city, is_review)
            voice = Feedback(
                "", kind, created, channel, text, 1 + int(draw() * 2.3), self._likes(0.8), customer=cause.customer,
                product=cause.product, region=cause.region,
            )  # fmt: skip
            city = cause.city
        else:
            product = random.randrange(len(PRODUCTS))
            region = random.randrange(len(REGION_NAMES))
            city = self._city(region)
            write = (writer.praise, writer.middling, writer.question_post)[mood]
            score = (5 if draw() < 0.8 else 4) if mood == 0 else 3
            voice = Feedback(
                "", kind, created, channel, write(product, city), score, self._likes(0.0),
                customer=random.randrange(len(self._customers)), product=product, region=region,
            )  # fmt: skip
        if not is_review:
            voice.score = None
        if not is_review:
            voice.contact = self._identities.handle(voice.customer, channel)
        if channel != "ecommerce" or draw() < 0.3:
            voice.customer = -1
        elif voice.customer >= 0:
            voice.contact = self._identities.buyer(voice.customer)
        if not is_review and draw() < 0.5:
            voice.region = -1
        if not is_review and draw() < 0.4:
            voice.product = -1
        return self._with_personal_data(voice, 0.01, city)

    def _with_personal_data(self, feedback: Feedback, share: float, city: str) -> Feedback:
        if feedback.text and self._random.random() < share:
            feedback.text = self._inventor.plant(feedback.text, city)
            feedback.has_personal_data = True
        return feedback

    def _city(self, region: int) -> str:
        return self._writer.city_of(REGION_NAMES[region])

    def _second(self) -> int:
        hour = int(self._random.triangular(0, 24, 20))
        return min(hour, 23) * 3600 + self._random.randrange(3600)

    def _likes(self, fame: float) -> int:
        return int(self._random.lognormvariate(0.6 + fame, 1.5))


def _numbered(voices: list[Feedback], prefix: str) -> list[Feedback]:
    voices.sort(key=lambda voice: voice.created)
    for number, voice in enumerate(voices, start=1):
        voice.feedback_id = f"{prefix}{number:07d}"
    return voices
