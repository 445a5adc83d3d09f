"""Zendesk's public interface: its two kinds of incremental export, its lists, and what records refer to by id.

Source: "Incremental Exports", "Using the Incremental Exports API", "Pagination", "Schedules", "Ticket Audits" of the
Zendesk developer documentation.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ingest.connectors.http import HttpClient
from ingest.connectors.zendesk.config import ZendeskSource
from ingest.connectors.zendesk.records import Lookups, Record, epoch, items, mapping, mappings, text
from ingest.errors import SourceError

log = logging.getLogger(__name__)

LIST_PAGE_SIZE = 100  # the most that cursor pagination allows
NOT_IN_THIS_PLAN = frozenset({403, 404})
_UNKNOWN_CURSOR = frozenset({400, 404, 410, 422})
_KEPT_OF_ORGANIZATIONS = ("id", "name", "tags", "organization_fields", "updated_at")
_TICKET_NUMBER = re.compile(r"#(\d+)")
# "start_time must be more than one minute in the past"; the last minute isn't exported anyway.
_LATEST_START_SECONDS = 61


@dataclass(frozen=True)
class Page:
    """Some records of an incremental export. ``after`` leads to the next page; None: there is none yet."""

    records: list[Record]
    after: str | None
    end_time: int | None
    is_last: bool


class Api:
    """Asks one account."""

    def __init__(self, client: HttpClient, source: ZendeskSource) -> None:
        self._client = client
        self._source = source

    def cursor_export(self, resource: str, start_time: int, after: str | None) -> Iterator[Page]:
        """Pages of ``tickets`` or ``users`` in the order of their last change, from a cursor or from an instant.

        A cursor that the system doesn't know any more is given up for the instant.
        """
        path = f"api/v2/incremental/{resource}/cursor.json"
        size = {"per_page": self._source.page_size}
        first = self._from_cursor(path, after) if after else None
        content = first or self._client.get_json(path, {"start_time": self._allowed(start_time)} | size)
        while True:
            following = content.get("after_cursor")
            is_last = bool(content.get("end_of_stream"))
            yield Page(self._records(content, resource, path), following, None, is_last)
            if is_last:
                return
            if not following:
                raise self._fault(path, "an unfinished export without a cursor to go on")
            content = self._client.get_json(path, {"cursor": following} | size)

    def _from_cursor(self, path: str, after: str) -> Mapping[str, Any] | None:
        answer = self._client.request(
            "GET",
            path,
            params={"cursor": after, "per_page": self._source.page_size},
            accepted=_UNKNOWN_CURSOR,
            is_json=True,
        )
        if answer.status in _UNKNOWN_CURSOR:
            log.warning("source %s: its cursor has expired; beginning a little before it", self._source.name)
            return None
        content: Mapping[str, Any] = answer.content
        return content

    def time_export(self, resource: str, start_time: int, **params: str) -> Iterator[Page]:
        """Pages of ``ticket_events``: each begins with the second in which the one before ended, so some come twice."""
        path = f"api/v2/incremental/{resource}.json"
        start = self._allowed(start_time)
        while True:
            content = self._client.get_json(path, {"start_time": start, "per_page": self._source.page_size} | params)
            end_time, is_last = epoch(content.get("end_time")), bool(content.get("end_of_stream"))
            yield Page(self._records(content, resource, path), None, end_time, is_last)
            if is_last:
                return
            if end_time is None or end_time <= start:
                raise self._fault(path, "an unfinished export that doesn't get ahead")
            start = end_time

    def listing(
        self, path: str, key: str, accepted: frozenset[int] = frozenset(), **params: Any
    ) -> Iterator[list[Record]]:
        """Pages of a list; nothing where the answer is among ``accepted``."""
        query: dict[str, Any] = {"page[size]": LIST_PAGE_SIZE} | params
        while True:
            answer = self._client.request("GET", path, params=query, accepted=accepted, is_json=True)
            if answer.status in accepted:
                return
            content = answer.content
            yield self._records(content, key, path)
            meta = mapping(content.get("meta"))
            after = meta.get("after_cursor")
            if not meta.get("has_more"):
                return
            if not after:
                raise self._fault(path, "an unfinished list without a cursor to go on")
            query["page[after]"] = after

    def lookups(self, *names: str) -> Lookups:
        """What records refer to, of ``groups``, ``staff``, ``fields``, ``schedules`` and ``organizations``."""
        lookups = Lookups()
        if "groups" in names:
            lookups.groups = {text(r["id"]): text(r.get("name")) for r in self._all("groups", exclude_deleted="false")}
        if "staff" in names:
            lookups.staff = {text(r["id"]) for r in self._all("users", **{"role[]": ["agent", "admin"]})}
        if "fields" in names:
            lookups.ticket_fields = {text(r["id"]): text(r.get("title")) for r in self._all("ticket_fields")}
        if "organizations" in names and self._source.tier_tags:
            lookups.organizations = {
                text(r["id"]): {name: r.get(name) for name in _KEPT_OF_ORGANIZATIONS}
                for r in self._all("organizations")
            }
        if (
            "schedules" in names
            and self._source.default_schedule != "rules"
            and "schedules" not in self._source.without
        ):
            lookups.default_schedule = self._default_schedule()
        return lookups

    def schedules(self, accepted: frozenset[int] = frozenset()) -> list[Record]:
        """All schedules of business hours with their weekly intervals."""
        path = "api/v2/business_hours/schedules.json"
        return [record for page in self.listing(path, "schedules", accepted) for record in page]

    def holidays(self, schedule_id: str) -> list[Record]:
        """All holidays of a schedule."""
        path = f"api/v2/business_hours/schedules/{schedule_id}/holidays.json"
        return [record for page in self.listing(path, "holidays") for record in page]

    def users_of(self, organization_id: str) -> Iterator[list[Record]]:
        """Pages of an organization's users."""
        return self.listing(f"api/v2/organizations/{organization_id}/users.json", "users")

    def merged_into(self, ticket_id: str) -> str | None:
        """The ticket that this one was merged into, by the newest update that tells; None where none does.

        The update names the other ticket as its origin, or in the comment that Zendesk proposes: "… #123".
        """
        path = f"api/v2/tickets/{ticket_id}/audits.json"
        found = None
        for page in self.listing(path, "audits", frozenset({404})):
            for audit in page:
                found = _named_ticket(audit, self._source.merged_tag, ticket_id) or found
        return found

    def signed_in_role(self) -> str:
        """Role of the user that the credentials belong to; empty for nobody."""
        user = mapping(mapping(self._client.get_json("api/v2/users/me.json")).get("user"))
        return text(user.get("role")) if user.get("id") is not None else ""

    def ticket_count(self) -> int | None:
        """How many tickets the account has, about."""
        return epoch(mapping(mapping(self._client.get_json("api/v2/tickets/count.json")).get("count")).get("value"))

    def _default_schedule(self) -> str | None:
        wanted = self._source.default_schedule
        schedules = self.schedules(NOT_IN_THIS_PLAN)
        if wanted == "oldest":
            oldest = min(schedules, key=lambda r: (text(r.get("created_at")), text(r.get("id"))), default=None)
            return None if oldest is None else text(oldest["id"])
        for schedule in schedules:
            if wanted in (text(schedule.get("name")), text(schedule["id"])):
                return text(schedule["id"])
        raise SourceError(
            f"source {self._source.name}: there is no schedule {wanted!r}; set `default_schedule` to one of:"
            f" oldest, rules, {', '.join(text(schedule.get('name')) for schedule in schedules)}"
        )

    def _all(self, key: str, **params: Any) -> Iterator[Record]:
        for page in self.listing(f"api/v2/{key}.json", key, **params):
            yield from page

    def _allowed(self, start_time: int) -> int:
        latest = self._client.server_now() - timedelta(seconds=_LATEST_START_SECONDS)
        return max(0, min(start_time, int(latest.timestamp())))

    def _records(self, content: Any, key: str, path: str) -> list[Record]:
        records = content.get(key) if isinstance(content, Mapping) else None
        if not isinstance(records, list) or not all(isinstance(record, Mapping) for record in records):
            raise self._fault(path, f"an answer without a list of {key}")
        return records

    def _fault(self, path: str, found: str) -> SourceError:
        return SourceError(
            f"source {self._source.name}: /{path} gave {found}; check that `subdomain` or `base_url` is a Zendesk"
            " account, and try again later"
        )


def _named_ticket(audit: Record, merged_tag: str, own_id: str) -> str | None:
    events = mappings(audit.get("events"))
    source = mapping(mapping(audit.get("via")).get("source"))
    is_merge = source.get("rel") == "merge" or any(
        event.get("field_name") == "tags" and merged_tag in items(event.get("value")) for event in events
    )
    if not is_merge:
        return None
    for side in ("to", "from"):
        number = text(mapping(source.get(side)).get("ticket_id"))
        if number and number != own_id:
            return number
    for event in events:
        if event.get("type") == "Comment" and (match := _TICKET_NUMBER.search(text(event.get("body")))):
            return match[1] if match[1] != own_id else None
    return None
