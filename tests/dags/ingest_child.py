"""Run as a child with Airflow's environment: run one DAG to its end and print its tasks' states and asset events."""

from __future__ import annotations

import json
import sys
from typing import Any


def run(dag_id: str, params: dict[str, Any]) -> dict[str, Any]:
    """States of the tasks, and what the assets that the run updated tell."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from huiyin.airflow_env import prepare_here
    from huiyin.config import load_settings

    settings = load_settings()
    prepare_here(settings)
    folder = settings.home / "dags"
    dag = DagBag(str(folder), bundle_path=folder, bundle_name="dags-folder").dags[dag_id]
    for task in dag.tasks:
        task.retries = 0
    finished = dag.test(run_conf=params)
    with create_session() as session:
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == finished.run_id)).all()
        told = {event.asset.name: event.extra for event in events}
    states = {instance.task_id: str(instance.state) for instance in finished.get_task_instances()}
    return {"run": str(finished.state), "states": states, "told": told}


if __name__ == "__main__":
    sys.stderr.write("\n" + json.dumps({"result": run(sys.argv[1], json.loads(sys.argv[2]))}))
