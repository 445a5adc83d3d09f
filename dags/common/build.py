"""Write, audit, publish: the one way by which a mart reaches its readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from airflow.sdk import Asset, chain, get_current_context, task, task_group

from dags.common.policy import SETTINGS, WRITER_POOL

Part = Literal["all", "meaning", "decisions"]


@task(pool=WRITER_POOL)
def dbt_build(part: Part) -> dict[str, int]:
    """Build and test the mart, or the part that new meaning or new decisions change, in one dbt process."""
    from warehouse.dbt import SELECT_CORE, SELECT_DECISIONS, SELECT_MEANING, run_dbt

    selections = {"all": SELECT_CORE, "meaning": SELECT_MEANING, "decisions": SELECT_DECISIONS}
    return run_dbt(SETTINGS, "build", selections[part]).counts


@task(pool=WRITER_POOL)
def gate_mart() -> dict[str, int]:
    """Run the expectations on the mart; a failed blocking one stops the publication."""
    from expectations.gate import check

    report = check(SETTINGS, "mart")
    return {"expectations": len(report.results), "warnings": len(report.warnings)}


def publish_to(asset: Asset, extra: Callable[[Any], dict[str, str]] | None = None) -> Any:
    """A task that replaces what readers see, in one step, and updates the asset."""

    @task(pool=WRITER_POOL, outlets=[asset])
    def publish() -> dict[str, int]:
        from warehouse.publish import publish as publish_mart

        context = get_current_context()
        report = publish_mart(SETTINGS)
        context["outlet_events"][asset].extra = {"run_id": context["run_id"], **(extra(context) if extra else {})}
        return report.row_counts

    return publish()


def build_and_publish(asset: Asset, part: Part, extra: Callable[[Any], dict[str, str]] | None = None) -> Any:
    """Task group: dbt build of that part of the mart → gate → publish to ``asset``.

    ``extra`` makes further facts for the asset event from the context.
    """

    @task_group(group_id="mart")
    def group() -> None:
        chain(dbt_build(part), gate_mart(), publish_to(asset, extra))

    return group()
