"""Files of every format, encoding and state of repair."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from huiyin.interval import Interval
from ingest.connectors.delivery import Delivery
from ingest.connectors.files.config import FileTable
from ingest.connectors.files.reader import find_files, read_file
from ingest.connectors.files.text import text_blocks
from ingest.errors import SourceError

TABLE = FileTable(entity="tickets", path="x.csv")
TEXT = "编号,内容\n1,热水器漏水，请尽快处理\n2,物流太慢了\n"


def decoded(content: bytes) -> tuple[str, bool]:
    blocks = list(text_blocks(io.BytesIO(content)))
    return "".join(block.text for block in blocks), blocks[-1].damaged


def one(deliveries: Iterable[Delivery]) -> Delivery:
    """All deliveries of a file as one."""
    given = list(deliveries)
    rows = pa.concat_tables([delivery.rows for delivery in given], promote_options="default")
    broken = [line for delivery in given for line in delivery.broken]
    numbers = pa.concat_arrays([delivery.row_numbers for delivery in given])
    return replace(given[0], rows=rows, row_numbers=numbers, broken=broken)


def read(folder: Path, name: str, content: bytes, **options: str) -> Delivery:
    (folder / name).write_bytes(content)
    table = FileTable(entity="tickets", path=name, **options)
    file = find_files(folder, name, Interval())[0]
    return one(read_file(file, table, file.origin))


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"], ids=["utf8", "mark", "gb18030", "gbk", "utf16"]
)
def test_chinese_text_is_read_in_every_common_encoding(tmp_path: Path, encoding: str) -> None:
    delivery = read(tmp_path, "x.csv", TEXT.encode(encoding))
    assert delivery.rows.to_pydict() == {"编号": ["1", "2"], "内容": ["热水器漏水，请尽快处理", "物流太慢了"]}


@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=300))
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_chinese_text_in_gb18030_or_utf8_is_told_apart_and_kept(text: str) -> None:
    assert decoded(text.encode("utf-8")) == (text, False)
    encoded = text.encode("gb18030")
    try:
        encoded.decode("utf-8")
    except UnicodeDecodeError:
        assert decoded(encoded) == (text, False)


def test_a_few_damaged_bytes_cost_their_rows_only(tmp_path: Path) -> None:
    content = (TEXT * 20).replace("\n编号,内容", "").encode() + "99,坏".encode()[:-1] + b"\n"
    delivery = read(tmp_path, "x.csv", content)
    assert delivery.rows.num_rows == 40
    assert [(line.row_number, line.rule) for line in delivery.broken] == [(41, "encoding")]


def test_a_declared_encoding_is_obeyed(tmp_path: Path) -> None:
    delivery = read(tmp_path, "x.csv", "編號\n漏水問題\n".encode("big5"), encoding="big5")
    assert delivery.rows.to_pydict() == {"編號": ["漏水問題"]}


def test_lines_with_too_many_or_too_few_columns_are_set_aside_with_their_number(tmp_path: Path) -> None:
    delivery = read(tmp_path, "x.csv", b'a,b\n1,2\n\n3\n4,"x\ny"\n5,6,7\n8,9\n')
    assert delivery.rows.to_pylist() == [{"a": "1", "b": "2"}, {"a": "4", "b": "x\ny"}, {"a": "8", "b": "9"}]
    assert delivery.row_numbers.to_pylist() == [1, 3, 5]
    assert [(line.row_number, line.text) for line in delivery.broken] == [(2, "3"), (4, "5,6,7")]


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_rows_after_it(tmp_path: Path) -> None:
    content = 'a,b\n1,"two\nlines"\n2,"open\n3,x\n4,"said ""so"""\n5,y\n'
    delivery = read(tmp_path, "x.csv", content.encode())
    assert delivery.rows.column("a").to_pylist() == ["1", "3", "4", "5"]
    assert delivery.rows.column("b").to_pylist() == ["two\nlines", "x", 'said "so"', "y"]
    assert [line.row_number for line in delivery.broken] == [2]


@given(
    st.lists(
        st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\x00\r�"), max_size=12)] * 3), max_size=20
    )
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_what_a_csv_writer_wrote_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    delivery = read(tmp_path_factory.mktemp("csv"), "x.csv", buffer.getvalue().encode())
    assert [tuple(row.values()) for row in delivery.rows.to_pylist()] == rows
    assert not delivery.broken


def test_headers_lose_white_space_and_marks_and_delimiters_are_found_out(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", "﻿ 编号 ;\u3000内容\u00a0;\n1;2;3\n".encode()).rows.to_pylist() == [
        {"编号": "1", "内容": "2", "(column 3)": "3"}
    ]
    assert read(tmp_path, "b.tsv", b"a\tb\n1,5\t2\n").rows.to_pylist() == [{"a": "1,5", "b": "2"}]
    assert read(tmp_path, "c.csv", b"a|b\n1|2\n").rows.to_pylist() == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"a,b\n"])
