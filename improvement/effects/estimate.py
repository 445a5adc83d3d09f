"""The statistics of an effect: one daily series, a baseline and two or more evaluation periods.

Counts and shares: quasi-Poisson regression with log link; the control's daily count is the offset and carries
weekday, holiday and campaign tides. Durations: the same on their sum, as a ratio of (winsorised) means. Scores:
weighted regression of daily means. The standard error is
the larger of the model's (dispersion estimated) and Newey and West's (autocorrelation up to a week).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import statsmodels.api as sm
from scipy import stats

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Verdict = Literal["improved", "not_improved", "worse"]

# One-sided error of "improved" and of "worse".
ALPHA = 0.05
AGREEING_PERIODS = 0.75
AUTOCORRELATION_DAYS = 7
# From this mean on a series carries a weekday profile of its own.
LEAST_WEEKLY_COUNT = 10.0


@dataclass(frozen=True)
class Estimate:
    """The change after ÷ before − 1 (a share), its two-sided 90 % interval and p-value, and the means per day."""

    change_ratio: float
    change_ratio_low: float
    change_ratio_high: float
    p_value: float
    baseline_mean: float
    observed_mean: float
    period_ratios: tuple[float, ...]
    method: str

    def verdict(self, lower_is_better: bool) -> Verdict:
        """Improved or worse only where the interval says so and the periods agree: both of two, three of four."""
        sign = 1.0 if lower_is_better else -1.0
        low, high = sorted((sign * self.change_ratio_low, sign * self.change_ratio_high))
        periods = [sign * ratio for ratio in self.period_ratios]
        if high < 0 and np.mean([ratio < 0 for ratio in periods]) >= AGREEING_PERIODS:
            return "improved"
        if low > 0 and np.mean([ratio > 0 for ratio in periods]) >= AGREEING_PERIODS:
            return "worse"
        return "not_improved"


def estimate_counts(
    counts: Floats,
    exposure: Floats,
    weekday: npt.NDArray[np.int64],
    period: npt.NDArray[np.int64],
    what: str,
    *,
    is_a_day: bool = False,
) -> Estimate:
    """The effect on counts. ``exposure``: what they are proportional to, > 0; ``period``: 0 baseline, 1, 2 … after.

    The means are counts a day where ``is_a_day``, else counts per exposure.
    """
    keep = exposure > 0
    counts, exposure, weekday, period = counts[keep], exposure[keep], weekday[keep], period[keep]
    after = (period > 0).astype(float)
    design = _design(after, weekday, counts.sum() / len(counts) * 7 >= LEAST_WEEKLY_COUNT)
    # Half a case more on either side keeps an evaluation without any case finite.
    response = counts + 0.5 * (counts.sum() == 0 or counts[after > 0].sum() == 0) * 7 / len(counts)
    offset = np.log(exposure)
    model = sm.GLM(response, design, family=sm.families.Poisson(), offset=offset)
    plain = model.fit(scale="X2")
    robust = model.fit(cov_type="HAC", cov_kwds={"maxlags": AUTOCORRELATION_DAYS, "use_correction": True})
    # Less spread than Poisson is luck, not knowledge.
    error = max(float(plain.bse[1]) / min(1.0, float(np.sqrt(max(plain.scale, 1e-9)))), float(robust.bse[1]))
    slope, freedom = float(plain.params[1]), len(counts) - design.shape[1]
    rate = [float(counts[period == p].sum() / exposure[period == p].sum()) for p in range(int(period.max()) + 1)]
    width = float(stats.t.ppf(1 - ALPHA, freedom)) * error
    by = np.ones_like(counts) if is_a_day else exposure
    mean = [float(counts[at].sum() / by[at].sum()) for at in (period == 0, period > 0)]
    return Estimate(
        float(np.expm1(slope)),
        float(np.expm1(slope - width)),
        float(np.expm1(slope + width)),
        float(2 * stats.t.sf(abs(slope / error), freedom)),
        mean[0],
        mean[1],
        tuple(r / max(rate[0], 1e-12) - 1.0 for r in rate[1:]),
        what,
    )


def estimate_means(
    totals: Floats, number: Floats, weekday: npt.NDArray[np.int64], period: npt.NDArray[np.int64], what: str
) -> Estimate:
    """The effect on the mean of ``number`` scores a day that sum up to ``totals``."""
    keep = number > 0
    totals, number, weekday, period = totals[keep], number[keep], weekday[keep], period[keep]
    after = (period > 0).astype(float)
    design = _design(after, weekday, len(totals) >= 42)
    model = sm.WLS(totals / number, design, weights=number)
    plain = model.fit()
    robust = model.fit(cov_type="HAC", cov_kwds={"maxlags": AUTOCORRELATION_DAYS, "use_correction": True})
    slope, error = float(plain.params[1]), max(float(plain.bse[1]), float(robust.bse[1]))
    level = [float(totals[period == p].sum() / number[period == p].sum()) for p in range(int(period.max()) + 1)]
    freedom = len(totals) - design.shape[1]
    width = float(stats.t.ppf(1 - ALPHA, freedom)) * error
    return Estimate(
        slope / level[0],
        (slope - width) / level[0],
        (slope + width) / level[0],
        float(2 * stats.t.sf(abs(slope / error), freedom)),
        level[0],
        float(totals[period > 0].sum() / number[period > 0].sum()),
        tuple(value / level[0] - 1.0 for value in level[1:]),
        what,
    )


def _design(after: Floats, weekday: npt.NDArray[np.int64], with_weekdays: bool) -> Floats:
    columns = [np.ones_like(after), after]
    if with_weekdays:
        columns += [(weekday == day).astype(float) for day in np.unique(weekday)[1:]]
    else:
        columns.append((weekday >= 5).astype(float))
    design = np.column_stack(columns)
    constant = (np.ptp(design, axis=0) == 0) & (np.arange(design.shape[1]) > 1)
    kept: Floats = design[:, ~constant]
    return kept
