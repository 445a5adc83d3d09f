"""Zendesk's records in the shape that tables map: one flat record a row, names instead of ids, the contract's words.

Nothing here asks the network: what a record refers to comes in as :class:`Lookups`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ingest.connectors.zendesk.config import TICKET_FIELDS, ZendeskSource
from ingest.connectors.zendesk.zones import iana_zone
from ingest.errors import SourceError

Record = Mapping[str, Any]

MINUTES_OF_DAY = 1440
NO_GROUP = "未分组"
_COMMENTS = frozenset({"Comment", "VoiceComment"})
_SYSTEM_IDS = frozenset({"", "0", "-1"})
_FIELDS = {"status": "status", "assignee_id": "assignee", "group_id": "team", "priority": "priority"}


@dataclass
class Lookups:
    """What records refer to by id. ``staff`` are the ids of agents and administrators."""

    groups: Mapping[str, str] = field(default_factory=dict)
    staff: set[str] = field(default_factory=set)
    organizations: Mapping[str, Record] = field(default_factory=dict)
    ticket_fields: Mapping[str, str] = field(default_factory=dict)
    default_schedule: str | None = None


def ticket_record(ticket: Record, source: ZendeskSource, lookups: Lookups, merged_into: str | None) -> dict[str, Any]:
    """A ticket with its custom fields by id and title, and with what configuration reads out of fields and tags."""
    values = {text(entry.get("id")): entry.get("value") for entry in mappings(ticket.get("custom_fields"))}
    titled = {lookups.ticket_fields.get(number, number): value for number, value in values.items()}
    tags = [text(tag) for tag in items(ticket.get("tags"))]
    via = mapping(ticket.get("via"))
    record = dict(ticket)
    record["fields"] = titled | values
    for name in TICKET_FIELDS:
        value = titled.get(source.ticket_fields[name], values.get(source.ticket_fields[name])) if (
            name in source.ticket_fields
        ) else None  # fmt: skip
        record[name] = None if value in (None, "") else source.translated(name, text(value))
    if not record["problem_subtype"]:
        record["problem_subtype"] = next((source.subtype_tags[tag] for tag in tags if tag in source.subtype_tags), None)
    record["is_test"] = via.get("channel") == "sample_ticket" or any(source.tag_meaning(tag) == "test" for tag in tags)
    origin = mapping(via.get("source"))
    if origin.get("rel") == "outbound":
        record["direction"] = "outbound"
    if origin.get("rel") != "follow_up":
        # Only a follow-up names another ticket as its origin; elsewhere the number is something else.
        record["via"] = {**via, "source": {**origin, "from": {**mapping(origin.get("from")), "ticket_id": None}}}
    record["merged_into_ticket_id"] = merged_into
    record["schedule_id"] = lookups.default_schedule
    return record


def user_records(user: Record, source: ZendeskSource, lookups: Lookups) -> Iterator[dict[str, Any]]:
    """A user, and one record for each identifier that the help desk knows the person by."""
    organization = lookups.organizations.get(text(user.get("organization_id")), {})
    tags = [text(tag) for tag in (*items(user.get("tags")), *items(organization.get("tags")))]
    yield {
        **user,
        "record": "user",
        "organization": organization,
        "tier": next((source.tier_tags[tag] for tag in tags if tag in source.tier_tags), source.default_tier),
        "team": lookups.groups.get(text(user.get("default_group_id")), NO_GROUP),
    }
    if user.get("role") != "end-user":
        return
    for kind, key in (("phone", "phone"), ("email", "email"), ("app_account", "external_id")):
        if user.get(key):
            yield {
                "record": "identifier",
                "id": user.get("id"),
                "identifier_kind": kind,
                "identifier": user[key],
                "updated_at": user.get("updated_at"),
                "active": user.get("active"),
            }


def event_records(event: Record, source: ZendeskSource, lookups: Lookups) -> Iterator[dict[str, Any]]:
    """The field changes and comments of one update of a ticket.

    Whoever was ever assigned a ticket is staff: only agents can be, also those who have left since.
    """
    children = mappings(event.get("child_events"))
    for child in children:
        if "assignee_id" in child:
            lookups.staff.update(
                text(value) for value in (child["assignee_id"], child.get("previous_value")) if value is not None
            )
    at = _moment(event)
    updater = text(event.get("updater_id"))
    for child in children:
        kind = text(child.get("event_type") or child.get("type"))
        base = {"ticket_id": event.get("ticket_id"), "created_at": at}
        if kind in _COMMENTS and child.get("body") is not None:
            author = text(child.get("author_id", updater))
            yield base | {
                "record": "comment",
                "id": child.get("id"),
                "author_id": None if author in _SYSTEM_IDS else author,
                "author_role": _role(author, child.get("via"), source, lookups, is_comment=True),
                "public": child.get("public"),
                "body": child.get("plain_body") or child["body"],
                "created_at": child.get("created_at") or at,
            }
            continue
        for suffix, name, old, new in _changes(child, kind, source, lookups):
            if old == new:
                continue
            yield base | {
                "record": "change",
                "id": f"{text(child.get('id'))}{suffix}",
                "field": name,
                "old_value": old,
                "new_value": new,
                "author_id": None if updater in _SYSTEM_IDS else updater,
                "author_role": _role(updater, child.get("via") or event.get("via"), source, lookups),
            }


def _changes(
    child: Record, kind: str, source: ZendeskSource, lookups: Lookups
) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Suffix of the event's id, field, old and new value of each change that the contract knows."""
    if kind == "ScheduleAssignment":
        old = child.get("previous_schedule_id")
        yield "", "schedule", text(old) or lookups.default_schedule, text(child.get("new_schedule_id")) or None
        return
    if kind not in ("Change", "Create"):
        return
    if "field_name" in child:  # the shape of ticket audits
        child = {text(child["field_name"]): child.get("value"), "previous_value": child.get("previous_value")}
    before = child.get("previous_value")
    for key, name in _FIELDS.items():
        if key in child:
            yield "", name, _said(name, before, source, lookups), _said(name, child[key], source, lookups)
    if "tags" in child:
        old, new = _tags(before), _tags(child["tags"])
        removed = _tags(child["removed_tags"]) if "removed_tags" in child else old - new
        added = _tags(child["added_tags"]) if "added_tags" in child else new - old
        for tag in sorted(removed):
            yield f":-{tag}", "tag", source.tag_meaning(tag), None
        for tag in sorted(added):
            yield f":+{tag}", "tag", None, source.tag_meaning(tag)
    wanted = source.ticket_fields.get("problem_subtype")
    custom = mapping(child.get("custom_ticket_fields")) or {key: child[key] for key in child if key.isdigit()}
    for number, value in custom.items():
        if wanted is not None and wanted in (text(number), lookups.ticket_fields.get(text(number))):
            old_code, new_code = (_said("problem_subtype", part, source, lookups) for part in (before, value))
            yield "", "problem_subtype", old_code, new_code


