"""``huiyin sources suggest``: from a file or a table to an entry of the sources file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from huiyin.cli import app
from huiyin.errors import HuiyinError
from ingest.connectors.files.config import FileTable
from ingest.connectors.sql.config import SqlTable

CALLS = (
    "工单编号,客户姓名,联系电话,渠道来源,问题描述,受理时间,优先级,备注: 其他\n"
    "GD-1,张伟,13800138000,电话,热水器漏水我叫李刚,2025/3/1 9:30,特急,王五说\n"
    "GD-2,李娜,13900139000,传真,物流太慢,01/03/2025,一般,\n"
)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUIYIN_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("HUIYIN_SOURCES", str(tmp_path / "sources.yml"))


def suggest(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["sources", "suggest", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_a_file_becomes_an_entry_that_loads_and_shows_nothing_personal(tmp_path: Path) -> None:
    (tmp_path / "导出.csv").write_bytes(CALLS.encode("gb18030"))
    printed = suggest("导出.csv")
    (entry,) = yaml.safe_load(printed)
    table = FileTable.model_validate(entry)
    assert table.entity == "tickets"
    assert table.columns["ticket_id"] == "工单编号" and table.columns["created_at"] == "受理时间"
    assert "channel: {传真: …}" in printed
    assert "created_at: 1 value(s) can't be read" in printed
    assert "'备注: 其他'" in printed and "GD-1" in printed
    for personal in ("张伟", "李娜", "13800138000", "李刚", "王五"):
        assert personal not in printed


def test_a_database_table_becomes_an_entry_and_what_is_missing_is_named(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "crm.db") as database:
        database.execute("create table 客户表 (会员号 text, 手机 text, 会员等级 text)")
        database.execute("insert into 客户表 values ('M1', '13800138000', '钻石会员')")
    printed = suggest("客户表", "--url", f"sqlite:///{tmp_path}/crm.db")
    table = SqlTable.model_validate(yaml.safe_load(printed)[0])
    assert (table.entity, table.table) == ("customers", "客户表")
    assert table.columns == {"customer_ref": "会员号", "tier": "会员等级", "phone": "手机"}
    assert "# valid_from_at: is required" in printed


def test_what_can_t_be_recognised_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("甲,乙\n1,2\n", encoding="utf-8")
    with pytest.raises(HuiyinError, match=r"x\.csv: its columns \(甲, 乙\) look like no entity; name one by --entity"):
        suggest("x.csv")
    assert "# ticket_id: is required" in suggest("x.csv", "--entity", "tickets")
