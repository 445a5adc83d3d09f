"""Complaint mail from a real IMAP server on loopback, up to the raw tables."""

from __future__ import annotations

import base64
import logging
import quopri
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imap_server import Mail, imap_server, tls_front
from ingest_company import Company
from loopback_api import Asked, loopback

from huiyin.config import Settings
from huiyin.interval import Interval
from ingest.configuration import SourcesFileError
from ingest.connectors.charsets import decoded_text
from ingest.connectors.mailbox import reader
from ingest.connectors.mailbox.config import MailboxSource
from ingest.connectors.mailbox.letters import decoded_header, read_letter
from ingest.connectors.mailbox.quoting import own_words
from ingest.errors import SourceError
from ingest.load import ingest_source
from ingest.sources import load_sources

NOON = datetime(2025, 3, 1, 4, 0, tzinfo=UTC)
OWN = ["@hefeng.example"]


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mail]:
    monkeypatch.setenv("MAIL_PASSWORD", "auth-code")
    monkeypatch.setattr("ingest.connectors.mailbox.session._FIRST_WAIT_SECONDS", 0.01)
    with imap_server() as server:
        yield server


def source(server: Mail, **more: Any) -> dict[str, Any]:
    given = {
        "name": "complaints", "domain": "tickets", "kind": "mailbox", "host": "127.0.0.1", "port": server.port,
        "security": "plain", "user": "service", "password": "${MAIL_PASSWORD}", "own": OWN,
    }  # fmt: skip
    return {key: value for key, value in (given | more).items() if value is not None}


def letter(number: int, text: str = "洗衣机漏水", sender: str = "wang@qq.example", **headers: str) -> str:
    lines = {
        "From": sender, "To": "service@hefeng.example", "Subject": "投诉", "Message-ID": f"<{number}@mail>",
        "Date": (NOON + timedelta(minutes=number)).strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "Content-Type": "text/plain; charset=utf-8", "Content-Transfer-Encoding": "8bit",
    }  # fmt: skip
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    return "".join(f"{name}: {value}\n" for name, value in lines.items() if value) + f"\n{text}\n"


def load(company: Company, interval: Interval | None = None, resume: bool | None = True, batch_id: str = "b1") -> Any:
    return ingest_source(company.settings, "complaints", interval or Interval(), batch_id, resume)


# a thread is a ticket


def test_a_thread_becomes_one_ticket_however_its_mails_refer_to_each_other(company: Company, mail: Mail) -> None:
    company.declare(source(mail, folders=["INBOX", "已发送"]))
    mail.put(letter(1, "洗衣机漏水，电话13812345678"))
    mail.put(
        letter(2, "您好，已登记", "service@hefeng.example", To="wang@qq.example", Subject="Re: 投诉 [#A77]",
               References="<1@mail>", In_Reply_To="<1@mail>"),
        "已发送",
    )  # fmt: skip
    mail.put(letter(3, "还是漏", References="<1@mail> <2@mail>", Subject="回复: 投诉"))
    mail.put(letter(4, "有人吗", In_Reply_To="<3@mail>"))  # a mailer without References
    mail.put(letter(5, "第三次催", Subject="[#A77] 请处理"))  # a new mail that only names the ticket
    mail.put(letter(6, "冰箱不制冷"))
    load(company)
    tickets = company.rows(
        "select ticket_id, subject, body, channel, direction, created_at from raw.tickets order by 6"
    )
    assert [(t["body"][:5], t["channel"], t["direction"]) for t in tickets] == [
        ("洗衣机漏水", "email", "inbound"), ("冰箱不制冷", "email", "inbound"),
    ]  # fmt: skip
    assert "13812345678" not in str(company.everything()) and "qq.example" not in str(company.everything())
    messages = company.rows("select ticket_id, author_role, body, sent_at from raw.messages order by sent_at")
    assert [(m["author_role"], m["ticket_id"] == tickets[0]["ticket_id"]) for m in messages] == [
        ("customer", True), ("agent", True), ("customer", True), ("customer", True), ("customer", True),
        ("customer", False),
    ]  # fmt: skip
    known = company.rows("select distinct customer_ref, identifier_kind, identifier from raw.identifiers")
    assert [(k["identifier_kind"], k["identifier"] == k["customer_ref"]) for k in known] == [("email", True)]
    company.assert_balanced()


