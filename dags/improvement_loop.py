"""Judge the mart: alerts, improvement cards, effects of actions; weekly what drives satisfaction and what the knowledge
base lacks; then the report.

What was decided (by people and by the system) is a source like any other: it is ingested, built into the mart and
published, which closes the loop. With `to_on`, everything is judged as of the day before it; else as of the last day
of data. Running it again on the same day changes nothing.

Before that, once a week of data, the arrivals of the next four weeks are forecast; how many people they take is
computed each time, since rules and rosters change. If that fails, the judging goes on without it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from airflow.sdk import TriggerRule, chain, get_current_context, task

from dags.common.assets import DECISIONS_MART, MEANING, REPORT
from dags.common.build import build_and_publish
from dags.common.interval import as_of_on
from dags.common.knowledge import knowledge_tasks
from dags.common.operator import end_with, judge_tasks
from dags.common.policy import AS_OF_PARAMS, SETTINGS, WRITER_POOL, pipeline_dag
from huiyin.interval import Interval
from ingest.sources import DECISIONS


@task(pool=WRITER_POOL)
def plan_people() -> dict[str, int | str]:
    """Forecast the arrivals of the next four weeks if that is due; agents required by hour, by the newest forecast."""
    from demand.arrivals import ShortHistoryError
    from demand.files import forecast_files, staffing_files
    from warehouse.demand import export_arrivals, export_planned, load_forecast, load_staffing

    folder = SETTINGS.handover_dir / "demand"
    done: dict[str, int | str] = {}
    state = export_arrivals(SETTINGS, folder)
    if state.is_due():
        try:
            done["method"] = forecast_files(folder, folder, state.today_on, with_trials=state.forecast_on is None)
            done["forecast rows"] = load_forecast(SETTINGS, folder)
        except ShortHistoryError as error:
            done["no forecast"] = str(error)
    if export_planned(SETTINGS, folder):
        staffing_files(folder, folder)
        done["staffing rows"] = load_staffing(SETTINGS, folder)
    shutil.rmtree(folder)
    return done


@task(trigger_rule=TriggerRule.ALL_DONE)
def judge() -> dict[str, int]:
    """Alerts, cards and effects in the ops database, from the published mart."""
    from improvement.loop import run

    report = run(SETTINGS, as_of_on(get_current_context(), SETTINGS))
    return {"alerts": report.alerts_active, "opened": len(report.cards_opened), "open cards": report.cards_open}


@task(pool=WRITER_POOL)
def contacts() -> str:
    """Write a year's tickets as Parquet where drivers and customers at risk are a week old; the folder, else empty."""
    from warehouse.insights import export_contacts, insights_are_due

    day = as_of_on(get_current_context(), SETTINGS)
    if not insights_are_due(SETTINGS, day):
        return ""
    folder = SETTINGS.handover_dir / "insights"
    export_contacts(SETTINGS, day, folder / "contacts.parquet")
    return str(folder)


@task
def explain(folder: str) -> str:
    """What moves satisfaction, segments of customers and who is at risk."""
    from nlp.insights import explain as find

    if folder:
        files = [Path(folder) / f"{name}.parquet" for name in ("contacts", "drivers", "customers")]
        find(SETTINGS, files[0], as_of_on(get_current_context(), SETTINGS), files[1], files[2])
    return folder


@task(pool=WRITER_POOL)
def load_insights(folder: str) -> dict[str, int]:
    """Put the results in the place of last week's, then remove the hand-over."""
    from warehouse.insights import load_insights as load

    if not folder:
        return {}
    counts = load(SETTINGS, Path(folder) / "drivers.parquet", Path(folder) / "customers.parquet")
    shutil.rmtree(folder)
    return counts


@task(pool=WRITER_POOL)
def load_decisions() -> dict[str, int]:
    """Load what was decided from the ops database."""
    from ingest.load import ingest_source

    reports = ingest_source(SETTINGS, DECISIONS, Interval(), get_current_context()["run_id"])
    return {report.entity: report.loaded + report.merged for report in reports}


@task(outlets=[REPORT])
def report() -> str:
    """Write the committee's report from the published mart."""
    from improvement.report import write_report

    return str(write_report(SETTINGS, as_of_on(get_current_context(), SETTINGS)))


with pipeline_dag("improvement_loop", schedule=MEANING, doc=__doc__, tags=["improvement"], params=AS_OF_PARAMS) as dag:
    written: Any = contacts()
    explained: Any = explain(written)
    gaps = knowledge_tasks()
    chain(
        plan_people(),
        judge(),
        load_decisions(),
        [written, gaps[0]],
        [explained, gaps[1]],
        [load_insights(explained), gaps[2]],
        build_and_publish(DECISIONS_MART, "decisions"),
        report(),
    )
    end_with(judge_tasks(), dag)
