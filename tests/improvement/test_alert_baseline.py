"""Expectations of daily counts: calibrated, causal, blind to tides, and quick to see an outbreak."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from improvement.alerts.baseline import Floats, screen, upper_tail_mid_p
from improvement.mart import Calendar
from improvement.rules import Campaign

FIRST_ON = date(2024, 1, 1)
WEEK = np.array([1.2, 1.1, 1.05, 1.0, 1.0, 0.75, 0.6])


def calendar_of(days: int, campaigns: tuple[Campaign, ...] = (), holidays: tuple[date, ...] = ()) -> Calendar:
    kinds = pd.DataFrame({"date_day": list(holidays) or [FIRST_ON], "day_kind": "holiday" if holidays else "workday"})
    return Calendar.build(FIRST_ON, FIRST_ON + timedelta(days=days - 1), kinds, campaigns)


def quiet(series: int, days: int, seed: int, level: float = 4.0) -> Floats:
    generator = np.random.default_rng(seed)
    mean = level * WEEK[np.arange(days) % 7] * np.exp(generator.normal(0, 0.5, (series, 1)))
    return generator.negative_binomial(8.0, 8.0 / (8.0 + mean)).astype(float)


@given(st.integers(0, 60), st.floats(0.3, 40), st.floats(1.05, 5))
def test_the_tail_is_that_of_a_negative_binomial(observed: int, mean: float, dispersion: float) -> None:
    variance = mean * dispersion
    law = stats.nbinom(mean**2 / (variance - mean), mean / variance)
    expected = law.sf(observed) + 0.5 * law.pmf(observed)
    found = upper_tail_mid_p(np.array([float(observed)]), np.array([mean]), np.array([variance]))[0]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_the_stated_false_alarm_rate_is_about_what_comes_true() -> None:
    p_value = screen(quiet(300, 240, 1), calendar_of(240)).p_value[:, 100:]
    for rate in (0.01, 0.003):  # after three months of history; a year's is closer (benchmarks/alert_quality.py)
        assert 0.6 * rate < (p_value < rate).mean() < 1.6 * rate


def test_an_outbreak_is_found_within_days_and_dwarfs_what_is_expected() -> None:
    counts = quiet(100, 270, 2)
    outbreak = counts.copy()
    outbreak[:, 250:260] += np.random.default_rng(3).poisson(2.5 * counts.mean(axis=1, keepdims=True), (100, 10))
    found = screen(outbreak, calendar_of(270))
    seen = (found.p_value[:, 250:253] < 1e-4).any(axis=1)
    assert seen.mean() > 0.75
    assert (screen(counts, calendar_of(270)).p_value[:, 250:253] < 1e-4).mean() < 0.005


def test_no_day_sees_a_later_one() -> None:
    counts = quiet(20, 260, 4)
    counts[:, 180:190] *= 4
    whole, part = screen(counts, calendar_of(260)), screen(counts[:, :195], calendar_of(195))
    np.testing.assert_allclose(whole.p_value[:, :195], part.p_value)
    np.testing.assert_allclose(whole.daily_expected[:, :195], part.daily_expected)


def test_a_past_outbreak_hardly_lifts_what_is_expected_afterwards() -> None:
    counts = quiet(100, 300, 5)
    outbreak = counts.copy()
    outbreak[:, 200:221] *= 5
    after = slice(235, 300)
    lifted = screen(outbreak, calendar_of(300)).daily_expected[:, after].mean()
    assert lifted < 1.15 * screen(counts, calendar_of(300)).daily_expected[:, after].mean()


def test_a_planned_campaign_and_a_public_holiday_are_no_surprise() -> None:
    days, counts = 330, quiet(60, 330, 6, 8.0)
    sale = slice(300, 310)
    counts[:, sale] = np.random.default_rng(7).poisson(counts[:, sale] * 1.5)
    holidays = tuple(FIRST_ON + timedelta(days=d) for first in (120, 270) for d in range(first, first + 7))
    for day in holidays:
        at = (day - FIRST_ON).days
        counts[:, at] = np.floor(counts[:, at] * 0.4)
    campaign = Campaign("618", FIRST_ON + timedelta(days=300), FIRST_ON + timedelta(days=309), 1.5)
    planned = screen(counts, calendar_of(days, (campaign,), holidays)).p_value
    unplanned = screen(counts, calendar_of(days, (), holidays)).p_value
    assert (planned[:, sale] < 1e-4).any(axis=1).mean() < 0.03
    assert (unplanned[:, sale] < 1e-4).any(axis=1).mean() > 0.15
    assert (planned[:, 277:284] < 1e-4).any(axis=1).mean() < 0.03  # the end of a holiday isn't a surge


def test_a_mild_holiday_after_a_deep_one_is_no_surprise_but_an_outbreak_in_it_is() -> None:
    counts = np.random.default_rng(9).poisson(110 * WEEK[np.arange(130) % 7] / 0.957, (60, 130)).astype(float)
    deep, mild = range(70, 78), range(110, 113)
    counts[:, deep] = np.random.default_rng(10).poisson(40, (60, len(deep)))  # New Year empties cities
    counts[:, mild] = np.random.default_rng(11).poisson(72, (60, len(mild)))  # a long week-end doesn't
    outbreak = counts.copy()
    outbreak[:, mild] *= 4
    holidays = tuple(FIRST_ON + timedelta(days=day) for day in (*deep, *mild))
    around = slice(108, 118)
    assert (screen(counts, calendar_of(130, (), holidays)).p_value[:, around] < 1e-4).mean() < 0.003
    assert (screen(outbreak, calendar_of(130, (), holidays)).p_value[:, around] < 1e-4).any(axis=1).mean() > 0.9


def test_bad_ratings_follow_the_number_of_ratings_given() -> None:
    generator = np.random.default_rng(8)
    given_a_day = np.where(np.arange(260) >= 200, 60.0, 20.0)[None, :].repeat(30, axis=0)
    bad = generator.binomial(given_a_day.astype(int), 0.15).astype(float)
    found = screen(bad, calendar_of(260), exposure=given_a_day)
    assert (found.p_value[:, 200:] < 1e-4).mean() < 0.005
