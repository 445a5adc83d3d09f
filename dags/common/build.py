"""Write, audit, publish: the one way by which a mart reaches its readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from airflow.sdk import Asset, get_current_context, task

from dags.common.policy import SETTINGS, WRITER_POOL

Part = Literal["all", "meaning", "decisions"]


def build_and_publish(asset: Asset, part: Part, extra: Callable[[Any], dict[str, str]] | None = None) -> Any:
    """A task that builds that part of the mart with dbt, gates what it built, and publishes it to ``asset``.

    Before a build of all it settles which refs are one customer (``raw.identity``).

    One task and not three, because it holds the writer pool from the first to the last: otherwise another DAG could
    publish what this one has built and not yet gated. ``extra`` makes further facts for the asset event.
    """

    @task(task_id="publish_mart", pool=WRITER_POOL, outlets=[asset])
    def publish_mart() -> dict[str, int]:
        from expectations.gate import check
        from ingest.identity import resolve
        from warehouse.dbt import SELECT_CORE, SELECT_DECISIONS, SELECT_MEANING, run_dbt
        from warehouse.demand import SELECT_DEMAND
        from warehouse.publish import PUBLIC_MARTS, publish

        if part == "all":
            resolve(SETTINGS)
        selections: dict[Part, str | list[str]] = {
            "all": SELECT_CORE,
            "meaning": SELECT_MEANING,
            # Forecasts come along with the decisions: both are made from the published mart.
            "decisions": [SELECT_DECISIONS, SELECT_DEMAND],
        }
        built = {node.name for node in run_dbt(SETTINGS, "build", selections[part]).nodes}
        check(SETTINGS, "mart", [name for name in PUBLIC_MARTS if name in built])
        report = publish(SETTINGS)
        context = get_current_context()
        context["outlet_events"][asset].extra = {"run_id": context["run_id"], **(extra(context) if extra else {})}
        return report.row_counts

    return publish_mart()
