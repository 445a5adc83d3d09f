"""Load what the sources of one domain delivered, masked, into the raw tables.

One task a source, each by itself: a source that fails is retried and stops nobody else; what the others delivered is
built and published without it. Rows that break the contract go to the quarantine with rule, value and remedy. Each run
also looks back a week for files that came late or were corrected. Loading the same days again changes nothing.

**To load other days**, trigger with `from_on` and `to_on` (the end is exclusive), or `everything`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import CronDataIntervalTimetable, get_current_context, task

from dags.common.assets import raw_asset
from dags.common.interval import interval_of
from dags.common.policy import INTERVAL_PARAMS, LOAD_PRIORITY, SETTINGS, WRITER_POOL, pipeline_dag
from ingest.sources import load_sources


def load_task(source: str) -> Any:
    """The task that loads one source and updates its asset."""
    asset = raw_asset(source)

    @task(task_id=source, pool=WRITER_POOL, priority_weight=LOAD_PRIORITY, outlets=[asset])
    def load() -> dict[str, dict[str, int]]:
        from ingest.load import ingest_source

        context = get_current_context()
        interval = interval_of(context, SETTINGS)
        reports = ingest_source(SETTINGS, source, interval, context["run_id"])
        context["outlet_events"][asset].extra = {
            "batch_id": context["run_id"],
            "from_on": interval.from_on.isoformat() if interval.from_on else None,
            "to_on": interval.to_on.isoformat() if interval.to_on else None,
        }
        return {
            f"{report.entity} from {report.origin}": {
                "loaded": report.loaded,
                "changed": report.merged,
                "quarantined": report.quarantined,
            }
            for report in reports
        }

    return load()


SOURCES = load_sources(SETTINGS).sources

for domain in ("tickets", "crm", "social"):
    names = [source.name for source in SOURCES if source.domain == domain]
    if names:
        with pipeline_dag(
            f"ingest_{domain}",
            schedule=CronDataIntervalTimetable("0 2 * * *", timezone=SETTINGS.timezone),
            doc=__doc__,
            tags=["ingest", domain],
            params=INTERVAL_PARAMS,
        ) as dag:
            for name in names:
                load_task(name)
        globals()[dag.dag_id] = dag