def test_the_ticket_is_the_threads_first_mail_in_whatever_order_mails_arrive(
    duckdb_company: Company, mail: Mail
) -> None:
    duckdb_company.declare(source(mail))
    mail.put(letter(3, "第三封", References="<1@mail> <2@mail>"))
    load(duckdb_company)
    mail.put(letter(1, "第一封"))
    load(duckdb_company)
    mail.put(letter(2, "第二封", References="<1@mail>"))
    load(duckdb_company)
    assert [t["body"] for t in duckdb_company.rows("select body from raw.tickets")] == ["第一封"]
    assert len(duckdb_company.rows("select 1 from raw.messages")) == 3


def test_only_letters_are_loaded(duckdb_company: Company, mail: Mail, caplog: pytest.LogCaptureFixture) -> None:
    duckdb_company.declare(source(mail))
    mail.put(letter(1, "真的投诉"))
    mail.put(letter(2, "我在休假", Subject="自动回复: 投诉"))
    mail.put(letter(3, "out", Auto_Submitted="auto-replied (vacation)"))
    mail.put(letter(4, "退信", "MAILER-DAEMON@qq.example", Content_Type="multipart/report; boundary=x"))
    mail.put(letter(5, "本周特价", List_Unsubscribe="<mailto:x@y.example>"))
    mail.put(letter(6, "网站留言", "form@hefeng.example", Reply_To="li@qq.example", Auto_Submitted="auto-generated"))
    with caplog.at_level(logging.INFO, logger="ingest"):
        load(duckdb_company)
    found = duckdb_company.rows("select body, author_role from raw.messages order by sent_at")
    assert [(f["body"], f["author_role"]) for f in found] == [("真的投诉", "customer"), ("网站留言", "customer")]
    assert "2 auto_reply, 1 bounce, 1 list" in caplog.text


# where the last load stopped


def test_a_load_goes_on_where_the_last_one_stopped_and_a_changed_mailbox_neither_loses_nor_doubles(
    duckdb_company: Company, mail: Mail
) -> None:
    duckdb_company.declare(source(mail))
    for number in range(1, 6):
        mail.put(letter(number, f"第{number}封"))
    load(duckdb_company)
    mail.commands.clear()
    load(duckdb_company)
    assert not [command for command in mail.commands if b"FETCH" in command]
    mail.folder("INBOX").mails.pop(0)  # somebody tidies up
    mail.put(letter(6, "第6封"))
    mail.renumber()
    before = duckdb_company.rows("select message_id, ticket_id, body, _loaded_at from raw.messages")
    load(duckdb_company)
    after = duckdb_company.rows("select message_id, ticket_id, body, _loaded_at from raw.messages")
    assert len(after) == 6
    assert all(row in after for row in before)
    mail.put(letter(7, "第7封"))
    load(duckdb_company)
    assert len(duckdb_company.rows("select 1 from raw.messages")) == 7
    duckdb_company.assert_balanced()


def test_a_backfill_reads_the_mails_that_arrived_on_the_intervals_days(duckdb_company: Company, mail: Mail) -> None:
    duckdb_company.declare(source(mail))
    for day in range(1, 6):
        mail.put(letter(day), received_at=datetime(2025, 3, day, 15, 30, tzinfo=UTC))  # 23:30 in Shanghai
    load(duckdb_company, Interval(date(2025, 3, 2), date(2025, 3, 4)), resume=False)
    assert len(duckdb_company.rows("select 1 from raw.messages")) == 2
    load(duckdb_company, Interval(date(2025, 3, 4), date(2025, 3, 6)))  # the first load that resumes brings the history
    assert len(duckdb_company.rows("select 1 from raw.messages")) == 5
    mail.put(letter(9), received_at=datetime(2025, 3, 9, tzinfo=UTC))
    load(duckdb_company, Interval(date(2025, 3, 9), date(2025, 3, 10)))
    assert len(duckdb_company.rows("select 1 from raw.messages")) == 6


