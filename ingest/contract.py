"""The raw contract: what a source must deliver, entity by entity.

Connectors map whatever a system offers to these fields; a field that a source lacks is NULL, never invented.
Instants are naive UTC once loaded (a source states its own zone). :data:`ENTITIES` is the one definition that the
loader, the quarantine, the gate and the documentation read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # DAG files read the contract at every parse; pyarrow alone would take a quarter of a second
    import pyarrow as pa

Kind = Literal["text", "integer", "number", "boolean", "date", "instant"]
Personal = Literal["", "free_text", "identifier", "name", "url"]


def arrow_type(kind: Kind) -> pa.DataType:
    """The Arrow type that holds a kind in ``raw``."""
    import pyarrow as pa

    types: dict[Kind, pa.DataType] = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "instant": pa.timestamp("us"),
    }
    return types[kind]


@dataclass(frozen=True)
class Field:
    """One field of an entity.

    ``personal`` says how it is masked: ``free_text`` is searched for personal data, ``identifier`` becomes a
    pseudonym by keyed hash (joins still work), ``name`` is replaced by its pseudonym, ``url`` loses user ids and
    the values of its parameters. ``personal_when`` restricts
    that to rows whose field of that name has that value. ``open_values``: ``values`` are the registered ones only,
    others are let in even where the field is required.
    """

    name: str
    kind: Kind = "text"
    required: bool = False
    values: tuple[str, ...] = ()
    open_values: bool = False
    personal: Personal = ""
    personal_when: tuple[str, str] | None = None
    minimum: float | None = None
    maximum: float | None = None
    about: str = ""


@dataclass(frozen=True)
class Entity:
    """One raw table: its grain, its key (besides ``_source``) and its fields."""

    name: str
    grain: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """The field of that name. Raises ``KeyError``."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name!r}")

    @property
    def arrow_schema(self) -> pa.Schema:
        """Columns of ``raw.<entity>``: the fields, then the load columns."""
        import pyarrow as pa

        return pa.schema(
            [pa.field(f.name, arrow_type(f.kind), nullable=f.name not in self.key) for f in self.fields]
            + [
                pa.field("_source", pa.string(), nullable=False),
                pa.field("_loaded_at", pa.timestamp("us"), nullable=False),
                pa.field("_batch_id", pa.string(), nullable=False),
                pa.field("_row_hash", pa.string(), nullable=False),
                # The day of the file or the instant of the query: an older delivery never replaces a newer one.
                pa.field("_delivered_at", pa.timestamp("us")),
                # When the row was found deleted upstream; NULL while it lives.
                pa.field("_deleted_at", pa.timestamp("us")),
                # Columns beyond the contract, masked, as a JSON object (sources with `drift: evolve`).
                pa.field("_extra", pa.string()),
            ]
        )


