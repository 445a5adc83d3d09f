"""Build the service mart from the raw tables: gate, then dbt, gate and publish as one step.

Runs when any source was loaded. Sources loaded at the same hour are built together: loading comes first in the writer
pool, one run is active at a time, and a run that finds everything already built ends at once (task `news`). If a gate
or a dbt test fails, readers keep yesterday's mart; the task's log names the failed rule.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import AssetAny, chain, get_current_context, task

from dags.common.assets import MART, raw_asset
from dags.common.build import build_and_publish
from dags.common.operator import end_with, judge_tasks
from dags.common.policy import SETTINGS, WRITER_POOL, pipeline_dag
from ingest.sources import DECISIONS, load_sources

RAW = [raw_asset(source.name) for source in load_sources(SETTINGS).sources if source.name != DECISIONS]


@task.short_circuit(inlets=[MART])
def news() -> bool:
    """Whether a source was loaded since the last build began to read; a run that a person started always builds."""
    context = get_current_context()
    events = [event for found in context["triggering_asset_events"].values() for event in found]
    built = context["inlet_events"][MART]
    if not events or not len(built):
        return True
    read_at = datetime.fromisoformat(str((built[-1].extra or {})["read_at"]))
    return any(event.timestamp > read_at for event in events)


@task(pool=WRITER_POOL)
def calendar() -> str:
    """Load the working days (调休 included) and make the tables that models read before the first scoring."""
    from ingest.calendar import load_calendar
    from warehouse.connection import open_warehouse
    from warehouse.handover import create_nlp_tables

    read_at = datetime.now(UTC).isoformat()
    load_calendar(SETTINGS)
    with open_warehouse(SETTINGS) as warehouse:
        create_nlp_tables(warehouse)
    return read_at


@task(pool=WRITER_POOL)
def freshness() -> dict[str, list[str]]:
    """Tell the operator which tables the published mart was built from were last loaded too long ago."""
    from ingest.freshness import settle_freshness

    settled = settle_freshness(SETTINGS)
    return {"opened": list(settled.opened), "closed": list(settled.closed)}


@task(pool=WRITER_POOL)
def gate_raw() -> dict[str, int]:
    """Run the expectations on the raw tables; a failed blocking one stops the build."""
    from expectations.gate import check

    report = check(SETTINGS, "raw")
    return {"expectations": len(report.results), "warnings": len(report.warnings)} | dict(report.quarantined)


def read_at(context: Any) -> dict[str, str]:
    """When this run began to read the raw tables; what was loaded later is news for the next run."""
    return {"read_at": context["ti"].xcom_pull(task_ids="calendar")}


with pipeline_dag("service_mart", schedule=AssetAny(*RAW), doc=__doc__, tags=["mart"]) as dag:
    chain(news(), calendar(), gate_raw(), build_and_publish(MART, "all", read_at), freshness())
    end_with(judge_tasks(), dag)
