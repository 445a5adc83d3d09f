"""Customers fall into the groups that are there, and the list of those at risk is monotone, calibrated, explained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from huiyin.cli import app
from nlp.segments import CustomerDataError, customers_at_risk, segment_customers
from nlp.segments.cluster import ONLY

DAY = pd.Timestamp("2025-06-30")


def contacts(customer: str, count: int, **facts: object) -> list[dict[str, object]]:
    return [{"customer_ref": customer, "created_at": DAY - pd.Timedelta(days=n), **facts} for n in range(count)]


def company() -> pd.DataFrame:
    """60 who write often about 物流 and come back, 90 quiet VIPs who ask about 发票."""
    generator = np.random.default_rng(1)
    rows: list[dict[str, object]] = []
    for n in range(60):
        rows += contacts(f"a{n}", int(generator.integers(6, 13)), topic_label="物流", is_repeat_contact=1,
                         customer_tier="regular", annual_revenue=800 + n)  # fmt: skip
    for n in range(90):
        rows += contacts(f"b{n}", int(generator.integers(1, 4)), topic_label="发票", is_repeat_contact=0,
                         customer_tier="vip", annual_revenue=9000 + n)  # fmt: skip
    return pd.DataFrame(rows)


def test_groups_that_differ_are_found_and_named_after_what_they_do() -> None:
    table = segment_customers(company())
    first = table.index.str[0]
    assert table.groupby(first)["segment_id"].nunique().eq(1).all()
    assert table["segment_id"].nunique() == 2
    assert set(table.loc[first == "b", "segment_id"]) == {0}
    often = table.loc[first == "a", "segment"].iloc[0]
    assert any(word in often for word in ("高频联系", "反复来电", "常谈物流"))


def test_customers_without_groups_stay_together() -> None:
    generator = np.random.default_rng(2)
    rows = [row for n in range(200) for row in contacts(f"c{n}", 1, csat_score=float(generator.integers(1, 6)),
            annual_revenue=float(generator.lognormal(7, 1)), transfer_count=float(generator.poisson(2)))]  # fmt: skip
    for row in rows:
        row["created_at"] = DAY - pd.Timedelta(days=float(generator.uniform(0, 300)))
    table = segment_customers(pd.DataFrame(rows))
    assert set(table["segment"]) == {ONLY} or table["segment_id"].nunique() <= 3


def test_the_angry_vip_stands_above_the_content_customer_and_it_says_why() -> None:
    rows = contacts("calm", 3, emotions="", customer_tier="regular", annual_revenue=500)
    rows += contacts("furious", 3, emotions="愤怒、失望", customer_tier="vip", annual_revenue=90_000)
    report = customers_at_risk(pd.DataFrame(rows))
    assert report.method == "score"
    assert list(report.customers.index) == ["furious", "calm"]
    assert "表达愤怒 3 次" in report.customers.loc["furious", "reasons"]
    assert "VIP" in report.customers.loc["furious", "reasons"]
    assert report.customers.loc["calm", "reasons"] == "暂无风险迹象"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=3, max_size=3),
    st.sampled_from(["is_repeat_contact", "reopen_count", "transfer_count"]),
)
def test_one_bad_experience_more_never_lowers_the_risk(bad: list[int], more: str) -> None:
    signs = dict(zip(("is_repeat_contact", "reopen_count", "transfer_count"), (n % 2 for n in bad), strict=True))
    rows = contacts("before", 2, **signs) + contacts("after", 2, **(signs | {more: 1}))
    risk = customers_at_risk(pd.DataFrame(rows)).customers["risk"]
    assert risk["after"] >= risk["before"]


def test_where_churn_is_known_the_risk_is_its_probability() -> None:
    generator = np.random.default_rng(3)
    rows = []
    often = generator.integers(0, 4, 1500)
    leaves = generator.random(1500) < 0.05 + 0.15 * often
    for n, (repeats, left) in enumerate(zip(often.tolist(), leaves.astype(float), strict=True)):
        rows += contacts(f"c{n}", 1, is_repeat_contact=0, churned=left if n < 1200 else None)
        rows += contacts(f"c{n}", repeats, is_repeat_contact=1, churned=left if n < 1200 else None)
    report = customers_at_risk(pd.DataFrame(rows))
    assert (report.method, report.known) == ("calibrated", 1200)
    assert report.calibration_error < 0.05
    risk = report.customers["risk"].groupby(report.customers["contacts"]).mean()
    assert risk.to_numpy() == pytest.approx([0.05, 0.2, 0.35, 0.5], abs=0.06)


def leavers(seed: int, months: int = 12) -> tuple[pd.DataFrame, pd.Series]:
    """2,500 customers who write 0–3 times a month more than once; each month as many per cent leave, twice as many in
    the last third of the year. And the true probability that who is left goes within three months more."""
    generator = np.random.default_rng(seed)
    kind = generator.integers(0, 4, 2500)
    rows: list[dict[str, object]] = []
    left: dict[int, pd.Timestamp] = {}
    for month in range(months):
        begin = DAY - pd.Timedelta(days=30 * (months - month))
        rate = (0.01 + 0.03 * kind) * (2 if month >= 8 else 1)
        goes = generator.random(len(kind)) < rate
        for n in (n for n in range(len(kind)) if n not in left):
            for again in range(1 + kind[n]):
                at = begin + pd.Timedelta(days=again)
                rows.append({"customer_ref": n, "created_at": at, "is_repeat_contact": again > 0})
            if goes[n]:
                left[n] = begin + pd.Timedelta(days=29)
    frame = pd.DataFrame(rows)
    frame["churned_on"] = frame["customer_ref"].map(left)
    return frame, pd.Series(1 - (1 - 2 * (0.01 + 0.03 * kind)) ** 3)


def test_who_left_when_makes_the_risk_the_probability_of_leaving_and_is_checked_on_a_later_time() -> None:
    frame, truth = leavers(5)
    report = customers_at_risk(frame, today=DAY.date())
    assert report.method == "calibrated" and report.reliability is not None
    gone = frame.loc[frame["churned_on"].notna(), "customer_ref"].astype(str)
    assert not set(report.customers.index) & set(gone)
    # The early model knows half the present rate; only scaling by the later outcomes finds the truth.
    risk = report.customers["risk"]
    assert risk.groupby(truth[risk.index.astype(int)].to_numpy()).mean().to_numpy() == pytest.approx(
        sorted(truth.unique()), abs=0.05
    )
    assert report.calibration_error < 0.03
    assert report.reliability.auc_low < report.auc < report.reliability.auc_high
    groups = report.reliability.groups
    assert groups["customers"].sum() == report.known == report.reliability.customers


def test_who_knows_too_little_of_leaving_says_so_and_only_orders() -> None:
    frame, _ = leavers(6, months=12)
    few = frame.assign(churned_on=frame["churned_on"].where(frame["customer_ref"] < 100))
    report = customers_at_risk(few, today=DAY.date())
    assert (report.method, report.reliability) == ("score", None)
    assert report.note_zh.startswith("未校准") and "已知流失的客户太少" in report.note_zh
    nobody = customers_at_risk(frame.assign(churned_on=None), today=DAY.date())
    assert nobody.note_zh.startswith("未校准")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(CustomerDataError, match="customer_ref"):
        segment_customers(pd.DataFrame({"created_at": [DAY]}))
    with pytest.raises(CustomerDataError, match="created_at"):
        customers_at_risk(pd.DataFrame({"customer_ref": ["a"]}))


@pytest.mark.parametrize("command", ["segments", "risk"])
def test_the_commands_write_one_row_a_customer(command: str, tmp_path: Path) -> None:
    company().to_csv(tmp_path / "in.csv", index=False)
    result = CliRunner().invoke(app, [command, str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")])
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(tmp_path / "out.csv")) == 150