CHANNELS = (
    "phone", "web_chat", "wechat", "app", "email", "web_form", "weibo", "douyin", "xiaohongshu", "app_store",
    "ecommerce", "forum", "survey",
)  # fmt: skip
PRIORITIES = ("urgent", "high", "medium", "low")
ROLES = ("customer", "agent", "bot", "system")
# A knowledge article that an agent links to a ticket is a change as well: its number is the new value.
TICKET_EVENT_FIELDS = (
    "status", "assignee", "team", "priority", "schedule", "problem_subtype", "tag", "knowledge_article",
)  # fmt: skip
STATUSES = ("new", "open", "pending", "on_hold", "solved", "closed")
FEEDBACK_KINDS = ("csat", "nps", "survey", "review", "post")
TIERS = ("vip", "regular")

ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (
        Entity(
            "tickets",
            "one request of one customer",
            ("ticket_id",),
            (
                Field("ticket_id", required=True),
                Field("customer_ref", personal="identifier"),
                Field("channel", required=True, values=CHANNELS, open_values=True),
                Field("subject", personal="free_text"),
                Field("body", personal="free_text"),
                Field("created_at", "instant", required=True),
                Field("priority", values=PRIORITIES),
                Field("problem_type", values=("product", "service", "process", "communication")),
                Field("problem_subtype", about="code in the rules file problem_types.csv"),
                Field("product"),
                Field("region"),
                Field("schedule_id", about="service hours that apply; default: the rules' default schedule"),
                Field("direction", values=("inbound", "outbound")),
                Field("parent_ticket_id"),
                Field("merged_into_ticket_id"),
                Field("is_test", "boolean"),
            ),
        ),
        Entity(
            "ticket_events",
            "one change of one field of a ticket",
            ("event_id",),
            (
                Field("event_id", required=True),
                Field("ticket_id", required=True),
                Field("event_at", "instant", required=True),
                Field("field", required=True, values=TICKET_EVENT_FIELDS),
                Field("old_value", personal="identifier", personal_when=("field", "assignee")),
                Field("new_value", personal="identifier", personal_when=("field", "assignee")),
                Field("actor_ref", personal="identifier"),
                Field("actor_role", values=ROLES),
            ),
        ),
        Entity(
            "messages",
            "one message of a ticket",
            ("message_id",),
            (
                Field("message_id", required=True),
                Field("ticket_id", required=True),
                Field("author_ref", personal="identifier"),
                Field("author_role", required=True, values=ROLES),
                Field("is_public", "boolean"),
                Field("body", personal="free_text"),
                Field("sent_at", "instant", required=True),
            ),
        ),
        Entity(
            "customers",
            "one customer over one span of validity",
            ("customer_ref", "valid_from_at"),
            (
                Field("customer_ref", required=True, personal="identifier"),
                Field("valid_from_at", "instant", required=True),
                Field("name", personal="name"),
                Field("tier", values=TIERS),
                Field("segment"),
                Field("region"),
                Field("annual_revenue", "number", minimum=0, about="yuan"),
                Field("since_on", "date"),
                Field("churned_on", "date", about="the day the customer left; empty while a customer"),
                Field("phone", personal="identifier"),
                Field("email", personal="identifier"),
                Field("wechat", personal="identifier"),
            ),
        ),
        Entity(
            "agents",
            "one agent over one span of validity",
            ("agent_ref", "valid_from_at"),
            (
                Field("agent_ref", required=True, personal="identifier"),
                Field("valid_from_at", "instant", required=True),
                Field("team", required=True),
                Field("role"),
                Field("hired_on", "date"),
                Field("skills"),
            ),
        ),
        Entity(
            "rosters",
            "one shift of one agent",
            ("agent_ref", "starts_at"),
            (
                Field("agent_ref", required=True, personal="identifier"),
                Field("starts_at", "instant", required=True),
                Field("ends_at", "instant", required=True),
            ),
        ),
        Entity(
            "schedules",
            "one weekly window of one schedule of service hours",
            ("schedule_id", "iso_weekday", "opens"),
            (
                Field("schedule_id", required=True),
                Field("name"),
                Field("timezone", required=True, about="IANA name, e.g. Asia/Shanghai"),
                Field("iso_weekday", "integer", required=True, minimum=1, maximum=7, about="Monday is 1"),
                Field("opens", required=True, about="local HH:MM"),
                Field("closes", required=True, about="local HH:MM; 24:00 ends the day"),
                Field("observes_holidays", "boolean", about="closed on public holidays, open on make-up workdays"),
            ),
        ),
        Entity(
            "schedule_holidays",
            "one holiday of one schedule",
            ("schedule_id", "starts_on"),
            (
                Field("schedule_id", required=True),
                Field("starts_on", "date", required=True),
                Field("ends_on", "date", required=True, about="the last day"),
                Field("name"),
            ),
        ),
        Entity(
            "identifiers",
            "one identifier of one customer: what the systems know one person by",
            ("customer_ref", "identifier_kind", "identifier"),
            (
                Field("customer_ref", required=True, personal="identifier"),
                Field(
                    "identifier_kind",
                    required=True,
                    values=("phone", "email", "wechat", "app_account", "handle", "device", "other"),
                    open_values=True,
                ),
                Field("identifier", required=True, personal="identifier"),
                Field("seen_at", "instant"),
            ),
        ),
        Entity(
            "feedback",
            "one rating, survey answer, review or post",
            ("feedback_id",),
            (
                Field("feedback_id", required=True),
                Field("kind", required=True, values=FEEDBACK_KINDS),
                Field("ticket_id"),
                Field("customer_ref", personal="identifier"),
                Field("score", "number"),
                Field("scale_min", "number"),
                Field("scale_max", "number"),
                Field("text", personal="free_text"),
                Field("channel", values=CHANNELS, open_values=True),
                Field("product"),
                Field("region"),
                Field("url", personal="url"),
                Field("likes", "integer", minimum=0),
                Field("created_at", "instant", required=True),
            ),
        ),
        Entity(
            "articles",
            "one entry of the knowledge base",
            ("article_id",),
            (
                Field("article_id", required=True),
                Field("title", required=True, personal="free_text", about="the question that it answers"),
                Field("body", personal="free_text"),
                Field("url", personal="url"),
                Field("is_published", "boolean", about="whether those whom it is for can read it; default: yes"),
                Field("updated_at", "instant"),
            ),
        ),
        # What people and the system decided; the built-in source `decisions` reads it from the ops database.
        Entity(
            "alerts",
            "one condition over one spell",
            ("alert_id",),
            (
                Field("alert_id", required=True),
                Field("rule_code", required=True),
                Field("metric", required=True),
                Field("scope_key", required=True, about="what it is about, as k=v pairs joined by '|'"),
                Field("scope_label", required=True, about="Chinese, for people"),
                Field("severity", required=True, values=("yellow", "orange", "red")),
                Field("state", required=True, values=("pending", "firing", "acknowledged", "resolved")),
                Field("started_on", "date", required=True),
                Field("fired_on", "date", required=True),
                Field("resolved_on", "date"),
                Field("observed", "number"),
                Field("expected", "number"),
                Field("over_expected_ratio", "number", about="observed/expected − 1"),
                Field("p_value", "number"),
                Field("window_days", "integer"),
                Field("card_id"),
                Field("note"),
            ),
        ),
        Entity(
            "cards",
            "one improvement card",
            ("card_id",),
            (
                Field("card_id", required=True),
                Field("title", required=True),
                Field("scope_key", required=True),
                Field("scope_label", required=True),
                Field("metric", required=True),
                Field("problem_type"),
                Field("problem_subtype"),
                Field("root_cause_class", values=("people", "process", "system", "customer", "product")),
                Field("state", required=True),
                Field("severity"),
                Field("priority_score", "number"),
                Field("priority_version"),
                Field("owner"),
                Field("team"),
                Field("opened_on", "date", required=True),
                Field("due_on", "date"),
                Field("closed_on", "date"),
                Field("updated_at", "instant", required=True),
                Field("voice_count", "integer"),
                Field("customer_count", "integer"),
                Field("vip_share", "number"),
                Field("negative_share", "number"),
                Field("revenue_at_risk", "number", about="yuan a year of the customers affected"),
                Field("recurrence_count", "integer"),
            ),
        ),
        Entity(
            "card_transitions",
            "one change of a card",
            ("card_id", "sequence"),
            (
                Field("card_id", required=True),
                Field("sequence", "integer", required=True),
                Field("occurred_at", "instant", required=True),
                Field("kind", required=True, values=("opened", "moved", "assigned", "noted", "evidence")),
                Field("from_value"),
                Field("to_value"),
                Field("actor", required=True),
                Field("reason"),
                Field("hash", required=True),
            ),
        ),
        Entity(
            "actions",
            "one measure taken to improve",
            ("action_id",),
            (
                Field("action_id", required=True),
                Field("card_id"),
                Field("measure", required=True),
                Field(
                    "scope_key", required=True, about="the tickets it is meant to reduce, as k=v pairs joined by '|'"
                ),
                Field(
                    "metric", required=True, values=("ticket_count", "resolution_hours", "csat_mean", "negative_share")
                ),
                Field("owner", about="role or name of the employee in charge, shown to the committee"),
                Field("team"),
                Field("started_on", "date", required=True),
                Field("due_on", "date"),
                Field("done_on", "date"),
                Field("status", required=True, values=("planned", "in_progress", "done", "cancelled")),
                Field("progress_percent", "number", minimum=0, maximum=100),
                Field("target_change_ratio", "number", about="−0.4: forty per cent fewer"),
                Field("note", personal="free_text"),
            ),
        ),
        Entity(
            "action_effects",
            "one evaluation of one action",
            ("action_id", "evaluated_on"),
            (
                Field("action_id", required=True),
                Field("evaluated_on", "date", required=True),
                Field("metric", required=True),
                Field("baseline_from_on", "date"),
                Field("baseline_to_on", "date"),
                Field("evaluation_from_on", "date"),
                Field("evaluation_to_on", "date"),
                Field("baseline_mean", "number"),
                Field("observed_mean", "number"),
                Field("change_ratio", "number"),
                Field("change_ratio_low", "number"),
                Field("change_ratio_high", "number"),
                Field("p_value", "number"),
                Field("verdict", required=True, values=("improved", "not_improved", "worse", "not_yet_knowable")),
                Field("knowable_on", "date"),
                Field("method"),
            ),
        ),
    )
}
