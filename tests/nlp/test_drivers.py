"""Planted effects are found with honest intervals, thresholds only where there are some, nothing else is promised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from huiyin.cli import app
from nlp.drivers import DriverDataError, analyse, guess_roles
from nlp.drivers.bootstrap import clusters_of, intervals
from nlp.drivers.thresholds import find_threshold


def tickets(n: int = 4000, seed: int = 1) -> pd.DataFrame:
    """Yes-or-no satisfaction. 物流 costs 20 points, each hand-over 15; 发票 costs nothing, but its channel does."""
    generator = np.random.default_rng(seed)
    channel = generator.choice(["电话", "社媒"], n)
    often = np.where((channel == "社媒")[:, None], [0.2, 0.6, 0.2], [0.2, 0.1, 0.7])
    topic = np.array(["物流", "发票", "咨询"])[(generator.random((n, 1)) > often.cumsum(axis=1)).sum(axis=1)]
    transfers = generator.choice(3, n, p=[0.7, 0.2, 0.1])
    chance = 0.85 - 0.2 * (topic == "物流") - 0.15 * transfers - 0.2 * (channel == "社媒")
    return pd.DataFrame(
        {
            "topic_label": topic,
            "channel": channel,
            "transfer_count": transfers,
            "is_satisfied": (generator.random(n) < chance).astype(int),
        }
    )


def row(table: pd.DataFrame, column: str, level: str = "") -> pd.Series:
    return table[(table["column"] == column) & (table["level"] == level)].iloc[0]


def test_planted_effects_lie_in_their_intervals_and_what_only_looks_bad_is_cleared() -> None:
    table = analyse(tickets(), "is_satisfied")
    logistics, invoices = row(table, "topic_label", "物流"), row(table, "topic_label", "发票")
    assert logistics["effect_low"] < -0.2 < logistics["effect_high"] < 0
    assert logistics["is_certain"]
    # A fifth of the tickets, each 20 points worse than it would be, half of them gone: 2 points.
    assert logistics["gain_low"] < 0.02 < logistics["gain_high"]
    transfers = row(table, "transfer_count")
    assert transfers["effect_low"] < -0.15 * (0.2 + 0.2) / 0.3 < transfers["effect_high"] < 0
    # 发票 looks 5 points worse than the rest by its channel alone, and is better than the mean of the others.
    assert invoices["raw_difference"] < 0 < invoices["effect"]
    assert list(table["gain"]) == sorted(table["gain"], reverse=True)


def test_the_same_frame_gives_the_same_table_and_counts_are_explained_in_chinese() -> None:
    frame = tickets(600)
    once = analyse(frame, "is_satisfied")
    pd.testing.assert_frame_equal(once, analyse(frame, "is_satisfied"))
    assert "转派次数超过 0 次" in row(once, "transfer_count")["sentence"]


def test_silence_that_depends_on_the_channel_does_not_bend_the_gain() -> None:
    frame = tickets(6000)
    generator = np.random.default_rng(2)
    silent = generator.random(len(frame)) > np.where(frame["channel"] == "社媒", 0.8, 0.25)
    frame["is_satisfied"] = frame["is_satisfied"].astype(float).where(~silent)
    logistics = row(analyse(frame, "is_satisfied"), "topic_label", "物流")
    assert logistics["affected_share"] == pytest.approx(0.2, abs=0.02)
    assert logistics["gain_low"] < 0.02 < logistics["gain_high"]


def test_repeated_rows_of_the_same_customers_are_no_new_evidence() -> None:
    values = np.random.default_rng(3).normal(size=(400, 1))
    alone = intervals(np.zeros(1), values / 400, np.arange(400), 999, 1)
    copies = np.repeat(values, 4, axis=0) / 1600
    together = intervals(np.zeros(1), copies, clusters_of(pd.Series(np.repeat(np.arange(400), 4)), 1600), 999, 1)
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.05)


def test_nps_is_explained_in_points_of_promoters_minus_detractors() -> None:
    frame = tickets()
    # 10 for the satisfied, 0 for the others: an effect of 20 points of satisfaction is one of 40 points of NPS.
    frame["nps_score"] = frame.pop("is_satisfied") * 10
    logistics = row(analyse(frame, "nps"), "topic_label", "物流")
    assert logistics["effect_low"] < -40 < logistics["effect_high"]


def waits(shape: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    minutes = np.exp(generator.normal(3.4, 1, 3000))
    fall = {"step": 0.3 * (minutes > 45), "line": 0.08 * np.log(minutes), "nothing": 0 * minutes}[shape]
    return minutes, (generator.random(3000) < 0.85 - fall).astype(float), np.ones((3000, 1))


def test_patience_that_ends_after_45_minutes_is_found_there() -> None:
    minutes, satisfied, others = waits("step", 4)
    found = find_threshold(minutes, satisfied, others, np.arange(3000))
    assert found.verdict == "threshold"
    assert found.kind == "step"
    assert 35 < found.low <= 45 <= found.high < 55
    assert found.drop == pytest.approx(-0.3, abs=0.08)


@pytest.mark.parametrize(("shape", "verdict"), [("line", "gradual"), ("nothing", "none")])
def test_no_threshold_is_claimed_where_there_is_none(shape: str, verdict: str) -> None:
    verdicts = []
    for seed in range(5):
        minutes, satisfied, others = waits(shape, seed)
        verdicts.append(find_threshold(minutes, satisfied, others, np.arange(3000), replicates=199).verdict)
    assert verdicts.count(verdict) >= 4


def test_roles_follow_the_names_of_the_mart() -> None:
    names = ["topic_id", "topic_label", "first_response_seconds", "first_response_business_seconds", "transfer_count",
             "agent_tenure_days", "channel", "created_at", "created_on", "customer_ref", "csat_score",
             "is_repeat_contact"]  # fmt: skip
    roles = guess_roles(pd.DataFrame(columns=names), "csat_score")
    assert roles.topics == ("topic_label",)
    assert roles.waits == ("first_response_business_seconds",)
    assert (roles.counts, roles.mix) == (("transfer_count",), ("channel",))
    assert (roles.month_of, roles.cluster) == ("created_at", "customer_ref")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"csat_score": 7}, "outside 1…5"),
        ({"csat_score": 3}, "no two different values"),
        ({"csat_score": "好"}, "no number"),
        ({}, "no column for csat"),
    ],
)
def test_an_outcome_that_cannot_be_used_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(DriverDataError, match=message):
        analyse(tickets(300).assign(**change), "csat")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "a", "b", "-1"]), st.sampled_from(["", "0", "3", "1e9"]), st.sampled_from("01")
        ),
        min_size=120, max_size=160,
    )
)  # fmt: skip
def test_any_table_gives_finite_intervals_or_a_reason(rows: list[tuple[str, str, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["topic", "wait_minutes", "churned"])
    try:
        table = analyse(frame, "churn")
    except DriverDataError:
        return
    figures = table[["effect", "effect_low", "effect_high", "gain", "gain_low", "gain_high"]]
    assert np.isfinite(figures.to_numpy()).all()
    assert (table["effect_low"] <= table["effect_high"]).all()


def test_the_command_reads_a_csv_and_writes_the_drivers(tmp_path: Path) -> None:
    tickets(500).to_csv(tmp_path / "in.csv", index=False)
    arguments = ["drivers", str(tmp_path / "in.csv"), "--target", "is_satisfied", "--out", str(tmp_path / "out.csv")]
    result = CliRunner().invoke(app, [*arguments, "--goal", "transfer_count=1"])
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "out.csv")
    assert row(table.fillna({"level": ""}), "transfer_count")["goal"] == 1
