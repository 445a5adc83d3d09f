"""Configuration of sources that are 网易七鱼 service desks, and how their records become the contract's rows."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from ingest.configuration import StreamSource, StreamTable
from ingest.connectors.http_config import HttpOptions, Secret, WebAddress

Stream = Literal["agents", "customers", "tickets", "sessions"]
STREAMS: tuple[Stream, ...] = ("agents", "customers", "tickets", "sessions")

# Where a chat began; what isn't listed stays as it comes and is reported.
CHAT_CHANNELS = {
    "web": "web_chat",
    "wap": "web_chat",
    "ios": "app",
    "android": "app",
    "wx": "wechat",
    "wx_ma": "wechat",
    "wechat": "wechat",
    "weibo": "weibo",
    "mail": "email",
}
PRIORITIES = {"0": "medium", "1": "medium", "5": "high", "8": "urgent"}
SCALES = {"five": ("1", "5"), "hundred": ("1", "100")}


class QiyuSource(StreamSource, HttpOptions):
    """A 七鱼 account, read through its signed open interface.

    ``tables`` replaces the default tables of the streams that it names; the others keep theirs.
    """

    kind: Literal["qiyu"]
    domain: Literal["tickets", "crm", "social", "decisions"] = "tickets"
    tables: list[StreamTable] = Field([], description="replaces the default tables of the streams that it names")

    base_url: WebAddress = "https://qiyukf.com"
    app_key: str = Field(min_length=1, description="管理后台 → 系统 → 扩展与集成 → 开发者 ID; may be ${NAME}")
    app_secret: Secret
    start_on: date = Field(description="first day of the first load")
    without: list[Stream] = Field([], description="streams that this account doesn't have, or nobody wants")

    overlap_minutes: float = Field(180, ge=0, description="longer than a chat lasts, so that it is read whole")
    requests_per_minute: float | None = Field(240, gt=0, description="七鱼 allows 5 a second of one interface")
    ticket_log: bool = Field(True, description="fetch each ticket's 流转日志: one more request a ticket")
    satisfaction: Literal["five", "hundred"] = Field(
        "hundred", description="values of the 满意度评价模型: 1–5, or 1–100 (100 满意, 50 一般, 1 不满意)"
    )
    statuses: dict[str, str] = Field({}, description="{status code or name of a 工单: contract value}")
    customer_export: str | None = Field(None, description="path of the 客户导出 interface, where the account has it")
    export_wait_minutes: float = Field(60, gt=0, description="how long an export may take")
    page_size: int = Field(50, ge=1, le=100)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for table in self.tables:
            if table.stream not in STREAMS:
                raise ValueError(f"no stream {table.stream!r}; one of: {', '.join(STREAMS)}")
        own = {table.stream for table in self.tables}
        without = {*self.without, *([] if self.customer_export else ["customers"])}
        defaults = [table for table in self._default_tables() if table.stream not in own]
        self.tables = [table for table in (*defaults, *self.tables) if table.stream not in without]
        if not self.tables:
            raise ValueError("`without` leaves no stream; remove the source instead")
        return self

    def _default_tables(self) -> list[StreamTable]:
        lowest, highest = SCALES[self.satisfaction]
        event = {"event_id": "event_id", "ticket_id": "ticket_id", "event_at": "at"}
        return [
            StreamTable(
                stream="agents",
                entity="agents",
                columns={"agent_ref": "id", "valid_from_at": "createtime", "team": "group", "role": "role_name"},
            ),
            StreamTable(
                stream="customers",
                entity="customers",
                columns={"customer_ref": "customer", "valid_from_at": "firstContactTime"},
                changed_at="lastContactTime",
            ),
            StreamTable(
                stream="tickets",
                entity="tickets",
                where={"record": "ticket"},
                templates={"ticket_id": "{id}"},
                columns={
                    "customer_ref": "customer", "subject": "title", "body": "content", "created_at": "createTime",
                },
                constants={"channel": "web_form"},
                values={"priority": PRIORITIES},
            ),
            StreamTable(stream="tickets", entity="ticket_events", where={"record": "event"}, columns=event),
            StreamTable(stream="tickets", entity="identifiers", where={"record": "identifier"}),
            StreamTable(
                stream="sessions",
                entity="tickets",
                where={"record": "session"},
                templates={"ticket_id": "chat-{id}"},
                columns={"customer_ref": "customer", "channel": "fromType", "subject": "category",
                         "created_at": "startTime"},
                values={"channel": CHAT_CHANNELS},
            ),
            StreamTable(stream="sessions", entity="ticket_events", where={"record": "event"}, columns=event),
            StreamTable(
                stream="sessions",
                entity="messages",
                where={"record": "message"},
                templates={"ticket_id": "chat-{sessionId}"},
                columns={"message_id": "message_id", "author_ref": "author", "body": "text", "sent_at": "time"},
                constants={"is_public": "true"},
            ),
            StreamTable(
                stream="sessions",
                entity="feedback",
                where={"record": "rating"},
                templates={"feedback_id": "chat-{id}", "ticket_id": "chat-{id}"},
                columns={"customer_ref": "customer", "score": "evaluation", "text": "evaluationRemark",
                         "channel": "fromType", "created_at": "endTime"},
                values={"channel": CHAT_CHANNELS},
                constants={"kind": "csat", "scale_min": lowest, "scale_max": highest},
            ),
            StreamTable(stream="sessions", entity="identifiers", where={"record": "identifier"}),
        ]  # fmt: skip