@pytest.mark.parametrize("command", [b"LOGIN", b"EXAMINE", b"UID SEARCH", b"RFC822.SIZE", b"BODY.PEEK"])
def test_a_broken_connection_is_mended(duckdb_company: Company, mail: Mail, command: bytes) -> None:
    duckdb_company.declare(source(mail))
    for number in range(1, 4):
        mail.put(letter(number))
    mail.cut_at = command
    load(duckdb_company)
    assert len(duckdb_company.rows("select 1 from raw.messages")) == 3


def test_of_a_huge_mail_only_the_beginning_is_read(duckdb_company: Company, mail: Mail) -> None:
    duckdb_company.declare(source(mail, largest_mail_mb=0.5))
    head = letter(1, "", Content_Type='multipart/mixed; boundary="b"').rstrip("\n") + "\n\n"
    photo = base64.encodebytes(bytes(700_000)).decode()
    text = "--b\nContent-Type: text/plain; charset=utf-8\n\n照片见附件\n"
    image = '--b\nContent-Type: image/jpeg; name="x.jpg"\nContent-Transfer-Encoding: base64\n\n'
    mail.put(f"{head}{text}{image}{photo}\n--b--\n")
    mail.put(letter(2, "小"))
    load(duckdb_company)
    found = duckdb_company.rows("select body from raw.messages order by sent_at")
    assert [row["body"] for row in found] == ["照片见附件", "小"]


# signing in


def test_wrong_credentials_are_told_without_quoting_them(
    duckdb_company: Company, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "wrong-secret")
    duckdb_company.declare(source(mail))
    with pytest.raises(SourceError, match=r"complaints.*credentials.*授权码") as error:
        load(duckdb_company)
    assert "wrong-secret" not in str(error.value)


def test_oauth_tokens_are_fetched_and_used(
    duckdb_company: Company, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "s3cret")

    def answer(asked: Asked) -> Any:
        assert b"grant_type=client_credentials" in asked.body
        return {"access_token": "token-1", "expires_in": 3600}

    with loopback(answer) as tokens:
        auth = {
            "kind": "oauth2_client_credentials", "token_url": f"{tokens.url}/token", "client_id": "huiyin",
            "client_secret": "${CLIENT_SECRET}",
        }  # fmt: skip
        duckdb_company.declare(source(mail, password=None, auth=auth))
        mail.put(letter(1))
        load(duckdb_company)
    assert len(duckdb_company.rows("select 1 from raw.messages")) == 1
    assert any(b"XOAUTH2" in command for command in mail.commands)


