"""Contacts out of the mart, drivers and customers back in: weekly, whole, and without anybody who was forgotten."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from huiyin.config import Settings
from nlp.insights import CUSTOMER_SCHEMA, DRIVER_SCHEMA, explain
from nlp.opinions import OPINION_SCHEMA
from warehouse.connection import open_warehouse
from warehouse.handover import NLP_TABLES, forget_voices
from warehouse.insights import export_contacts, insights_are_due, load_insights

AS_OF = date(2025, 12, 31)
TICKETS = """
    create table mart.fct_tickets as
    select 't' || i as ticket_key, 'desk' as source, '' || i as ticket_id, 'c' || (i % 300) as customer_ref,
        timestamp '2025-12-31' - interval '1 hour' * i as created_at,
        cast(timestamp '2025-12-31' - interval '1 hour' * i as date) as created_on,
        case when i % 3 = 0 then '退款' else '安装' end as problem_subtype_zh,
        cast(600 * (1 + i % 7) as bigint) as first_response_business_seconds,
        cast(36000 as bigint) as resolution_business_seconds, 0 as transfer_count, 0 as reopen_count,
        true as is_solved, i % 11 = 0 as is_repeat_contact, 'phone' as channel,
        case when i % 10 = 0 then 'vip' else 'regular' end as customer_tier, 'A' as team, '华东' as region,
        'P' as product, 'medium' as priority, 1000.0 + i % 300 as annual_revenue,
        case when i % 3 = 0 then 2.0 + (i % 2) else 4.0 + (i % 2) end as csat_score
    from {series}
"""
OTHERS = (
    "create table mart.fct_sentiment (voice_id varchar, sentiment_label varchar, topic_id bigint)",
    "create table mart.dim_topic (topic_id bigint, label varchar, parent_label varchar)",
    "create table mart.fct_voice_opinions (voice_id varchar, opinion_kind varchar, opinion_code varchar,"
    " opinion_zh varchar, polarity varchar)",
    "insert into mart.fct_voice_opinions values ('ticket:t3', 'aspect', 'refund', '退款', 'negative'),"
    " ('ticket:t3', 'aspect', 'attitude', '态度', 'positive'), ('ticket:t3', 'urgency', 'regulator', '监管', null)",
    "create table mart.fct_feedback (source varchar, ticket_id varchar, nps_score double precision)",
    "create schema if not exists intermediate",
    "create table intermediate.int_customer_churn (customer_ref varchar, churned_on date)",
    "insert into mart.fct_feedback values ('desk', '3', 0), ('desk', '3', 10)",
)


@pytest.fixture(params=["duckdb", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A mart of 900 tickets: those about refunds were rated two points lower."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    settings = Settings(var=tmp_path, warehouse=url, mask_key="k")
    series = "generate_series(0, 899) as s(i)" if url else "range(0, 900) as s(i)"
    with open_warehouse(settings) as warehouse:
        warehouse.execute("create schema mart")
        for statement in (TICKETS.format(series=series), *OTHERS):
            warehouse.execute(statement)
    return settings


def test_the_warehouse_holds_what_the_analysis_writes() -> None:
    assert NLP_TABLES["opinions"][0] == OPINION_SCHEMA
    assert NLP_TABLES["drivers"][0] == DRIVER_SCHEMA
    assert NLP_TABLES["customer_insights"][0] == CUSTOMER_SCHEMA


def test_what_moves_satisfaction_comes_back_into_the_warehouse_once_a_week(store: Settings) -> None:
    files = [store.var_dir / f"{name}.parquet" for name in ("contacts", "drivers", "customers")]
    assert insights_are_due(store, AS_OF)
    assert export_contacts(store, AS_OF, files[0]) == 900
    third = next(row for row in pq.read_table(files[0]).to_pylist() if row["ticket_key"] == "t3")
    assert (third["negative_aspects"], third["urgency"], third["nps_score"]) == ("退款", "regulator", 5.0)
    assert third["first_response_business_minutes"] == 40.0
    explain(store, files[0], AS_OF, files[1], files[2])
    cards = {name: (store.models_dir / "cards" / f"{name}.md").read_text("utf-8") for name in ("drivers", "risk")}
    assert "未校准" in cards["risk"] and "uncalibrated" in cards["risk"]
    assert "csat:退款" in cards["drivers"] and "Limits" in cards["drivers"]
    for _ in range(2):
        counts = load_insights(store, files[1], files[2])
    assert counts["customer_insights"] == 300
    assert not insights_are_due(store, date(2026, 1, 6))
    assert insights_are_due(store, date(2026, 1, 7))
    with open_warehouse(store) as warehouse:
        found = warehouse.rows("select * from nlp.drivers where target = 'csat'")
        ranked = warehouse.rows("select * from nlp.customer_insights where risk is not null")
    refund = next(row for row in found if row["driver"] == "退款")
    # Refunds: mean 2.5; the others 4.5.
    assert refund["effect"] == pytest.approx(-2.0, abs=0.15)
    assert refund["gain"] == pytest.approx(0.5 * 2.0 / 3, abs=0.05)
    assert refund["is_harmful"] and refund["is_certain"]
    assert np.isclose(refund["mean_there"], 2.5, atol=0.1)
    risks = {row["customer_ref"]: row for row in ranked}
    # Customers 3 and 9 wrote about refunds as often and were as content; one threatened to go to the regulator.
    assert risks["c3"]["risk"] > risks["c9"]["risk"]
    assert risks["c3"]["reasons_zh"] != risks["c9"]["reasons_zh"]


def test_whoever_is_forgotten_is_on_no_list_of_customers(store: Settings) -> None:
    rows = {name: [None] for name in CUSTOMER_SCHEMA.names} | {"customer_ref": ["c1"], "computed_on": [AS_OF]}
    customers, drivers = store.var_dir / "customers.parquet", store.var_dir / "drivers.parquet"
    pq.write_table(pa.table(rows, schema=CUSTOMER_SCHEMA), customers)
    pq.write_table(DRIVER_SCHEMA.empty_table(), drivers)
    assert load_insights(store, drivers, customers) == {"drivers": 0, "customer_insights": 1}
    assert forget_voices(store, ["ticket:t1"]) == 1
    with open_warehouse(store) as warehouse:
        assert warehouse.rows("select count(*) as n from nlp.customer_insights") == [{"n": 0}]
