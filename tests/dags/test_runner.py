"""`run_pipeline` runs the real DAGs over a small demo company: failures stay where they are, running again is safe."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from huiyin.config import NlpSettings, Settings
from huiyin.demo import COMPANY_TO_ON, generate
from huiyin.interval import Interval
from huiyin.runner import PipelineReport, RunError, run_pipeline
from ingest.configuration import SourcesFileError
from warehouse import open_published, open_warehouse

YEAR = Interval(None, COMPANY_TO_ON)
GONE = {
    "name": "gone",
    "domain": "crm",
    "kind": "sql",
    "url": "sqlite:///gone.db",
    "tables": [{"entity": "customers", "table": "customers"}],
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """A company of some thousand records, one of whose sources is broken."""
    folder = tmp_path_factory.mktemp("small")
    generate(folder / "demo", scale=0.02)
    sources = folder / "demo" / "sources.yml"
    company = yaml.safe_load(sources.read_text(encoding="utf-8"))
    company["sources"] = [source for source in company["sources"] if source["name"] != "social"] + [GONE]
    sources.write_text(yaml.safe_dump(company, allow_unicode=True), encoding="utf-8")
    nlp = NlpSettings(embedder="tfidf", chunk_size=500, topic_fit_texts=400)
    with pytest.MonkeyPatch.context() as patch:
        # Compiling takes a minute; the machine code stays in pytest's cache from one session to the next.
        patch.setenv("NUMBA_CACHE_DIR", str(request.config.cache.mkdir("numba")))
        yield Settings(var=folder / "var", sources=sources, mask_key="k", nlp=nlp)


@pytest.fixture(scope="module")
def first(small: Settings) -> PipelineReport:
    return run_pipeline(small, YEAR)


def published(settings: Settings) -> dict[str, object]:
    """A fingerprint of each published table, whatever the order of its rows.

    Numbers count to nine digits and decimals: DuckDB adds in parallel, the order of adding changes the last ones, and
    of a difference of nearly equal numbers nothing but those is left. Times π, so that no number of few digits lies
    just between two roundings.
    """
    with open_published(settings) as mart:
        columns = mart.rows(
            "SELECT table_name, string_agg(CASE data_type WHEN 'DOUBLE'"
            " THEN 'printf(''%.9g'', round(' || column_name || ' * pi(), 9) + 0.0)'"
            " ELSE column_name END, ', ') AS columns FROM information_schema.columns WHERE table_schema = 'mart'"
            " GROUP BY 1 ORDER BY 1"
        )
        return {
            table["table_name"]: mart.rows(
                f"SELECT count(*) AS n, bit_xor(hash(row({table['columns']}))) AS h FROM mart.{table['table_name']}"
            )
            for table in columns
        }


@pytest.mark.slow
def test_a_broken_source_is_named_and_stops_nobody_else(first: PipelineReport, small: Settings) -> None:
    assert [failure.task for failure in first.failures] == ["ingest_crm.gone"]
    assert "gone" in first.failures[0].message and "Traceback" not in first.failures[0].message
    assert first.not_run == []
    states = {task.task: task.state for task in first.tasks}
    assert states["ingest_crm.crm"] == states["improvement_loop.report"] == "success"
    with open_warehouse(small, read_only=True) as warehouse:
        assert warehouse.rows("SELECT count(*) AS n FROM raw.tickets")[0]["n"] > 500


@pytest.mark.slow
def test_every_text_has_a_sentiment_and_a_topic_assignment_and_the_report_is_written(
    first: PipelineReport, small: Settings
) -> None:
    with open_published(small) as mart:
        counts = mart.rows(
            "SELECT count(*) AS n, count(sentiment_score) AS s, count(topic_id) AS t FROM mart.fct_sentiment"
        )[0]
    assert counts["n"] > 500 and counts["n"] == counts["s"] == counts["t"]
    assert "report 报告" in dict(first.places())
    assert (small.reports_dir / "latest.html").stat().st_size > 10_000
    assert len([task for task in first.tasks if task.task == "feedback_mining.score"]) > 1
    assert list(small.handover_dir.iterdir()) == []


@pytest.mark.slow
def test_running_again_changes_nothing_and_scores_nothing_anew(first: PipelineReport, small: Settings) -> None:
    before = published(small)
    second = run_pipeline(small, YEAR)
    assert [failure.task for failure in second.failures] == ["ingest_crm.gone"]
    assert not any(task.task == "feedback_mining.score" for task in second.tasks)
    assert published(small) == before


@pytest.mark.slow
def test_a_build_that_fails_leaves_the_published_mart_and_names_the_remedy(
    first: PipelineReport, small: Settings, tmp_path: Path
) -> None:
    rules = shutil.copytree(small.rules_dir, tmp_path / "rules")
    (rules / "sla_policies.csv").unlink()
    before = small.published_file.read_bytes()
    report = run_pipeline(small.model_copy(update={"rules": rules}), YEAR)
    failed = {failure.task: failure.message for failure in report.failures}
    assert "sla_policies.csv" in failed["service_mart.publish_mart"]
    assert report.not_run == ["feedback_mining", "improvement_loop"]
    assert small.published_file.read_bytes() == before


def runs() -> list[psutil.Process]:
    """Processes of runs that this one has started; other tests may have children of their own."""
    return [child for child in psutil.Process().children() if "huiyin.runner" in child.cmdline()]


@pytest.mark.slow
def test_a_second_run_is_refused_and_a_killed_run_says_so_and_frees_its_place(
    first: PipelineReport, small: Settings
) -> None:
    outcome: list[str] = []

    def run() -> None:
        try:
            run_pipeline(small, YEAR)
        except RunError as error:
            outcome.append(str(error))

    runner = threading.Thread(target=run)
    runner.start()
    try:
        deadline = time.monotonic() + 60
        while not (children := runs()) and time.monotonic() < deadline:
            time.sleep(0.1)
        with pytest.raises(RunError, match="another run is going on"):
            run_pipeline(small, YEAR)
    finally:
        children[0].kill()
        runner.join(60)
    assert len(outcome) == 1 and "SIGKILL" in outcome[0]
    lock = small.var_dir / "run.lock"
    assert lock.exists() and not runs()


def test_a_missing_sources_file_is_one_clear_message(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, sources=tmp_path / "none.yml", mask_key="k")
    with pytest.raises(SourcesFileError, match=r"none\.yml"):
        run_pipeline(settings, Interval())
