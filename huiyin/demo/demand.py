"""How many requests come on which day about what, from whom and by which channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from huiyin.demo.company import (
    CHANNEL_SHARES,
    CHANNELS,
    DAYS,
    PRODUCTS,
    REGIONS,
    SUBTYPE_INDEX,
    SUBTYPES,
)
from huiyin.demo.people import Customers
from huiyin.demo.stories import BY_ID, STEADY, STORIES, Story, story_scale
from huiyin.demo.timeline import Floats, Ints, campaign_lift, day_of, day_weights, draw_seconds

REQUESTS_A_DAY = 99.0
# Two extra tickets a day are about what can be told from chance within a week; no story shrinks below.
SMALLEST_STORY_A_DAY = 2.0
_REGION_NAMES = tuple(REGIONS)
_PRODUCT_WEIGHTS = np.array([product.weight for product in PRODUCTS])
_TOTAL_SHARE = sum(subtype.share for subtype in SUBTYPES)
_APP_SUBTYPES = ("login_failure", "app_bug")


@dataclass
class Requests:
    """Genuine requests, one element a request; indices into the company's tuples, −1 for unknown."""

    created: Ints
    subtype: Ints
    region: Ints
    product: Ints
    channel: Ints
    customer: Ints
    story: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.created)

    def take(self, index: Ints) -> Requests:
        """The requests at these positions."""
        return Requests(**{name: values[index] for name, values in vars(self).items()})

    def joined(self, other: Requests) -> Requests:
        """Both, one after the other."""
        return Requests(**{name: np.concatenate([values, getattr(other, name)]) for name, values in vars(self).items()})


def _subtype_level(code: str) -> Floats:
    """Lasting changes of level by measures that worked."""
    level = np.ones(DAYS)
    for story in STORIES:
        is_lasting = story.expect == "effect_improved" and story.metric == "ticket_count"
        if is_lasting and story.scope == {"problem_subtype": code}:
            level[day_of(story.starts_on) :] = story.factor
    return level


def _product_weights(subtype: int) -> Floats:
    kinds = SUBTYPES[subtype].kinds
    weights = np.array([p.weight if not kinds or p.kind in kinds else 0.0 for p in PRODUCTS])
    total: float = weights.sum()
    return weights / total


def _channel_weights(code: str) -> Floats:
    weights = np.array(CHANNEL_SHARES)
    if code in _APP_SUBTYPES:
        weights = weights * np.array([0.7, 0.6, 0.8, 3.0, 0.6])
    elif code == "invoice":
        weights = weights * np.array([0.6, 1, 1, 1, 3.0])
    total: float = weights.sum()
    return weights / total


def _regular(rng: np.random.Generator, scale: float) -> tuple[Ints, Ints]:
    """Day and subtype of ordinary requests: tides, campaigns and day-to-day overdispersion."""
    weights, lift = day_weights(), campaign_lift()
    common = rng.gamma(400, 1 / 400, DAYS)
    days, subtypes = [], []
    for index, subtype in enumerate(SUBTYPES):
        mean = REQUESTS_A_DAY * subtype.share / _TOTAL_SHARE * weights * (1 + subtype.promotion * lift)
        mean = mean * _subtype_level(subtype.code) * common * rng.gamma(200, 1 / 200, DAYS)
        mean = mean * (story_scale(scale) if subtype.code in STEADY else scale)
        counts = rng.poisson(mean)
        days.append(np.repeat(np.arange(DAYS), counts))
        subtypes.append(np.full(int(counts.sum()), index))
    return np.concatenate(days), np.concatenate(subtypes)


