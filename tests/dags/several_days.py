"""Run as a child with Airflow's environment: run one DAG as the scheduler would, day after day, and print what became
of it. Arguments: the DAG folder, the DAG, the first local day, then one word a day: ``run``, or a shell command that is
executed before the run."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from huiyin.airflow_env import prepare_here
from huiyin.config import load_settings


def main(folder: str, dag_id: str, first: str, days: list[str]) -> list[dict[str, Any]]:
    prepare_here(load_settings())
    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(folder, bundle_path=folder, bundle_name="dags-folder").dags[dag_id]  # type: ignore[arg-type]
    for task in dag.tasks:
        task.retry_delay = timedelta(seconds=0)
    begin = datetime.fromisoformat(f"{first}T02:00:00").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    outcomes = []
    for number, command in enumerate(days):
        if command != "run":
            subprocess.run(command, shell=True, check=True)
        run = dag.test(logical_date=begin + timedelta(days=number))
        tasks = {instance.task_id: str(instance.state) for instance in run.get_task_instances()}
        outcomes.append({"run": str(run.state), "until": str(run.data_interval_end), "tasks": tasks})
    return outcomes


if __name__ == "__main__":
    found = main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
    sys.stdout.write("\nOUTCOMES " + json.dumps(found) + "\n")
