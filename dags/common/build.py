"""Write, audit, publish: the one way by which a mart reaches its readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from airflow.sdk import Asset, chain, get_current_context, task, task_group

from dags.common.policy import SETTINGS, WRITER_POOL

Part = Literal["all", "meaning", "decisions"]


@task(pool=WRITER_POOL)
def dbt_build(part: Part) -> list[str]:
    """Build and test the mart, or the part that new meaning or new decisions change; the public marts it built."""
    from warehouse.dbt import SELECT_CORE, SELECT_DECISIONS, SELECT_MEANING, run_dbt
    from warehouse.publish import PUBLIC_MARTS

    selections = {"all": SELECT_CORE, "meaning": SELECT_MEANING, "decisions": SELECT_DECISIONS}
    built = {node.name for node in run_dbt(SETTINGS, "build", selections[part]).nodes}
    return [name for name in PUBLIC_MARTS if name in built]


@task(pool=WRITER_POOL)
def gate_mart(built: list[str]) -> dict[str, int]:
    """Run the expectations on the marts that were built; a failed blocking one stops the publication."""
    from expectations.gate import check

    report = check(SETTINGS, "mart", built)
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
        built: Any = dbt_build(part)
        chain(gate_mart(built), publish_to(asset, extra))

    return group()