def test_an_empty_file_has_no_rows(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, "x.csv", content).rows.num_rows == 0


def test_compressed_files_are_read_and_incomplete_ones_named(tmp_path: Path) -> None:
    packed = gzip.compress(TEXT.encode("gb18030"))
    assert read(tmp_path, "x.csv.gz", packed).rows.num_rows == 2
    with pytest.raises(SourceError, match=r"y\.csv\.gz is no complete gzip file .*; deliver it again"):
        read(tmp_path, "y.csv.gz", packed[:-12])


def test_json_lines_keep_long_numbers_nested_keys_and_set_broken_lines_aside(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": 13800138000123456, "user": {"name": "甲", "tags": ["a", 1]}, "ok": True, "x": None}),
        '{"id": 2, "broken',
        "[1, 2]",
        json.dumps({"id": "3", "x": 1.5}, ensure_ascii=False),
    ]
    delivery = read(tmp_path, "x.jsonl", "\n".join(lines).encode())
    assert delivery.rows.to_pylist() == [
        {"id": "13800138000123456", "user.name": "甲", "user.tags": '["a", 1]', "ok": "true", "x": None},
        {"id": "3", "user.name": None, "user.tags": None, "ok": None, "x": "1.5"},
    ]
    assert [(line.row_number, line.rule) for line in delivery.broken] == [(2, "json"), (3, "json")]


def test_excel_is_read_by_sheet_with_its_dates(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["wrong sheet"])
    sheet = book.create_sheet("数据")
    for row in (
        [],
        [" 编号 ", "时间", "日期", "数", None],
        [7, datetime.fromisoformat("2025-03-01 09:30"), date(2025, 3, 1), 1.5],
        [],
        ["x"],
    ):
        sheet.append(row)
    book.save(tmp_path / "book.xlsx")
    content = (tmp_path / "book.xlsx").read_bytes()
    rows = read(tmp_path, "book.xlsx", content, sheet="数据").rows.to_pylist()
    assert rows == [
        {"编号": "7", "时间": "2025-03-01 09:30:00", "日期": "2025-03-01 00:00:00", "数": "1.5"},
        {"编号": "x", "时间": None, "日期": None, "数": None},
    ]
    with pytest.raises(SourceError, match="no sheet '没有'; it has: Sheet, 数据"):
        read(tmp_path, "book.xlsx", content, sheet="没有")
    with pytest.raises(SourceError, match="is no Excel workbook"):
        read(tmp_path, "bad.xlsx", b"PK nonsense")


def test_parquet_keeps_values_and_marks_instants_with_a_zone(tmp_path: Path) -> None:
    at = datetime.fromisoformat("2025-01-01 10:00+08:00")
    table = pa.table(
        {
            "n": pa.array([1, None]),
            "x": pa.array([0.1, float("nan")]),
            "at": pa.array([at, None], pa.timestamp("us", "Asia/Shanghai")),
            "d": pa.array([date(2025, 1, 1), None]),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "many": pa.array([["p", "q"], None]),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    content = (tmp_path / "t.parquet").read_bytes()
    assert read(tmp_path, "t.parquet", content).rows.to_pylist()[0] == {
        "n": "1", "x": "0.1", "at": "2025-01-01 02:00:00.000000Z", "d": "2025-01-01", "kind": "a", "many": '["p", "q"]',
    }  # fmt: skip
    with pytest.raises(SourceError, match="is no complete Parquet file"):
        read(tmp_path, "u.parquet", content[:-30])


def test_an_unknown_ending_names_the_supported_ones(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"the ending \.xls is not supported; use \.csv"):
        read(tmp_path, "x.xls", b"")


def test_files_are_found_by_day_and_wildcard_oldest_first(tmp_path: Path) -> None:
    for name in (
        "2025-01-02/a.csv",
        "20250101/a.csv",
        "2025-01-03/a.csv",
        "2025-13-01/a.csv",
        "notes/a.csv",
        "2025-01-02/~$a.csv",
    ):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()

    def found(pattern: str, *days: date | None) -> list[str]:
        return [file.origin for file in find_files(tmp_path, pattern, Interval(*days))]

    assert found("in/{date}/a.csv") == ["in/20250101/a.csv", "in/2025-01-02/a.csv", "in/2025-01-03/a.csv"]
    assert found("in/{date}/*.csv", date(2025, 1, 2), date(2025, 1, 3)) == ["in/2025-01-02/a.csv"]
    assert found(f"{tmp_path}/in/{{date}}/a.csv", date(2025, 1, 3)) == ["in/2025-01-03/a.csv"]
    assert sorted(found("in/**/a.csv"))[-1] == "in/notes/a.csv"
    assert found("in/{date}/none.csv") == []
    with pytest.raises(SourceError, match="there is no folder"):
        found("out/{date}.csv")
    with pytest.raises(SourceError, match="there is no file"):
        found("in/b.csv")
    with pytest.raises(SourceError, match="set the environment variable NOWHERE"):
        found("${NOWHERE}/b.csv")
