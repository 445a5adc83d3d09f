"""A Zendesk account in raw equals what happened there, however it was exported."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from fake_zendesk import API_TOKEN, API_USER, CLIENT, FAULTS, FakeZendesk, seconds
from hypothesis import given
from hypothesis import strategies as st
from zendesk_history import CHANNELS, DAY, GROUPS, OFFICE, STAFF, SUBTYPES, WORDS, History

from huiyin.config import PROJECT_ROOT, Settings
from huiyin.interval import Interval
from ingest.configuration import SourcesFileError
from ingest.connectors import http
from ingest.connectors.delivery import delivery_of_records
from ingest.connectors.zendesk import reader
from ingest.connectors.zendesk.config import STREAMS, ZendeskSource
from ingest.connectors.zendesk.records import (
    Lookups,
    event_records,
    schedule_records,
    survey_record,
    ticket_record,
    user_records,
)
from ingest.errors import SourceError
from ingest.load import ingest_source
from ingest.loading import streams
from ingest.masking import load_masker
from ingest.sources import load_sources
from warehouse.connection import open_warehouse

Rows = dict[str, set[tuple[Any, ...]]]
COLUMNS = {
    "tickets": "ticket_id, customer_ref, channel, subject, body, created_at, priority, problem_subtype, product,"
    " is_test, merged_into_ticket_id, schedule_id, _deleted_at is not null",
    "ticket_events": "event_id, ticket_id, field, old_value, new_value, actor_ref, actor_role, event_at",
    "messages": "message_id, ticket_id, author_ref, author_role, is_public, body, sent_at",
    "customers": "customer_ref, valid_from_at, name, tier, phone, email, _deleted_at is not null",
    "agents": "agent_ref, team, role",
    "identifiers": "customer_ref, identifier_kind, identifier",
    "feedback": "feedback_id, kind, ticket_id, customer_ref, score, scale_min, scale_max, text, created_at",
    "schedules": "schedule_id, timezone, iso_weekday, opens, closes",
    "schedule_holidays": "schedule_id, starts_on, ends_on, name",
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "FIRST_WAIT_SECONDS", 0.1)
    monkeypatch.setenv("ZENDESK_TOKEN", API_TOKEN)
    monkeypatch.setenv("ZENDESK_SECRET", CLIENT[1])


class Desk:
    """A warehouse that loads a fake account."""

    def __init__(self, folder: Path, fake: FakeZendesk, address: str, **keys: Any) -> None:
        self.fake = fake
        self.settings = Settings(var=folder, sources=folder / "sources.yml", mask_key="test-key")
        source = {
            "name": "desk", "kind": "zendesk", "base_url": address, "email": API_USER.removesuffix("/token"),
            "api_token": "${ZENDESK_TOKEN}", "ticket_fields": {"problem_subtype": "问题子类", "product": "9002"},
            "field_values": {"problem_subtype": SUBTYPES}, "tags": {"内部测试": "test"}, "bots": ["15"],
            "tier_tags": {"大客户": "vip", "vip": "vip"}, "timeout_seconds": "0.3", "attempts": "12",
        }  # fmt: skip
        source = {name: value for name, value in (source | keys).items() if value is not None}
        text = yaml.safe_dump({"company": "测试", "sources": [source]}, allow_unicode=True)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sources.yml").write_text(text, encoding="utf-8")

    def load(self, batch: str = "b1", interval: Interval | None = None, resume: bool | None = None) -> None:
        """Load the account."""
        ingest_source(self.settings, "desk", interval or Interval(), batch, resume)

    def rows(self) -> Rows:
        """What is in raw, living windows of service hours only."""
        living = {"schedules", "schedule_holidays"}
        with open_warehouse(self.settings) as warehouse:
            unbalanced = warehouse.rows(
                "select * from raw.load_audit where fetched <> loaded + merged + unchanged + quarantined"
            )
            assert not unbalanced
            return {
                name: {
                    tuple(row.values())
                    for row in warehouse.rows(
                        f"select {columns} from raw.{name}" + (" where _deleted_at is null" if name in living else "")
                    )
                }
                for name, columns in COLUMNS.items()
            }

    def truth(self) -> Rows:
        """What should be there: everything but the last minute, by the history's own account."""
        return truth(self.fake.history, int(self.fake.now) - 60, self.settings)


def at(moment: int) -> datetime:
    """As the warehouse holds it."""
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)


