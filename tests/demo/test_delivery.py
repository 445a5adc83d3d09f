"""The files of the demo company: the same again under a seed, readable as declared, with the promised faults."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from huiyin.config import load_settings
from huiyin.demo import ensure_company, generate
from ingest.connectors.files.config import FileTable
from ingest.contract import ENTITIES
from ingest.sources import load_sources

from .conftest import Company, decoded

SMALL = 0.02


def fingerprint(folder: Path) -> dict[str, str]:
    """Digest of each file's content; of workbooks and databases that of their cells."""
    found = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.suffix == ".db":
            with sqlite3.connect(file) as connection:
                content = "\n".join(connection.iterdump()).encode()
        elif file.suffix == ".xlsx":
            rows = openpyxl.load_workbook(file).worksheets[0].iter_rows(values_only=True)
            content = repr(list(rows)).encode()
        else:
            content = file.read_bytes()
        found[str(file.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


def test_the_same_seed_makes_the_same_company_in_another_process_and_another_seed_makes_another(tmp_path: Path) -> None:
    generate(tmp_path / "here", SMALL, seed=7)
    generate(tmp_path / "other", SMALL, seed=8)
    code = f"from huiyin.demo import generate; from pathlib import Path; generate(Path('there'), {SMALL}, seed=7)"
    environment = os.environ | {"PYTHONHASHSEED": "12345", "TZ": "America/Lima"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)

    here = fingerprint(tmp_path / "here")
    assert here == fingerprint(tmp_path / "there")
    other = fingerprint(tmp_path / "other")
    assert here["tickets/2025-05-06/tickets.csv"] != other["tickets/2025-05-06/tickets.csv"]


def test_a_second_call_replaces_the_first_and_ensure_makes_it_only_when_it_must(tmp_path: Path) -> None:
    generate(tmp_path, SMALL, seed=1)
    stray = tmp_path / "tickets" / "2024-01-01"
    stray.mkdir()
    steps: list[str] = []
    made = ensure_company(tmp_path, SMALL, 2, lambda done, what: steps.append(what))
    assert made.seed == 2 and steps[-1] == "done" and not stray.exists()

    steps.clear()
    assert ensure_company(tmp_path, SMALL, 2, lambda done, what: steps.append(what)) == made
    assert not steps


def test_a_scale_that_is_not_positive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="above 0"):
        generate(tmp_path, 0)


def test_the_sources_file_is_valid_and_names_only_columns_that_are_there(company: Company) -> None:
    sources = load_sources(load_settings(sources=company.folder / "sources.yml"))
    assert {source.domain for source in sources.sources} == {"tickets", "crm", "social", "decisions"}
    mapped = set()
    for source in sources.sources:
        if source.name == "decisions":
            continue
        for table in source.tables:
            mapped.add(table.entity)
            fields = ENTITIES[table.entity].fields
            given = {*table.columns, *table.constants}
            assert {field.name for field in fields if field.required} <= given
            assert set(table.columns.values()) <= _columns(company.folder, table), table
    assert mapped == {
        "tickets", "ticket_events", "messages", "customers", "identifiers", "agents", "rosters", "feedback",
        "articles", "actions",
    }  # fmt: skip


def _columns(folder: Path, table: object) -> set[str]:
    if not isinstance(table, FileTable):
        with sqlite3.connect(folder / "crm.db") as connection:
            return {row[1] for row in connection.execute(f"PRAGMA table_info({table.table})")}  # type: ignore[attr-defined]
    files = sorted(folder.glob(table.path.replace("{date}", "*")))
    assert len(files) in (1, 12, 13, 365), table.path
    last = files[-1]
    if last.suffix == ".csv":
        return set(next(csv.reader(io.StringIO(decoded(last)))))
    if last.suffix == ".jsonl":
        return set(pd.concat([pd.read_json(file, lines=True) for file in files[:5] if file.stat().st_size]).columns)
    if last.suffix == ".xlsx":
        return {str(cell.value) for cell in openpyxl.load_workbook(last).worksheets[0][1]}
    return set(pd.read_parquet(last).columns)


def test_some_days_come_in_gb18030_and_some_with_a_byte_order_mark(company: Company) -> None:
    files = list(company.folder.glob("tickets/*/*.csv"))
    marked = sum(file.read_bytes().startswith(b"\xef\xbb\xbf") for file in files)
    gb18030 = 0
    for file in files:
        try:
            file.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            gb18030 += 1
    assert 0.06 < marked / len(files) < 0.2
    assert 0.06 < gb18030 / len(files) < 0.2


def test_every_broken_row_of_the_truth_is_in_its_file(company: Company) -> None:
    broken = pd.DataFrame(company.truth_of("broken_rows"))
    assert len(broken) == company.summary.broken_rows > 40
    for file in broken.loc[broken["rule"] == "too_many_columns", "file"]:
        header, *rows = csv.reader(io.StringIO(decoded(company.folder / file)))
        assert any(len(row) > len(header) for row in rows)
    for file in broken.loc[broken["rule"] == "below_minimum", "file"]:
        assert '"like_count": -' in (company.folder / file).read_text(encoding="utf-8")
    tickets = broken[(broken["entity"] == "tickets") & (broken["rule"] == "missing_required")]
    for file in tickets["file"]:
        assert "\n,C000001," in decoded(company.folder / file).replace("\r", "")


def test_rows_come_twice_late_and_corrected(company: Company) -> None:
    seen: dict[str, list[tuple[str, list[str]]]] = {}
    for file in sorted(company.folder.glob("tickets/*/tickets.csv")):
        for row in list(csv.reader(io.StringIO(decoded(file))))[1:]:
            seen.setdefault(row[0], []).append((file.parent.name, row))
    repeated = [rows for ticket, rows in seen.items() if ticket and len(rows) > 1]
    assert any(first[1] == last[1] for first, *_, last in repeated)
    corrected = [(first, last) for first, *_, last in repeated if first[1] != last[1]]
    assert corrected and all(first[0] < last[0] for first, last in corrected)
    late = 0
    for file in sorted(company.folder.glob("tickets/*/messages.csv")):
        late += sum(
            row[6][:10] < file.parent.name for row in list(csv.reader(io.StringIO(decoded(file))))[1:] if row[1]
        )
    assert late > 50


def test_customers_and_agents_change_over_spans_that_do_not_overlap(company: Company) -> None:
    with sqlite3.connect(company.folder / "crm.db") as connection:
        customers = pd.read_sql("select * from kh_customer", connection)
        agents = pd.read_sql("select * from kf_agent", connection)
        rosters = pd.read_sql("select * from kf_roster", connection)
    for table, key in ((customers, "cust_no"), (agents, "job_no")):
        assert not table.duplicated([key, "eff_from"]).any()
        assert (table["eff_from"] <= table["updated_at"]).all()
    levels = customers.sort_values("eff_from").groupby("cust_no")["cust_level"].agg(list)
    assert levels.map(len).max() == 2
    assert all(first != last for first, last in levels[levels.map(len) == 2])
    assert 0.08 < (customers["cust_level"] == "VIP").mean() < 0.25
    assert agents.groupby("job_no")["group_name"].nunique().max() == 2
    assert not rosters.duplicated(["job_no", "begin_time"]).any()
    assert (rosters["begin_time"] < rosters["end_time"]).all()
    hired = agents.groupby("job_no")["entry_date"].min()
    assert (rosters["begin_time"].str[:10] >= rosters["job_no"].map(hired)).all()


def test_each_channel_knows_customers_by_its_own_identifier(company: Company) -> None:
    owners = company.people
    with sqlite3.connect(company.folder / "crm.db") as connection:
        customers = pd.read_sql("select * from kh_customer", connection).drop_duplicates("cust_no")
    numbers = owners[owners["kind"] == "customer_number"].set_index("value")["person"]
    assert set(numbers.index) == set(customers["cust_no"])
    twice = numbers[numbers.duplicated(keep=False)]
    assert 0.03 < len(twice) / len(numbers) < 0.09
    kinds = {"电话": {"phone"}, "微信": {"wechat"}, "邮件": {"email"}, "APP": {"app_account"}}
    kinds["在线客服"] = {"app_account", "visitor"}
    known = company.tickets[company.tickets["客户标识"] != ""]
    for channel, values in known.groupby("渠道")["客户标识"]:
        found = owners[owners["value"].isin(values)]
        assert set(found["kind"]) == kinds[channel]
        assert values.isin(found["value"]).all()
    # Nobody writes before being a customer.
    first_record = customers.assign(person=customers["cust_no"].map(numbers)).groupby("person")["join_date"].min()
    alone = owners[~owners["value"].duplicated(keep=False)].set_index("value")["person"]
    since = known["客户标识"].map(alone).map(first_record).dropna()
    assert (since <= known.loc[since.index, "at"].dt.strftime("%Y-%m-%d")).all()
    assert since.size > 0.9 * len(known)


def test_the_crm_has_gaps_slips_old_and_shared_numbers(company: Company) -> None:
    with sqlite3.connect(company.folder / "crm.db") as connection:
        customers = pd.read_sql("select * from kh_customer", connection).drop_duplicates("cust_no")
    phones = company.people[company.people["kind"] == "phone"]
    assert 0.03 < customers["mobile"].isna().mean() < 0.12
    assert 0.05 < customers["mobile"].dropna().duplicated(keep=False).mean() < 0.4
    used = customers["mobile"].isin(phones["value"])
    assert 0.4 < used.mean() < 0.95
    bound = pd.concat(pd.read_csv(file, dtype=str) for file in sorted(company.folder.glob("accounts/*.csv")))
    assert set(bound["标识类型"]) == {"手机号", "邮箱", "微信", "社交账号", "店铺账号"}
    authors = company.people[company.people["kind"] == "handle"]["value"]
    assert 0.05 < authors.isin(bound["标识"]).mean() < 0.6
