"""Configuration of sources that are Zendesk help desks, and how their records become the contract's rows."""

from __future__ import annotations

import json
from datetime import date
from hashlib import blake2b
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ingest.configuration import StreamSource, StreamTable
from ingest.connectors.http_config import Auth, BasicAuth, HttpOptions, Secret, WebAddress
from ingest.connectors.zendesk.zones import iana_zone

Stream = Literal[
    "tickets", "ticket_events", "users", "satisfaction_ratings", "survey_responses", "schedules", "schedule_holidays"
]
STREAMS: tuple[Stream, ...] = (
    "schedules", "schedule_holidays", "users", "tickets", "ticket_events", "satisfaction_ratings", "survey_responses",
)  # fmt: skip

CHANNELS = {
    "web": "web_form",
    "help_center": "web_form",
    "mail": "email",
    "chat": "web_chat",
    "chat_transcript": "web_chat",
    "native_messaging": "web_chat",
    "voice": "phone",
    "phone": "phone",
    "mobile": "app",
    "mobile_sdk": "app",
    "iphone": "app",
    "android": "app",
    "ipad": "app",
    "forum": "forum",
    "wechat": "wechat",
    "survey": "survey",
}
PRIORITIES = {"normal": "medium"}
STATUSES = {"hold": "on_hold"}
# What the mart knows tags by; see `tags`.
TAGS = {"测试": "test", "垃圾": "spam", "closed_by_merge": "duplicate"}
TICKET_FIELDS = ("problem_type", "problem_subtype", "product", "region")


