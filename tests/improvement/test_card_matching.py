"""Which card an alert belongs to: one scope and one cause never have two open cards, whatever comes in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from incident_mart import FIRST_ON, REGIONS, SUBTYPES, Incident, publish
from sqlalchemy import select
from sqlalchemy.orm import Session

from huiyin.config import Settings
from improvement.alerts.detect import detect
from improvement.alerts.spells import Measure, Spell
from improvement.cards import states
from improvement.cards.opening import Desk
from improvement.loop import LoopReport, play
from improvement.mart import load_mart
from improvement.ops.database import open_ops
from improvement.ops.models import Alert, Card
from improvement.rules import load_rules
from improvement.scope import Scope
from warehouse.connection import open_published

DAYS = 110
LEAK = Incident("product_leak", date(2025, 3, 28), date(2025, 4, 8), 6.0, "华东")
LEAK_SCOPE = "region=华东|problem_subtype=product_leak"
SCOPES = [
    "all=all",
    *(f"problem_subtype={subtype}" for subtype in SUBTYPES[:2]),
    *(f"problem_subtype={subtype}|region={region}" for subtype in SUBTYPES[:2] for region in REGIONS[:2]),
]
RULES = {"": "volume_all", "problem_subtype": "volume_subtype", "region|problem_subtype": "volume_subtype_region"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk over a mart of 110 days with one leak in one region."""
    settings = Settings(var=tmp_path_factory.mktemp("matching"))
    publish(settings.var_dir / "published" / "huiyin.duckdb", FIRST_ON + timedelta(days=DAYS - 1), (LEAK,))
    rules = load_rules(settings)
    mart = load_mart(settings, FIRST_ON + timedelta(days=DAYS - 1), rules.campaigns)
    with open_published(settings) as warehouse, open_ops(settings) as session:
        yield Desk(settings, session, warehouse, mart, rules)


@pytest.fixture
def session(desk: Desk) -> Iterator[Session]:
    """The desk's session; what a test does in it is undone."""
    with desk.session.begin_nested() as undone:
        yield desk.session
        undone.rollback()


def spell(desk: Desk, scope_key: str, fired: int, days: int, factor: float, kind: str = "count") -> Spell:
    """An alert of that scope, seen on every one of its days."""
    scope = Scope.parse(scope_key)
    code = RULES["|".join(name for name, _ in scope.pairs)] if kind == "count" else "trend_volume_subtype"
    rule = next(rule for rule in desk.rules.alerts if rule.rule_code == code)
    last = min(fired + days, DAYS) - 1
    history = [
        Measure(day, 10 * factor, 10.0, factor - 1, 1e-9, 182 if kind == "trend" else 7)
        for day in range(fired, last + 1)
    ]
    resolved = last + 5 if last + 5 < DAYS else None
    if kind == "trend":
        return Spell(rule, scope, max(0, fired - 60), fired, history, resolved)
    counts, expected = np.full(DAYS, 10.0), np.full(DAYS, 10.0)
    counts[fired : last + 1] *= factor
    return Spell(rule, scope, fired - 1, fired, history, resolved, counts, expected)


def check(session: Session) -> None:
    cards = list(session.scalars(select(Card)))
    open_scopes = Counter(card.scope_key for card in cards if card.state not in states.ENDED)
    assert not [key for key, number in open_scopes.items() if number > 1]
    assert all(card.started_on <= card.opened_on for card in cards if card.state != states.REOPENED)
    assert "all=all" not in open_scopes
    assert all(card.title.startswith(card.scope_label) and ":" not in card.title for card in cards)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(SCOPES), st.integers(66, DAYS - 2), st.integers(1, 20), st.sampled_from([1.9, 3.0, 6.0]),
            st.sampled_from(["count", "count", "trend"]),
        ),
        min_size=2, max_size=7,
    ),
    st.sampled_from([None, "已关闭", "不受理", "暂缓"]),
)  # fmt: skip
def test_no_scope_has_two_open_cards_in_whatever_order_alerts_come(
    desk: Desk, drawn: list[tuple[str, int, int, float, str]], decision: str | None
) -> None:
    spells = {
        (s.rule.rule_code, s.scope.key, s.fired): s
        for s in (
            spell(desk, key, *rest, kind=kind if key.count("=") == 1 and key != "all=all" else "count")
            for key, *rest, kind in drawn
        )
    }
    with desk.session.begin_nested() as undone:
        first = [s for s in spells.values() if s.fired < 85]
        play(first, desk, LoopReport(desk.mart.calendar.day(DAYS - 1)))
        check(desk.session)
        for card in desk.session.scalars(select(Card)) if decision else ():
            card.state = decision
        play(list(spells.values()), desk, LoopReport(desk.mart.calendar.day(DAYS - 1)))
        check(desk.session)
        undone.rollback()


def test_what_an_open_card_explains_becomes_its_evidence_not_a_second_card(desk: Desk, session: Session) -> None:
    rule = next(rule for rule in desk.rules.alerts if rule.rule_code == "volume_subtype_region")
    part = next(s for s in detect(rule, desk.mart, desk.rules) if s.scope.get("problem_subtype") == "product_leak")
    play([part], desk, LoopReport(desk.mart.calendar.day(DAYS - 1)))
    # Over all regions, when the part's alert is over: nearly all of the excess is the part's.
    part.resolved = part.last_seen + 1
    whole = spell(desk, "problem_subtype=product_leak", part.resolved, 3, 3.0)
    whole.started = part.started
    whole.daily_expected = np.full(DAYS, 6.0)
    play([part, whole], desk, LoopReport(desk.mart.calendar.day(DAYS - 1)))
    assert [card.scope_key for card in session.scalars(select(Card))] == [LEAK_SCOPE]
    assert len({alert.card_id for alert in session.scalars(select(Alert))}) == 1


def test_a_rise_of_all_contacts_is_an_alert_but_no_card(desk: Desk, session: Session) -> None:
    play([spell(desk, "all=all", 80, 12, 3.0)], desk, LoopReport(desk.mart.calendar.day(DAYS - 1)))
    assert [alert.card_id for alert in session.scalars(select(Alert))] == [None]
    assert not session.scalars(select(Card)).all()


def test_a_card_of_what_grows_slowly_says_from_what_to_what(desk: Desk, session: Session) -> None:
    slow = spell(desk, "problem_subtype=refund_slow", 80, 25, 2.0, "trend")
    play([slow], desk, LoopReport(desk.mart.calendar.day(DAYS - 1)))
    assert [card.title for card in session.scalars(select(Card))] == [
        "退款缓慢 工单量持续上升：26 周内由每周 10 件升到 20 件"
    ]
