"""Run the loop once without a scheduler: the very DAGs of ``dags/``, in order, in one process.

Airflow reads its configuration when it is imported and logs to the terminal, so the DAGs run in a child process
(``python -m huiyin.runner``) whose output goes to a log file; it reports each task through a pipe.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any, Literal

from rich.markup import escape
from rich.progress import Progress

from huiyin.airflow_env import RUNS, airflow_environment, prepare_here
from huiyin.config import Settings, load_settings
from huiyin.errors import HuiyinError
from huiyin.interval import Interval
from ingest.sources import load_sources
from warehouse import WarehouseError, open_warehouse

INGEST = ("ingest_tickets", "ingest_crm", "ingest_social")
AFTER_INGEST = ("service_mart", "feedback_mining", "improvement_loop")
TaskState = Literal["success", "failed", "skipped"]


class RunError(HuiyinError):
    """The run could not begin or was cut off; the message says why and what to do."""


@dataclass(frozen=True)
class Failure:
    """A task that failed, ``dag.task``, and why, with the remedy."""

    task: str
    message: str


@dataclass(frozen=True)
class TaskOutcome:
    """How one task instance ended and how many seconds it took; ``map_index`` is −1 where it isn't mapped."""

    task: str
    map_index: int
    state: TaskState
    seconds: float


@dataclass
class PipelineReport:
    """What a run did. ``failures`` is empty where everything went well."""

    settings: Settings
    log: Path
    tasks: list[TaskOutcome] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)

    def places(self) -> Iterator[tuple[str, Path]]:
        """Where to look now: what is there, and the path."""
        settings = self.settings
        published = (("published mart", settings.published_file),) if settings.dialect == "duckdb" else ()
        candidates = (
            ("report 报告", settings.reports_dir / "latest.html"),
            *published,
            ("data docs 数据质量", settings.data_docs_dir / "index.html"),
            ("log of this run", self.log),
        )
        return ((what, path) for what, path in candidates if path.exists())


def run_pipeline(settings: Settings, interval: Interval, progress: Progress | None = None) -> PipelineReport:
    """Run ingest → mart → mining → improvement over the days of ``interval`` and wait for the end.

    A failing source doesn't stop the others; a failing gate, build or publication stops what depends on it and leaves
    the published mart as it was. ``progress`` shows each task. Raises :class:`RunError` where another run is going on
    or the process dies, and what :func:`ingest.sources.load_sources` raises.
    """
    load_sources(settings)
    log = settings.var_dir / "logs" / f"run-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    except OSError as error:
        raise RunError(
            f"{settings.var_dir} can't be written ({error.strerror}); free room or rights there, or set HUIYIN_VAR"
        ) from error
    report = PipelineReport(settings, log)
    bar = progress.add_task("starting Airflow", total=None) if progress else None
    request = {
        "from_on": interval.from_on and interval.from_on.isoformat(),
        "to_on": interval.to_on and interval.to_on.isoformat(),
    }
    ended = False
    running = "start"
    with _only_run(settings) as lock, _child(settings, request, log, lock) as (child, events):
        for line in events:
            event = json.loads(line)
            kind = event.pop("event")
            if kind == "plan" and progress and bar is not None:
                progress.update(bar, total=event["tasks"])
            elif kind == "running":
                running = event["task"]
                if progress and bar is not None:
                    progress.update(bar, description=running)
            elif kind == "task":
                message = event.pop("message")
                outcome = TaskOutcome(**event)
                report.tasks.append(outcome)
                if outcome.state == "failed":
                    report.failures.append(Failure(_label(outcome), message))
                if progress and bar is not None:
                    progress.console.print(_line(outcome), highlight=False)
                    progress.advance(bar, outcome.map_index < 1)
            elif kind == "failure":
                report.failures.append(Failure(event["task"], event["message"]))
            elif kind == "end":
                ended = True
                report.not_run = event["not_run"]
        code = child.wait()
    if not ended:
        cause = (
            f"was killed by {signal.Signals(-code).name} (out of memory?)" if code < 0 else f"ended with code {code}"
        )
        raise RunError(
            f"the run's process {cause} at {running}; see {log}, then run again: it goes on where it stopped"
        )
    if progress and bar is not None:
        progress.update(bar, description="done" if not report.failures else "done, with failures", completed=1, total=1)
    return report


def _label(outcome: TaskOutcome) -> str:
    return outcome.task if outcome.map_index < 0 else f"{outcome.task}[{outcome.map_index}]"


def _line(outcome: TaskOutcome) -> str:
    mark = {"success": "[green]✓[/]", "failed": "[red]✗[/]", "skipped": "[dim]–[/]"}[outcome.state]
    return f"{mark} {escape(_label(outcome))} [dim]{outcome.seconds:.1f} s[/]"