def _said(name: str, value: Any, source: ZendeskSource, lookups: Lookups) -> str | None:
    given = text(value)
    if not given:
        return None
    if name == "team":
        return lookups.groups.get(given, given)
    return given if name == "assignee" else source.translated(name, given)


def _tags(value: Any) -> set[str]:
    return set(value.split()) if isinstance(value, str) else {text(tag) for tag in items(value)}


def _role(user_id: str, via: Any, source: ZendeskSource, lookups: Lookups, is_comment: bool = False) -> str:
    channel = via.get("channel") if isinstance(via, Mapping) else via
    if not is_comment and text(channel).casefold() in ("rule", "8"):  # triggers and automations act in others' names
        return "system"
    if user_id in _SYSTEM_IDS:
        return "system"
    if user_id in source.bots:
        return "bot"
    return "agent" if user_id in lookups.staff else "customer"


def _moment(event: Record) -> str | None:
    if event.get("created_at"):
        return text(event["created_at"])
    stamp = event.get("timestamp")
    return None if stamp is None else str(stamp)


def survey_record(response: Record) -> dict[str, Any]:
    """A survey response with its rating, the scale of the question, and its comment.

    A scale that the question doesn't show has five steps, as Zendesk's own survey does.
    """
    answers = mappings(response.get("answers"))
    rated = next((answer for answer in answers if answer.get("rating") is not None), None)
    written = [text(answer.get("value") or answer.get("comment")) for answer in answers]
    steps = [epoch(option.get("rating")) for option in mappings(mapping((rated or {}).get("question")).get("options"))]
    scale = [step for step in steps if step is not None] or [1, 5]
    names = [text(subject.get("zrn")) for subject in mappings(response.get("subjects"))]
    names += [text(name) for name in items(response.get("subject_zrns"))]
    tickets = [name.rpartition(":")[2] for name in names if ":ticket:" in name]
    return {
        "record": "offered" if rated is None else "answered",
        "id": response.get("id"),
        "responder_id": response.get("responder_id"),
        "ticket_id": tickets[0] if tickets else None,
        "rating": None if rated is None else rated["rating"],
        "rating_category": None if rated is None else rated.get("rating_category"),
        "scale_min": min(scale),
        "scale_max": max(scale),
        "comment": "\n".join(part for part in written if part) or None,
        "created_at": min((text(answer.get("created_at")) for answer in answers), default="") or None,
        "updated_at": max((text(answer.get("updated_at")) for answer in answers), default="") or None,
    }


