"""Columns and values of Chinese exports, recognised by their usual names."""

from __future__ import annotations

import pyarrow as pa
import pytest
from ingest_company import Company

from huiyin.config import PROJECT_ROOT, Settings
from ingest.configuration import TableMapping
from ingest.contract import ENTITIES
from ingest.recognition import recognised_columns, usual_names, with_usual_event_values, with_usual_values
from ingest.sources import load_sources
from ingest.usual_names import COLUMNS, VALUES

EXPORT = (
    "工单 编号*,客户姓名,手机号,来源渠道,工单标题,问题描述,建单时间,紧急程度,问题分类（二级）,处理人,受理组\n"
    "GD-1,张伟,13800138000,电话,漏水,热水器漏水请来修,2025/3/1 9:30,特急,漏水,A01,一线\n"
    "GD-2,李娜,13900139000,微信公众号,太慢,物流太慢,2025/3/1 10:00,一般,物流,A02,二线\n"
)


def test_every_usual_name_and_value_belongs_to_the_contract() -> None:
    for entity, fields in COLUMNS.items():
        known = {field.name: field for field in ENTITIES[entity].fields}
        assert set(fields) <= set(known)
        for field, translations in VALUES.get(entity, {}).items():
            kept = set(known[field].values)
            assert not kept or set(translations) <= kept
            words = [word for usual in translations.values() for word in usual.split()]
            assert len(words) == len(set(words)), f"{entity}.{field} gives one word two meanings"
    assert all(len(names) == len(set(names)) for entity in COLUMNS for names in usual_names(entity, {}).values())


def test_an_export_with_chinese_headers_is_loaded_without_a_mapping(duckdb_company: Company) -> None:
    duckdb_company.write("export.csv", EXPORT.encode("gb18030"))
    duckdb_company.declare_files({"entity": "tickets", "path": "export.csv"})
    (report,) = duckdb_company.load()
    assert report.recognised == (
        "body: 问题描述, channel: 来源渠道, created_at: 建单时间, customer_ref: 手机号, priority: 紧急程度,"
        " problem_subtype: 问题分类（二级）, subject: 工单标题, ticket_id: 工单 编号*"
    )
    rows = duckdb_company.rows(
        "select ticket_id, channel, priority, problem_subtype, created_at::text as at from raw.tickets order by 1"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("GD-1", "phone", "urgent", "漏水", "2025-03-01 01:30:00"),
        ("GD-2", "wechat", "medium", "物流", "2025-03-01 02:00:00"),
    ]


def test_what_the_mapping_says_and_own_names_come_before_the_usual_ones(duckdb_company: Company) -> None:
    duckdb_company.write("export.csv", EXPORT)
    table = {
        "entity": "tickets",
        "path": "export.csv",
        "columns": {"ticket_id": "工单 编号*", "product": "问题分类（二级）", "priority": ""},
        "values": {"channel": {"电话": "email"}},
        "where": {"紧急程度": "特急"},
    }
    duckdb_company.declare_files(table)
    sources = duckdb_company.folder / "sources.yml"
    sources.write_text(
        sources.read_text(encoding="utf-8") + "aliases: {tickets: {region: [受理组]}}\n", encoding="utf-8"
    )
    duckdb_company.load()
    assert duckdb_company.rows("select product, priority, problem_subtype, channel, region from raw.tickets") == [
        {"product": "漏水", "priority": None, "problem_subtype": None, "channel": "email", "region": "一线"}
    ]


def test_one_column_stands_for_one_field_and_the_contract_s_own_names_win() -> None:
    mapping = TableMapping(entity="customers")
    assert recognised_columns(["客户编号", "电话", "手机号", "更新时间", "tier", "会员等级"], mapping, {}) == {
        "customer_ref": "客户编号", "phone": "手机号", "valid_from_at": "更新时间",
    }  # fmt: skip
    assert recognised_columns(["Customer Ref", "Valid-From at"], mapping, {}) == {
        "customer_ref": "Customer Ref", "valid_from_at": "Valid-From at",
    }  # fmt: skip
    assert with_usual_values(TableMapping(entity="tickets")).values["channel"]["热线"] == "phone"


def test_words_of_statuses_and_priorities_are_translated_in_their_own_events_only() -> None:
    events = pa.table(
        {
            "field": ["status", "priority", "tag", "team", None],
            "old_value": ["已解决", "普通", "加急", "普通", "挂起"],
            "new_value": ["挂起", "加急", None, "完成", "open"],
        }
    )
    translated = with_usual_event_values(events)
    assert translated.column("old_value").to_pylist() == ["solved", "medium", "加急", "普通", "挂起"]
    assert translated.column("new_value").to_pylist() == ["on_hold", "urgent", None, "完成", "open"]


def test_the_example_is_complete_and_its_exports_are_recognised(
    duckdb_company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_KEY", "k")
    monkeypatch.setenv("S3_SECRET", "s")
    sources = load_sources(Settings(sources=PROJECT_ROOT / "examples/files.yml", var=duckdb_company.folder / "var"))
    desk = next(source for source in sources.sources if source.name == "desk_exports")
    headers = {
        "tickets": ["工单编号", "客户编号", "来源渠道", "问题描述", "创建时间", "优先级", "状态", "更新时间", "营业厅"],
        "ticket_events": ["工单编号", "序号", "操作时间", "变更字段", "原值", "新值", "操作人"],
    }
    for table in desk.tables:
        found = recognised_columns(headers[table.entity], table, sources.aliases)
        required = {field.name for field in ENTITIES[table.entity].fields if field.required}
        assert required <= {*found, *table.templates}
    assert recognised_columns(headers["tickets"], desk.tables[0], sources.aliases)["region"] == "营业厅"
