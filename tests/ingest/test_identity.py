"""Who is who: one person over all channels, households and hubs apart, people's verdicts above all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from identity_company import MORNING, People, ref

from huiyin.config import Settings
from ingest.identity import resolve
from ingest.identity.decisions import IdentityDecisionError, decide
from ingest.identity.evidence import edges_of
from ingest.identity.persons import persons
from ingest.identity.scoring import parts_of


@pytest.fixture(params=["duckdb", "postgres"])
def people(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[People]:
    """An empty warehouse on either engine."""
    warehouse = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    yield People(Settings(var=tmp_path, **({"warehouse": warehouse} if warehouse else {})))


@pytest.fixture
def few(tmp_path: Path) -> People:
    """An empty warehouse on DuckDB."""
    return People(Settings(var=tmp_path))


def test_one_person_over_phone_app_wechat_mail_and_handle_is_called_by_the_ref_known_longest(people: People) -> None:
    people.customer("C1", "李娜", MORNING - timedelta(days=900), phone="13800000001", email="li.na@example.com")
    people.customer("C2", "王强", phone="13800000002")
    people.ticket("138-0000-0001", "phone")
    people.ticket("LI.NA@example.com", "email")
    people.bound("U1", "phone", "+86 13800000001")
    people.bound("U1", "wechat", "oOpenid1")
    people.bound("U1", "handle", "dy777")
    people.ticket("U1", "app")
    people.ticket("oOpenid1", "wechat")
    people.ticket("oOpenid2", "wechat")
    found = people.resolve()
    assert found["C1"] == {"C1", "13800000001", "li.na@example.com", "U1", "oOpenid1"}
    assert found["C2"] == {"C2"} and found["oOpenid2"] == {"oOpenid2"}
    methods = {row["ref"]: row["method"] for row in people.rows("identity")}
    assert methods[ref("C1")] == "itself" and methods[ref("oOpenid1")] == "same_wechat"
    before = people.rows("identity"), people.rows("identity_edges")
    assert resolve(people.settings).changed == 0
    assert (people.rows("identity"), people.rows("identity_edges")) == before


def test_a_shared_phone_makes_no_one_person_of_a_household_and_people_are_asked(few: People) -> None:
    few.customer("C1", "李娜", phone="13800000001", region="华东")
    few.customer("C2", "王强", phone="13800000001", region="华东")
    few.ticket("13800000001", "phone")
    found = few.resolve()
    assert set(found) == {"C1", "C2", "13800000001"}
    assert {frozenset(("C1", "13800000001")), frozenset(("C2", "13800000001"))} <= few.review()


def test_a_switchboard_ties_nobody_and_troubles_nobody(few: People) -> None:
    for number in range(20):
        few.customer(f"C{number}", f"员工{number}", phone="021-55556666")
        few.bound(f"U{number}", "phone", "021-55556666")
    few.ticket("021-55556666", "phone")
    assert len(few.resolve()) == 41
    assert few.review() == set()


def test_a_customer_entered_twice_is_one_by_name_and_phone_even_with_a_slip_in_it(few: People) -> None:
    for number in range(300):
        few_name = f"路人{number}"
        few.customer(f"C{number}", few_name, phone=f"139{number:08d}", region="华东")
    few.customer("D1", "欧阳慧敏", MORNING - timedelta(days=9), phone="13812345678", region="华南")
    few.customer("D2", "欧阳慧敏", phone="13812345687", region="华南")  # two digits changed places
    few.customer("D3", "欧阳慧敏", phone="17700001111", region="华北")  # a namesake
    found = few.resolve()
    assert found["D1"] == {"D1", "D2"} and found["D3"] == {"D3"}
    edge = next(row for row in few.rows("identity_edges") if row["rule"] == "scored")
    assert json.loads(edge["reasons"]) == ["姓名相同", "手机号只差一处", "同一地区"]
    assert 0.95 < edge["score"] < 1 and edge["decided_by"] == "system"


def test_an_account_between_two_customers_goes_with_the_more_personal_identifier(few: People) -> None:
    few.customer("C1", "李娜", wechat="oOpenid1")
    few.customer("C2", "王强", phone="13800000002")
    few.bound("U1", "wechat", "oOpenid1")
    few.bound("U1", "phone", "13800000002")  # a number that was given to someone else meanwhile
    few.ticket("U1", "app")
    found = few.resolve()
    assert found["C1"] >= {"C1", "U1"} and found["C2"] == {"C2"}
    assert frozenset(("U1", "C2")) in few.review()


def test_verdicts_hold_against_evidence_until_they_are_withdrawn_and_all_can_be_undone(people: People) -> None:
    people.customer("C1", "李娜", MORNING - timedelta(days=2), phone="13800000001")
    people.customer("C2", "李娜小号", MORNING - timedelta(days=1))
    people.ticket("13800000001", "phone")
    apart = {"C1": {"C1", "13800000001"}, "C2": {"C2"}}
    assert people.resolve() == apart

    decide(people.settings, ref("C2"), ref("C1"), "link", "张三", "电话核实")
    assert people.resolve() == {"C1": {"C1", "C2", "13800000001"}}
    decide(people.settings, ref("C1"), ref("C2"), "separate", "李四", "是姐妹")
    assert people.resolve() == apart
    people.bound("C1", "wechat", "oOpenid1")  # later evidence
    people.bound("C2", "wechat", "oOpenid1")
    assert people.resolve() == apart
    kept = {row["state"] for row in people.rows("identity_edges") if row["decided_by"] == "person"}
    assert kept == {"separate"}
    decide(people.settings, ref("C1"), ref("C2"), "withdraw", "李四", "说错了")
    assert people.resolve() == {"C1": {"C1", "C2", "13800000001"}}
    assert [row["verdict"] for row in sorted(people.rows("identity_decisions"), key=lambda r: r["decided_at"])] == [
        "link", "separate", "withdraw",
    ]  # fmt: skip


def test_a_separated_pair_is_parted_even_where_others_hold_it_together(few: People) -> None:
    few.bound("U1", "wechat", "oOpenid1")
    few.bound("U2", "wechat", "oOpenid1")
    for name in ("U1", "U2"):
        few.ticket(name, "app")
    few.ticket("oOpenid1", "wechat")
    assert len(few.resolve()) == 1
    decide(few.settings, ref("U1"), ref("U2"), "separate", "张三", "两个人")
    found = few.resolve()
    assert len(found) == 2 and not any({"U1", "U2"} <= refs for refs in found.values())


def test_a_person_keeps_its_name_when_older_evidence_arrives(few: People) -> None:
    few.ticket("13800000001", "phone")
    assert few.resolve() == {"13800000001": {"13800000001"}}
    few.customer("C1", "李娜", MORNING - timedelta(days=900), phone="13800000001")
    since = few.rows("identity")[0]["since"]
    assert few.resolve() == {"13800000001": {"13800000001", "C1"}}
    assert {row["since"] for row in few.rows("identity") if row["ref"] == ref("13800000001")} == {since}


def test_a_verdict_needs_a_name_a_reason_and_two_known_refs(few: People) -> None:
    few.ticket("13800000001", "phone")
    few.ticket("13800000002", "phone")
    few.resolve()
    first, second = ref("13800000001"), ref("13800000002")
    for a, b, verdict, actor, reason, match in (
        (first, second, "link", " ", "因为", "who says so"),
        (first, second, "link", "张三", "", "why"),
        (first, first, "link", "张三", "因为", "needs two"),
        (first, ref("13800000003"), "separate", "张三", "因为", "no ref"),
        (first, second, "withdraw", "张三", "因为", "no verdict"),
    ):
        with pytest.raises(IdentityDecisionError, match=match):
            decide(few.settings, a, b, verdict, actor, reason)  # type: ignore[arg-type]
    assert few.rows("identity_decisions") == []


def test_rows_deleted_upstream_are_no_evidence(few: People) -> None:
    few.customer("C1", "李娜", phone="13800000001")
    few.add(
        "identifiers",
        {
            "customer_ref": ref("U1"), "identifier_kind": "phone", "identifier": ref("13800000001"),
            "_deleted_at": MORNING,
        },
    )  # fmt: skip
    assert few.resolve() == {"C1": {"C1"}}


def test_parts_of_pseudonyms_agree_where_a_slip_left_that_part_alone() -> None:
    def parts(*values: str) -> list[tuple[bool, bool]]:
        found = parts_of(pd.Series([ref(value) for value in values]))
        same = found.eq(found.iloc[0], axis=1)
        return [(bool(first), bool(second)) for first, second in zip(same["first"], same["second"], strict=True)][1:]

    assert parts("13812345678", "13812345687", "13712345678", "13712345687") == [
        (False, True), (True, False), (False, False),
    ]  # fmt: skip
    assert parts("li.na@example.com", "li.na@exmaple.com", "il.na@example.com", "wang@example.com") == [
        (True, True), (False, True), (False, False),
    ]  # fmt: skip
    assert len({ref("13812345678"), ref("13812345687"), ref("13712345678")}) == 3


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    links=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.integers(0, 4)), max_size=25),
    customers=st.dictionaries(st.integers(0, 11), st.integers(0, 2), max_size=6),
    apart=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=3),
)
def test_no_person_holds_two_customers_or_a_separated_pair_whatever_the_edges(
    links: list[tuple[int, int, int]], customers: dict[int, int], apart: list[tuple[int, int]]
) -> None:
    refs = pd.Index([f"r{n:02}" for n in range(12)])
    rows = {tuple(sorted((refs[a], refs[b]))): rank for a, b, rank in links if a != b}  # one edge a pair
    edges = edges_of(
        [
            {"a": a, "b": b, "rule": "x", "rank": rank, "score": 0.9, "reasons": [], "state": "linked"}
            for (a, b), rank in rows.items()
        ]
    )
    separated = [(refs[a], refs[b]) for a, b in apart if a != b]
    known = {refs[n]: str(customer) for n, customer in customers.items()}
    numbers, decided = persons(refs, edges, known, separated)
    for a, b in separated:
        assert numbers[a] != numbers[b]
    of_person = pd.Series(known, dtype=object).groupby(numbers.reindex(list(known))).nunique()
    assert (of_person <= 1).all()
    # Together is exactly who is connected by edges that are still linked.
    follow = decided[decided["state"] == "linked"]
    assert all(numbers[a] == numbers[b] for a, b in zip(follow["a"], follow["b"], strict=True))
    again, _ = persons(refs, edges, known, separated)
    assert again.equals(numbers)
