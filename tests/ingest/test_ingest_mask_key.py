"""A key can be superseded: all pseudonyms change together, and everything still joins."""

from __future__ import annotations

import re
import sqlite3
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from huiyin.cli import app
from huiyin.config import Settings
from ingest.connectors.webhook.inbox import Inbox
from ingest.errors import SourceError
from ingest.mask_key import Rotation, key_file, next_file, read_keys
from ingest.masking import Masker, load_masker
from ingest.rotation import check_key, key_fault, rotate
from ingest.tables import ensure_tables
from warehouse.connection import Warehouse, open_warehouse

PSEUDONYMS = st.from_regex(r"[pn]_[0-9a-f]{16}", fullmatch=True)
ROTATION = Rotation(b"a key of a test")


@given(PSEUDONYMS, PSEUDONYMS)
@hypothesis_settings(deadline=None)
def test_a_rotation_can_be_undone_and_keeps_comparable_parts_comparable(one: str, other: str) -> None:
    new, new_other = ROTATION.apply(one), ROTATION.apply(other)
    assert re.fullmatch(r"[pn]_[0-9a-f]{16}", new)
    assert ROTATION.undo(new) == one
    assert (new == new_other) == (one == other)
    for part in (slice(2, 6), slice(6, 10)):
        assert (new[part] == new_other[part]) == (one[part] == other[part])


def test_what_was_stored_and_what_is_masked_later_agree() -> None:
    first, later = Masker(b"one"), Masker(b"one", b"two")
    for value in ("C0001", "13800013800", "li@example.com"):
        assert later.pseudonym(value) == Rotation(b"two").apply(first.pseudonym(value)) != first.pseudonym(value)
        assert later.mark(later.pseudonym(value)) == first.mark(first.pseudonym(value))
    assert later.name("王小明") == Rotation(b"two").apply(first.name("王小明"))
    assert first.version == later.version, "what was loaded needs no second reading"
    mistyped = later.pseudonym("13800023800")
    assert mistyped[2:6] == later.pseudonym("13800013800")[2:6]


