"""How often an action that did nothing is called a success, and how often a real one is noticed.

Daily counts with weekday profile (negative binomial) beside a control; the card opens on the first week that is high
by chance or by a spike that falls back by itself, and the action starts some days later. Our verdict (baseline before
the spike, quasi-Poisson with control, robust errors, two periods that agree) beside a plain Poisson test of the 14
days before against the 14 days after.

    python benchmarks/effect_verdicts.py [--cards 400]
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
from scipy import stats

from improvement.effects.estimate import estimate_counts

Floats = npt.NDArray[np.float64]
BASELINE, EVALUATION = 56, 28
WEEK = np.array([1.2, 1.1, 1.05, 1.0, 1.0, 0.75, 0.6])


def simulate(generator: np.random.Generator, change: float, spike: bool) -> tuple[Floats, Floats, int, int]:
    """Counts, control counts, first day of the spike, first day after the action."""
    days = 180
    weekday = np.arange(days) % 7
    level = float(np.exp(generator.uniform(np.log(2), np.log(12))))
    common = np.exp(np.cumsum(generator.normal(0, 0.01, days)))
    control = generator.poisson(100 * WEEK[weekday] * common).astype(float)
    mean = level * WEEK[weekday] * common
    size = 10.0
    counts = generator.negative_binomial(size, size / (size + mean)).astype(float)
    start = 70
    if spike:
        factor = 1 + 1.5 * np.exp(-np.arange(12) / 4)
        counts[start : start + 12] = generator.poisson(mean[start : start + 12] * factor)
    else:  # the worst week of a quarter, as a card would find it
        week = np.convolve(counts, np.ones(7), mode="valid")
        start = 60 + int(np.argmax(week[60:110]))
    action = start + int(generator.integers(7, 14))
    after = slice(action + 1, days)
    counts[after] = generator.binomial(counts[after].astype(int), 1 + change)
    return counts, control, start, action + 1


def ours(counts: Floats, control: Floats, spike: int, after: int) -> str:
    """The verdict of the project's own estimate."""
    days = np.r_[max(0, spike - BASELINE) : spike, after : after + EVALUATION]
    period = np.r_[np.zeros(min(spike, BASELINE), dtype=int), 1 + np.arange(EVALUATION) // 14]
    exposure = (control[days] + 1) / (control[days].mean() + 1)
    return estimate_counts(counts[days], exposure, days % 7, period, "", is_a_day=True).verdict(True)


def naive(counts: Floats, _control: Floats, _spike: int, after: int) -> str:
    """14 days before against 14 days after, Poisson."""
    before, later = counts[after - 15 : after - 1].sum(), counts[after : after + 14].sum()
    p_value = stats.binom.cdf(later, before + later, 0.5)
    return "improved" if p_value < 0.05 else "not_improved"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=int, default=400)
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    generator = np.random.default_rng(arguments.seed)
    print(f"share of {arguments.cards} cards called improved")
    print(f"{'':<44}{'ours':>8}{'naive':>8}")
    for title, change, spike in (
        ("no effect, card opened on a passing spike", 0.0, True),
        ("no effect, card opened on the worst week", 0.0, False),
        ("−20 %, passing spike", -0.2, True),
        ("−40 %, passing spike", -0.4, True),
        ("−60 %, passing spike", -0.6, True),
    ):
        cards = [simulate(generator, change, spike) for _ in range(arguments.cards)]
        shares = [np.mean([method(*card) == "improved" for card in cards]) for method in (ours, naive)]
        print(f"{title:<44}{shares[0]:>8.1%}{shares[1]:>8.1%}")
