"""Run as a child with Airflow's environment: parse the DAG folder and print what the policy tests look at as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def waited_for(condition: Any) -> list[str]:
    """Names of the assets of a schedule: one asset, or any of several."""
    if condition is None:
        return []
    return [asset.name for asset in getattr(condition, "objects", [condition])]


def facts(folder: Path) -> dict[str, Any]:
    """What the DAG bag of that folder holds."""
    from airflow.dag_processing.dagbag import DagBag

    before = set(sys.modules)
    # Processor time, since the machine may be busy with something else.
    began = time.process_time()
    bag = DagBag(str(folder), bundle_path=folder, bundle_name="dags-folder")
    seconds = time.process_time() - began
    return {
        "errors": bag.import_errors,
        "seconds": seconds,
        "imported": sorted({name.partition(".")[0] for name in set(sys.modules) - before}),
        "dags": {
            dag.dag_id: {
                "tags": sorted(dag.tags),
                "doc": dag.doc_md,
                "catchup": dag.catchup,
                "max_active_runs": dag.max_active_runs,
                "timetable": type(dag.timetable).__name__,
                "waits_for": sorted(waited_for(getattr(dag.timetable, "asset_condition", None))),
                "tasks": {
                    task.task_id: {
                        "owner": task.owner,
                        "retries": task.retries,
                        "backoff": task.retry_exponential_backoff,
                        "policy": type(task.retry_policy).__name__,
                        "pool": task.pool,
                        "mapped": task.is_mapped,
                        "priority": task.priority_weight,
                        "callback": bool(task.on_failure_callback),
                        "updates": sorted(asset.name for asset in task.outlets),
                        "upstream": sorted(task.upstream_task_ids),
                        "teardown": task.is_teardown,
                    }
                    for task in dag.tasks
                },
            }
            for dag in bag.dags.values()
        },
    }


if __name__ == "__main__":
    sys.stderr.write(json.dumps(facts(Path(sys.argv[1]))))