def test_only_a_server_that_can_prove_who_it_is_gets_the_password(
    mail: Mail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail.put(letter(1))
    with tls_front(mail.port, tmp_path) as (port, authority):
        given = MailboxSource.model_validate(source(mail, security="tls", port=port))
        with pytest.raises(SourceError, match="certificate can't be trusted"):
            reader.check(given, tmp_path)
        assert not any(b"LOGIN" in command for command in mail.commands)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert reader.check(given, tmp_path) == "signed in; mails: INBOX 1"


def test_the_configuration_refuses_what_would_leak(duckdb_company: Company, mail: Mail) -> None:
    faults: list[tuple[dict[str, Any], str]] = [
        ({"host": "imap.hefeng.example"}, "readable"),
        ({"password": "plain-text"}, r"\$\{NAME\}"),
        ({"own": ["hefeng"]}, "neither an address"),
        ({"ticket_token": "[#"}, "regular expression"),
    ]
    for wrong, message in faults:
        duckdb_company.declare(source(mail, **wrong))
        with pytest.raises(SourcesFileError, match=message):
            load_sources(duckdb_company.settings)


def test_an_unknown_folder_is_told_with_those_that_exist(mail: Mail, tmp_path: Path) -> None:
    mail.folder("已发送")
    with pytest.raises(SourceError, match=r"no folder '发件箱'.*已发送"):
        reader.check(MailboxSource.model_validate(source(mail, folders=["发件箱"])), tmp_path)


# mails as mailers really write them


def body_of(content: bytes) -> str | None:
    return read_letter(1, content, NOON, OWN).record["body"]


def test_charsets_are_read_as_they_are_not_as_they_are_declared() -> None:
    words = "镕喆先生：空调噪声大，￥3999"  # 镕 and 喆 are in GBK, not in GB2312
    head = b"From: a@b.example\nMessage-ID: <1@b>\n"
    for declared, actual in [
        ("gb2312", "gbk"), ("us-ascii", "gbk"), ("utf-8", "gbk"), ("gbk", "utf-8"), ("x-unknown", "gb18030"),
    ]:  # fmt: skip
        for encoding in ("8bit", "base64", "quoted-printable"):
            raw = words.encode(actual)
            coded = {"8bit": raw, "base64": base64.encodebytes(raw), "quoted-printable": quopri.encodestring(raw)}
            mail = (
                head
                + f"Content-Type: text/plain; charset={declared}\nContent-Transfer-Encoding: {encoding}\n\n".encode()
            )
            assert body_of(mail + coded[encoding]) == words, (declared, encoding)
    assert decoded_text("Grüße".encode("latin-1"), "iso-8859-1") == "Grüße"
    assert decoded_text("漏水".encode("gb2312"), "iso-8859-1") == "漏水"


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5, codec="gb2312"), min_size=1), st.data())
def test_headers_survive_words_that_split_characters(text: str, data: st.DataObject) -> None:
    raw = text.encode("gb18030")
    cut = data.draw(st.integers(0, len(raw)))
    words = [f"=?gb2312?B?{base64.b64encode(part).decode()}?=" for part in (raw[:cut], raw[cut:])]
    assert decoded_header("\n ".join(words)) == text
    assert decoded_header("".join(words)) == text
    hexed = "".join(f"={byte:02X}" for byte in text.encode())
    assert decoded_header(f"=?UTF-8?q?{hexed}?=") == text


@given(st.binary(max_size=2000))
def test_no_mail_is_too_broken_to_be_read(content: bytes) -> None:
    for head in (
        b"",
        b"From: =?gb2312?B?zbb?= <a@b\nDate: 99\nContent-Type: multipart/alternative; boundary=b\n\n--b\n",
    ):
        record = read_letter(1, head + content, NOON, OWN).record
        assert record["message_id"] and record["sent_at"]


def test_known_traps_of_pythons_mail_library_are_passed_by() -> None:
    for head in ("Date: 9, 9 Mar 2025 99:99:99 x", "Content-Type: text/plain; charset=a; charset*0*=x''%00"):
        assert body_of(f"From: a@b.example\n{head}\n\n漏\0水".encode()) == "漏水"


def test_impossible_dates_give_way_to_the_servers() -> None:
    for written in ("Thu, 01 Jan 1970 00:00:00 +0000", "Mon, 01 Jan 2035 00:00:00 +0000", "yesterday", ""):
        mail = f"From: a@b.example\nMessage-ID: <1@b>\nDate: {written}\n\nx".encode()
        assert read_letter(1, mail, NOON, OWN).record["sent_at"] == "2025-03-01 04:00:00Z"