@contextmanager
def _only_run(settings: Settings) -> Iterator[int]:
    """Hold the lock of this run-time folder. The child inherits it, so it lasts as long as either lives."""
    file = settings.var_dir / "run.lock"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = file.read_text(encoding="utf-8").strip() or "unknown"
            raise RunError(
                f"another run is going on in {settings.var_dir} (process {holder}); wait for its end, or give this one"
                " its own folder with HUIYIN_VAR"
            ) from error
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _child(
    settings: Settings, request: dict[str, Any], log: Path, lock: int
) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """The process that runs the DAGs, and its events; whatever happens, it and its own children are gone afterwards."""
    reading, writing = os.pipe()
    with log.open("w", encoding="utf-8") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "huiyin.runner", str(writing)],
            env=os.environ | airflow_environment(settings, database=RUNS),
            cwd=settings.home,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(writing, lock),
            start_new_session=True,
            text=True,
        )
    os.close(writing)
    try:
        assert child.stdin is not None
        child.stdin.write(json.dumps(request))
        child.stdin.close()
        with os.fdopen(reading, encoding="utf-8") as events:
            yield child, events
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


class _Events:
    """Writes events for the parent, one JSON object a line; also the listener that Airflow calls for each task."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._started = time.monotonic()

    def send(self, event: str, **facts: Any) -> None:
        self._stream.write(json.dumps({"event": event} | facts, ensure_ascii=False) + "\n")
        self._stream.flush()

    def started(self, task_instance: Any) -> None:
        self._started = time.monotonic()
        self.send("running", task=f"{task_instance.dag_id}.{task_instance.task_id}")

    def ended(self, task_instance: Any, state: TaskState, message: str = "") -> None:
        self.send(
            "task",
            task=f"{task_instance.dag_id}.{task_instance.task_id}",
            map_index=-1 if task_instance.map_index is None else task_instance.map_index,
            state=state,
            seconds=round(time.monotonic() - self._started, 3),
            message=message,
        )


def _listener(events: _Events) -> object:
    from airflow.listeners import hookimpl

    class Listener:
        @hookimpl
        def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
            events.started(task_instance)

        @hookimpl
        def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
            events.ended(task_instance, "success")

        @hookimpl
        def on_task_instance_skipped(self, previous_state: Any, task_instance: Any) -> None:
            events.ended(task_instance, "skipped")

        @hookimpl
        def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
            events.ended(task_instance, "failed", _message(error))

    return Listener()


def _message(error: BaseException | str | None) -> str:
    if isinstance(error, HuiyinError):
        return str(error)
    if isinstance(error, BaseException):
        return f"{type(error).__name__}: {error}; the log of this run has the details"
    return error or "failed without a message; see the log of this run"


def _run_dags(settings: Settings, from_on: date | None, to_on: date | None, events: _Events) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.listener import get_listener_manager

    folder = settings.home / "dags"
    bag = DagBag(str(folder), bundle_path=folder, bundle_name="dags-folder")
    if bag.import_errors:
        for file, trace in bag.import_errors.items():
            # The last line of a traceback is "module.Error: message".
            events.send("failure", task=f"dags/{file}", message=trace.strip().rpartition("\n")[2])
        events.send("end", not_run=[*INGEST, *AFTER_INGEST])
        return
    ingest = [bag.dags[name] for name in INGEST if name in bag.dags]
    after = [bag.dags[name] for name in AFTER_INGEST]
    events.send("plan", tasks=sum(len(dag.tasks) for dag in (*ingest, *after)))
    get_listener_manager().add_listener(_listener(events))  # type: ignore[no-untyped-call]
    days = {"from_on": from_on and from_on.isoformat(), "to_on": to_on and to_on.isoformat()}
    loaded = [_run_dag(dag, days | {"everything": True}) for dag in ingest]
    waiting = list(after)
    if any("success" in states for states in loaded) or _holds_records(settings):
        while waiting and "failed" not in _run_dag(waiting[0], {"to_on": days["to_on"]}):
            waiting.pop(0)
        waiting = waiting[1:]
    events.send("end", not_run=[dag.dag_id for dag in waiting])


def _holds_records(settings: Settings) -> bool:
    """Whether anything was ever loaded: a source that fails has often delivered its other tables all the same."""
    try:
        with open_warehouse(settings, read_only=True) as warehouse:
            if not warehouse.has_table("raw", "load_audit"):
                return False
            return bool(warehouse.rows("select count(*) as n from raw.load_audit where loaded > 0")[0]["n"])
    except WarehouseError:
        return False


def _run_dag(dag: Any, days: dict[str, Any]) -> set[str]:
    """Run one DAG to its end in this process; the states of the tasks that the loop consists of."""
    for task in dag.tasks:
        # Whoever started the run is there to read the message; only the scheduler's runs wait and try again.
        if task.is_mapped:
            task.partial_kwargs["retries"] = 0
        else:
            task.retries = 0
    run = dag.test(run_conf={key: value for key, value in days.items() if key in dag.params})
    # What tells the operator runs whatever happened, and is no step of the loop.
    steps = {task.task_id for task in dag.tasks if not task.is_teardown}
    return {str(instance.state) for instance in run.get_task_instances() if instance.task_id in steps}


def main() -> None:
    """The child: run the DAGs that standard input asks for, report to the pipe whose number is the argument."""
    request = json.load(sys.stdin)
    settings = load_settings()
    days = [request[key] and date.fromisoformat(request[key]) for key in ("from_on", "to_on")]
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as stream:
        prepare_here(settings, RUNS)
        _run_dags(settings, days[0], days[1], _Events(stream))


if __name__ == "__main__":
    main()
