"""Makes the demo company: one call writes all its systems' files and the ground truth."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from huiyin.demo.company import SUBTYPES
from huiyin.demo.crm import write_crm
from huiyin.demo.delivery import Delivery
from huiyin.demo.demand import draw_requests
from huiyin.demo.feedback import Feedback, Public
from huiyin.demo.identities import Identities
from huiyin.demo.knowledge import write_articles
from huiyin.demo.ledger import write_ledger
from huiyin.demo.lifecycle import Desk
from huiyin.demo.people import Agents, Customers
from huiyin.demo.personal import Inventor
from huiyin.demo.sources_file import write_sources_file
from huiyin.demo.stories import STORIES, story_scale
from huiyin.demo.tickets import Ticket, TicketMaker
from huiyin.demo.timeline import instant
from huiyin.demo.writer import Writer

DEFAULT_SEED = 20250101
# Raise it when the same seed makes another company than before.
GENERATOR_VERSION = 6

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class GenerationSummary:
    """What was made. ``tickets`` counts all records of the desk, dirt included."""

    scale: float
    seed: int
    version: int
    tickets: int
    events: int
    messages: int
    customers: int
    agents: int
    rosters: int
    posts: int
    reviews: int
    surveys: int
    personal_data: int
    broken_rows: int

    def __str__(self) -> str:
        return (
            f"{self.tickets:,} tickets, {self.events:,} events, {self.messages:,} messages, "
            f"{self.customers:,} customers, {self.posts + self.reviews:,} posts and reviews, {self.surveys:,} answers"
        )


def generate(
    folder: Path, scale: float = 1.0, seed: int = DEFAULT_SEED, progress: Progress | None = None
) -> GenerationSummary:
    """Write the demo company into ``folder``, replacing what an earlier call wrote there.

    The same ``scale`` and ``seed`` make the same records. ``scale`` 1.0 is about 42,000 tickets; below 1 planted
    stories shrink by its square root only, so that they can still be found. ``progress`` is told the share done and
    the step. Raises ``ValueError`` for a scale that is not positive, ``OSError`` where the folder can't be written.
    """
    if scale <= 0:
        raise ValueError(f"scale must be above 0, not {scale}")
    tell = progress or (lambda done, what: None)
    _clear(folder)
    rng, random = np.random.default_rng(seed), Random(seed)
    inventor, writer = Inventor(random), Writer(random)

    tell(0.0, "customers and agents")
    customers, agents = Customers(rng, inventor, scale), Agents(rng, scale)
    identities = Identities(seed, customers)
    tell(0.05, "tickets")
    requests = draw_requests(rng, customers, scale)
    tickets = TicketMaker(rng, random, writer, inventor, customers).make(requests)
    tell(0.25, "events and messages")
    desk = Desk(rng, random, writer, inventor, agents, identities)
    desk.work(tickets)
    tell(0.55, "ratings, reviews and posts")
    public = Public(rng, random, writer, inventor, customers, identities)
    csat, nps = public.csat(desk.outcomes), public.nps(tickets)
    posts, reviews = public.posts(tickets, scale), public.reviews(tickets, scale)
    posts = public.copies_and_advertising(posts, scale, seed)

    tell(0.75, "files")
    delivery = Delivery(folder, random, min(1.0, story_scale(scale)))
    delivery.tickets(tickets)
    delivery.events(desk.events)
    delivery.messages(desk.messages)
    delivery.bindings(identities.bindings)
    delivery.voices("posts", posts)
    delivery.voices("reviews", reviews)
    _write_surveys(folder / "surveys", "csat", csat)
    _write_surveys(folder / "surveys", "nps", nps)
    tell(0.93, "CRM and ledger")
    write_crm(folder / "crm.db", customers, identities, agents)
    write_ledger(folder / "actions.xlsx")
    write_articles(folder / "knowledge" / "articles.csv")
    write_sources_file(folder / "sources.yml")
    summary = GenerationSummary(
        scale, seed, GENERATOR_VERSION, len(tickets), len(desk.events), len(desk.messages), len(customers),
        len(agents.all), len(agents.shifts), len(posts), len(reviews), len(csat) + len(nps),
        sum(map(len, inventor.planted.values())), len(delivery.broken),
    )  # fmt: skip
    _write_truth(folder / "ground_truth", tickets, inventor, delivery, identities)
    _summary_file(folder).write_text(json.dumps(asdict(summary), indent=1), encoding="utf-8")
    tell(1.0, "done")
    return summary


def ensure_company(
    folder: Path, scale: float = 1.0, seed: int = DEFAULT_SEED, progress: Progress | None = None
) -> GenerationSummary:
    """The demo company in ``folder``, made unless it is there complete with this scale and seed."""
    file = _summary_file(folder)
    if file.exists():
        made = GenerationSummary(**json.loads(file.read_text(encoding="utf-8")))
        if (made.scale, made.seed, made.version) == (scale, seed, GENERATOR_VERSION):
            return made
    return generate(folder, scale, seed, progress)


def _summary_file(folder: Path) -> Path:
    """Written last: where it is, the company is complete."""
    return folder / "ground_truth" / "summary.json"


def _clear(folder: Path) -> None:
    _summary_file(folder).unlink(missing_ok=True)
    for name in ("tickets", "accounts", "knowledge", "social", "surveys", "ground_truth"):
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    folder.mkdir(parents=True, exist_ok=True)


def _write_surveys(folder: Path, kind: str, answers: list[Feedback]) -> None:
    """One file a month, delivered on its last day."""
    folder.mkdir(parents=True, exist_ok=True)
    for month in range(1, 13):
        last = date(2025 + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        part = [answer for answer in answers if instant(answer.created).month == month]
        table = pa.table(
            {
                "答卷编号": pa.array([answer.feedback_id for answer in part], pa.string()),
                "工单编号": pa.array([answer.ticket_id or None for answer in part], pa.string()),
                "客户标识": pa.array([answer.contact for answer in part], pa.string()),
                "评分": pa.array([answer.score for answer in part], pa.int32()),
                "意见": pa.array([answer.text or None for answer in part], pa.string()),
                "产品": pa.array([answer.product_name for answer in part], pa.string()),
                "区域": pa.array([answer.region_name for answer in part], pa.string()),
                "提交时间": pa.array([instant(answer.created) for answer in part], pa.timestamp("ms")),
            }
        )
        pq.write_table(table, folder / f"{kind}-{last.isoformat()}.parquet")


def _write_truth(
    folder: Path, tickets: list[Ticket], inventor: Inventor, delivery: Delivery, identities: Identities
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stories.json").write_text(_json([story.as_truth() for story in STORIES]), encoding="utf-8")
    (folder / "personal_data.json").write_text(_json(inventor.planted), encoding="utf-8")
    (folder / "broken_rows.json").write_text(_json([asdict(row) for row in delivery.broken]), encoding="utf-8")
    table = pa.table(
        {
            "ticket_id": [ticket.ticket_id for ticket in tickets],
            "kind": [ticket.kind for ticket in tickets],
            "story_id": pa.array([ticket.story_id for ticket in tickets], pa.string()),
            "true_subtype": pa.array(
                [SUBTYPES[ticket.subtype].code if ticket.subtype >= 0 else None for ticket in tickets], pa.string()
            ),
            "is_test": [ticket.kind == "test" for ticket in tickets],
            "is_abandoned": [ticket.kind == "abandoned" for ticket in tickets],
            "duplicate_of": pa.array(
                [ticket.duplicate_of.ticket_id if ticket.duplicate_of else None for ticket in tickets], pa.string()
            ),
            "has_personal_data": [ticket.has_personal_data for ticket in tickets],
        }
    )
    pq.write_table(table, folder / "tickets.parquet")
    owned = list(identities.owned())
    table = pa.table(
        {
            "kind": [kind for kind, _, _ in owned],
            "value": [value for _, value, _ in owned],
            "person": pa.array([person for _, _, person in owned], pa.int64()),
        }
    )
    pq.write_table(table, folder / "identities.parquet")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