QUOTED = {
    "qq": (
        '还没修好\n\n\n----------- 原始邮件 -----------\n发件人: "客服" <s@h.example>\n发送时间: 2025年3月1日\n旧',
        "还没修好",
    ),
    "outlook": ("请尽快\n\n发件人: 客服\n发送时间: 2025年3月1日 10:00\n收件人: 王\n主题: 回复\n\n旧的", "请尽快"),
    "outlook, english": ("Hurry\n\nFrom: desk\nSent: Saturday\nTo: me\nSubject: x\n\nold", "Hurry"),
    "netease": ('不满意\n\n在 2025-03-01 10:00:00，"客服" <s@h.example> 写道：\n\n旧的', "不满意"),
    "netease, english": ('不满意\nAt 2025-03-01 10:00:00, "desk" <s@h.example> wrote:\n>旧的', "不满意"),
    "gmail": ("见下\n\nOn Sat, Mar 1, 2025 at 10:00 AM desk\n<s@h.example> wrote:\n\n> 旧的\n> 旧的2", "见下"),
    "answers between": (
        "2025年3月1日 10:00，客服 <s@h.example> 写道：\n> 您要退吗\n\n要退\n> 地址呢\n老地址",
        "要退\n老地址",
    ),
    "foxmail": ("收到\n\n发件人： 客服\n日期： 2025-03-01\n收件人： 王\n\n旧的", "收到"),
    "signature": ("漏水\n-- \n王工\n某公司", "漏水"),
    "phone": ("漏水\n\n发自我的iPhone", "漏水"),
    "disclaimer": ("漏水\n\n本邮件及其附件含有保密信息，仅限于发送给收件人", "漏水"),
    "nothing but history": ("> 转来一封投诉\n> 请处理", "转来一封投诉\n请处理"),
    "no history": (
        "发件人: 是我本人，不是别人\n我在2025年写道歉信都没人理",
        "发件人: 是我本人，不是别人\n我在2025年写道歉信都没人理",
    ),
}


@pytest.mark.parametrize("mailer", QUOTED)
def test_quoted_history_and_signatures_are_left_out(mailer: str) -> None:
    text, wanted = QUOTED[mailer]
    assert own_words(text) == wanted


MULTIPART = "From: a@b.example\nMIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary=b\n\n"


def test_html_mails_become_plain_words() -> None:
    html = (
        "<html><head><style>p{color:red}</style></head><body><p>洗衣机&nbsp;漏水</p>"
        "<div>第二次了<br>请处理<img alt='[怒]'></div>"
        "<blockquote id='isReplyContent'><p>旧的</p></blockquote></body></html>"
    )
    mail = b"From: a@b.example\nMIME-Version: 1.0\nContent-Type: text/html; charset=gb2312\n\n" + html.encode("gbk")
    assert body_of(mail) == "洗衣机 漏水\n\n第二次了\n请处理[怒]"
    both = (
        MULTIPART.format(kind="alternative")
        + "--b\nContent-Type: text/plain; charset=utf-8\n\n您的邮件客户端不支持HTML\n"
        + f"--b\nContent-Type: text/html; charset=utf-8\n\n{html}\n--b--\n"
    )
    assert body_of(both.encode()) == "洗衣机 漏水\n\n第二次了\n请处理[怒]"


def test_attachments_are_known_by_their_kind_only() -> None:
    mail = (
        MULTIPART.format(kind="mixed")
        + "--b\nContent-Type: text/plain\n\nsee\n"
        + '--b\nContent-Type: application/ms-tnef; name="winmail.dat"\n\nxx\n'
        + '--b\nContent-Type: image/png\nContent-Disposition: attachment; filename="身份证.png"\n\nxx\n--b--\n'
    )
    record = read_letter(1, mail.encode(), NOON, OWN).record
    assert (record["body"], record["attachments"]) == ("see", "winmail.dat, image/png")


def test_the_example_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    example = Path(__file__).parents[2] / "examples" / "mailbox.yml"
    sources = load_sources(Settings(sources=example, mask_key="k"))
    assert {table.entity for table in sources.sources[0].tables} == {"tickets", "messages", "identifiers"}
