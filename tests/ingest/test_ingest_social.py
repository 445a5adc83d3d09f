"""Feeds of posts and reviews from a real server on loopback, up to the raw tables."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_company import Company
from loopback_api import Asked, Loopback, Reply, loopback

from huiyin.config import Settings
from huiyin.interval import Interval
from ingest.configuration import SourcesFileError
from ingest.connectors.html_text import html_to_text
from ingest.connectors.social.config import Feed
from ingest.connectors.social.entries import Record, read_page
from ingest.errors import SourceError
from ingest.load import ingest_source
from ingest.sources import load_sources


class Feeds:
    """Answers of a server by path; honours ``If-None-Match`` as servers do."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}

    def put(self, path: str, body: str | bytes, content_type: str = "application/rss+xml", etag: str = "") -> None:
        data = body.encode() if isinstance(body, str) else body
        headers = {"Content-Type": content_type} | ({"ETag": etag} if etag else {})
        self.replies[path] = Reply(body=data, headers=headers)

    def __call__(self, asked: Asked) -> Reply:
        reply = self.replies.get(asked.path, Reply(status=404, body=b""))
        tag = reply.headers.get("ETag")
        is_known = tag is not None and asked.headers.get("if-none-match") == tag
        return Reply(status=304, body=b"", headers=reply.headers) if is_known else reply


def item(number: int, text: str = "", author: str = "小明爱吐槽", **more: str) -> str:
    fields = {
        "guid": f"https://weibo.example/{number}", "link": f"https://weibo.example/{number}", "author": author,
        "description": f"&lt;p&gt;{text or f'第{number}条'}&lt;/p&gt;",
        "pubDate": f"Sat, 01 Mar 2025 {number:02d}:00:00 +0800",
    }  # fmt: skip
    return "<item>" + "".join(f"<{n}>{v}</{n}>" for n, v in (fields | more).items() if v) + "</item>"


def rss(*items: str, encoding: str = "utf-8") -> str:
    head = f'<?xml version="1.0" encoding="{encoding}"?><rss version="2.0"><channel><title>t</title>'
    return f"{head}{''.join(items)}</channel></rss>"


def declare(company: Company, server: Loopback, **feeds: dict[str, Any]) -> None:
    given = {name: feed | {"url": server.url + feed["url"]} for name, feed in feeds.items()}
    company.declare({"name": "networks", "domain": "social", "kind": "social", "attempts": 2, "feeds": given})


def load(company: Company, interval: Interval | None = None, resume: bool | None = True) -> Any:
    return ingest_source(company.settings, "networks", interval or Interval(), "b1", resume)


def entries(body: str | bytes, content_type: str = "application/rss+xml", **feed: Any) -> list[Record]:
    data = body.encode() if isinstance(body, str) else body
    told = Feed.model_validate({"url": "https://f.example/x"} | feed)
    return read_page(data, content_type, "https://f.example/x", "f", told).entries


# from the server to raw


def test_posts_arrive_once_and_what_has_not_changed_is_not_fetched_again(company: Company) -> None:
    feeds = Feeds()
    feeds.put("/weibo", rss(item(2, "洗衣机又坏了，打13812345678没人接"), item(1)), etag='"v1"')
    with loopback(feeds) as server:
        declare(company, server, weibo={"url": "/weibo", "channel": "weibo"})
        load(company)
        load(company)
        assert [asked.headers.get("if-none-match") for asked in server.asked] == [None, '"v1"']
        feeds.put("/weibo", rss(item(3), item(2, "已解决，点赞"), item(1)), etag='"v2"')
        load(company)
    rows = company.rows("select * from raw.feedback order by created_at")
    assert [(r["kind"], r["channel"], r["text"], r["created_at"].hour) for r in rows] == [
        ("post", "weibo", "第1条", 17), ("post", "weibo", "已解决，点赞", 18), ("post", "weibo", "第3条", 19),
    ]  # fmt: skip
    people = company.rows("select * from raw.identifiers")
    assert [(p["identifier_kind"], p["customer_ref"] == rows[0]["customer_ref"]) for p in people] == [("handle", True)]
    assert "小明爱吐槽" not in str(company.everything()) and "13812345678" not in str(company.everything())
    company.assert_balanced()


