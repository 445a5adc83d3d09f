"""Any JSON interface by configuration, against a desk on loopback that pages, changes and fails like real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from loopback_api import Asked, Loopback, Reply, loopback

from huiyin.config import Settings
from huiyin.interval import Interval
from ingest.connectors import http
from ingest.connectors.base import Request
from ingest.connectors.rest import reader
from ingest.errors import SourceError
from ingest.load import ingest_source
from ingest.sources import SourcesFileError, load_sources
from warehouse import open_warehouse

START = datetime(2025, 3, 1, tzinfo=UTC)
EVERYTHING = Interval()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_TOKEN", "t0ken")
    monkeypatch.setattr(http, "FIRST_WAIT_SECONDS", 0.001)


class Desk:
    """Tickets, sorted by their last change, behind each usual kind of pagination."""

    def __init__(self, count: int = 0) -> None:
        self.tickets: list[dict[str, Any]] = []
        self.most = 100  # the desk gives no more than that in one page
        self.after_page: Callable[[], None] = lambda: None
        for _ in range(count):
            self.add()

    def add(self) -> None:
        number = len(self.tickets) + 1
        self.tickets.append(
            {
                "id": number,
                "title": f"第{number}单",
                "requester": {"id": f"u{number % 3}"},
                "custom_fields": [{"id": 359, "value": "x"}, {"id": 360, "value": f"华{'东南'[number % 2]}"}],
                "created": stamp(number),
                "updated_at": stamp(number),
            }
        )

    def change(self, number: int) -> None:
        """A ticket is changed now, later than all others."""
        ticket = next(ticket for ticket in self.tickets if ticket["id"] == number)
        ticket["updated_at"] = stamp(1 + max(minute(ticket["updated_at"]) for ticket in self.tickets))

    def sorted(self) -> list[dict[str, Any]]:
        return sorted(self.tickets, key=lambda ticket: (ticket["updated_at"], ticket["id"]))

    def __call__(self, asked: Asked) -> Any:
        if asked.headers.get("authorization") != "Bearer t0ken":
            return Reply({}, status=401)
        given = asked.params | (asked.content if asked.body else {})
        rows = [t for t in self.sorted() if given.get("since", "") <= t["updated_at"] < given.get("until", "3000")]
        size = min(int(given.get("limit", self.most)), self.most)
        kind = asked.path.removeprefix("/api/")
        if kind.endswith("/messages"):
            number = int(kind.split("/")[1])
            if number % 4 == 0:
                return Reply({"error": "not_found"}, status=404)
            return {
                "messages": [{"id": f"{number}-{n}", "text": "您好", "at": stamp(number)} for n in range(number % 3)]
            }
        begin = {"page": (int(given.get("page", 1)) - 1) * size}.get(kind, int(given.get("at", 0)))
        part = [dict(ticket) for ticket in rows[begin : begin + size]]
        more = begin + size < len(rows)
        following = f"/api/{kind}?at={begin + size}&limit={size}&since={given.get('since', '')}"
        self.after_page()
        match kind:
            case "all":
                return rows
            case "link":
                return {"data": {"items": part}, "links": {"next": following if more else None}}
            case "header":
                return Reply(part, headers={"Link": f'<{following}>; rel="next"'} if more else {})
            case "cursor":
                return {"items": part, "next": str(begin + size), "more": more}
            case "export":
                return {"items": part, "next": str(begin + len(part)), "more": more}
        return {"items": part, "total": len(rows)}


def stamp(number: int) -> str:
    return (START + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def minute(text: str) -> int:
    return int((datetime.fromisoformat(text) - START) / timedelta(minutes=1))


SINCE = {"params": {"since": "{from}"}, "cursor": {"field": "updated_at"}}
STREAMS: dict[str, dict[str, Any]] = {
    "all": {"path": "/all"},
    "link": {"path": "/link", "records": "data.items", "paginator": {"kind": "next_link", "path": "links.next"}},
    "header": {"path": "/header", "paginator": {"kind": "link_header"}},
    "page": {"path": "/page", "records": "items", "paginator": {"kind": "page", "size_param": "limit", "size": "7"}},
    "offset": {"path": "/offset", "records": "items", "paginator": {"kind": "offset", "param": "at", "size": "7"}},
    "total": {
        "path": "/offset",
        "records": "items",
        "paginator": {"kind": "offset", "param": "at", "size": "7", "total": "total"},
    },
    "cursor": {
        "path": "/cursor",
        "records": "items",
        "paginator": {"kind": "cursor", "param": "at", "path": "next", "has_more": "more"},
    },
    "keyset": {
        "path": "/page", "records": "items", "paginator": {"kind": "keyset", "size_param": "limit", "size": "7"},
    } | SINCE,
    "window": {
        "path": "/all",
        "params": {"since": "{from}", "until": "{to}"},
        "cursor": {"field": "updated_at", "initial": "2025-03-01"},
        "window_hours": "5000",
    },
}  # fmt: skip
TICKETS = {
    "entity": "tickets",
    "columns": {
        "ticket_id": "id", "subject": "title", "customer_ref": "requester.id", "created_at": "created",
        "region": "custom_fields[?(@.id==360)].value",
    },
    "constants": {"channel": "web_form"},
    "changed_at": "updated_at",
}  # fmt: skip


def configured(
    tmp_path: Path, server: Loopback, streams: dict[str, Any], *tables: dict[str, Any], **more: Any
) -> Settings:
    """Settings with a sources file of one REST source, all values as text, as YAML gives them."""
    name = next(iter(streams))
    source = {
        "name": "desk", "domain": "tickets", "kind": "rest", "base_url": f"{server.url}/api",
        "auth": {"kind": "bearer", "token": "${DESK_TOKEN}"}, "attempts": "3", "timezone": "UTC",
        "streams": streams, "tables": list(tables) or [TICKETS | {"stream": name}],
    } | more  # fmt: skip
    file = tmp_path / "sources.yml"
    file.write_text(yaml.safe_dump({"sources": [source]}, allow_unicode=True), encoding="utf-8")
    return Settings(var=tmp_path, mask_key="test-key", sources=file)


def read(
    settings: Settings, stream: str, interval: Interval = EVERYTHING, cursor: Any = None, resume: bool = True
) -> Any:
    """Ids of the records, and the last cursor."""
    source = load_sources(settings).source("desk")
    request = Request(interval, resume, cursor, settings.var, "UTC")
    ids: list[str] = []
    for delivery in reader.read_stream(source, stream, request):
        ids += delivery.rows.column("id").to_pylist() if delivery.rows.num_columns else []
        cursor = delivery.cursor or cursor
    return ids, cursor


def raw(settings: Settings, entity: str, columns: str) -> list[dict[str, Any]]:
    with open_warehouse(settings, read_only=True) as warehouse:
        return warehouse.rows(f"select {columns} from raw.{entity} order by all")


@pytest.mark.parametrize("name", list(STREAMS))
@property_settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(count=st.integers(0, 25), most=st.integers(5, 9))
def test_every_paginator_brings_every_record_once(name: str, count: int, most: int, tmp_path: Path) -> None:
    desk = Desk(count)
    desk.most = 100 if name in ("all", "window") else most if name not in ("page", "keyset") else 7
    with loopback(desk) as server:
        ids, _ = read(configured(tmp_path, server, {name: STREAMS[name]}), name)
    assert ids == [str(number) for number in range(1, count + 1)]


@pytest.mark.parametrize("name", [name for name in STREAMS if name not in ("all", "window")])
def test_tickets_that_come_in_while_pages_are_read_are_there_after_the_next_load(name: str, tmp_path: Path) -> None:
    desk = Desk(20)
    desk.most = 7
    arriving = iter(range(12))
    desk.after_page = lambda: None if next(arriving, None) is None else desk.add()
    stream = STREAMS[name] if name == "keyset" else STREAMS[name] | SINCE
    with loopback(desk) as server:
        settings = configured(tmp_path, server, {name: stream}, overlap_minutes="3")
        first, cursor = read(settings, name)
        desk.after_page = lambda: None
        second, _ = read(settings, name, cursor=cursor)
    assert set(first) | set(second) == {str(ticket["id"]) for ticket in desk.tickets}
    assert len(second) < len(desk.tickets)  # the second load only looked back by its overlap


def test_keyset_pages_miss_nothing_though_rows_move_behind_the_reader(tmp_path: Path) -> None:
    desk = Desk(40)
    desk.most = 7
    moved = iter(range(1, 6))
    desk.after_page = lambda: [desk.change(number) for number in [next(moved, None)] if number]
    with loopback(desk) as server:
        ids, _ = read(configured(tmp_path, server, {"keyset": STREAMS["keyset"]}), "keyset")
    assert set(ids) == {str(number) for number in range(1, 41)}


def test_records_arrive_masked_in_raw_and_a_second_load_changes_nothing(tmp_path: Path) -> None:
    desk = Desk(30)
    desk.most = 7
    with loopback(desk) as server:
        settings = configured(tmp_path, server, {"tickets": STREAMS["keyset"]}, overlap_minutes="5")
        (report,) = ingest_source(settings, "desk", EVERYTHING, "b1")
        assert (report.fetched, report.loaded) == (30, 30)
        before = raw(settings, "tickets", "ticket_id, subject, region, customer_ref, created_at, _row_hash, _batch_id")
        (again,) = ingest_source(settings, "desk", EVERYTHING, "b2")
        assert (
            raw(settings, "tickets", "ticket_id, subject, region, customer_ref, created_at, _row_hash, _batch_id")
            == before
        )
        assert (again.fetched, again.unchanged) == (6, 6)  # the overlap of five minutes, both ends
        desk.change(2)
        desk.tickets[1]["title"] = "改了"
        ingest_source(settings, "desk", EVERYTHING, "b3")
    after = {row["ticket_id"]: row for row in raw(settings, "tickets", "ticket_id, subject, region, customer_ref")}
    assert len(after) == 30 and after["2"]["subject"] == "改了" and after["2"]["region"] == "华东"
    assert len({row["customer_ref"] for row in after.values()}) == 3
    assert all(row["customer_ref"].startswith("p_") for row in after.values())


def test_a_load_that_breaks_off_goes_on_at_the_last_page_it_brought(tmp_path: Path) -> None:
    desk = Desk(30)
    desk.most = 7
    stream = STREAMS["page"] | SINCE | {"cursor": {"field": "updated_at", "oldest_first": "true"}}

    def breaking(asked: Asked) -> Any:
        return Reply({}, status=500) if asked.params.get("page") == "4" and len(server.asked) < 8 else desk(asked)

    with loopback(breaking) as server:
        settings = configured(tmp_path, server, {"tickets": stream}, overlap_minutes="0")
        reader_size, reader.RECORDS_PER_DELIVERY = reader.RECORDS_PER_DELIVERY, 5
        try:
            with pytest.raises(SourceError, match="HTTP 500, 3 times"):
                ingest_source(settings, "desk", EVERYTHING, "b1")
            assert len(raw(settings, "tickets", "ticket_id")) == 21
            ingest_source(settings, "desk", EVERYTHING, "b2")
        finally:
            reader.RECORDS_PER_DELIVERY = reader_size
    assert len(raw(settings, "tickets", "ticket_id")) == 30
    assert server.asked[6].params["since"] == stamp(21)


def test_a_backfill_asks_for_its_days_only_and_leaves_the_cursor(tmp_path: Path) -> None:
    desk = Desk(24 * 60)
    stream = {"path": "/all", "params": {"since": "{from}", "until": "{to}"}, "cursor": {"field": "updated_at"}}
    with loopback(desk) as server:
        settings = configured(tmp_path, server, {"tickets": stream}, timezone="Asia/Shanghai")
        source = load_sources(settings).source("desk")
        request = Request(
            Interval(date(2025, 3, 1), date(2025, 3, 2)), False, {"at": stamp(900)}, tmp_path, "Asia/Shanghai"
        )
        deliveries = list(reader.read_stream(source, "tickets", request))
    assert server.asked[0].params == {"since": "2025-02-28T16:00:00Z", "until": "2025-03-01T16:00:00Z"}
    assert sum(delivery.rows.num_rows for delivery in deliveries) == 16 * 60 - 1
    assert all(delivery.cursor is None for delivery in deliveries)


def test_windows_follow_each_other_up_to_now_and_each_is_a_place_to_go_on(tmp_path: Path) -> None:
    stream = {
        "path": "/offset", "method": "POST", "records": "items", "time_format": "milliseconds", "window_hours": "48",
        "body": {"range": {"from": "{from}", "to": "{to}"}, "deep": "false", "kind": '"7"'},
        "cursor": {"initial": (datetime.now(UTC) - timedelta(hours=100)).strftime("%Y-%m-%d %H:%M:%S")},
        "paginator": {"kind": "offset", "param": "paging.at", "size_param": "paging.size", "size": "50"},
    }  # fmt: skip
    with loopback(lambda asked: {"items": [{"id": 1}] if asked.content["paging"]["at"] == 0 else []}) as server:
        settings = configured(tmp_path, server, {"tickets": stream})
        _, cursor = read(settings, "tickets")
    bodies = [asked.content for asked in server.asked]
    assert len(bodies) == 6 and bodies[0]["deep"] is False and bodies[0]["kind"] == "7"
    assert [body["paging"] for body in bodies[:2]] == [{"size": 50, "at": 0}, {"size": 50, "at": 1}]
    spans = [(body["range"]["from"], body["range"]["to"]) for body in bodies[::2]]
    assert [end - begin for begin, end in spans[:2]] == [48 * 3_600_000] * 2 and spans[0][1] == spans[1][0]
    assert spans[2][1] / 1000 == pytest.approx(datetime.now(UTC).timestamp(), abs=5)
    assert datetime.fromisoformat(cursor["at"]).replace(tzinfo=UTC).timestamp() == pytest.approx(
        spans[2][1] / 1000, abs=0.01
    )


def test_an_export_with_a_kept_cursor_goes_on_there(tmp_path: Path) -> None:
    desk = Desk(12)
    desk.most = 5
    stream = {
        "path": "/export", "records": "items",
        "paginator": {"kind": "cursor", "param": "at", "path": "next", "has_more": "more", "kept": "true"},
    }  # fmt: skip
    with loopback(desk) as server:
        settings = configured(tmp_path, server, {"tickets": stream})
        first, cursor = read(settings, "tickets")
        assert (len(first), cursor) == (12, {"token": "12"})
        desk.add()
        assert read(settings, "tickets", cursor=cursor) == (["13"], {"token": "13"})


def test_a_growing_number_is_a_cursor_too(tmp_path: Path) -> None:
    desk = Desk(9)

    def by_id(asked: Asked) -> Any:
        return [ticket for ticket in desk(asked) if ticket["id"] > int(asked.params["after"])]

    stream = {
        "path": "/all", "params": {"after": "{from}"},
        "cursor": {"field": "id", "is_number": "true", "initial": "0", "overlap": "2"},
    }  # fmt: skip
    with loopback(by_id) as server:
        settings = configured(tmp_path, server, {"tickets": stream})
        assert read(settings, "tickets") == ([str(n) for n in range(1, 10)], {"number": 9})
        desk.add()
        assert read(settings, "tickets", cursor={"number": 9}) == (["8", "9", "10"], {"number": 10})


def test_errors_inside_good_answers_are_told_apart_and_variables_filled_in(tmp_path: Path) -> None:
    answers = iter([{"code": "busy"}, {"code": 429}, {"code": 0, "items": [{"id": 7}]}])
    stream = {"path": "/x", "method": "POST", "body": {"t": "${DESK_TOKEN}"}, "records": "items"}
    stream["succeeds_when"] = {"code": "0"}
    with loopback(lambda asked: next(answers)) as server:
        settings = configured(tmp_path, server, {"tickets": stream}, tries_again_when={"code": ["busy", "429"]})
        assert read(settings, "tickets") == (["7"], None)
    assert [asked.content for asked in server.asked] == [{"t": "t0ken"}] * 3


def test_what_a_system_says_never_names_a_variable(tmp_path: Path) -> None:
    streams = {"tickets": {"path": "/x"}, "notes": {"path": "/x/{parent.id}", "parent": "tickets"}}
    table = TICKETS | {"stream": "notes"}
    with loopback(lambda asked: [{"id": "${DESK_TOKEN}"}]) as server:
        read(configured(tmp_path, server, streams, table), "notes")
    assert server.paths()[1] == "/api/x/%24%7BDESK_TOKEN%7D"


def test_a_zero_date_among_the_records_doesn_t_stop_the_load(tmp_path: Path) -> None:
    answer = [{"id": 1, "at": "0000-00-00 00:00:00"}, {"id": 2, "at": stamp(2)}, {"id": 3}]
    stream = {"path": "/x", "params": {"since": "{from}"}, "cursor": {"field": "at", "oldest_first": "true"}}
    with loopback(lambda asked: answer) as server:
        settings = configured(tmp_path, server, {"tickets": stream})
        assert read(settings, "tickets") == (["1", "2", "3"], {"at": "2025-03-01T00:02:00"})


def test_the_first_load_by_schedule_begins_where_the_file_says(tmp_path: Path) -> None:
    stream = {"path": "/x", "params": {"since": "{from}"}, "cursor": {"field": "at", "initial": "2024-01-01"}}
    with loopback(lambda asked: []) as server:
        settings = configured(tmp_path, server, {"tickets": stream})
        read(settings, "tickets", Interval(date(2025, 3, 1), date(2025, 3, 2)))
        read(settings, "tickets", Interval(date(2025, 3, 1), date(2025, 3, 2)), resume=False)
    assert [asked.params["since"] for asked in server.asked] == ["2024-01-01T00:00:00Z", "2025-03-01T00:00:00Z"]


def test_children_are_fetched_parent_by_parent_and_follow_its_cursor(tmp_path: Path) -> None:
    desk = Desk(9)
    messages = {
        "stream": "messages", "entity": "messages",
        "columns": {"message_id": "id", "ticket_id": "parent.id", "body": "text", "sent_at": "at",
                    "author_ref": "parent.requester.id"},
        "constants": {"author_role": "customer"},
    }  # fmt: skip
    streams = {
        "tickets": STREAMS["keyset"],
        "messages": {"path": "/tickets/{parent.id}/messages", "parent": "tickets", "records": "messages"},
    }
    with loopback(desk) as server:
        settings = configured(tmp_path, server, streams, TICKETS | {"stream": "tickets"}, messages, overlap_minutes="0")
        ingest_source(settings, "desk", EVERYTHING, "b1")
        rows = raw(settings, "messages", "message_id, ticket_id, author_ref")
        expected = [(f"{n}-{i}", str(n)) for n in range(1, 10) if n % 4 for i in range(n % 3)]
        assert [(row["message_id"], row["ticket_id"]) for row in rows] == expected
        assert all(row["author_ref"].startswith("p_") for row in rows)
        desk.change(2)
        asked = len(server.asked)
        ingest_source(settings, "desk", EVERYTHING, "b2")
        children = [path for path in server.paths()[asked:] if path.endswith("/messages")]
    assert children == ["/api/tickets/9/messages", "/api/tickets/2/messages"]


@pytest.mark.parametrize(
    ("answer", "stream", "message"),
    [
        ({"code": 0, "data": {}}, {"records": "data.items"}, r"no list at `records: data.items`; its fields: code, da"),
        ({"王小明 13800138000": 1}, {}, r"no list \(set `records`.*its fields: none"),
        ({"items": [1, 2]}, {"records": "items"}, "are no objects"),
        ({"code": 17, "items": None}, {"records": "items", "succeeds_when": {"code": ["0"]}}, r"error at code \(17\)"),
        ({"items": [{"id": 1}]}, {"records": "items", "paginator": {"kind": "page"}}, "doesn't heed the paginator"),
        ({"items": [], "n": "/api/x"}, {"records": "items", "paginator": {"kind": "next_link", "path": "n"}}, "circle"),
        (
            {"items": [{"id": 1}], "n": "a"},
            {"records": "items", "paginator": {"kind": "cursor", "path": "n", "has_more": "m"}},
            "nothing at `has_more: m`",
        ),
        (
            [{"id": 1, "at": "soon"}],
            {"params": {"f": "{from}"}, "cursor": {"field": "at"}},
            "no value is an instant",
        ),
        (
            [{"id": 2, "at": stamp(2)}, {"id": 1, "at": stamp(1)}],
            {"params": {"f": "{from}"}, "cursor": {"field": "at", "oldest_first": "true"}},
            "aren't in the order of at",
        ),
        (
            [{"id": n, "at": stamp(1)} for n in range(3)],
            {"params": {"f": "{from}"}, "cursor": {"field": "at"}, "paginator": {"kind": "keyset", "size": "3"}},
            "one and the same at",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy_and_without_data(
    answer: Any, stream: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with loopback(lambda asked: answer) as server:
        settings = configured(tmp_path, server, {"tickets": {"path": "/x"} | stream})
        with pytest.raises(SourceError, match=message) as caught:
            read(settings, "tickets")
    assert "source desk" in str(caught.value) and "13800138000" not in str(caught.value)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        ({"params": {"x": "{parent.id}"}}, "name the `parent`"),
        ({"params": {"x": "{now}"}}, "is not known here"),
        ({"cursor": {"field": "at"}}, "nothing asks for less"),
        ({"body": {"a": "1"}}, "method: POST"),
        ({"window_hours": "5", "params": {"a": "{from}"}}, "needs {from} and {to}"),
        ({"paginator": {"kind": "keyset"}}, "needs `cursor.field`"),
        ({"paginator": {"kind": "pages"}}, "paginator"),
        ({"parent": "nobody", "params": {"x": "{parent.id}"}}, "no stream 'nobody'"),
    ],
)
def test_faults_of_the_sources_file_are_named_when_it_is_read(
    stream: dict[str, Any], message: str, tmp_path: Path
) -> None:
    settings = configured(
        tmp_path, Loopback("http://127.0.0.1:1", [], timedelta()), {"tickets": {"path": "/x"} | stream}
    )
    with pytest.raises(SourcesFileError, match=message):
        load_sources(settings)


def test_secrets_must_come_from_the_environment_and_never_show(tmp_path: Path) -> None:
    nowhere = Loopback("http://127.0.0.1:1", [], timedelta())
    plain = configured(tmp_path, nowhere, {"tickets": {"path": "/x"}}, auth={"kind": "bearer", "token": "t0ken"})
    with pytest.raises(SourcesFileError, match=r"write the secret as \$\{NAME\}") as caught:
        load_sources(plain)
    assert "t0ken" not in str(caught.value)
    assert "t0ken" not in repr(load_sources(configured(tmp_path, nowhere, {"tickets": {"path": "/x"}})))


def test_the_check_signs_in_reads_one_page_and_tells_of_a_wrong_clock(tmp_path: Path) -> None:
    desk = Desk(30)
    desk.most = 7
    with loopback(desk, timedelta(minutes=-10)) as server:
        settings = configured(tmp_path, server, {"tickets": STREAMS["page"]})
        found = reader.check(load_sources(settings).source("desk"), tmp_path)
    assert found.startswith("signed in; the first page of tickets holds 7 record(s), its clock differs by -")
    assert server.paths() == ["/api/page"]


def test_slow_limited_broken_and_expiring_answers_don_t_lose_a_record(tmp_path: Path) -> None:
    desk = Desk(60)
    desk.most = 5
    faults: Iterator[Reply] = iter(
        [
            Reply({}, status=429, headers={"Retry-After": "0"}),
            Reply({}, status=503),
            Reply({"items": []}, cut_after=3),
            Reply(body=b'{"items": [{"id": '),
            Reply({}, silence=1.2),
        ]
    )

    def faulty(asked: Asked) -> Any:
        return next(faults, None) or desk(asked) if len(server.asked) % 2 else desk(asked)

    with loopback(faulty) as server:
        settings = configured(tmp_path, server, {"tickets": STREAMS["cursor"]}, timeout_seconds="0.5", attempts="6")
        (report,) = ingest_source(settings, "desk", EVERYTHING, "b1")
    assert report.loaded == 60 and next(faults, None) is None