@pytest.fixture(params=["duckdb", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    return Settings(var=tmp_path, warehouse=url)


def _fill(settings: Settings, masker: Masker) -> None:
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        check_key(warehouse, masker)
        for number, customer in enumerate(("C1", "C2", "C3")):
            ref = masker.pseudonym(customer)
            warehouse.execute(
                "insert into raw.identifiers (customer_ref, identifier_kind, identifier, _source, _loaded_at,"
                f" _batch_id, _row_hash) values ('{ref}', 'phone', '{masker.pseudonym(f'1380001380{number}')}', 's',"
                f" timestamp '2025-01-01', 'b', 'h{number}')"
            )
            warehouse.execute(
                "insert into raw.ticket_events (event_id, ticket_id, event_at, field, old_value, new_value, _source,"
                f" _loaded_at, _batch_id, _row_hash) values ('e{number}', 't', timestamp '2025-01-01', 'assignee',"
                f" '{ref}', '{ref}', 's', timestamp '2025-01-01', 'b', 'h')"
            )
            warehouse.execute(
                "insert into quarantine.tickets (quarantine_id, source, entity, batch_id, origin, rule, payload,"
                f" quarantined_at) values ('q{number}', 's', 'tickets', 'b', 'o', 'r',"
                f""" '{{"customer_ref": "{ref}"}}', timestamp '2025-01-01')"""
            )


def _stored(warehouse: Warehouse) -> set[str]:
    refs = warehouse.query("select customer_ref, identifier from raw.identifiers")
    payloads = warehouse.query("select payload from quarantine.tickets").column("payload").to_pylist()
    events = warehouse.query("select old_value, new_value from raw.ticket_events")
    assert events.column("old_value").to_pylist() == events.column("new_value").to_pylist()
    assert set(events.column("old_value").to_pylist()) == set(refs.column("customer_ref").to_pylist())
    return {*refs.column("customer_ref").to_pylist(), *refs.column("identifier").to_pylist(), *payloads}


def _expected(masker: Masker) -> set[str]:
    refs = [masker.pseudonym(customer) for customer in ("C1", "C2", "C3")]
    phones = {masker.pseudonym(f"1380001380{number}") for number in range(3)}
    return {*refs, *phones, *(f'{{"customer_ref": "{ref}"}}' for ref in refs)}


def test_a_rotation_rewrites_raw_quarantine_and_the_inbox(settings: Settings) -> None:
    old = load_masker(settings)
    _fill(settings, old)
    event = f'{{"customer_ref": "{old.pseudonym("C1")}"}}'
    Inbox(settings.var_dir / "inbox.db").close()
    with sqlite3.connect(settings.var_dir / "inbox.db") as inbox:
        inbox.execute(
            "insert into events (source, event_key, state, content, received_at) values ('s', 'e', 'accepted', ?, '')",
            (event,),
        )
    report = rotate(settings)
    new = load_masker(settings)
    assert (report.keys, report.inbox_events) == (2, 1)
    assert report.values == 15
    with open_warehouse(settings) as warehouse:
        assert _stored(warehouse) == _expected(new)
        check_key(warehouse, new)
        with pytest.raises(SourceError, match="mask key isn't the one"):
            check_key(warehouse, old)
    with sqlite3.connect(settings.var_dir / "inbox.db") as inbox:
        (content,) = inbox.execute("select content from events").fetchone()
    assert content == event.replace(old.pseudonym("C1"), new.pseudonym("C1"))
    assert key_file(settings).stat().st_mode & 0o777 == 0o600
    rotate(settings)
    with open_warehouse(settings) as warehouse:
        assert _stored(warehouse) == _expected(load_masker(settings))


def test_a_rotation_that_was_cut_off_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(var=tmp_path)
    _fill(settings, load_masker(settings))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    for place in ("ingest.rotation._rewrite", "pathlib.Path.replace"):
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(place, dies)
            rotate(settings)
        with pytest.raises(SourceError, match="cut off"):
            read_keys(settings)
        begun = next_file(settings).read_bytes()
    assert rotate(settings).keys == 2
    assert key_file(settings).read_bytes() == begun
    assert not next_file(settings).exists()
    with open_warehouse(settings) as warehouse:
        assert _stored(warehouse) == _expected(load_masker(settings))


def test_keys_of_the_environment_are_rotated_by_naming_both(tmp_path: Path) -> None:
    before, after = Settings(var=tmp_path, mask_key="old"), Settings(var=tmp_path, mask_key="old new")
    _fill(before, load_masker(before))
    with pytest.raises(SourceError, match="put the new key after the old one"):
        rotate(before)
    rotate(after)
    with open_warehouse(after) as warehouse:
        assert _stored(warehouse) == _expected(Masker(b"old", b"new"))
    assert not key_file(after).exists()
    with pytest.raises(SourceError, match="put the new key after the old one"):
        rotate(after)
    with pytest.raises(SourceError, match="another key"):
        rotate(Settings(var=tmp_path, mask_key="wrong newer"))


def test_pairs_keep_their_order(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, mask_key="old new")
    masker = Masker(b"old")
    refs = [masker.pseudonym(f"C{number}") for number in range(12)]
    pairs = [(min(a, b), max(a, b)) for a, b in pairwise(refs)]
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        check_key(warehouse, masker)
        names = pa.schema([pa.field("ref_a", pa.string()), pa.field("ref_b", pa.string())])
        warehouse.create_table("raw", "identity_edges", names)
        warehouse.append(
            "raw", "identity_edges", pa.Table.from_arrays([*map(pa.array, zip(*pairs, strict=True))], schema=names)
        )
    rotate(settings)
    new = Masker(b"old", b"new")
    with open_warehouse(settings) as warehouse:
        found = {(row["ref_a"], row["ref_b"]) for row in warehouse.rows("select ref_a, ref_b from raw.identity_edges")}
    wanted = [(new.pseudonym(f"C{n}"), new.pseudonym(f"C{n + 1}")) for n in range(11)]
    assert found == {(min(pair), max(pair)) for pair in wanted}


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path)
    read_keys(settings)
    key_file(settings).chmod(0o644)
    with pytest.raises(SourceError, match="chmod 600"):
        read_keys(settings)


def test_a_csv_file_is_masked_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUIYIN_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("HUIYIN_MASK_KEY", "k")
    given_file, out = tmp_path / "in.csv", tmp_path / "out.csv"
    given_file.write_bytes(
        '编号,内容,电话\r\n1,"我叫张伟，\n打13800013800",13800013800\r\n2,很好,\r\n'.encode("gb18030")
    )
    command = ["mask", str(given_file), "--column", "内容", "--identifier", "电话", "--out", str(out)]
    ended = CliRunner().invoke(app, command)
    assert ended.exit_code == 0, ended.output
    assert "2 rows, 2 cells masked" in ended.output
    pseudonym = Masker(b"k").pseudonym("13800013800")
    assert out.read_bytes().decode() == f'编号,内容,电话\r\n1,"我叫[姓名1]，\n打[手机号1]",{pseudonym}\r\n2,很好,\r\n'
    missing = CliRunner().invoke(app, ["mask", str(given_file), "--column", "正文", "--out", str(tmp_path / "no.csv")])
    assert "no column 正文" in str(missing.exception)
    assert not (tmp_path / "no.csv").exists()


def test_a_key_that_is_gone_is_told_and_none_is_made_in_its_place(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path)
    with open_warehouse(settings) as warehouse:
        assert key_fault(warehouse, settings) is None, "a new warehouse waits for its first key"
        ensure_tables(warehouse)
        check_key(warehouse, load_masker(settings))
        assert key_fault(warehouse, settings) is None
        key_file(settings).unlink()
        fault = key_fault(warehouse, settings)
        assert fault is not None and "is gone" in fault[0] and "put back" in fault[1]
        assert not key_file(settings).exists()
        other = key_fault(warehouse, Settings(var=tmp_path, mask_key="another"))
        assert other is not None and "isn't the one" in other[0]
