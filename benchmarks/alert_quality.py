"""How early real outbreaks are found, and how often nothing is called an outbreak: ours beside two baselines.

Simulated: daily negative-binomial counts with weekday profile, slow drift and small means; half of the series get
an outbreak after 9 months (shape: log-normal over about ten days, size 2 to 10 standard deviations of a day).
Each method's threshold is set so that its false-alarm rate per series-day on outbreak-free series is the stated one
("same rate"); for ours the nominal p-value is judged as well ("nominal"). Real: the 18 labelled weekly series of
``../shared/data/outbreak_counts.csv.gz``, each week as one observation. Then the time to screen many series.

    python benchmarks/alert_quality.py [--series 2000] [--many 10000]
"""

from __future__ import annotations

import argparse
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from improvement.alerts.baseline import screen
from improvement.mart import Calendar

Floats = npt.NDArray[np.float64]
DAYS, ONSET = 365, 280
SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "outbreak_counts.csv.gz"


def calendar_of(days: int) -> Calendar:
    """A plain calendar, without holidays and campaigns."""
    first = date(2024, 1, 1)
    kinds = pd.DataFrame({"date_day": [first], "day_kind": ["workday"]})
    return Calendar.build(first, first + timedelta(days=days - 1), kinds, ())


def simulate(series: int, generator: np.random.Generator, outbreaks: bool, days: int = DAYS) -> Floats:
    """S × days counts; with ``outbreaks`` every series has one that begins on day ``ONSET``."""
    level = np.exp(generator.normal(np.log(2.0), 0.9, (series, 1)))
    week = np.exp(generator.normal(0.0, 0.15, (series, 7)) + np.array([0.15, 0.1, 0.05, 0, 0, -0.2, -0.3]))
    drift = np.exp(generator.normal(0, 0.25, (series, 1)) * np.linspace(-1, 1, days))
    mean = level * week[:, np.arange(days) % 7] * drift
    dispersion = generator.choice([0.0, 0.1, 0.3], (series, 1))
    size = 1.0 / np.maximum(dispersion, 1e-6)
    counts = generator.negative_binomial(size, size / (size + mean)).astype(float)
    if outbreaks:
        sd = np.sqrt(mean[:, ONSET] + dispersion[:, 0] * mean[:, ONSET] ** 2)
        total = generator.poisson(generator.uniform(2, 10, series) * sd)
        for row, cases in enumerate(total):
            at = ONSET + np.minimum(generator.lognormal(0.9, 0.7, cases), 20).astype(int)
            np.add.at(counts[row], at, 1.0)
    return counts


def ours(counts: Floats) -> Floats:
    """Score: minus log of the adjusted p-value."""
    p_value = screen(counts, calendar_of(counts.shape[1])).p_value
    return -np.log(np.maximum(p_value, 1e-300))


def ears_c1(counts: Floats) -> Floats:
    """Hutwagner et al. 2003: standard deviations above the mean of the seven days before."""
    score = np.zeros_like(counts)
    for day in range(7, counts.shape[1]):
        before = counts[:, day - 7 : day]
        score[:, day] = (counts[:, day] - before.mean(axis=1)) / np.maximum(before.std(axis=1, ddof=1), 0.2)
    return score


def raw_percentage(counts: Floats) -> Floats:
    """What dashboards do: this day over the mean of the four same weekdays before."""
    score = np.zeros_like(counts)
    for day in range(28, counts.shape[1]):
        usual = counts[:, [day - 7, day - 14, day - 21, day - 28]].mean(axis=1)
        score[:, day] = counts[:, day] / np.maximum(usual, 0.5)
    return score


def detected(score: Floats, threshold: float, onset: int = ONSET, within: int = 7) -> float:
    """Share of the series with an alarm on one of the first ``within`` days."""
    return float((score[:, onset : onset + within] > threshold).any(axis=1).mean())


def simulated(series: int, seed: int) -> None:
    """Print the table of the simulated series."""
    generator = np.random.default_rng(seed)
    quiet, hit = simulate(series, generator, False), simulate(series, generator, True)
    from_day = 120
    print(f"simulated, {series} series, outbreak at day {ONSET}, judged from day {from_day}")
    print(f"{'method':<28}{'false alarms':>14}{'within 7 days':>16}{'within 3 days':>16}")
    for name, method in (("ours", ours), ("EARS C1", ears_c1), ("raw percentage", raw_percentage)):
        on_quiet, on_hit = method(quiet)[:, from_day:], method(hit)
        for rate in (0.01, 0.003, 0.001):
            threshold = float(np.quantile(on_quiet, 1.0 - rate))
            false = float((on_quiet > threshold).mean())
            print(f"{name + f' at {rate:.1%}':<28}{false:>14.3%}{detected(on_hit, threshold):>16.1%}"
                  f"{detected(on_hit, threshold, within=3):>16.1%}")  # fmt: skip
        if name == "ours":
            for rate in (0.01, 0.003, 0.001):
                false = float((on_quiet > -np.log(rate)).mean())
                print(f"{f'ours, nominal {rate:.1%}':<28}{false:>14.3%}{detected(on_hit, -np.log(rate)):>16.1%}")
        if name == "raw percentage":
            for over in (1.3, 1.5):
                false = float((on_quiet > over).mean())
                print(f"{f'raw, +{over - 1:.0%} as it is used':<28}{false:>14.3%}{detected(on_hit, over):>16.1%}")


def real() -> None:
    """Print sensitivity on the labelled weekly series. Weeks are screened as single observations."""
    if not SHARED.exists():
        print(f"real series skipped: {SHARED.name} is not beside the checkout")
        return
    frame = pd.read_csv(SHARED)
    frame = frame[frame["freq"] == 52]
    print("\nreal weekly series: share of labelled outbreak weeks and of quiet weeks with an alarm")
    for name, method in (("ours", ours), ("EARS C1", ears_c1), ("raw percentage", raw_percentage)):
        quiet: list[Floats] = []
        spells: list[float] = []
        for _, one in frame.groupby("series"):
            score = method(one["observed"].to_numpy(dtype=float)[None, :])[0]
            label = one["outbreak"].to_numpy() == 1
            known = np.arange(len(one)) >= 60
            quiet.append(score[known & ~label])
            starts = np.flatnonzero(label & ~np.concatenate([[False], label[:-1]]) & known)
            for start in starts:
                stop = start
                while stop < len(label) and label[stop]:
                    stop += 1
                spells.append(float(score[start:stop].max()))
        for rate in (0.03, 0.01):
            threshold = float(np.quantile(np.concatenate(quiet), 1 - rate))
            share = np.mean(np.array(spells) > threshold)
            print(f"{name + f' at {rate:.0%}':<28}{rate:>14.1%}{share:>16.1%}   ({len(spells)} outbreaks)")


def speed(series: int) -> None:
    """Print how long many series take."""
    counts = simulate(series, np.random.default_rng(1), False, 400)
    for refit in (1, 7):
        started = time.perf_counter()
        for block in range(0, series, 1000):
            screen(counts[block : block + 1000], calendar_of(400), refit_every_days=refit)
        print(f"{series} series × 400 days, refit every {refit} day(s): {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    simulated(arguments.series, arguments.seed)
    real()
    print()
    speed(arguments.many)
