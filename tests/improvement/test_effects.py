"""Verdicts on simulated series: chance and passing spikes are no success, real improvements are noticed."""

from __future__ import annotations

import numpy as np
import pytest

from improvement.effects.estimate import estimate_counts, estimate_means

DAYS = np.r_[0:84]
WEEKDAY = DAYS % 7
PERIOD = np.r_[np.zeros(56, dtype=int), np.ones(14, dtype=int), np.full(14, 2)]
WEEK = np.array([1.2, 1.1, 1.05, 1.0, 1.0, 0.75, 0.6])[WEEKDAY]


def verdicts(change: float, seed: int, common: np.ndarray | float = 1.0) -> list[str]:
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(60):
        tide = WEEK * common
        mean = 6.0 * tide * np.where(PERIOD > 0, 1 + change, 1.0)
        counts = generator.negative_binomial(10, 10 / (10 + mean)).astype(float)
        control = generator.poisson(100 * tide) + 1.0
        estimate = estimate_counts(counts, control / control.mean(), WEEKDAY, PERIOD, "", is_a_day=True)
        found.append(estimate.verdict(True))
    return found


def test_nothing_done_is_seldom_called_improved() -> None:
    assert verdicts(0.0, 1).count("improved") <= 6
    assert verdicts(0.0, 2).count("worse") <= 6


def test_forty_per_cent_fewer_are_noticed_and_forty_per_cent_more_are_called_worse() -> None:
    assert verdicts(-0.4, 3).count("improved") >= 48
    assert verdicts(0.4, 4).count("worse") >= 45


def test_a_tide_that_lowers_everything_is_nobodys_success() -> None:
    falling = np.where(PERIOD > 0, 0.6, 1.0)
    assert verdicts(0.0, 5, falling).count("improved") <= 6


def test_the_figures_are_those_worked_out_by_hand() -> None:
    counts = np.where(PERIOD > 0, 5.0, 10.0)
    estimate = estimate_counts(counts, np.ones(84), WEEKDAY, PERIOD, "方法", is_a_day=True)
    assert (estimate.baseline_mean, estimate.observed_mean) == (10.0, 5.0)
    assert estimate.change_ratio == pytest.approx(-0.5)
    assert estimate.period_ratios == pytest.approx((-0.5, -0.5))
    assert estimate.change_ratio_low < -0.5 < estimate.change_ratio_high < 0


def test_better_scores_are_an_improvement_though_they_rise() -> None:
    generator = np.random.default_rng(6)
    number = generator.integers(3, 12, 84).astype(float)
    score = np.where(PERIOD > 0, 4.4, 3.6) + generator.normal(0, 0.4, 84)
    estimate = estimate_means(score * number, number, WEEKDAY, PERIOD, "")
    assert estimate.verdict(lower_is_better=False) == "improved"
    assert estimate.change_ratio == pytest.approx(0.8 / 3.6, abs=0.08)
