"""The gate on real marts: a sound one passes on both engines, a spoilt one is stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mart_company import Built

from expectations.gate import GateFailedError, check
from expectations.suites import load_suites
from huiyin.config import Settings
from warehouse.connection import open_warehouse

pytestmark = pytest.mark.slow

# What a defect in a model might do, and the expectations that must notice.
DEFECTS: list[tuple[str, set[str]]] = [
    (
        "update mart.fct_tickets set resolved_at = created_at - interval '1 day' where resolved_at is not null",
        {"fct_tickets: resolved_at, first_resolved_at"},
    ),
    (
        "update mart.fct_tickets set resolution_seconds = -5 where is_solved",
        {"fct_tickets: durations_are_not_negative"},
    ),
    (
        "update mart.agg_ticket_reconciliation set ticket_count = ticket_count + 1 where reason = 'reportable'",
        {
            "agg_ticket_reconciliation: no_ticket_is_lost",
            "agg_ticket_reconciliation: reportable_are_in_the_mart",
        },
    ),
    (
        "delete from mart.dim_date where date_day = (select median(date_day)::date from mart.dim_date)",
        {"dim_date: follows_the_previous_day"},
    ),
    ("update mart.fct_sla set sla_state = 'met' where sla_state = 'breached'", {"fct_sla: state_agrees"}),
    ("update mart.fct_sla set severity = 'red' where sla_state = 'on_track'", {"fct_sla: severity_agrees"}),
    ("insert into mart.dim_channel select * from mart.dim_channel limit 1", {"dim_channel: channel"}),
    (
        "update mart.agg_indicator_daily set numerator = denominator + 1 where indicator_code = 'reopen_share'",
        {"agg_indicator_daily: share_is_within_0_and_1"},
    ),
    (
        "update mart.dim_service_window set business_seconds_before = business_seconds_before + 1"
        " where window_start_at = (select max(window_start_at) from mart.dim_service_window)",
        {"dim_service_window: clock_is_continuous"},
    ),
    (
        "update mart.fct_sentiment set sentiment_score = 1.7 where sentiment_score is not null",
        {"fct_sentiment: sentiment_score"},
    ),
    (
        "update mart.fct_topic_daily set negative_count = voice_count + 1",
        {"fct_topic_daily: parts_are_within_the_whole"},
    ),
    ("update mart.fct_feedback set is_satisfied = not is_satisfied", {"fct_feedback: satisfaction_agrees"}),
]


def test_a_sound_mart_passes_on_duckdb(on_duckdb: Built) -> None:
    report = check(on_duckdb.settings, "mart")

    assert set(report.by_table()) == {suite.table for suite in load_suites("mart")}
    assert report.blocking == []


def test_a_sound_mart_passes_on_postgresql_before_it_is_published(on_postgres: Built) -> None:
    report = check(on_postgres.settings, "mart")

    assert set(report.by_table()) == {suite.table for suite in load_suites("mart")}
    assert report.blocking == []


def test_every_defect_of_a_mart_is_noticed(on_duckdb: Built, tmp_path: Path) -> None:
    spoilt = Settings(var=tmp_path)
    shutil.copy(on_duckdb.settings.duckdb_file, spoilt.duckdb_file)
    with open_warehouse(spoilt) as warehouse:
        for sql, _ in DEFECTS:
            warehouse.execute(sql)
        warehouse.execute("drop table mart.agg_problem_response")

    with pytest.raises(GateFailedError) as raised:
        check(spoilt, "mart")

    noticed = {
        f"{result.table}: {result.expectation.split('(')[-1].rstrip(')')}" for result in raised.value.report.blocking
    }
    assert noticed >= set().union(*(expected for _, expected in DEFECTS))
    assert "mart.agg_problem_response is missing; build it with dbt first" in str(raised.value)