def test_a_feed_that_moved_on_between_two_loads_is_told(
    duckdb_company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    feeds = Feeds()
    with loopback(feeds) as server:
        declare(duckdb_company, server, weibo={"url": "/weibo"})
        for shown in ([3, 2, 1], [5, 4, 3], [4, 3]):
            feeds.put("/weibo", rss(*(item(number) for number in shown)))
            load(duckdb_company)
        assert "lost" not in caplog.text
        feeds.put("/weibo", rss(item(9), item(8)))
        load(duckdb_company)
        assert "may have been lost" in caplog.text
        caplog.clear()
        feeds.put("/weibo", rss(item(2)))  # the newer ones were taken down
        load(duckdb_company)
        assert "lost" not in caplog.text
    assert len(duckdb_company.rows("select 1 from raw.feedback")) == 7


def test_pages_are_followed_until_what_is_known(duckdb_company: Company) -> None:
    def page(number: int, following: str | None) -> str:
        items = [
            {
                "id": f"{number}{n}",
                "content_text": f"{number}-{n}",
                "date_published": f"2025-03-0{9 - number}T0{9 - n}:00:00+08:00",
            }
            for n in range(3)
        ]
        return json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": items, "next_url": following})

    feeds = Feeds()
    for number in range(1, 4):
        feeds.put(f"/p{number}", page(number, f"/p{number + 1}" if number < 3 else None), "application/feed+json")
    with loopback(feeds) as server:
        declare(duckdb_company, server, notes={"url": "/p1"})
        load(duckdb_company)
        assert len(duckdb_company.rows("select 1 from raw.feedback")) == 9
        server.asked.clear()
        load(duckdb_company)
        assert server.paths() == ["/p1"]


def test_a_backfill_takes_the_intervals_entries_and_leaves_the_cursor(duckdb_company: Company) -> None:
    feeds = Feeds()
    feeds.put("/weibo", rss(item(2), item(1, pubDate="Fri, 28 Feb 2025 15:59:00 GMT")), etag='"v1"')
    with loopback(feeds) as server:
        declare(duckdb_company, server, weibo={"url": "/weibo"})
        load(duckdb_company, Interval(date(2025, 2, 28), date(2025, 3, 1)), resume=False)
        assert len(duckdb_company.rows("select 1 from raw.feedback")) == 1
        load(duckdb_company)
    assert len(duckdb_company.rows("select 1 from raw.feedback")) == 2


def test_what_is_no_feed_is_told_with_the_remedy(duckdb_company: Company) -> None:
    feeds = Feeds()
    feeds.put("/page", "<!doctype html><html><body>请登录 13812345678</body></html>", "text/html")
    feeds.put("/json", '{"data": [1]}', "application/json")
    with loopback(feeds) as server:
        declare(duckdb_company, server, page={"url": "/page?key=s3cret"}, shape={"url": "/json"}, gone={"url": "/gone"})
        with pytest.raises(SourceError) as error:
            load(duckdb_company)
    text = str(error.value)
    assert "feed page is neither RSS" in text and "`entries`" in text and "404" in text
    assert "s3cret" not in text and "1381" not in text


def test_the_configuration_tells_what_is_missing(duckdb_company: Company) -> None:
    for feed, message in [
        ({"url": "ftp://x"}, "web address"),
        ({"url": "https://x.example", "fields": {"text": "a"}}, "entries"),
        ({"url": "https://x.example", "entries": "list", "fields": {"text": "a"}}, "published_at"),
    ]:
        duckdb_company.declare({"name": "n", "domain": "social", "kind": "social", "feeds": {"f": feed}})
        with pytest.raises(SourcesFileError, match=message):
            load_sources(duckdb_company.settings)


# formats


def test_chinese_encodings_and_dates_are_read_as_they_are_meant() -> None:
    text = "镕先生：空调太吵😡"
    for body, content_type in [
        (rss(item(1, text), encoding="gb2312").encode("gb18030"), "text/xml"),
        (rss(item(1, text)).encode(), "text/xml"),
        (rss(item(1, text)).encode(), "application/octet-stream"),
        (rss(item(1, text)).encode("gb18030"), "application/rss+xml"),  # says utf-8 and isn't
        (rss(item(1, text), encoding="utf-16").encode("utf-16"), "application/xml"),
        (rss(item(1, text)).replace('encoding="utf-8"', "").encode("gb18030"), "application/rss+xml; charset=gbk"),
    ]:
        assert entries(body, content_type)[0]["text"] == text, content_type
    for written, meant in [
        ("Sat, 01 Mar 2025 10:00:00 +0800", "2025-03-01 02:00:00Z"),
        ("Sat, 01 Mar 2025 02:00:00 GMT", "2025-03-01 02:00:00Z"),
        ("Sat, 01 Mar 2025 10:00:00", "2025-03-01 10:00:00"),  # local to the source
        ("2025-03-01 10:00:00", "2025-03-01 10:00:00"),
        ("2025年3月1日 10:00", "2025年3月1日 10:00"),  # the loader reads it
        ("Sat, 01 Mar 2025 10:00:00 CST", "2025-03-01 10:00:00+08:00"),  # China's, not Chicago's
    ]:
        assert entries(rss(item(1, pubDate=written)))[0]["published_at"] == meant


def test_atom_knows_when_an_entry_was_edited() -> None:
    html = "&lt;p&gt;漏水了&lt;br/&gt;&lt;img src='a.png'/&gt;&lt;/p&gt;&lt;script&gt;x&lt;/script&gt;"
    atom = f"""<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>tag:x,2025:1</id><title>漏水</title>
    <published>2025-03-01T10:00:00+08:00</published><updated>2025-03-02T10:00:00+08:00</updated>
    <author><name>张三</name><uri>https://x.example/u/1</uri></author>
    <content type="html">{html}</content></entry></feed>"""
    (found,) = entries(atom, "application/atom+xml")
    assert found["text"] == "漏水了" and found["author_id"] == "https://x.example/u/1"
    assert (found["published_at"], found["changed_at"]) == ("2025-03-01 02:00:00Z", "2025-03-02 02:00:00Z")


def test_apples_reviews_are_read_from_json_and_xml() -> None:
    def label(value: str) -> dict[str, str]:
        return {"label": value}

    review = {
        "author": {"uri": label("https://itunes.apple.com/cn/reviews/id7"), "name": label("果粉007")},
        "updated": label("2025-03-01T03:00:00-07:00"), "im:rating": label("1"), "im:version": label("6.2"),
        "id": label("99"), "title": label("闪退"), "content": {"label": "一打开就闪退", "attributes": {"type": "text"}},
        "link": {"attributes": {"rel": "related", "href": "https://itunes.apple.com/cn/review?id=1"}},
        "im:voteSum": label("3"), "im:voteCount": label("4"),
    }  # fmt: skip
    app = {"im:name": label("某应用"), "id": label("1")}
    for listed in ([app, review], review):  # one review stands without a list
        (found,) = entries(json.dumps({"feed": {"entry": listed}}), "text/javascript")
        assert (found["id"], found["rating"], found["text"], found["likes"]) == ("f:99", "1", "闪退\n一打开就闪退", "3")
        assert (found["author_handle"], found["published_at"]) == ("果粉007", "2025-03-01T03:00:00-07:00")
    xml = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:im="http://itunes.apple.com/rss"><entry><id>99</id>'
        "<title>闪退</title><updated>2025-03-01T03:00:00-07:00</updated><im:rating>1</im:rating>"
        '<content type="text">一打开就闪退</content><author><name>果粉007</name></author></entry></feed>'
    )
    (found,) = entries(xml, "application/atom+xml")
    assert (found["id"], found["rating"], found["published_at"]) == ("f:99", "1", "2025-03-01 10:00:00Z")


