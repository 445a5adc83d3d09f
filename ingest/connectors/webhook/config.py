"""Configuration of sources that are systems that push signed events into the inbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from ingest.configuration import StreamSource, StreamTable
from ingest.connectors.http_config import Secret

STREAM = "events"
INBOX = "inbox.db"
# Columns of what the inbox keeps besides the contract's fields.
TABLE, CHANGED_AT, DELETED = "_table", "_changed_at", "_deleted"


class SignatureScheme(BaseModel):
    """How a sender signs: HMAC-SHA256 over ``signed``, sent in ``header``."""

    model_config = ConfigDict(extra="forbid")

    header: str = Field(min_length=1)
    signed: str = Field(description="what is signed, of {timestamp}, {id}, {secret} and {body}")
    prefix: str = Field("", description="stands before the signature, e.g. sha256=")
    encoding: Literal["hex", "base64"] = "hex"
    timestamp_header: str | None = None
    timestamp_format: Literal["seconds", "milliseconds", "iso"] = "seconds"
    secret_encoding: Literal["text", "base64"] = "text"
    id_header: str | None = Field(None, description="names the event, the same at every retry")

    @model_validator(mode="after")
    def _complete(self) -> SignatureScheme:
        if "{timestamp}" in self.signed and self.timestamp_header is None:
            raise ValueError("`signed` has a {timestamp}; name its `timestamp_header`")
        if "{id}" in self.signed and self.id_header is None:
            raise ValueError("`signed` has an {id}; name its `id_header`")
        if "{body}" not in self.signed and "{secret}" not in self.signed:
            raise ValueError("`signed` must contain {body}, else anybody could change what is sent")
        return self


SCHEMES: dict[str, SignatureScheme] = {
    "huiyin": SignatureScheme(
        header="X-Huiyin-Signature", signed="{timestamp}.{body}", prefix="sha256=",
        timestamp_header="X-Huiyin-Timestamp", id_header="Idempotency-Key",
    ),
    "standard": SignatureScheme(
        header="webhook-signature", signed="{id}.{timestamp}.{body}", prefix="v1,", encoding="base64",
        timestamp_header="webhook-timestamp", id_header="webhook-id", secret_encoding="base64",
    ),
    "zendesk": SignatureScheme(
        header="X-Zendesk-Webhook-Signature", signed="{timestamp}{body}", encoding="base64",
        timestamp_header="X-Zendesk-Webhook-Signature-Timestamp", timestamp_format="iso",
        id_header="X-Zendesk-Webhook-Invocation-Id",
    ),
    "github": SignatureScheme(
        header="X-Hub-Signature-256", signed="{body}", prefix="sha256=", id_header="X-GitHub-Delivery"
    ),
    "dingtalk": SignatureScheme(
        header="sign", signed="{timestamp}\n{secret}", encoding="base64", timestamp_header="timestamp",
        timestamp_format="milliseconds",
    ),
}  # fmt: skip


class WebhookSource(StreamSource):
    """A system that pushes signed events; what its ``tables`` make of an event is kept in the inbox, masked."""

    kind: Literal["webhook"]
    secrets: list[Secret] = Field(min_length=1, description="each valid; while a key is changed: the new and the old")
    signature: Literal["huiyin", "standard", "zendesk", "github", "dingtalk"] | SignatureScheme = "huiyin"
    tolerance_seconds: float = Field(300, gt=0, description="how far an event's time may be from ours")
    event_id: str | None = Field(None, description="dotted path of an event's own id, where no header has one")
    records: str = Field("", description="dotted path of the record or list of records in an event")
    header_columns: dict[str, str] = Field({}, description="{column: header}: headers that `tables` need")
    largest_body_kb: float = Field(1024, gt=0)
    keep_days: float = Field(30, gt=0, description="how long loaded events stay in the inbox")

    _incoming: list[StreamTable] = PrivateAttr(default_factory=list)
    _inbox: Path | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _one_stream(cls, data: Any) -> Any:
        tables = data.get("tables") if isinstance(data, dict) else None
        if not isinstance(tables, list):
            return data
        return data | {"tables": [{"stream": STREAM} | t if isinstance(t, dict) else t for t in tables]}

    @field_validator("tables")
    @classmethod
    def _known_stream(cls, value: list[StreamTable]) -> list[StreamTable]:
        for table in value:
            if table.stream != STREAM:
                raise ValueError(f"there is no stream {table.stream!r}; a webhook has one: {STREAM}")
        return value

    @model_validator(mode="after")
    def _mapped_on_arrival(self) -> WebhookSource:
        """Events are mapped when they arrive; what is loaded later are rows of the contract's fields already."""
        self._incoming = self.tables
        self.tables = [
            StreamTable(
                stream=STREAM, entity=table.entity, where={TABLE: str(index)}, changed_at=CHANGED_AT,
                deleted_when={DELETED: "true"}, formats=table.formats, timezone=table.timezone,
            )
            for index, table in enumerate(self._incoming)
        ]  # fmt: skip
        return self

    @property
    def incoming(self) -> list[StreamTable]:
        """The tables of the sources file: how the records of an event become rows."""
        return self._incoming

    @property
    def scheme(self) -> SignatureScheme:
        """How the sender signs."""
        return SCHEMES[self.signature] if isinstance(self.signature, str) else self.signature

    @property
    def inbox(self) -> Path:
        """The file of the inbox; set when the sources file is read."""
        assert self._inbox is not None
        return self._inbox

    def keep_inbox_in(self, folder: Path) -> None:
        """Say which folder has the inbox."""
        self._inbox = folder / INBOX