def schedule_records(schedule: Record, source: ZendeskSource) -> Iterator[dict[str, Any]]:
    """The weekly windows of one schedule, united where they touch and cut at midnight.

    Zendesk counts the minutes of an interval from Sunday 00:00 local time. Raises :class:`SourceError` for a time
    zone that nobody knows.
    """
    given = text(schedule.get("time_zone"))
    zone = source.time_zones.get(given) or iana_zone(given)
    if zone is None:
        raise SourceError(
            f"source {source.name}: schedule {text(schedule.get('id'))} is in the time zone {given!r}, which isn't"
            f" known; say what it is under `time_zones: {{{given}: …}}`"
        )
    spans = sorted((int(span["start_time"]), int(span["end_time"])) for span in mappings(schedule.get("intervals")))
    for begin, end in _split_at_midnight(_united(spans)):
        day = begin // MINUTES_OF_DAY % 7
        yield {
            "schedule_id": schedule.get("id"),
            "name": schedule.get("name"),
            "timezone": zone,
            "iso_weekday": day or 7,
            "opens": _clock(begin % MINUTES_OF_DAY),
            "closes": _clock((end - 1) % MINUTES_OF_DAY + 1),
            "observes_holidays": source.observes_holidays,
        }


def _united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    united: list[tuple[int, int]] = []
    for begin, end in spans:
        if united and begin <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((begin, end))
    return united


def _split_at_midnight(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for begin, end in spans:
        while begin < end:
            midnight = (begin // MINUTES_OF_DAY + 1) * MINUTES_OF_DAY
            yield begin, min(end, midnight)
            begin = midnight


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def holiday_record(holiday: Record, schedule_id: str) -> dict[str, Any]:
    """One holiday of a schedule; both of its days belong to it."""
    return {
        "schedule_id": schedule_id,
        "starts_on": holiday.get("start_date"),
        "ends_on": holiday.get("end_date"),
        "name": holiday.get("name"),
    }


def mapping(value: Any) -> Record:
    """A JSON object; anything else counts as an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Record]:
    """The objects of a JSON list; anything else counts as an empty one."""
    return [item for item in items(value) if isinstance(item, Mapping)]


def items(value: Any) -> list[Any]:
    """A JSON list; anything else counts as an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """Ids and words as text; None is empty."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def epoch(value: Any) -> int | None:
    """Seconds since 1970 of ``2024-05-01T08:00:00Z`` or of a number; None where it is neither."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    try:
        instant = datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp())
