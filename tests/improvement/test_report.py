"""The committee's report: files, figures, workbook, languages. What a browser shows is in test_report_page.py."""

from __future__ import annotations

import math
import re
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import duckdb
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mart_fixture import AS_OF, MARTS, publish_mart

from huiyin.config import Settings
from improvement.report import write_report
from improvement.report.captions import captions_of
from improvement.report.mart import read_mart
from improvement.report.numbers import Numbers
from improvement.report.periods import Periods
from nlp.cards import Card, Line, figures, write_card
from warehouse.connection import PostgresWarehouse, WarehouseError, open_published, open_warehouse

ZH = Numbers(captions_of("zh"))
EN = Numbers(captions_of("en"))


@given(st.dates(date(2000, 1, 1), date(2100, 12, 31)))
def test_the_last_full_week_has_ended_and_is_the_last_one(day: date) -> None:
    periods = Periods(day)
    assert periods.week_start_on.isoweekday() == 1
    assert periods.week_end_on.isoweekday() == 7
    assert timedelta(0) <= day - periods.week_end_on < timedelta(days=7)
    first = periods.twelve_months_start_on
    assert first.day == 1
    assert 12 * (day.year - first.year) + day.month - first.month == 11
    assert periods.is_month_complete == ((day + timedelta(days=1)).month != day.month)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (ZH.count(9_999), "9,999"),
        (ZH.count(12_345), "1.23 万"),
        (ZH.count(123_456_789), "1.23 亿"),
        (ZH.count(99_999_999), "1 亿"),
        (EN.count(12_345), "12,345"),
        (ZH.money(1_284_000), "128.4 万元"),
        (ZH.money(850), "850 元"),
        (EN.money(1_284_000), "¥1.28m"),
        (ZH.indicator("csat_satisfied_share", 0.6123), "61.2%"),
        (ZH.indicator("first_response_minutes", 45.4), "45 分钟"),
        (ZH.indicator("first_response_minutes", 155), "2.6 小时"),
        (ZH.indicator("resolution_hours", 0.5), "30 分钟"),
        (ZH.indicator("nps", -8.85, "分"), "−8.8 分"),
        (ZH.indicator("csat_mean", 4.2, "分"), "4.2 分"),
        (ZH.change("negative_share", 0.42, 0.40), "+2.0 个百分点"),
        (ZH.change("resolution_hours", 30, 24), "+25%"),
        (ZH.change("nps", 10, 12.5), "−2.5"),
        (ZH.ratio(-0.484), "−48%"),
        (ZH.ratio(0.001), "0%"),
        (ZH.day(date(2025, 12, 31)), "2025年12月31日"),
        (EN.day(date(2025, 12, 31)), "31 Dec 2025"),
    ],
)
def test_numbers_read_as_readers_expect_them(shown: str, expected: str) -> None:
    assert shown == expected


@given(st.one_of(st.none(), st.just(math.nan), st.floats(-1e12, 1e12)))
def test_no_number_ever_shows_as_nan_or_none(value: float | None) -> None:
    for numbers in (ZH, EN):
        for shown in (
            numbers.count(value),
            numbers.money(value),
            numbers.share(value),
            numbers.ratio(value),
            numbers.minutes(value),
            numbers.hours(value),
            numbers.change("nps", value, 3),
            numbers.change("ticket_count", value, 0),
        ):
            assert shown
            assert not re.search("nan|none|e[+]", shown, re.IGNORECASE)


def test_both_languages_say_the_same_things() -> None:
    chinese, english = captions_of("zh"), captions_of("en")
    # States of cards are Chinese words in the mart itself; only English needs names for them.
    assert {key for key in english if not key.startswith("card_state.")} == set(chinese)
    for key, text in chinese.items():
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", english[key])), key


def test_without_a_published_mart_the_error_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(WarehouseError, match="huiyin run"):
        write_report(settings, AS_OF)
    assert not settings.reports_dir.exists()


def test_a_report_is_complete_small_and_also_the_latest(settings: Settings) -> None:
    publish_mart(settings.published_file)
    page = write_report(settings, AS_OF)
    assert page == settings.reports_dir / "2025-12-31.html"
    assert sorted(file.name for file in settings.reports_dir.iterdir()) == [
        "2025-12-31.html",
        "2025-12-31.xlsx",
        "latest.html",
        "models.html",
    ]
    assert page.stat().st_size < 3_000_000
    assert (settings.reports_dir / "latest.html").read_bytes() == page.read_bytes()
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_the_report_links_to_the_cards_of_the_models(settings: Settings) -> None:
    publish_mart(settings.published_file)
    line = Line("误差", "error", "<script>0.1", "0.1 more")
    write_card(settings, Card("topics", "主题模型", "Topic model", "topics-1", (figures(line),)))
    assert 'href="models.html"' in write_report(settings, AS_OF).read_text(encoding="utf-8")
    page = (settings.reports_dir / "models.html").read_text(encoding="utf-8")
    assert page.index("主题模型") < page.index("Topic model")
    assert "&lt;script&gt;0.1" in page and "<script" not in page and "0.1 more" in page


def test_an_older_report_never_becomes_the_latest(settings: Settings) -> None:
    publish_mart(settings.published_file)
    write_report(settings, AS_OF)
    latest = (settings.reports_dir / "latest.html").read_bytes()
    assert write_report(settings, date(2025, 11, 30)).name == "2025-11-30.html"
    assert (settings.reports_dir / "latest.html").read_bytes() == latest