def test_json_of_its_own_shape_is_read_by_paths() -> None:
    content = {"data": {"list": [{
        "mid": 7, "html": "<a>@客服</a> 不管<br>我", "user": {"id": 5, "name": "阿强"},
        "at": "Sat Mar 01 10:00:00 +0800 2025", "n": {"up": 8}, "city": "杭州",
    }]}}  # fmt: skip
    (found,) = entries(
        json.dumps(content), "application/json", entries="data.list",
        fields={"id": "mid", "text": "html", "author_id": "user.id", "author_handle": "user.name",
                "published_at": "at", "likes": "n.up", "place": "city"},
    )  # fmt: skip
    assert (found["id"], found["text"], found["author_id"], found["likes"]) == ("f:7", "@客服 不管\n我", "5", 8)
    assert (found["published_at"], found["place"]) == ("2025-03-01 10:00:00+08:00", "杭州")


def test_entries_without_ids_keep_theirs_and_anonymous_ones_have_no_author() -> None:
    bare = rss(item(1, guid="", link="", author="匿名用户"), item(2, guid="", author=""))
    first, second = entries(bare), entries(bare)
    assert [entry["id"] for entry in first] == [entry["id"] for entry in second]
    assert len({entry["id"] for entry in first}) == 2
    assert [entry["has_author"] for entry in first] == ["false", "false"]


