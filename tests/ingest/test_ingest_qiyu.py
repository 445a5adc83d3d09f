"""网易七鱼: signed by the server's clock, read day by day, exports unpacked, mapped without configuration."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from loopback_api import Loopback
from loopback_qiyu import APP_KEY, SECRET, Account, account_on_loopback, milliseconds

from huiyin.config import PROJECT_ROOT, Settings
from huiyin.interval import Interval
from ingest.connectors import http
from ingest.connectors.base import Request
from ingest.connectors.qiyu import export, reader
from ingest.connectors.qiyu.api import checksum
from ingest.errors import SourceError
from ingest.load import ingest_source
from ingest.sources import SourcesFileError, load_sources
from warehouse import open_warehouse

DAYS = Interval(date(2025, 3, 1), date(2025, 3, 4))


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIYU_APP_KEY", APP_KEY)
    monkeypatch.setenv("QIYU_APP_SECRET", SECRET)
    monkeypatch.setattr(http, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(export, "POLL_SECONDS", 0.001)


@pytest.fixture
def account() -> Account:
    account = Account()
    account.staff = [
        {
            "id": 11,
            "username": "li",
            "realname": "李四",
            "role": 0,
            "status": 1,
            "createtime": milliseconds("2024-05-01"),
        },
        {
            "id": 12,
            "username": "wu",
            "realname": "吴五",
            "role": 1,
            "status": 1,
            "createtime": milliseconds("2024-06-01"),
        },
    ]
    account.groups = [{"id": 5, "name": "售后一组", "staffIdList": [11]}]
    account.tickets = [
        {
            "id": 100 + n, "title": f"第{n}单", "content": "空调漏水，电话13812345678", "userMobile": "13812345678",
            "userEmail": "", "priority": (0, 5, 8)[n % 3], "status": 5, "uid": f"member-{n % 2}",
            "createTime": milliseconds("2025-03-01T02:00") + n * 60_000,
            "op": milliseconds("2025-03-01T02:00") + n * 60_000,
            "custom": [{"id": 1, "name": "产品", "value": "空调"}],
        }
        for n in range(7)
    ]  # fmt: skip
    account.logs[100] = [
        {
            "id": 9001, "time": milliseconds("2025-03-01T03:00"), "operatorId": 11,
            "info": [
                {"title": "受理人", "content": "由李四更改为吴五"},
                {"title": "优先级", "content": "由一般更改为非常紧急"},
            ],
        },
        {
            "id": 9002, "time": milliseconds("2025-03-01T05:00"), "operatorId": 12,
            "info": [{"title": "工单状态", "content": "由受理中更改为已完结"}, {"title": "备注", "content": "已换管"}],
        },
    ]  # fmt: skip
    begin = milliseconds("2025-03-02T01:00")
    account.sessions = [
        {
            "id": 7001, "startTime": begin, "endTime": begin + 600_000, "staffId": 11, "userId": "v-1",
            "foreignId": "member-1", "mobile": "13912345678", "fromType": "ios", "category": "售后/维修",
            "evaluation": 100, "evaluationRemark": "很耐心", "vipLevel": 3,
        },
        {"id": 7002, "startTime": begin + 1000, "endTime": begin + 5000, "staffId": -2, "userId": "v-2"},
    ]  # fmt: skip
    account.messages = [
        {
            "id": "m1",
            "sessionId": 7001,
            "time": begin + 1000,
            "from": 1,
            "staffId": 11,
            "mType": 1,
            "msg": "空调不制冷",
        },
        {"id": "m2", "sessionId": 7001, "time": begin + 9000, "from": 0, "staffId": 11, "mType": 1, "msg": "马上安排"},
        {
            "id": "m3",
            "sessionId": 7002,
            "time": begin + 2000,
            "from": 0,
            "staffId": -2,
            "mType": 1,
            "msg": "我是机器人",
        },
        {"id": "m4", "sessionId": 7001, "time": begin + 9500, "from": 1, "mType": 2, "msg": {"url": "http://x/1.jpg"}},
    ]
    return account


def configured(tmp_path: Path, server: Loopback, **keys: Any) -> Settings:
    source = {
        "name": "qiyu", "kind": "qiyu", "base_url": server.url, "app_key": "${QIYU_APP_KEY}",
        "app_secret": "${QIYU_APP_SECRET}", "start_on": "2025-03-01", "requests_per_minute": "100000", "attempts": "3",
        "page_size": "3",
    } | keys  # fmt: skip
    file = tmp_path / "sources.yml"
    file.write_text(yaml.safe_dump({"sources": [source]}, allow_unicode=True), encoding="utf-8")
    return Settings(var=tmp_path, mask_key="test-key", sources=file)


def raw(settings: Settings, entity: str, columns: str = "*") -> list[dict[str, Any]]:
    with open_warehouse(settings, read_only=True) as warehouse:
        return warehouse.rows(f"select {columns} from raw.{entity} order by all")


def load(settings: Settings, batch: str, days: Interval = DAYS) -> dict[tuple[str, str], Any]:
    reports = ingest_source(settings, "qiyu", days, batch, resume=False)
    return {(report.entity, report.origin): report for report in reports}


def test_the_checksum_is_what_sha1sum_and_md5sum_say() -> None:
    expected = "78bc986fe58db2bbd8c1ff98aee42142eaabf300"
    assert checksum("4AEE2289TEST", b'{"ticketId":12345}', "1463216914") == expected


def test_everything_arrives_mapped_and_masked_though_our_clock_is_ten_minutes_slow(
    account: Account, tmp_path: Path
) -> None:
    with account_on_loopback(account, timedelta(minutes=10)) as server:
        settings = configured(tmp_path, server)
        load(settings, "b1")
        tables = ("tickets", "ticket_events", "messages", "feedback", "agents", "identifiers")
        before = {name: [{**row, "_loaded_at": 0, "_batch_id": 0} for row in raw(settings, name)] for name in tables}
        again = load(settings, "b2")
        after = {name: [{**row, "_loaded_at": 0, "_batch_id": 0} for row in raw(settings, name)] for name in tables}
    versions = {"_delivered_at": 0}  # the second delivery is the newer one, of the same rows
    assert {n: [r | versions for r in rows] for n, rows in after.items()} == {
        n: [r | versions for r in rows] for n, rows in before.items()
    }
    assert all(report.loaded == 0 and report.quarantined == 0 for report in again.values())

    tickets = {row["ticket_id"]: row for row in raw(settings, "tickets")}
    assert len(tickets) == 9 and {row["quarantined"] for row in raw(settings, "load_audit", "quarantined")} == {0}
    assert tickets["102"]["priority"] == "urgent" and tickets["102"]["body"] != "空调漏水，电话13812345678"
    chat = tickets["chat-7001"]
    assert (chat["channel"], chat["subject"], chat["body"]) == ("app", "售后/维修", "空调不制冷")
    assert chat["customer_ref"] == tickets["101"]["customer_ref"]  # member-1 in both
    assert str(chat["created_at"]) == "2025-03-02 01:00:00"

    events = {row["event_id"]: row for row in raw(settings, "ticket_events")}
    assert events["100-log-9001-priority"]["new_value"] == "urgent"
    assert (events["100-log-9002-status"]["old_value"], events["100-log-9002-status"]["new_value"]) == (
        "open",
        "solved",
    )
    assert events["100-log-9001-assignee"]["new_value"].startswith("p_")
    assert events["chat-7001-assigned"]["new_value"] == events["100-log-9001-assignee"]["actor_ref"]  # agent 11
    assert not any("备注" in str(row) for row in events.values())

    messages = {row["message_id"]: (row["author_role"], row["body"]) for row in raw(settings, "messages")}
    assert messages == {
        "m1": ("customer", "空调不制冷"), "m2": ("agent", "马上安排"), "m3": ("bot", "我是机器人"),
        "m4": ("customer", None),
    }  # fmt: skip
    (rating,) = raw(settings, "feedback", "feedback_id, kind, score, scale_min, scale_max, text, ticket_id")
    assert list(rating.values()) == ["chat-7001", "csat", 100.0, 1.0, 100.0, "很耐心", "chat-7001"]
    assert [row["team"] for row in raw(settings, "agents", "team")] == ["售后一组", "未分组"]
    kinds = {row["identifier_kind"] for row in raw(settings, "identifiers")}
    assert kinds == {"phone", "app_account"}
    for row in [row for name in tables for row in raw(settings, name)]:
        assert not any(text in str(row) for text in ("13812345678", "13912345678", "member-1", "李四"))


def test_a_resumed_load_begins_a_little_before_the_last_one_ended_and_ends_now(
    account: Account, tmp_path: Path
) -> None:
    with account_on_loopback(account) as server:
        source = load_sources(configured(tmp_path, server, without=["agents", "sessions"])).source("qiyu")
        now = server.now().replace(tzinfo=None)
        cursor = {"at": (now - timedelta(hours=30)).isoformat()}
        deliveries = list(reader.read_stream(source, "tickets", Request(Interval(), True, cursor, tmp_path, "UTC")))
    spans = [(asked.content["opStart"], asked.content["opEnd"] + 1) for asked in server.asked if asked.body]
    assert len(spans) == 2 and spans[0][1] == spans[1][0]
    assert spans[0][0] / 1000 == pytest.approx(server.now().timestamp() - 33 * 3600, abs=10)
    assert spans[1][1] / 1000 == pytest.approx(server.now().timestamp(), abs=10)
    assert [delivery.cursor is not None for delivery in deliveries] == [True, True]


def test_tickets_that_move_between_pages_are_read_again(account: Account, tmp_path: Path) -> None:
    pages = iter(range(20))

    def finish_one_elsewhere() -> None:
        if next(pages) == 0:  # it leaves the span, and all that follow move up by one
            account.tickets[0]["op"] = milliseconds("2025-03-03T10:00")

    account.after_page = finish_one_elsewhere
    with account_on_loopback(account) as server:
        settings = configured(tmp_path, server, without=["agents", "sessions"], ticket_log="false")
        load(settings, "b1")
    assert len(raw(settings, "tickets")) == 7


def test_passing_errors_are_waited_out_and_too_much_data_is_asked_for_in_halves(
    account: Account, tmp_path: Path
) -> None:
    account.codes = [14009, 14500]
    account.largest_span = timedelta(hours=13)
    with account_on_loopback(account) as server:
        settings = configured(tmp_path, server, without=["agents", "tickets"])
        load(settings, "b1")
    assert len(raw(settings, "messages")) == 4
    starts = [asked for asked in server.paths() if asked == "/openapi/export/session"]
    assert len(starts) == 2 + 3 * 3  # two failed tries; each of three days refused once, then in halves


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(14002, "app_secret"), (14515, "by `without`"), (14008, "address isn't allowed"), (19999, "通用错误码")],
)
def test_an_error_code_says_what_to_do_and_nothing_personal(
    code: int, remedy: str, account: Account, tmp_path: Path
) -> None:
    account.codes = [code] * 9
    with account_on_loopback(account) as server:
        settings = configured(tmp_path, server)
        with pytest.raises(SourceError, match=f"source qiyu: openapi/.*error {code}; .*{remedy}") as caught:
            reader.check(load_sources(settings).source("qiyu"), tmp_path)
    for hidden in ("王小明", "13800138000", SECRET, APP_KEY):
        assert hidden not in str(caught.value)


def test_the_check_counts_agents_and_a_wrong_secret_is_noticed(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with account_on_loopback(account, timedelta(minutes=-10)) as server:
        source = load_sources(configured(tmp_path, server)).source("qiyu")
        assert reader.check(source, tmp_path).startswith("signed in; 2 agent(s), its clock differs by -")
        monkeypatch.setenv("QIYU_APP_SECRET", "other")
        with pytest.raises(SourceError, match="check `app_secret`"):
            reader.check(source, tmp_path)


@pytest.mark.parametrize("name", ["qiyu", "rest"])
def test_the_example_is_complete(name: str) -> None:
    file = PROJECT_ROOT / "examples" / f"{name}.yml"
    sources = load_sources(Settings(sources=file))
    assert sources.sources[0].kind == name
    entities = {table.entity for source in sources.sources[:-1] for table in source.tables}
    assert {"tickets", "messages", "feedback"} <= entities


def test_a_secret_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourcesFileError, match=r"app_secret: write the secret as \$\{NAME\}"):
        load_sources(configured(tmp_path, Loopback("http://127.0.0.1:1", [], timedelta()), app_secret="abc"))