def test_a_report_that_fails_leaves_the_one_before_untouched(settings: Settings) -> None:
    publish_mart(settings.published_file)
    before = write_report(settings, AS_OF).read_bytes()
    files = sorted(settings.reports_dir.iterdir())
    with duckdb.connect(str(settings.published_file)) as connection:
        connection.execute("DROP TABLE mart.agg_problem_response")
    with pytest.raises(duckdb.CatalogException):
        write_report(settings, AS_OF)
    assert (settings.reports_dir / "2025-12-31.html").read_bytes() == before
    assert sorted(settings.reports_dir.iterdir()) == files


def test_the_report_looks_no_further_than_its_day(settings: Settings) -> None:
    publish_mart(settings.published_file)
    with open_published(settings) as mart:
        rows = read_mart(mart, Periods(date(2025, 11, 15)))
    assert {row["alert_id"] for row in rows.alerts} == {"al-1", "al-4"}
    assert {row["card_id"] for row in rows.cards} == {"card-1", "card-3"}
    assert all(row["evaluated_on"] is None for row in rows.actions)
    assert max(row["date_day"] for row in rows.daily_volume) == date(2025, 11, 15)
    assert {row["period_start_on"] for row in rows.summary_month} == {date(2025, 11, 1)}
    assert {row["period_start_on"] for row in rows.summary_week} == {date(2025, 11, 3)}


def test_postgres_gives_the_report_the_same_rows(settings: Settings, postgres_settings: Settings) -> None:
    publish_mart(settings.published_file)
    periods = Periods(AS_OF)
    with open_published(settings) as source, open_warehouse(postgres_settings) as target:
        assert isinstance(target, PostgresWarehouse)
        for table in MARTS:
            rows = source.query(f"SELECT * FROM mart.{table}")
            target.create_table("mart", table, rows.schema)
            target.append("mart", table, rows)
        ours = read_mart(source, periods)
    with open_published(postgres_settings) as mart:
        theirs = read_mart(mart, periods)
    for name, expected in vars(ours).items():
        found = vars(theirs)[name]
        if name == "extent":
            expected, found = [expected], [found]
        assert len(found) == len(expected), name
        for one, other in zip(_sorted(found), _sorted(expected), strict=True):
            assert one.keys() == other.keys(), name
            for column, value in other.items():
                assert type(one[column]) is type(value), (name, column)
                assert one[column] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name
    assert write_report(postgres_settings, AS_OF).exists()


def _sorted(rows: list[dict]) -> list[dict]:
    """Where the query leaves an order open (equal counts), the engines may differ."""
    return sorted(rows, key=lambda row: [(value is not None, str(value)[:10]) for value in row.values()])


def _sheets(file: Path) -> dict[str, list[tuple]]:
    book = openpyxl.load_workbook(BytesIO(file.read_bytes()))
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def test_the_workbook_holds_the_templates_tables_and_staffing_with_the_marts_numbers(settings: Settings) -> None:
    publish_mart(settings.published_file)
    sheets = _sheets(write_report(settings, AS_OF).with_suffix(".xlsx"))
    assert list(sheets) == ["指标汇总", "问题类型×响应", "改进措施跟踪", "知识缺口", "来量与预测", "人力缺口"]
    with duckdb.connect(str(settings.published_file), read_only=True) as connection:
        summary = dict(
            connection.execute(
                "SELECT indicator_zh, actual_value FROM mart.agg_indicator_summary"
                " WHERE period_kind = 'month' AND period_start_on = DATE '2025-12-01'"
            ).fetchall()
        )
        tickets = dict(
            connection.execute(
                "SELECT problem_type, count(*) FROM mart.fct_tickets WHERE created_on >= DATE '2025-12-01' GROUP BY 1"
            ).fetchall()
        )
    header, *lines = sheets["指标汇总"]
    name, value, kind = header.index("指标"), header.index("实际"), header.index("周期")
    assert {row[name]: row[value] for row in lines if row[kind] == "月"} == pytest.approx(summary)
    header, *lines = sheets["问题类型×响应"]
    assert sorted(row[header.index("工单数")] for row in lines) == sorted(tickets.values())
    header, *lines = sheets["改进措施跟踪"]
    effects = {row[0]: row[header.index("效果")] for row in lines}
    assert effects["回退登录组件,发布修复版"] == "有效：工单量较基线 −48%（95% 区间 −62% 至 −29%）"
    assert effects["启用备用承运商并每日通报积压"] == "尚不能判断，预计 2026年1月18日 可知"
    header, *lines = sheets["知识缺口"]
    gaps = [(row[0], row[1], row[header.index("四周工单")], row[header.index("客服小时")]) for row in lines]
    assert gaps == [("滤芯大概多久换一次", "缺少条目", 84, 9), ("电子发票怎么开", "已有条目但找不到", 30, 1.5)]


def test_a_text_that_looks_like_a_formula_stays_a_text_in_the_workbook(settings: Settings) -> None:
    publish_mart(settings.published_file)
    with duckdb.connect(str(settings.published_file)) as connection:
        connection.execute(
            "UPDATE mart.agg_action_tracking SET measure = '=HYPERLINK(\"http://x\")', note = chr(7)||'好'"
        )
    file = write_report(settings, AS_OF).with_suffix(".xlsx")
    sheet = openpyxl.load_workbook(file)["改进措施跟踪"]
    assert {sheet.cell(line, 1).data_type for line in range(2, 5)} == {"s"}
    assert sheet.cell(2, sheet.max_column).value == "好"
