"""The life of a card: legal moves only, nothing closed without a reason, and a trail that shows every tampering."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from typer.testing import CliRunner

from huiyin.config import Settings
from improvement.cards import states, work
from improvement.cards.states import IllegalMoveError
from improvement.cli import app
from improvement.ops.audit import append_transition, verify_audit
from improvement.ops.database import open_ops
from improvement.ops.models import ActionEffect, Card


def add_card(settings: Settings, card_id: str = "HY-0001") -> None:
    with open_ops(settings) as session:
        card = Card(
            card_id=card_id, title="华东 物流延误 激增", scope_key="region=华东|problem_subtype=logistics_delay",
            scope_label="华东 物流延误", metric="ticket_count", state=states.NEW, opened_on=date(2025, 11, 14),
            started_on=date(2025, 11, 13), last_seen_on=date(2025, 11, 14), updated_at=datetime(2025, 11, 14, 16),  # noqa: DTZ001
            transition_count=0, owner="物流主管", team="物流组",
        )  # fmt: skip
        session.add(card)
        session.flush()
        append_transition(
            session, card, "opened", occurred_at=card.updated_at, actor=states.SYSTEM, to_value=card.state
        )


def walk(settings: Settings, *to_states: str) -> None:
    for state in to_states:
        work.move_card(settings, "HY-0001", state, "王芳", "例会决定")


@pytest.fixture(params=["sqlite", "postgres"])
def ops(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Both ops databases with one new card."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    settings = Settings(var=tmp_path, ops_db=url)
    add_card(settings)
    yield settings


def test_a_card_goes_its_way_and_closes_on_a_measured_improvement(ops: Settings) -> None:
    walk(ops, "已确认", "原因分析", "整改中")
    action = work.add_action(ops, "HY-0001", "启用备用承运商", "王芳", started_on=date(2025, 11, 20))
    work.update_action(ops, action.action_id, "王芳", done_on=date(2025, 11, 28))
    walk(ops, "已上线", "效果验证")
    with pytest.raises(
        IllegalMoveError, match=r"no action of it has a measured improvement.*原因分析、整改中.*override"
    ):
        walk(ops, "已关闭")
    with open_ops(ops) as session:
        session.add(
            ActionEffect(
                action_id=action.action_id,
                evaluated_on=date(2025, 12, 27),
                metric="ticket_count",
                verdict="improved",
                card_id="HY-0001",
            )
        )
    walk(ops, "已关闭")
    detail = work.show_card(ops, "hy-0001")
    assert detail.card.state == "已关闭" and detail.card.closed_on is not None
    assert [t.sequence for t in detail.transitions] == list(range(1, len(detail.transitions) + 1))
    assert verify_audit(ops).is_whole


def test_an_override_needs_a_person_and_a_reason_and_is_on_record(ops: Settings) -> None:
    walk(ops, "已确认", "原因分析", "整改中", "已上线", "效果验证")
    with pytest.raises(IllegalMoveError, match="needs a reason"):
        work.move_card(ops, "HY-0001", "已关闭", "李强", None, override=True)
    with pytest.raises(IllegalMoveError, match="only a person"):
        work.move_card(ops, "HY-0001", "已关闭", states.SYSTEM, "自动", override=True)
    work.move_card(ops, "HY-0001", "已关闭", "李强", "供应商已更换", override=True)
    last = work.show_card(ops, "HY-0001").transitions[-1]
    assert (last.actor, last.reason) == ("李强", "人工核准关闭：供应商已更换")


def test_the_database_itself_refuses_to_change_the_trail(ops: Settings) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    for statement in ("UPDATE card_transitions SET actor = 'x'", "DELETE FROM card_transitions"):
        with pytest.raises(DBAPIError, match="append-only"), open_ops(ops) as session:
            session.execute(text(statement))


@pytest.mark.parametrize(
    ("tampering", "says"),
    [
        ("UPDATE card_transitions SET actor = '别人' WHERE position = 2", "content was changed"),
        ("DELETE FROM card_transitions WHERE position = 2", "missing"),
        ("DELETE FROM card_transitions WHERE position = 3", "should have 3"),
        ("UPDATE cards SET state = '已关闭'", "but the trail says"),
    ],
)
def test_tampering_shows(tmp_path: Path, tampering: str, says: str) -> None:
    settings = Settings(var=tmp_path)
    add_card(settings)
    walk(settings, "已确认", "原因分析")
    assert verify_audit(settings).entries == 3
    with sqlite3.connect(tmp_path / "ops.db") as connection:  # somebody with full rights
        connection.execute("DROP TRIGGER card_transitions_no_update")
        connection.execute("DROP TRIGGER card_transitions_no_delete")
        connection.execute(tampering)
    assert any(says in problem for problem in verify_audit(settings).problems)


def test_the_command_line_works_the_backlog_in_chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUIYIN_VAR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    add_card(Settings(var=tmp_path))
    runner = CliRunner()

    def call(*words: str) -> str:
        result = runner.invoke(app, list(words))
        assert result.exit_code == 0, result.output
        return result.output

    assert "华东 物流延误" in call("list")
    assert "已确认" in call("move", "HY-0001", "已确认", "--actor", "王芳")
    call("assign", "HY-0001", "张伟", "--actor", "王芳")
    assert "HY-0001-A1" in call("action", "add", "HY-0001", "换承运商", "--actor", "王芳", "--start", "2025-11-20")
    call("action", "update", "HY-0001-A1", "--progress", "50", "--actor", "王芳")
    shown = call("show", "HY-0001")
    assert all(words in shown for words in ("张伟", "换承运商", "50%", "轨迹"))
    assert "轨迹完整" in call("verify")


class CardLife(RuleBasedStateMachine):
    """Any sequence of orders by anybody leaves a legal card and a whole trail."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.settings = Settings(var=Path(self.folder.name))
        add_card(self.settings)
        add_card(self.settings, "HY-0002")
        self.state = states.NEW

    @rule(to=st.sampled_from(states.STATES), reason=st.sampled_from([None, " ", "见 HY-0002", "供应商问题"]),
          actor=st.sampled_from(["王芳", " ", states.SYSTEM]), override=st.booleans())  # fmt: skip
    def move(self, to: str, reason: str | None, actor: str, override: bool) -> None:
        try:
            work.move_card(self.settings, "HY-0001", to, actor, reason, override=override)
        except IllegalMoveError as error:
            assert str(error)
        else:
            assert to in states.MOVES[self.state] and actor.strip()
            assert to != states.CLOSED or (override and reason and reason.strip() and actor != states.SYSTEM)
            assert to != states.DUPLICATE or (reason and "HY-0002" in reason)
            self.state = to

    @rule(owner=st.text(min_size=1, max_size=5).filter(str.strip).filter(lambda t: "\x00" not in t and t.isprintable()))
    def assign(self, owner: str) -> None:
        assert work.assign_card(self.settings, "HY-0001", owner, "李强").owner == owner

    @invariant()
    def trail_is_whole(self) -> None:
        report = verify_audit(self.settings)
        assert report.is_whole, report.problems
        assert work.list_cards(self.settings, self.state)

    def teardown(self) -> None:
        self.folder.cleanup()


TestCardLife = CardLife.TestCase
TestCardLife.settings = hypothesis_settings(max_examples=8, stateful_step_count=12, deadline=None)
