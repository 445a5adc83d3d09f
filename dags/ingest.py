"""Load what the sources of one domain delivered, masked, into the raw tables.

One task a source, each by itself: a source that fails is retried and stops nobody else; what the others delivered is
built and published without it. A source of which only some tables failed counts as loaded: these are built and
published, and its task `…_complete` fails and says what is missing and why. Rows that break the contract go to the
quarantine with rule, value and remedy.

Files: each run also looks back a week for what came late or was corrected. Databases and other systems: it goes on
where the last load stopped. Loading again changes nothing.

**To load other days**, trigger with `from_on` and `to_on` (the end is exclusive), or `everything`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import CronDataIntervalTimetable, get_current_context, task

from dags.common.assets import raw_asset
from dags.common.interval import interval_of, resumes
from dags.common.operator import end_with, judge_sources
from dags.common.policy import INTERVAL_PARAMS, LOAD_PRIORITY, SETTINGS, WRITER_POOL, pipeline_dag
from ingest.sources import AnySource, load_sources


def load_tasks(source: AnySource) -> None:
    """The task that loads one source and updates its asset, and the one that fails where tables are missing."""
    asset = raw_asset(source.name)

    # Only files are read with the warehouse open. What is fetched otherwise waits on disk, and only then for the
    # warehouse, so that a slow server keeps nobody from building.
    @task(
        task_id=source.name,
        pool=WRITER_POOL if source.kind == "files" else "default_pool",
        priority_weight=LOAD_PRIORITY,
        outlets=[asset],
    )
    def load() -> Any:
        from ingest.errors import PartlyLoadedError
        from ingest.load import ingest_source

        context = get_current_context()
        interval, ti = interval_of(context, SETTINGS), context["ti"]
        missing: list[str] = []
        try:
            reports = ingest_source(SETTINGS, source.name, interval, context["run_id"], resumes(context))
        except PartlyLoadedError as error:
            if error.mends_itself and ti.try_number <= ti.max_tries:
                raise
            reports, missing = error.reports, str(error).splitlines()
        context["outlet_events"][asset].extra = {
            "batch_id": context["run_id"],
            "from_on": interval.from_on.isoformat() if interval.from_on else None,
            "to_on": interval.to_on.isoformat() if interval.to_on else None,
            "missing": "; ".join(missing),
        }
        loaded = {
            f"{report.entity} from {report.origin}": {
                "loaded": report.loaded,
                "changed": report.merged,
                "deleted": report.deleted,
                "quarantined": report.quarantined,
            }
            for report in reports
        }
        return {"loaded": loaded, "missing": missing}

    @task(task_id=f"{source.name}_complete")
    def complete(result: Any) -> None:
        """Fail where tables of the source are missing."""
        from ingest.errors import SourceError

        if result["missing"]:
            lines = "\n".join(result["missing"])
            raise SourceError(
                f"{lines}\nwhat else {source.name} delivered is loaded; mend this and clear {source.name}"
            )

    complete(load())


SOURCES = load_sources(SETTINGS).sources

for domain in ("tickets", "crm", "social"):
    its_sources = [source for source in SOURCES if source.domain == domain]
    if its_sources:
        with pipeline_dag(
            f"ingest_{domain}",
            schedule=CronDataIntervalTimetable("0 2 * * *", timezone=SETTINGS.timezone),
            doc=__doc__,
            tags=["ingest", domain],
            params=INTERVAL_PARAMS,
        ) as dag:
            for each in its_sources:
                load_tasks(each)
            end_with(judge_sources([each.name for each in its_sources]), dag)
        globals()[dag.dag_id] = dag