def _extra(rng: np.random.Generator, story: Story, scale: float) -> tuple[Ints, Ints, Ints]:
    """Day, region and product of the requests a story adds to the ordinary ones."""
    subtype = SUBTYPE_INDEX[story.scope["problem_subtype"]]
    daily = REQUESTS_A_DAY * SUBTYPES[subtype].share / _TOTAL_SHARE * (story.factor - 1)
    product_weights = _product_weights(subtype)
    region_weights = np.array([story.share_of_region.get(name, share) for name, share in REGIONS.items()])
    if "region" in story.scope:
        wanted = _REGION_NAMES.index(story.scope["region"])
        daily *= region_weights[wanted]
        region_weights = np.eye(len(REGIONS))[wanted]
    if "product" in story.scope:
        wanted = next(i for i, product in enumerate(PRODUCTS) if product.name == story.scope["product"])
        daily *= product_weights[wanted]
        product_weights = np.eye(len(PRODUCTS))[wanted]
    daily = max(daily * story_scale(scale), min(daily, SMALLEST_STORY_A_DAY))
    first, last = day_of(story.starts_on), day_of(story.ends_on) + 1
    counts = rng.poisson(daily * day_weights()[first:last])
    days = np.repeat(np.arange(first, last), counts)
    return (
        days,
        rng.choice(len(REGIONS), size=len(days), p=region_weights / region_weights.sum()),
        rng.choice(len(PRODUCTS), size=len(days), p=product_weights),
    )


def draw_requests(rng: np.random.Generator, customers: Customers, scale: float) -> Requests:
    """All genuine requests of the year, by time. Repeat contacts of the same customer are among them."""
    days, subtypes = _regular(rng, scale)
    regions = rng.choice(len(REGIONS), size=len(days), p=list(REGIONS.values()))
    products = np.full(len(days), -1)
    for index in range(len(SUBTYPES)):
        mask = np.flatnonzero(subtypes == index)
        products[mask] = rng.choice(len(PRODUCTS), size=len(mask), p=_product_weights(index))
    story_ids = np.full(len(days), None, dtype=object)
    for story in STORIES:
        if story.factor > 1 and story.metric == "ticket_count":
            extra_days, extra_regions, extra_products = _extra(rng, story, scale)
            days = np.concatenate([days, extra_days])
            subtypes = np.concatenate(
                [subtypes, np.full(len(extra_days), SUBTYPE_INDEX[story.scope["problem_subtype"]])]
            )
            regions = np.concatenate([regions, extra_regions])
            products = np.concatenate([products, extra_products])
            story_ids = np.concatenate([story_ids, np.full(len(extra_days), story.story_id, dtype=object)])
    channels = np.empty(len(days), dtype=np.int64)
    for index, subtype in enumerate(SUBTYPES):
        mask = np.flatnonzero(subtypes == index)
        channels[mask] = rng.choice(len(CHANNELS), size=len(mask), p=_channel_weights(subtype.code))
    for story_id, story in BY_ID.items():
        if story.channel:
            mask = np.flatnonzero(story_ids == story_id)
            channels[mask] = np.where(rng.random(len(mask)) < 0.7, CHANNELS.index(story.channel), channels[mask])
    created = days * 86_400 + draw_seconds(rng, channels == 0)
    requests = Requests(created, subtypes, regions, products, channels, customers.draw(rng, regions, days), story_ids)
    requests = requests.joined(_repeats(rng, requests))
    return requests.take(np.argsort(requests.created, kind="stable"))


def _repeats(rng: np.random.Generator, requests: Requests) -> Requests:
    """Some customers come back about the same matter after two to six days."""
    chosen = np.flatnonzero(rng.random(len(requests)) < 0.045)
    again = requests.take(chosen)
    again.created = again.created + rng.integers(30 * 3600, 6 * 86_400, len(chosen))
    again.channel = rng.choice(len(CHANNELS), size=len(chosen), p=CHANNEL_SHARES)
    second = again.created % 86_400
    # Calls come within service hours.
    again.created = again.created + np.where((again.channel == 0) & (second < 8 * 3600), 8 * 3600, 0)
    again.created = again.created - np.where((again.channel == 0) & (second >= 22 * 3600), 3 * 3600, 0)
    return again.take(np.flatnonzero(again.created < DAYS * 86_400))
