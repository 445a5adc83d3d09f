"""One whole run of the demo company, judged against its truth and an own reading of its files."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from ingest.masking import Masker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

SCALE = "0.4"
# What a telephone number, an address of any kind or an order number is made of; numbers may be written in groups.
WORD = re.compile(r"[0-9A-Za-z@._+]{6,}")
NUMBER = re.compile(r"[0-9]{7,}")
GROUPED = re.compile(r"(?<=[0-9])[ -](?=[0-9])")
# The precise end of an address; a name right after what introduces it, for two characters alone can occur by chance.
DOOR = re.compile(r"[一-龥]{2}(?:[0-9]{1,3}号)?[0-9]{1,2}栋[0-9]{3,4}室")
NAMED = re.compile(r"(?:我叫|收货人|联系人：|我是|本人|机主姓名|户名|签收人写的|我姓名是)(?=([一-龥]{2,3}))")
# A placeholder that was cut or lacks its number.
BROKEN = re.compile(r"\[(?:手机号|电话|身份证|证件|银行卡|信用代码|邮箱|微信|单号|车牌|地址|姓名)(?![0-9]{1,6}\])")
# Kinds whose values can't occur by chance.
UNMISTAKABLE = ("mobile", "landline", "id_card", "bank_card", "email", "wechat", "order_number")


@dataclass
class Run:
    """A finished run: its folder and what it printed."""

    var: Path
    printed: str

    @property
    def truth(self) -> Path:
        return self.var / "demo" / "ground_truth"

    def query(self, sql: str) -> pd.DataFrame:
        with duckdb.connect(str(self.var / "published" / "huiyin.duckdb"), read_only=True) as mart:
            return mart.sql(sql).df()

    @cached_property
    def stories(self) -> dict[str, dict[str, Any]]:
        stories = json.loads((self.truth / "stories.json").read_text(encoding="utf-8"))
        return {story["story_id"]: story for story in stories}

    def delivered(self, name: str) -> pd.DataFrame:
        """All daily CSV files of that name, read by pandas alone, the last delivery of a key winning."""
        frames = []
        for file in sorted((self.var / "demo" / "tickets").glob(f"*/{name}.csv")):
            content = file.read_bytes()
            try:
                text = content.decode("utf-8-sig")
            except UnicodeDecodeError:
                text = content.decode("gb18030")
            header, *lines = text.splitlines()
            width = header.count(",")
            rows = [line.split(",") for line in lines if line.count(",") == width and '"' not in line]
            frames.append(pd.DataFrame(rows, columns=header.split(",")))
        return pd.concat(frames, ignore_index=True)


def demo(var: Path) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HUIYIN_")}
    ended = subprocess.run(
        [str(Path(sys.executable).parent / "huiyin"), "--var", str(var), "demo", "--scale", SCALE],
        env=clean | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    return ended.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    var = tmp_path_factory.mktemp("whole")
    return Run(var, demo(var))


def test_it_says_where_to_look_and_the_places_are_there(run: Run) -> None:
    for place in ("reports/latest.html", "published/huiyin.duckdb", "data_docs/index.html"):
        assert str(run.var / place) in run.printed
        assert (run.var / place).stat().st_size > 1000


def test_every_public_mart_is_published_and_has_rows(run: Run) -> None:
    # The names BI relies on, written out: a renamed mart must fail here.
    marts = [
        "dim_date",
        "dim_customer",
        "dim_agent",
        "dim_channel",
        "dim_topic",
        "dim_service_window",
        "fct_tickets",
        "fct_ticket_events",
        "fct_sla",
        "fct_feedback",
        "fct_sentiment",
        "fct_topic_daily",
        "fct_alerts",
        "fct_cards",
        "fct_actions",
        "fct_action_effects",
        "agg_indicator_summary",
        "agg_problem_response",
        "agg_action_tracking",
    ]
    for mart in marts:
        assert run.query(f"select count(*) as n from mart.{mart}").n[0] > 0, mart


def test_first_response_times_equal_an_own_computation_from_the_files(run: Run) -> None:
    tickets = run.delivered("tickets").drop_duplicates("工单编号", keep="last").set_index("工单编号")
    created = pd.to_datetime(tickets["创建时间"], errors="coerce", format="%Y-%m-%d %H:%M:%S")
    messages = run.delivered("messages").drop_duplicates("消息编号", keep="last")
    replies = messages[(messages["发送人角色"] == "客服") & (messages["是否公开"] == "是")]
    first = pd.to_datetime(replies["发送时间"], errors="coerce", format="%Y-%m-%d %H:%M:%S").groupby(
        replies["工单编号"]
    )
    expected = (first.min() - created).dt.total_seconds().dropna()
    mart = run.query("select ticket_id, first_response_seconds as seconds from mart.fct_tickets").set_index("ticket_id")
    both = mart.join(expected.rename("expected"), how="inner").dropna()
    assert len(both) > 0.8 * len(mart)
    assert ((both.seconds - both.expected).abs() < 1).mean() > 0.999


def test_ratings_equal_an_own_computation_from_the_files(run: Run) -> None:
    surveys = pd.concat(pd.read_parquet(file) for file in sorted((run.var / "demo" / "surveys").glob("*.parquet")))
    surveys = surveys.drop_duplicates("答卷编号", keep="last").set_index("答卷编号")
    asked_after_tickets = surveys[surveys.index.str.startswith("CS")]["评分"].astype(float)
    recommending = surveys[surveys.index.str.startswith("NP")]["评分"].astype(float)
    found = run.query("select feedback_id, kind, csat_score, nps_group from mart.fct_feedback").set_index("feedback_id")
    csat = found[found.kind == "csat"].csat_score
    pd.testing.assert_series_equal(csat.sort_index(), asked_after_tickets.sort_index(), check_names=False)
    groups = found[found.kind == "nps"].nps_group.value_counts()
    assert groups["promoter"] == (recommending >= 9).sum()
    assert groups["detractor"] == (recommending <= 6).sum()


def test_no_ticket_is_lost_between_the_files_and_the_mart(run: Run) -> None:
    delivered = run.delivered("tickets")
    well_formed = delivered[delivered["工单编号"].str.len() > 0]
    counted = run.query("select sum(ticket_count) as n from mart.agg_ticket_reconciliation").n[0]
    with duckdb.connect(str(run.var / "warehouse.duckdb"), read_only=True) as warehouse:
        quarantined = warehouse.sql("select count(*) from quarantine.tickets").fetchall()[0][0]
        unbalanced = warehouse.sql(
            "select * from raw.load_audit where error is null and fetched <> loaded + merged + unchanged + quarantined"
        ).fetchall()
    assert unbalanced == []
    assert counted <= well_formed["工单编号"].nunique() <= counted + quarantined


def test_customers_are_persons_over_all_channels(run: Run) -> None:
    truth = pd.read_parquet(run.truth / "identities.parquet")
    masker = Masker((run.var / "mask.key").read_bytes().strip())
    users = truth.groupby("value")["person"].agg(frozenset)
    person_of = {masker.pseudonym(value): next(iter(people)) for value, people in users.items() if len(people) == 1}
    found = run.query("select distinct source_customer_ref as ref, customer_ref from mart.fct_tickets").dropna()
    found["person"] = found.ref.map(person_of)
    found = found.dropna()
    # What a channel knows of a person, against what two channels know of the same one.
    pairs = found.merge(found, on="customer_ref", suffixes=("", "_other"))
    pairs = pairs[pairs.ref < pairs.ref_other]
    assert len(pairs) > 500
    assert (pairs.person == pairs.person_other).mean() > 0.99
    assert found.customer_ref.nunique() < 0.85 * len(found)
    # Nobody has two rows at once.
    assert (
        run.query("select count(*) as n from mart.dim_customer where is_current").n[0]
        == (run.query("select count(distinct customer_ref) as n from mart.dim_customer").n[0])
    )


def test_a_request_made_on_two_channels_counts_once(run: Run) -> None:
    planted = pd.read_parquet(run.truth / "tickets.parquet").set_index("ticket_id").duplicate_of.dropna()
    links = run.query("select * from mart.fct_ticket_links where not is_counted").set_index("ticket_id")
    right = links.duplicate_of_ticket_id == planted.reindex(links.index)
    assert right.mean() > 0.95
    assert right.sum() > 0.65 * len(planted)
    assert not set(links.index) & set(run.query("select ticket_id from mart.fct_tickets").ticket_id)


def test_flagged_test_tickets_are_kept_out_of_the_mart(run: Run) -> None:
    truth = pd.read_parquet(run.truth / "tickets.parquet")
    reported = set(run.query("select ticket_id from mart.fct_tickets").ticket_id)
    tests = set(truth[truth.is_test].ticket_id)
    assert len(tests) > 5
    assert len(tests & reported) <= 0.02 * len(tests)
    honest = truth[~truth.is_test & ~truth.is_abandoned & truth.duplicate_of.isna()]
    assert honest.ticket_id.isin(reported).mean() > 0.95


def scope_of(key: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in key.split("|") if "=" in pair)


def concerns(key: str, story: dict[str, Any]) -> bool:
    """Whether a scope speaks of the story: no pair contradicts it and one pair agrees."""
    found, planted = scope_of(key), story["scope"]
    shared = found.keys() & planted.keys()
    return bool(shared) and all(found[name] == planted[name] for name in shared)


def in_time(day: Any, story: dict[str, Any], late_days: int) -> bool:
    first, last = date.fromisoformat(story["starts_on"]), date.fromisoformat(story["ends_on"])
    return first - timedelta(days=3) <= pd.Timestamp(day).date() <= last + timedelta(days=late_days)


@pytest.mark.parametrize(
    "story_id", ["logistics_stall", "login_release", "southwest_installers", "new_agents", "leaking_batch"]
)
def test_a_planted_incident_becomes_a_card(run: Run, story_id: str) -> None:
    story = run.stories[story_id]
    cards = run.query("select card_id, scope_key, opened_on from mart.fct_cards")
    alerts = run.query("select scope_key, fired_on, card_id from mart.fct_alerts where card_id is not null")
    opened = [
        card
        for card in cards.itertuples()
        if concerns(str(card.scope_key), story) and in_time(card.opened_on, story, 7)
    ]
    attached = [
        alert
        for alert in alerts.itertuples()
        if concerns(str(alert.scope_key), story) and in_time(alert.fired_on, story, 7)
    ]
    assert opened or attached, cards.to_string()


@pytest.mark.parametrize("story_id", ["refund_creep", "invoice_spike"])
def test_a_planted_change_raises_an_alert(run: Run, story_id: str) -> None:
    story = run.stories[story_id]
    alerts = run.query("select scope_key, metric, fired_on from mart.fct_alerts")
    assert any(
        concerns(str(alert.scope_key), story) and in_time(alert.fired_on, story, 7) for alert in alerts.itertuples()
    ), alerts.to_string()


def test_the_competitors_meme_alerts_and_opens_no_card(run: Run) -> None:
    story = run.stories["competitor_meme"]
    # Only posts speak of it, so it can show as a topic alone.
    alerts = run.query("select fired_on, card_id from mart.fct_alerts where scope_key like 'topic=%'")
    burst = [alert for alert in alerts.itertuples() if in_time(alert.fired_on, story, 0)]
    assert burst, alerts.to_string()
    assert [alert.card_id for alert in burst if alert.card_id is not None] == []
    cards = run.query("select scope_key, opened_on from mart.fct_cards where scope_key like 'topic=%'")
    assert [card.scope_key for card in cards.itertuples() if in_time(card.opened_on, story, 14)] == []


def test_the_fixes_get_the_verdicts_they_deserve(run: Run) -> None:
    verdicts = run.query(
        "select action_id, arg_max(verdict, evaluated_on) as verdict from mart.fct_action_effects group by action_id"
    ).set_index("action_id")["verdict"]
    found = {name: verdicts.get(story["action_id"]) for name, story in run.stories.items() if story["action_id"]}
    assert found["network_fix"] == "improved"
    assert found["inconsistent_no_fix"] == "not_improved"
    assert found["noise_no_fix"] == "not_improved"


def texts_at_rest(run: Run) -> Iterator[tuple[str, str]]:
    """Everything that a run keeps, as text by the place where it lies; not what the sources themselves delivered."""
    for file in (run.var / "warehouse.duckdb", run.var / "published" / "huiyin.duckdb"):
        with duckdb.connect(str(file), read_only=True) as store:
            columns = store.sql(
                "select table_schema, table_name, column_name from information_schema.columns"
                " where data_type = 'VARCHAR'"
            ).fetchall()
            for schema, table, column in columns:
                texts = store.sql(f'select distinct "{column}" from "{schema}"."{table}"').fetchall()
                yield f"{file.name}: {schema}.{table}.{column}", "\n".join(text for (text,) in texts if text)
    with sqlite3.connect(run.var / "ops.db") as ops:
        yield "ops.db", "\n".join(ops.iterdump())
    for file in run.var.rglob("*"):
        if not file.is_file() or "demo" in file.relative_to(run.var).parts[:1] or file.suffix in {".duckdb", ".db"}:
            continue
        place = str(file.relative_to(run.var))
        if file.suffix == ".parquet":
            yield place, pd.read_parquet(file).to_csv()
        elif file.suffix == ".xlsx":
            with zipfile.ZipFile(file) as workbook:
                for name in workbook.namelist():
                    yield f"{place}: {name}", workbook.read(name).decode("utf-8", errors="ignore")
        else:
            yield place, file.read_bytes().decode("utf-8", errors="ignore")


def test_no_planted_personal_data_is_left_anywhere(run: Run) -> None:
    planted = json.loads((run.truth / "personal_data.json").read_text(encoding="utf-8"))
    values = {GROUPED.sub("", str(value)) for kind in UNMISTAKABLE for value in planted[kind]}
    assert len(values) > 100
    assert all(WORD.fullmatch(value) for value in values)

    doors = {DOOR.search(address)[0] for address in planted["address"]}  # type: ignore[index]
    names = set(planted["person_name"])
    assert all(len(door) >= 8 for door in doors)

    def leaks_in(text: str) -> bool:
        joined = GROUPED.sub("", text)
        said = [name for three in NAMED.findall(text) for name in (three, three[:2])]
        return not (
            values.isdisjoint([*WORD.findall(joined), *NUMBER.findall(joined)])
            and doors.isdisjoint(DOOR.findall(text))
            and names.isdisjoint(said)
        )

    for kind, sentence in (
        ("mobile", "打{}给我"),
        ("email", "邮箱{}，谢谢"),
        ("address", "送到{}"),
        ("person_name", "我叫{}，"),
    ):
        assert leaks_in(sentence.format(planted[kind][0]))
    leaks = [place for place, text in texts_at_rest(run) if leaks_in(text) or BROKEN.search(text)]
    assert sorted(set(leaks)) == []
    assert not leaks_in(run.printed)
    # Values on their way were kept only while they were on it.
    assert [file for file in (run.var / "spool").rglob("*") if file.is_file() and file.name != "lock"] == []


def test_a_pasted_complaint_is_one_voice_and_advertising_is_none(run: Run) -> None:
    pasted = run.query("select * from mart.fct_sentiment where text like '%滤芯一年涨价三次%'")
    assert len(pasted) > 30 and pasted.is_campaign.all()
    assert pasted.is_counted.sum() == 1 and (pasted.group_size == len(pasted)).all()
    adverts = run.query("select * from mart.fct_sentiment where text like '%扫码进群%' or text like '%首单立减%'")
    assert len(adverts) > 20 and adverts.is_noise.all() and not adverts.is_counted.any()


def test_a_second_run_changes_nothing(run: Run) -> None:
    tables = (
        "fct_tickets",
        "fct_sla",
        "fct_feedback",
        "fct_sentiment",
        "fct_alerts",
        "fct_cards",
        "fct_action_effects",
    )
    sums = " union all ".join(
        f"select '{table}' as name, count(*) as n, cast(bit_xor(hash(t)) as varchar) as content from mart.{table} t"
        for table in tables
    )
    before = run.query(sums)
    demo(run.var)
    pd.testing.assert_frame_equal(run.query(sums), before)


def test_a_forgotten_person_is_gone_from_every_store_and_the_totals_stay(run: Run) -> None:
    # The last test of this file, for it changes the run. Somebody whose words stand on a card and nowhere else.
    with sqlite3.connect(run.var / "ops.db") as ops:
        quoted = ops.execute("select voice_id, text from card_evidence where voice_id like 'ticket:%'").fetchall()
    frequent = run.query("select text, count(*) as n from mart.fct_sentiment group by text").set_index("text")["n"]
    voice_id, words = next((voice_id, text) for voice_id, text in quoted if frequent[text] == 1)
    (customer,) = run.query(f"select customer_ref from mart.fct_sentiment where voice_id = '{voice_id}'").customer_ref
    with duckdb.connect(str(run.var / "warehouse.duckdb"), read_only=True) as store:
        refs = [ref for (ref,) in store.sql(f"select ref from raw.identity where person_ref = '{customer}'").fetchall()]
    traces = [*refs, max(words.splitlines(), key=len)]
    assert all(any(trace in text for _, text in texts_at_rest(run)) for trace in traces)
    totals = (
        "select indicator_code, dimension, dimension_value, sum(numerator) as n, sum(denominator) as d"
        " from mart.agg_indicator_daily where indicator_code <> 'negative_share' group by all order by all"
    )
    before = run.query(totals)

    ended = subprocess.run(
        [
            str(Path(sys.executable).parent / "huiyin"),
            "--var",
            str(run.var),
            "--sources",
            str(run.var / "demo" / "sources.yml"),
            "forget",
            "-",
            "--reason",
            "request 1",
            "--yes",
        ],
        env={key: value for key, value in os.environ.items() if not key.startswith("HUIYIN_")} | {"COLUMNS": "200"},
        input=customer + "\n",
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert "Receipt E-" in ended.stdout
    assert [(place, trace) for place, text in texts_at_rest(run) for trace in traces if trace in text] == []
    pd.testing.assert_frame_equal(run.query(totals), before)
