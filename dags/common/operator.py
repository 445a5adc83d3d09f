"""The last task of every DAG: bring the operator's alerts in line with what has just happened.

It is a teardown, so it runs whatever became of the others and doesn't decide whether the run succeeded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow.sdk import DAG, get_current_context, task

from dags.common.interval import judged_at
from dags.common.policy import FAILURE, KILLED, LOAD_PRIORITY, OPERATOR_VIEW, SETTINGS, WRITER_POOL


@task(task_id=OPERATOR_VIEW, pool=WRITER_POOL, priority_weight=LOAD_PRIORITY)
def judge_sources(names: list[str]) -> dict[str, list[str]]:
    """Judge freshness, volume and loads of these sources; one alert a source and trouble, however long it lasts."""
    from ingest.health import assess

    context = get_current_context()
    failed, _ = outcomes(context)
    health, settled = assess(
        SETTINGS,
        judged_at(context, SETTINGS),
        {name: message for name, message in failed.items() if name in names},
        names,
    )
    return {
        "health": [f"{each.source} {each.entity}: {each.state}, {each.reason}" for each in health],
        "opened": list(settled.opened),
        "closed": list(settled.closed),
    }


@task(task_id=OPERATOR_VIEW, pool=WRITER_POOL)
def judge_tasks() -> dict[str, list[str]]:
    """One alert for each task that fails, until it succeeds."""
    from ingest.operator_alerts import settle_tasks

    context = get_current_context()
    failed, succeeded = outcomes(context)
    settled = settle_tasks(SETTINGS, context["ti"].dag_id, failed, succeeded)
    return {"opened": list(settled.opened), "closed": list(settled.closed)}


def end_with(view: Any, dag: DAG) -> None:
    """Make ``view`` the DAG's last task."""
    leaves = [leaf for leaf in dag.leaves if leaf.task_id != OPERATOR_VIEW]
    leaves >> view.as_teardown()


def outcomes(context: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Tasks of this run that failed, and why; and those that succeeded in all their instances."""
    ti = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
    by_task: dict[str, set[str]] = {}
    for name, state in states.items():
        # Instances of a mapped task are called task_0, task_1 …
        mapped = re.sub(r"_\d+$", "", name)
        by_task.setdefault(name if name in context["dag"].task_ids else mapped, set()).add(str(state))
    failed = {}
    for name in (name for name, found in by_task.items() if "failed" in found):
        told = ti.xcom_pull(task_ids=name, key=FAILURE)
        failed[name] = told if isinstance(told, str) else next((text for text in told or [] if text), KILLED)
    return failed, [name for name, found in by_task.items() if found == {"success"}]
