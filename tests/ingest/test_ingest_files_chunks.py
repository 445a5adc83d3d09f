"""Files read in chunks: the result is what Python's csv module reads, wherever the chunks are cut."""

from __future__ import annotations

import csv
import io
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from huiyin.interval import Interval
from ingest.connectors.files import delimited, text
from ingest.connectors.files.config import FileTable
from ingest.connectors.files.delimited import read_delimited
from ingest.connectors.files.reader import find_files, read_file
from ingest.connectors.files.text import text_blocks

Row = list[str]
WIDTH = 3


def by_chunks(content: bytes, block: int) -> tuple[list[tuple[int, Row]], list[tuple[int, str]]]:
    """Good rows and broken lines with their numbers, read in blocks of so many bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK_BYTES", block)
        patch.setattr(delimited, "_CAREFUL_BYTES", block)
        chunks = list(read_delimited(text_blocks(io.BytesIO(content)), ",", None, "x.csv"))
    rows = [
        (number, [str(value) for value in row.values()])
        for chunk in chunks
        for number, row in zip(chunk.numbers.to_pylist(), chunk.rows.to_pylist(), strict=True)
    ]
    return rows, sorted((line.row_number, line.text) for chunk in chunks for line in chunk.broken)


def by_csv_module(content: str) -> tuple[list[tuple[int, Row]], list[tuple[int, str]]]:
    """The same by the definition: record by record with the strict csv module, a line that begins none set aside."""
    lines = io.StringIO(content, newline="").read().encode().splitlines(keepends=True)
    header = next(csv.reader([lines[0].decode()], strict=True))
    position, number = 1, 0
    rows: list[tuple[int, Row]] = []
    broken: list[tuple[int, str]] = []
    while position < len(lines):
        if not lines[position].strip(b"\r\n"):
            position += 1
            continue
        number += 1
        reader = csv.reader((line.decode() for line in lines[position : position + 1000]), strict=True)
        try:
            values = next(reader)
        except csv.Error:
            broken.append((number, lines[position].decode().rstrip("\r\n")))
            position += 1
            continue
        whole = b"".join(lines[position : position + reader.line_num]).decode().rstrip("\r\n")
        position += reader.line_num
        if len(values) == len(header):
            rows.append((number, values))
        else:
            broken.append((number, whole))
    return rows, broken


# Pieces that files are made of, sound and damaged: quotes open, doubled, in the middle; blank lines; both line ends.
PIECES = st.sampled_from(
    [
        '"',
        '""',
        ",",
        "\n",
        "\r\n",
        "甲",
        "乙漏水",
        "x",
        " ",
        '5" 屏',
        '"a,b"',
        '"two\nlines"',
        "1,2,3\n",
        '"q""q",2,3\r\n',
    ]
)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\ufffd"), max_size=8)


@given(st.lists(PIECES, max_size=60).map("".join), st.integers(1, 40))
@hypothesis_settings(max_examples=400, deadline=None)
def test_any_text_gives_what_the_csv_module_reads_wherever_it_is_cut(body: str, block: int) -> None:
    content = "a,b,c\n" + body
    assert by_chunks(content.encode(), block) == by_csv_module(content)


@given(
    st.lists(st.lists(VALUES, min_size=WIDTH, max_size=WIDTH), max_size=15),
    st.integers(1, 30),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_what_was_written_is_read_in_every_encoding_wherever_it_is_cut(
    rows: list[Row], block: int, encoding: str
) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerows([["编号编号编号", "内容内容内容", "时间时间时间"], *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK_BYTES", block)
        declared = "gb18030" if encoding == "gb18030" else None
        chunks = list(
            read_delimited(text_blocks(io.BytesIO(buffer.getvalue().encode(encoding)), declared), ",", None, "")
        )
    assert [list(row.values()) for chunk in chunks for row in chunk.rows.to_pylist()] == rows


def test_an_open_quotation_costs_its_line_and_not_the_rest_of_a_long_file() -> None:
    lines = [f'{number},"text ""{number}""",x\n' for number in range(20_000)]
    lines[7000] = '7000,"open,x\n'
    lines[15_000] = '15000,"closed" badly,x\n'
    rows, broken = by_chunks(("a,b,c\n" + "".join(lines)).encode(), 64 << 10)
    assert [number for number, _ in broken] == [7001, 15_001]
    assert [row[0] for _, row in rows] == [str(number) for number in range(20_000) if number not in (7000, 15_000)]


def test_an_encoding_is_settled_by_the_first_chinese_however_late_it_comes(tmp_path: Path) -> None:
    ascii_part = "a,b\n" + "1,plain\n" * 100_000
    content = (ascii_part + "2,热水器漏水请尽快处理\n" * 50).encode("gb18030")
    assert len(ascii_part) < len(content) and content[: len(ascii_part)].isascii()
    (tmp_path / "late.csv").write_bytes(content)
    (file,) = find_files(tmp_path, "late.csv", Interval())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK_BYTES", 64 << 10)
        deliveries = list(read_file(file, FileTable(entity="tickets", path="late.csv"), file.origin))
    assert deliveries[-1].rows.column("b").to_pylist()[-1] == "热水器漏水请尽快处理"
    assert not any(delivery.broken for delivery in deliveries)


def test_few_signs_of_utf8_give_way_to_what_contradicts_them_and_many_don_t() -> None:
    chance = "联通".encode("gb18030")  # by chance valid UTF-8 as well
    chinese = "客户说热水器漏水已经三天没有人来处理".encode("gb18030")

    def read(content: bytes) -> tuple[str, bool]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(text, "BLOCK_BYTES", 1000)
            patch.setattr(text, "_LONGEST_SAMPLE_BYTES", 2000)
            blocks = list(text_blocks(io.BytesIO(content)))
        return "".join(block.text for block in blocks), blocks[-1].damaged

    late, damaged = read(chance + b"x" * 4000 + chinese)
    assert late.endswith("客户说热水器漏水已经三天没有人来处理") and not damaged
    settled = "客户说热水器漏水" * 100
    mixed, damaged = read(settled.encode() + b"x" * 4000 + chinese)
    assert mixed.startswith(settled) and damaged


def test_memory_doesn_t_grow_with_the_file(tmp_path: Path) -> None:
    generator = random.Random(1)

    def peak(rows: int) -> int:
        file = tmp_path / f"{rows}.csv"
        with file.open("w", encoding="utf-8") as stream:
            stream.write("a,b\n")
            stream.writelines(f"{number},{generator.random()}{'漏水' * 20}\n" for number in range(rows))
        (found,) = find_files(tmp_path, file.name, Interval())
        tracemalloc.start()
        count = sum(d.rows.num_rows for d in read_file(found, FileTable(entity="tickets", path="x"), "x"))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == rows
        return highest

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK_BYTES", 256 << 10)
        small, large = peak(10_000), peak(100_000)
    assert large < small * 1.5