def truth(history: History, now: int, settings: Settings) -> Rows:
    """The account's past in the words of the contract."""
    masker = load_masker(settings)

    def person(number: Any) -> str | None:
        return None if number in (None, -1) else masker.pseudonym(str(number))

    def masked_event(row: tuple[Any, ...]) -> tuple[Any, ...]:
        event_id, ticket, field, old, new, actor, role, moment = row
        if field == "assignee":
            old, new = (None if part is None else person(part) for part in (old, new))
        return event_id, str(ticket), field, old, new, person(actor), role, at(moment)

    tickets = set()
    for ticket in history.tickets(now):
        merged_at, target = history.merged.get(ticket["id"], (2**40, 0))
        subtype = ticket["custom_fields"][0]["value"]
        tickets.add(
            (
                str(ticket["id"]), person(ticket["requester_id"]), CHANNELS[ticket["via"]["channel"]],
                ticket["subject"], ticket["description"], at(seconds(ticket["created_at"])),
                WORDS.get(ticket["priority"], ticket["priority"]), SUBTYPES.get(subtype, subtype), "洗衣机",
                "内部测试" in ticket["tags"], str(target) if merged_at <= now else None, str(OFFICE),
                ticket["status"] == "deleted",
            )
        )  # fmt: skip
    customers, identifiers = set(), set()
    organizations = {record["id"]: record for record in history.listed("organizations", now)}
    for user in history.users(now):
        if user["role"] != "end-user":
            continue
        tags = [*user["tags"], *organizations.get(user["organization_id"], {}).get("tags", [])]
        known = {"phone": user["phone"], "email": user["email"], "app_account": user["external_id"]}
        pseudonyms = {kind: masker.pseudonym(value) for kind, value in known.items() if value}
        customers.add(
            (
                person(user["id"]), at(seconds(user["created_at"])), masker.name(user["name"]),
                "vip" if tags else None, pseudonyms.get("phone"), pseudonyms.get("email"), not user["active"],
            )
        )  # fmt: skip
        identifiers |= {(person(user["id"]), kind, value) for kind, value in pseudonyms.items()}
    staff = STAFF | {15: ("agent", 71)}
    return {
        "tickets": tickets,
        "ticket_events": {masked_event(row) for moment, row in history.event_rows if moment <= now},
        "messages": {
            (*row[:2], person(row[2]), *row[3:6], at(moment)) for moment, row in history.message_rows if moment <= now
        },
        "customers": customers,
        "agents": {(person(n), GROUPS.get(group or 0, "未分组"), role) for n, (role, group) in staff.items()},
        "identifiers": identifiers,
        "feedback": {
            (
                str(r["id"]),
                "csat",
                str(r["ticket_id"]),
                person(r["requester_id"]),
                float(r["score"] == "good"),
                0.0,
                1.0,
                r["comment"],
                at(seconds(r["created_at"])),
            )
            for r in history.ratings(now)
            if r["score"] != "offered"
        }
        | {
            (
                r["id"],
                "csat",
                r["subjects"][1]["id"],
                person(r["responder_id"]),
                float(r["answers"][0]["rating"]),
                1.0,
                3.0 if "options" in r["answers"][0]["question"] else 5.0,
                r["answers"][1].get("value"),
                at(seconds(r["answers"][0]["created_at"])),
            )
            for r in history.responses(now)
            if r["answers"]
        },
        "schedules": history.schedule_rows(now),
        "schedule_holidays": {
            (str(OFFICE), date.fromisoformat(h["start_date"]), date.fromisoformat(h["end_date"]), h["name"])
            for h in history.holidays(OFFICE, now)
        },
    }


@contextmanager
def desk(folder: Path, fake: FakeZendesk, monkeypatch: pytest.MonkeyPatch, **keys: Any) -> Iterator[Desk]:
    """A served account and its warehouse; waiting moves the account's own clock."""
    monkeypatch.setattr(reader, "HttpClient", functools.partial(http.HttpClient, sleep=fake.sleep))
    with fake.serve() as address:
        yield Desk(folder, fake, address, **keys)


def assert_equal(found: Rows, wanted: Rows) -> None:
    """Every entity, one after the other, so that a failure is readable."""
    for name, rows in wanted.items():
        assert _settled(found[name]) == _settled(rows), name


