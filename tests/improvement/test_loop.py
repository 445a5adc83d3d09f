"""The loop on marts with known incidents: found, explained, one card each, and the same after any rerun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from incident_mart import Incident, Meme, publish
from sqlalchemy import select

from huiyin.config import Settings
from improvement.cards import states, work
from improvement.loop import last_day_of_data, run
from improvement.ops.audit import verify_audit
from improvement.ops.database import open_ops
from improvement.ops.models import ActionEffect, Alert, Card, CardEvidence, CardTransition

STALL = Incident("logistics_delay", date(2025, 4, 15), date(2025, 4, 28), 5.0, "华东")
LOGIN = Incident("login_failure", date(2025, 7, 14), date(2025, 7, 22), 4.0)
STALL_AGAIN = Incident("logistics_delay", date(2025, 8, 4), date(2025, 8, 15), 5.0, "华东")
MEME = Meme(date(2025, 5, 5), date(2025, 5, 11), 30)
UNTIL = date(2025, 8, 10)
INCIDENTS = (STALL, LOGIN, STALL_AGAIN)
DONE_NOTHING = {
    "action_id": "A-1", "card_id": None, "measure": "培训", "scope_key": "problem_subtype=repair_slow",
    "metric": "ticket_count", "owner": "维修主管", "team": "维修组", "started_on": date(2025, 5, 1),
    "due_on": date(2025, 5, 10), "done_on": date(2025, 5, 8), "status": "done", "progress_percent": 100.0,
    "target_change_ratio": -0.4, "note": None,
}  # fmt: skip
UNFINISHED = DONE_NOTHING | {"action_id": "A-2", "done_on": None, "status": "in_progress", "due_on": date(2025, 9, 1)}


def contents(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the ops database."""
    found = {}
    with open_ops(settings) as session:
        for table in (Alert, Card, CardTransition, CardEvidence, ActionEffect):
            columns = table.__table__.columns
            found[table.__tablename__] = sorted(map(tuple, session.execute(select(*columns))), key=repr)
    return found


@pytest.fixture(scope="module")
def mart_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("mart") / "published" / "huiyin.duckdb"
    publish(file, UNTIL, INCIDENTS, meme=MEME, actions=(DONE_NOTHING, UNFINISHED))
    return file


def settings_on(mart_file: Path, ops_db: str) -> Settings:
    return Settings(var=mart_file.parent.parent, ops_db=ops_db)


@pytest.fixture
def fresh(mart_file: Path, tmp_path: Path) -> Settings:
    """The mart with an ops database of its own."""
    return settings_on(mart_file, f"sqlite:///{tmp_path / 'ops.db'}")


