"""Write, audit, publish: the one way by which a mart reaches its readers."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, Context, chain, get_current_context, task, task_group

from dags.common.policy import SETTINGS, WRITER_POOL


@task(pool=WRITER_POOL)
def dbt_build(select: str | None = None) -> str:
    """Build and test the mart, or what ``select`` names, in one dbt process."""
    from warehouse.dbt import run_dbt

    return str(run_dbt(SETTINGS, "build", select))


@task(pool=WRITER_POOL)
def gate_mart() -> str:
    """Run the expectations on the mart; a failed blocking one stops the publication."""
    from expectations.gate import check

    return str(check(SETTINGS, "mart"))


def publish_to(asset: Asset, extra: Any = None) -> Any:
    """A task that replaces what readers see, in one step, and updates the asset."""

    @task(pool=WRITER_POOL, outlets=[asset])
    def publish() -> str:
        from warehouse.publish import publish as publish_mart

        context: Context = get_current_context()
        report = publish_mart(SETTINGS)
        context["outlet_events"][asset].extra = {"run_id": context["run_id"]} | (extra(context) if extra else {})
        return str(report)

    return publish()


def build_and_publish(asset: Asset, select: str | None = None, extra: Any = None) -> Any:
    """Task group: dbt build (of ``select`` and all that depends on it) → gate → publish to ``asset``.

    ``extra`` makes further facts for the asset event from the context.
    """

    @task_group(group_id="mart")
    def group() -> None:
        chain(dbt_build(select), gate_mart(), publish_to(asset, extra))

    return group()