def _settled(rows: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """A deleted row keeps the content that was loaded last, which depends on when that was."""
    return {(row[0], True) if row[-1] is True else row for row in rows}


HISTORY = History()
# Nothing happens any more: two hours after the last day.
END = HISTORY.first + (HISTORY.days + 3) * DAY


def test_one_full_export_is_the_truth_and_a_second_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeZendesk(HISTORY, END)
    with desk(tmp_path, fake, monkeypatch) as loaded:
        loaded.load()
        assert_equal(loaded.rows(), loaded.truth())
        loaded.load("b2")
        assert_equal(loaded.rows(), loaded.truth())


@pytest.mark.slow
def test_day_by_day_ends_where_a_full_export_does_though_tickets_change_while_it_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeZendesk(HISTORY, HISTORY.first + DAY // 3)
    # Small pages and a slow account: hours pass within one export.
    fake.page_size, fake.seconds_per_request = 4, 400
    with desk(tmp_path, fake, monkeypatch) as loaded:
        for day in (1, 3, 4, 6):
            loaded.load(f"before day {day}")
            fake.now = max(fake.now, HISTORY.first + day * DAY + DAY // 3)
        fake.now = END
        loaded.load("end")
        assert_equal(loaded.rows(), loaded.truth())


@pytest.mark.slow
def test_an_export_that_meets_every_fault_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeZendesk(HISTORY, END, faults=0.35, token_requests=9)
    fake.page_size = 7
    auth = {
        "kind": "oauth2_client_credentials", "client_id": CLIENT[0], "client_secret": "${ZENDESK_SECRET}",
    }  # fmt: skip
    monkeypatch.setattr(reader, "HttpClient", functools.partial(http.HttpClient, sleep=fake.sleep))
    with fake.serve() as address:
        auth["token_url"] = f"{address}/oauth/tokens"
        loaded = Desk(tmp_path, fake, address, email=None, api_token=None, auth=auth)
        loaded.load()
        assert_equal(loaded.rows(), loaded.truth())
    assert {f"fault {kind}" for kind in FAULTS} <= set(fake.seen)
    assert fake.seen["tokens"] > 3
    assert fake.impatient == 0, "a client must wait as long as Retry-After says"


@pytest.mark.parametrize("expired", [False, True])
def test_an_export_that_was_broken_off_goes_on_at_its_cursor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expired: bool
) -> None:
    fake = FakeZendesk(HISTORY, END)
    fake.page_size = 5
    monkeypatch.setattr(streams, "RECORDS_PER_CHECKPOINT", 10)
    without = ["schedule_holidays", "users", "ticket_events", "satisfaction_ratings"]
    with desk(tmp_path, fake, monkeypatch, attempts="3", without=without) as loaded:
        fake.fail_after = 8
        with pytest.raises(SourceError, match="HTTP 500"):
            loaded.load()
        assert 0 < len(loaded.rows()["tickets"]) < len(HISTORY.tickets(END))
        fake.fail_after = None
        if expired:
            fake.forget_cursors()
        loaded.load("b2")
        assert_equal(loaded.rows(), {"tickets": loaded.truth()["tickets"]})
        if not expired:
            assert fake.seen["incremental/tickets/cursor"] <= len(HISTORY.tickets(END)) / 5 + 2


def test_a_backfill_reads_its_days_and_leaves_the_cursor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeZendesk(HISTORY, END)
    day = datetime.fromtimestamp(HISTORY.first + 2 * DAY, UTC).date()
    with desk(tmp_path, fake, monkeypatch, timezone="UTC") as loaded:
        loaded.load("b1", Interval(day, day + timedelta(days=1)), resume=False)
        found = loaded.rows()
        begin, end = HISTORY.first + 2 * DAY, HISTORY.first + 3 * DAY
        events = {row[0] for moment, row in HISTORY.event_rows if begin <= moment < end}
        assert {row[0] for row in found["ticket_events"]} == events
        last = {t["id"]: t["generated_timestamp"] for t in HISTORY.tickets(END)}
        assert {row[0] for row in found["tickets"]} == {str(n) for n, moment in last.items() if begin <= moment < end}
        with open_warehouse(loaded.settings) as warehouse:
            assert not warehouse.rows("select * from raw.cursors")


def test_what_the_account_is_read_by_decides_whether_it_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeZendesk(HISTORY, END)
    monkeypatch.setattr(reader, "HttpClient", functools.partial(http.HttpClient, sleep=fake.sleep))
    with fake.serve() as address:
        without = [stream for stream in STREAMS if stream not in ("ticket_events", "schedules")]
        Desk(tmp_path, fake, address, without=without, bots=[]).load()
        loaded = Desk(tmp_path, fake, address, without=without)
        loaded.load("b2")
        wanted = loaded.truth()
        assert_equal(loaded.rows(), {name: wanted[name] for name in ("ticket_events", "messages")})


def test_check_says_who_signed_in_and_refuses_wrong_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeZendesk(HISTORY, END)
    with desk(tmp_path, fake, monkeypatch) as loaded:
        source = load_sources(loaded.settings).source("desk")
        assert "as an administrator; 40 tickets" in reader.check(source, tmp_path)
        monkeypatch.setenv("ZENDESK_TOKEN", "wrong")
        with pytest.raises(SourceError, match="credentials aren't accepted") as caught:
            reader.check(source, tmp_path)
        assert "wrong" not in str(caught.value)


@given(
    st.lists(
        st.tuples(st.integers(0, 10_079), st.integers(1, 3000)).map(lambda s: (s[0], min(s[0] + s[1], 10_080))),
        max_size=6,
    )
)
@hypothesis.settings(deadline=None)
def test_weekly_windows_cover_exactly_the_minutes_that_zendesk_counts(spans: list[tuple[int, int]]) -> None:
    source = ZendeskSource(kind="zendesk", name="z", subdomain="acme", email="a@example.com", api_token="${TOKEN}")
    schedule = {"id": 1, "time_zone": "Beijing", "intervals": [{"start_time": a, "end_time": b} for a, b in spans]}
    covered: list[int] = []
    for window in schedule_records(schedule, source):
        opens, closes = (int(clock[:2]) * 60 + int(clock[3:]) for clock in (window["opens"], window["closes"]))
        assert window["timezone"] == "Asia/Shanghai" and 0 <= opens < closes <= 1440
        day = window["iso_weekday"] % 7
        covered += range(day * 1440 + opens, day * 1440 + closes)
    assert sorted(covered) == sorted({minute for a, b in spans for minute in range(a, b)})


def test_the_example_is_a_complete_sources_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = load_sources(Settings(var=tmp_path, sources=PROJECT_ROOT / "examples/zendesk.yml")).source("desk")
    assert isinstance(source, ZendeskSource)
    assert {table.stream for table in source.tables} == set(STREAMS)
    assert source.translated("problem_subtype", "产品_漏水") == "product_leak"
    assert source.tag_meaning("骚扰") == "spam"
    monkeypatch.delenv("ZENDESK_API_TOKEN", raising=False)
    with pytest.raises(SourceError, match="ZENDESK_API_TOKEN"):
        reader.check(source, tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"base_url": None}, "either `subdomain` or `base_url`"),
        ({"api_token": None}, "either `email` and `api_token`, or `auth`"),
        ({"api_token": "plain-secret"}, r"write the secret as \$\{NAME\}"),
        ({"ticket_fields": {"colour": "颜色"}}, "no ticket field 'colour'"),
        ({"tables": [{"stream": "articles", "entity": "feedback"}]}, "no stream 'articles'"),
        ({"time_zones": {"Peking": "Asia/Peking"}}, "'Asia/Peking' is no IANA time zone"),
    ],
)
def test_a_wrong_key_is_named_with_its_remedy(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    desk = Desk(tmp_path, FakeZendesk(HISTORY, END), "http://127.0.0.1:1", **given)
    with pytest.raises(SourcesFileError, match=message) as caught:
        load_sources(desk.settings)
    assert "plain-secret" not in str(caught.value)


def test_own_tables_replace_those_of_their_stream_only(tmp_path: Path) -> None:
    table = {"stream": "users", "entity": "agents", "where": {"role": "admin"}, "columns": {"agent_ref": "id"}}
    loaded = Desk(tmp_path, FakeZendesk(HISTORY, END), "http://127.0.0.1:1", tables=[table], without=["schedules"])
    tables = load_sources(loaded.settings).source("desk").tables
    assert [table.entity for table in tables if table.stream == "users"] == ["agents"]
    assert {table.stream for table in tables} == set(STREAMS) - {"schedules"}


_KEYS = (
    "id", "status", "tags", "added_tags", "previous_value", "event_type", "type", "child_events", "assignee_id", "via",
    "channel", "source", "from", "rel", "custom_fields", "custom_ticket_fields", "value", "field_name", "body", "role",
    "9001", "author_id", "answers", "rating", "question", "options", "subjects", "zrn",
    "organization_id", "phone", "group_id", "new_schedule_id", "created_at", "timestamp",
)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=8))
@hypothesis.settings(deadline=None, max_examples=60, suppress_health_check=[hypothesis.HealthCheck.too_slow])
def test_records_of_any_shape_are_read_without_a_crash(record: dict[str, Any]) -> None:
    source = ZendeskSource(
        kind="zendesk", name="z", subdomain="acme", email="a@example.com", api_token="${TOKEN}",
        ticket_fields={"problem_subtype": "9001"},
    )  # fmt: skip
    kinds = ("Change", "Create", "Comment", "ScheduleAssignment")
    shaped = [
        ticket_record(record, source, Lookups(), None),
        *user_records(record | {"role": "end-user"}, source, Lookups()),
        survey_record(record),
        *event_records(record, source, Lookups()),
        *event_records({"child_events": [{**record, "event_type": kind} for kind in kinds]}, source, Lookups()),
    ]
    delivery_of_records("any", shaped, datetime(2024, 1, 1))  # noqa: DTZ001 (naive UTC)
