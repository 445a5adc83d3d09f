"""How every DAG and task of Huiyin behaves: owner, retries, pool, what an operator reads when something fails."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Param, RetryDecision, RetryPolicy

from huiyin.airflow_env import WRITER_POOL
from huiyin.config import load_settings
from huiyin.errors import HuiyinError

SETTINGS = load_settings()
OPERATOR_LOG = logging.getLogger("huiyin.operator")

# Last task of each DAG, and where failing tasks leave word for it. No source can be called so.
OPERATOR_VIEW = "operator-view"
FAILURE = "failure"
KILLED = "the process ended without an error message (killed?)"

# Loading comes before building where both wait for the writer pool, so that a build sees all that arrived together.
LOAD_PRIORITY = 10

INTERVAL_PARAMS = {
    "from_on": Param(None, type=["null", "string"], format="date", description="first local day to load"),
    "to_on": Param(None, type=["null", "string"], format="date", description="day after the last day to load"),
    "everything": Param(False, type="boolean", description="load all that the sources hold, whatever its day"),
}
AS_OF_PARAMS = {
    "to_on": Param(
        None, type=["null", "string"], format="date", description="day after the last day to judge; empty: last data"
    ),
}


class RetryWhatTimeMends(RetryPolicy):
    """Errors that a person must mend fail at once; what is busy or can't be reached and unknown errors are retried."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Decide in the task's process, where the warehouse's errors may be imported."""
        from ingest.errors import SourceError
        from warehouse.connection import WarehouseError, WarehouseFullError

        # Rooms wrap a warehouse error to name their source.
        origin = exception.__cause__ if isinstance(exception.__cause__, WarehouseError) else exception
        mends_itself = (isinstance(origin, WarehouseError) and not isinstance(origin, WarehouseFullError)) or (
            isinstance(origin, SourceError) and origin.mends_itself
        )
        if isinstance(exception, HuiyinError) and not mends_itself:
            return RetryDecision.fail(reason=f"needs a person: {exception}")
        return RetryDecision.default()


def tell_operator(context: Mapping[str, Any]) -> None:
    """Leave word of why a task has failed for good, for the last task of its run, which raises one alert a trouble.

    Called by Airflow, in the task's process where it is still there to say anything.
    """
    ti, error = context["ti"], context.get("exception")
    if error is None or isinstance(error, str):
        return  # killed: the last task says so
    cause = " ".join(str(error).split())[:2000]
    if not isinstance(error, HuiyinError):
        cause = f"{type(error).__name__}: {cause}"
    if ti.task_id == OPERATOR_VIEW:
        OPERATOR_LOG.error("FAILED %s.%s: %s; alerts are as of the run before", ti.dag_id, ti.task_id, cause)
    else:
        ti.xcom_push(key=FAILURE, value=cause)


DEFAULT_ARGS: dict[str, Any] = {
    "owner": "huiyin",
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=15),
    "retry_policy": RetryWhatTimeMends(),
    "execution_timeout": timedelta(hours=3),
    "on_failure_callback": tell_operator,
    "weight_rule": "absolute",
}


def pipeline_dag(dag_id: str, *, schedule: Any, doc: str | None, tags: list[str], params: Any = None) -> DAG:
    """A DAG with the house's rules. ``doc`` is the DAG file's own docstring."""
    if not doc:
        raise ValueError(f"{dag_id} needs a docstring: it is what operators read in the UI")
    return DAG(
        dag_id,
        schedule=schedule,
        start_date=datetime(2025, 1, 1, tzinfo=ZoneInfo(SETTINGS.timezone)),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=8),
        default_args=DEFAULT_ARGS,
        tags=["huiyin", *tags],
        doc_md=doc,
        description=doc.strip().splitlines()[0],
        params=params,
    )


__all__ = [
    "AS_OF_PARAMS",
    "FAILURE",
    "INTERVAL_PARAMS",
    "KILLED",
    "LOAD_PRIORITY",
    "OPERATOR_VIEW",
    "SETTINGS",
    "WRITER_POOL",
    "pipeline_dag",
]