def test_titles_are_not_said_twice_and_pictures_say_nothing() -> None:
    for title, body, wanted in [
        ("洗衣机漏水，客服三天…", "洗衣机漏水，客服三天不理", "洗衣机漏水，客服三天不理"),
        ("漏水", "客服不理", "漏水\n客服不理"),
        ("转发微博", "", None),
        ("分享图片", "&lt;img src='a.jpg'/&gt;", None),
        ("[流泪]", "", "[流泪]"),
    ]:
        assert entries(rss(item(1, title=title, description=body)))[0]["text"] == wanted


def test_malformed_xml_gives_what_can_be_read() -> None:
    broken = rss(item(1, "好&坏"), item(2, "控制\x0b符")).replace("</channel></rss>", "")
    assert [entry["text"] for entry in entries(broken)] == ["好&坏", "控制符"]


@given(st.text(max_size=300))
def test_any_text_is_taken_for_a_feed_or_refused_in_words(text: str) -> None:
    for body in (text, rss(item(1, text)), rss(text)):
        try:
            entries(body.encode("utf-8", "surrogatepass"))
        except SourceError as error:
            assert "feed f" in str(error)
    assert "<script" not in html_to_text(f"<script>{text}</script>").lower()


# exports of app stores


def test_the_example_is_complete_and_reads_googles_export(duckdb_company: Company, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "social.yml"
    (tmp_path / "sources.yml").write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
    sources = load_sources(Settings(sources=tmp_path / "sources.yml", mask_key="k"))
    assert {table.entity for table in sources.source("networks").tables} == {"feedback", "identifiers"}
    millis = int(datetime(2025, 3, 1, 2, tzinfo=UTC).timestamp() * 1000)
    review = {
        "Package Name": "com.example.app", "App Version Code": "1", "App Version Name": "1.0",
        "Reviewer Language": "zh", "Device": "walleye", "Review Submit Date and Time": "2025-03-01T02:00:00Z",
        "Review Submit Millis Since Epoch": millis, "Review Last Update Date and Time": "2025-03-01T02:00:00Z",
        "Review Last Update Millis Since Epoch": millis, "Star Rating": "1", "Review Title": "",
        "Review Text": '"闪退,打不开"', "Developer Reply Date and Time": "", "Developer Reply Millis Since Epoch": "",
        "Developer Reply Text": "", "Review Link": "https://play.google.com/x",
    }  # fmt: skip
    export = f"{','.join(review)}\n{','.join(map(str, review.values()))}\n"
    duckdb_company.write("data/reviews/reviews_com.example.app_202503.csv", export.encode("utf-16"))
    export = "评论ID,评分,评论内容,评论时间,用户ID\nA1,5,好用,2025/3/1 10:00,u77\n"
    duckdb_company.write("data/reviews/评论_3月.csv", export.encode("gbk"))
    duckdb_company.load("app_reviews")
    rows = duckdb_company.rows("select score, scale_max, text, created_at, kind from raw.feedback order by score")
    assert [(r["score"], r["scale_max"], r["text"], str(r["created_at"]), r["kind"]) for r in rows] == [
        (1, 5, "闪退,打不开", "2025-03-01 02:00:00", "review"), (5, 5, "好用", "2025-03-01 02:00:00", "review"),
    ]  # fmt: skip