class ZendeskSource(StreamSource, HttpOptions):
    """A Zendesk Support account, read through its public interface.

    ``tables`` replaces the default tables of the streams that it names; the others keep theirs.
    """

    kind: Literal["zendesk"]
    domain: Literal["tickets", "crm", "social", "decisions"] = "tickets"
    tables: list[StreamTable] = Field([], description="replaces the default tables of the streams that it names")

    subdomain: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9-]*$", description="…of https://….zendesk.com")
    base_url: WebAddress | None = Field(None, description="instead of `subdomain`: the account's own address")
    email: str | None = Field(None, description="of the administrator whose API token it is")
    api_token: Secret | None = None
    auth: Auth | None = Field(None, description="instead of `email` and `api_token`: OAuth")

    start_on: date | None = Field(None, description="first day of the first load; default: everything")
    without: list[Stream] = Field([], description="streams that this account's plan doesn't have, or nobody wants")
    page_size: int = Field(1000, ge=1, le=1000, description="records an answer of the incremental exports")
    ratings_overlap_days: float = Field(30, ge=0, description="how long after it was offered a rating may be given")

    ticket_fields: dict[str, str] = Field({}, description="contract field: title or id of Zendesk's ticket field")
    field_values: dict[str, dict[str, str]] = Field({}, description="contract field: {Zendesk's value: contract value}")
    subtype_tags: dict[str, str] = Field({}, description="{ticket tag: problem_subtype}, where no field says it")
    tags: dict[str, str] = Field({}, description="{ticket tag: test, spam, abandoned, mis_operation or duplicate}")
    tier_tags: dict[str, str] = Field({"vip": "vip"}, description="{tag of a user or an organization: tier}")
    default_tier: str | None = Field(None, description="of customers without such a tag; default: not known")
    bots: list[str] = Field([], description="ids of users that are programs")
    merged_tag: str = Field("closed_by_merge", description="the tag that Zendesk gives to a ticket merged into another")
    default_schedule: str = Field("oldest", description="of tickets that no rule gave one: oldest, rules, a name or id")
    observes_holidays: bool = Field(False, description="schedules follow China's holidays and make-up workdays")
    time_zones: dict[str, str] = Field({}, description="{Zendesk's zone name: IANA name}, for names that aren't known")

    @field_validator("ticket_fields", "field_values")
    @classmethod
    def _of_tickets(cls, value: dict[str, object]) -> dict[str, object]:
        known = {*TICKET_FIELDS, "priority", "status", "channel"}
        for name in value:
            if name not in known:
                raise ValueError(f"no ticket field {name!r}; one of: {', '.join(sorted(known))}")
        return value

    @field_validator("time_zones")
    @classmethod
    def _iana(cls, value: dict[str, str]) -> dict[str, str]:
        for zone in value.values():
            if iana_zone(zone) is None:
                raise ValueError(f"{zone!r} is no IANA time zone; use one such as Asia/Shanghai")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.subdomain is None) == (self.base_url is None):
            raise ValueError("give either `subdomain` or `base_url`")
        if (self.auth is None) == (self.email is None or self.api_token is None):
            raise ValueError("give either `email` and `api_token`, or `auth`")
        for table in self.tables:
            if table.stream not in STREAMS:
                raise ValueError(f"no stream {table.stream!r}; one of: {', '.join(STREAMS)}")
        own = {table.stream for table in self.tables}
        defaults = [table for table in self._default_tables() if table.stream not in own]
        self.tables = [table for table in (*defaults, *self.tables) if table.stream not in self.without]
        if not self.tables:
            raise ValueError("`without` leaves no stream; remove the source instead")
        return self

    @property
    def address(self) -> str:
        """Where the interface begins."""
        return self.base_url or f"https://{self.subdomain}.zendesk.com"

    @property
    def authentication(self) -> Auth:
        """How it is signed in: an API token goes in as a password of `email/token`."""
        if self.auth is not None:
            return self.auth
        return BasicAuth(kind="basic", username=f"{self.email}/token", password=self.api_token or "")

    @property
    def rules_fingerprint(self) -> str:
        """Changes when the same records would be read as other rows."""
        names = (
            "ticket_fields", "field_values", "subtype_tags", "tags", "tier_tags", "default_tier", "bots", "merged_tag",
            "default_schedule", "start_on",
        )  # fmt: skip
        rules = self.model_dump(mode="json", include=set(names))
        return blake2b(json.dumps(rules, sort_keys=True).encode(), digest_size=8).hexdigest()

    def translated(self, field: str, value: str) -> str:
        """The contract's value of a ticket field's value."""
        defaults = {"priority": PRIORITIES, "status": STATUSES}.get(field, {})
        return (defaults | self.field_values.get(field, {})).get(value, value)

    def tag_meaning(self, tag: str) -> str:
        """What the mart knows a tag by; a tag without a meaning stays."""
        return (TAGS | self.tags).get(tag, tag)

    def _default_tables(self) -> list[StreamTable]:
        def values(field: str, defaults: dict[str, str]) -> dict[str, dict[str, str]]:
            return {field: defaults | self.field_values.get(field, {})}

        staff = ["agent", "admin"]
        return [
            StreamTable(stream="schedules", entity="schedules", snapshot=True),
            StreamTable(stream="schedule_holidays", entity="schedule_holidays", snapshot=True),
            StreamTable(
                stream="users",
                entity="customers",
                where={"record": "user", "role": "end-user"},
                columns={"customer_ref": "id", "valid_from_at": "created_at"},
                changed_at="updated_at",
                deleted_when={"active": "false"},
            ),
            StreamTable(
                stream="users",
                entity="identifiers",
                where={"record": "identifier"},
                columns={"customer_ref": "id", "seen_at": "updated_at"},
                changed_at="updated_at",
                deleted_when={"active": "false"},
            ),
            StreamTable(
                stream="users",
                entity="agents",
                where={"record": "user", "role": staff},
                columns={"agent_ref": "id", "valid_from_at": "created_at"},
                changed_at="updated_at",
            ),
            StreamTable(
                stream="tickets",
                entity="tickets",
                columns={
                    "ticket_id": "id",
                    "customer_ref": "requester_id",
                    "channel": "via.channel",
                    "body": "description",
                    "parent_ticket_id": "via.source.from.ticket_id",
                },
                values=values("channel", CHANNELS) | values("priority", PRIORITIES),
                changed_at="generated_timestamp",
                deleted_when={"status": "deleted"},
            ),
            StreamTable(
                stream="ticket_events",
                entity="ticket_events",
                where={"record": "change"},
                columns={
                    "event_id": "id",
                    "event_at": "created_at",
                    "actor_ref": "author_id",
                    "actor_role": "author_role",
                },
            ),
            StreamTable(
                stream="ticket_events",
                entity="messages",
                where={"record": "comment"},
                columns={"message_id": "id", "author_ref": "author_id", "is_public": "public", "sent_at": "created_at"},
            ),
            StreamTable(
                stream="satisfaction_ratings",
                entity="feedback",
                where={"score": ["good", "bad"]},
                columns={"feedback_id": "id", "customer_ref": "requester_id", "text": "comment", "url": ""},
                values={"score": {"good": "1", "bad": "0"}},
                constants={"kind": "csat", "scale_min": "0", "scale_max": "1"},
                changed_at="updated_at",
            ),
            StreamTable(
                stream="survey_responses",
                entity="feedback",
                where={"record": "answered"},
                columns={"feedback_id": "id", "customer_ref": "responder_id", "score": "rating", "text": "comment"},
                constants={"kind": "csat"},
                changed_at="updated_at",
            ),
        ]
