"""Configuration of sources that are feeds of posts and reviews."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingest.configuration import StreamSource
from ingest.connectors.http_config import Auth, HttpOptions, WebAddress

NORMAL_FIELDS = (
    "id", "link", "title", "text", "author_id", "author_handle", "published_at", "updated_at", "rating", "likes",
)  # fmt: skip


class Feed(BaseModel):
    """One feed: RSS, Atom, JSON Feed, Apple's customer reviews (all recognised), or JSON of a shape told here."""

    model_config = ConfigDict(extra="forbid")

    url: WebAddress = Field(description="address; ${NAME} is filled in from the environment")
    kind: Literal["post", "review"] = Field("post", description="feedback's kind")
    channel: str | None = Field(None, description="feedback's channel: weibo, xiaohongshu, app_store, forum …")
    product: str | None = None
    scale_min: float = Field(1, description="of reviews")
    scale_max: float = Field(5, description="of reviews")
    pages: int = Field(10, ge=1, le=1000, description="how many pages are followed at most")
    entries: str | None = Field(None, description="JSON of its own shape: dotted path of the list of entries")
    next: str | None = Field(None, description="JSON of its own shape: dotted path of the next page's address")
    fields: dict[str, str] = Field({}, description="JSON of its own shape: {name: dotted path in an entry}")

    @model_validator(mode="after")
    def _complete(self) -> Feed:
        if self.entries is None and (self.fields or self.next):
            raise ValueError("`fields` and `next` belong to JSON of its own shape; name its list under `entries` too")
        if self.entries is not None and not {"text", "published_at"} <= set(self.fields):
            raise ValueError(f"`fields` must say where text and published_at are; known names: {NORMAL_FIELDS}")
        if self.scale_min >= self.scale_max:
            raise ValueError("`scale_min` must be below `scale_max`")
        return self


class SocialSource(StreamSource, HttpOptions):
    """Feeds of posts and reviews; each feed is a stream."""

    kind: Literal["social"]
    feeds: dict[str, Feed] = Field(min_length=1, description="{name: feed}")
    auth: Auth | None = None
    headers: dict[str, str] = Field({}, description="sent with every request; secrets as ${NAME}")

    @model_validator(mode="before")
    @classmethod
    def _default_tables(cls, data: Any) -> Any:
        """Feeds that no table names go to ``feedback`` and ``identifiers``."""
        if not isinstance(data, dict) or not isinstance(data.get("feeds"), dict):
            return data
        tables = data.get("tables") or []
        if not isinstance(tables, list):
            return data
        named = {table.get("stream") for table in tables if isinstance(table, dict)}
        added = [
            table
            for name, feed in data["feeds"].items()
            if name not in named and isinstance(feed, dict)
            for table in default_tables(str(name), feed)
        ]
        return data | {"tables": [*tables, *added]}

    @model_validator(mode="after")
    def _known_feeds(self) -> SocialSource:
        for table in self.tables:
            if table.stream not in self.feeds:
                raise ValueError(f"there is no feed {table.stream!r}; feeds: {', '.join(self.feeds)}")
        return self


def default_tables(name: str, feed: dict[str, Any]) -> list[dict[str, Any]]:
    """What becomes of a feed's entries where the sources file has no table for it."""
    is_review = feed.get("kind") == "review"
    channel = feed.get("channel")
    # Two platforms may have the same handle for different people.
    platform = channel or name
    constants = {"kind": "review" if is_review else "post"}
    constants |= {key: str(feed[key]) for key in ("channel", "product") if feed.get(key)}
    columns = {
        "feedback_id": "id", "text": "text", "url": "link", "likes": "likes", "created_at": "published_at",
        "score": "rating" if is_review else "", "ticket_id": "", "region": "",
    }  # fmt: skip
    if is_review:
        constants |= {"scale_min": str(feed.get("scale_min", 1)), "scale_max": str(feed.get("scale_max", 5))}
    return [
        {
            "stream": name, "entity": "feedback", "columns": columns, "constants": constants,
            "templates": {"customer_ref": f"{platform}:{{author_id}}"}, "changed_at": "changed_at",
        },
        {
            "stream": name, "entity": "identifiers", "columns": {"seen_at": "published_at"},
            "constants": {"identifier_kind": "handle"}, "where": {"has_author": "true"},
            "templates": {
                "customer_ref": f"{platform}:{{author_id}}", "identifier": f"{platform}:{{author_handle}}",
            },
        },
    ]  # fmt: skip