@pytest.fixture(scope="module")
def played(mart_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The mart after one run."""
    settings = settings_on(mart_file, f"sqlite:///{tmp_path_factory.mktemp('ops') / 'ops.db'}")
    run(settings, UNTIL)
    return settings


def test_each_incident_becomes_one_card_about_what_explains_it(played: Settings) -> None:
    cards = {card.scope_key: card for card in work.list_cards(played)}
    assert set(cards) == {"region=华东|problem_subtype=logistics_delay", "problem_subtype=login_failure"}
    stall = cards["region=华东|problem_subtype=logistics_delay"]
    assert (stall.opened_on - STALL.from_on).days <= 4
    assert stall.team == "物流组" and stall.root_cause_class == "process" and "预期的" in stall.title
    assert stall.recurrence_count == 1  # the second stall found its card again
    assert (cards["problem_subtype=login_failure"].opened_on - LOGIN.from_on).days <= 4


def test_the_same_burst_written_by_known_customers_opens_a_card(tmp_path: Path) -> None:
    file = tmp_path / "published" / "huiyin.duckdb"
    publish(file, UNTIL, meme=replace(MEME, by_customers=True))
    settings = settings_on(file, f"sqlite:///{tmp_path / 'ops.db'}")
    run(settings, UNTIL)
    assert [card.scope_key for card in work.list_cards(settings)] == ["topic=9"]


def test_a_meme_without_tickets_alerts_but_opens_no_card(played: Settings) -> None:
    with open_ops(played) as session:
        memes = list(session.scalars(select(Alert).where(Alert.scope_key == "topic=9")))
    assert len(memes) == 1 and memes[0].card_id is None and memes[0].state == "resolved"


def test_parts_of_a_general_rise_are_silenced_by_the_whole(played: Settings) -> None:
    with open_ops(played) as session:
        alerts = {a.alert_id: a for a in session.scalars(select(Alert).where(Alert.fired_on >= LOGIN.from_on))}
    parts = [a for a in alerts.values() if "login_failure" in a.scope_key and "region" in a.scope_key]
    whole = [a for a in alerts.values() if a.scope_key == "problem_subtype=login_failure"]
    assert len(whole) == 1 and all(part.inhibited_by == whole[0].alert_id for part in parts)
    assert {part.card_id for part in parts} <= {whole[0].card_id}


def test_evidence_is_frozen_negative_and_about_the_scope(played: Settings) -> None:
    card_id = next(c.card_id for c in work.list_cards(played) if c.problem_subtype == "login_failure")
    detail = work.show_card(played, card_id)
    assert len(detail.evidence) == played.improvement.verbatims_per_card
    assert all("验证码" in row.text and row.query.startswith("select") for row in detail.evidence)
    assert detail.card.voice_count and detail.card.customer_count and detail.card.revenue_at_risk
    assert 0 < (detail.card.priority_score or 0) <= 100
    assert verify_audit(played).is_whole


def test_actions_are_judged_and_the_unfinished_ones_wait(played: Settings) -> None:
    with open_ops(played) as session:
        effects = {e.action_id: e for e in session.scalars(select(ActionEffect))}
    assert effects["A-1"].verdict == "not_improved" and effects["A-1"].method
    assert effects["A-2"].verdict == "not_yet_knowable" and effects["A-2"].knowable_on == date(2025, 9, 29)


def test_a_rerun_changes_nothing_and_keeps_what_people_did(mart_file: Path, fresh: Settings) -> None:
    run(fresh, UNTIL)
    before = contents(fresh)
    run(fresh, UNTIL)
    assert contents(fresh) == before
    work.move_card(fresh, "HY-0001", states.CONFIRMED, "王芳")
    work.assign_card(fresh, "HY-0001", "张伟", "王芳")
    with open_ops(fresh) as session:
        active = session.scalars(select(Alert.alert_id).where(Alert.state == "firing")).first()
    assert active is not None
    work.acknowledge_alert(fresh, active, "王芳", "已联系承运商")
    before = contents(fresh)
    run(fresh, UNTIL)
    assert contents(fresh) == before


@pytest.mark.slow
def test_day_after_day_finds_the_same_as_one_run_over_all(mart_file: Path, fresh: Settings, played: Settings) -> None:
    for day in (date(2025, 4, 16), date(2025, 4, 19), date(2025, 5, 10), date(2025, 7, 18), date(2025, 7, 21), UNTIL):
        run(fresh, day)
    assert last_day_of_data(fresh) == UNTIL

    def spells(settings: Settings) -> set[tuple[Any, ...]]:
        with open_ops(settings) as session:
            rows = session.scalars(select(Alert))
            return {(a.alert_id, a.started_on, a.fired_on, a.resolved_on, a.severity, a.card_id) for a in rows}

    def cards(settings: Settings) -> list[tuple[Any, ...]]:
        return [
            (c.card_id, c.title, c.scope_key, c.opened_on, c.started_on, c.last_seen_on, c.due_on, c.severity,
             c.voice_count, c.priority_score, c.recurrence_count)
            for c in work.list_cards(settings)
        ]  # fmt: skip

    assert spells(fresh) == spells(played)
    assert cards(fresh) == cards(played)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_leaves_nothing_half_done(
    mart_file: Path, fresh: Settings, played: Settings
) -> None:
    program = (
        "from datetime import date; from huiyin.config import Settings; from pathlib import Path;"
        "from improvement.loop import run; print('go', flush=True);"
        f"run(Settings(var=Path({str(mart_file.parent.parent)!r}), ops_db={fresh.ops_db!r}), date({UNTIL:%Y,%-m,%-d}))"
    )
    for wait in (0.5, 2.0):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "go\n"
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    run(fresh, UNTIL)
    assert contents(fresh) == contents(played)


def test_a_closed_card_is_reopened_by_the_same_problem(mart_file: Path, fresh: Settings) -> None:
    run(fresh, date(2025, 6, 1))
    for state in ("已确认", "原因分析", "整改中", "已上线", "效果验证"):
        work.move_card(fresh, "HY-0001", state, "王芳")
    work.move_card(fresh, "HY-0001", "已关闭", "王芳", "承运商恢复", override=True)
    report = run(fresh, UNTIL)
    assert report.cards_reopened == ["HY-0001"]
    detail = work.show_card(fresh, "HY-0001")
    assert detail.card.state == states.REOPENED and detail.card.recurrence_count == 1
    assert len({row.frozen_on for row in detail.evidence}) == 2
    assert verify_audit(fresh).is_whole


def test_the_ops_database_may_be_postgresql(mart_file: Path, postgres_url: str, played: Settings) -> None:
    settings = settings_on(mart_file, postgres_url)
    run(settings, UNTIL)
    run(settings, UNTIL)
    assert [c.title for c in work.list_cards(settings)] == [c.title for c in work.list_cards(played)]
    assert verify_audit(settings).is_whole
