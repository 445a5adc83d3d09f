"""What a daily count is expected to be, learnt from the days before it, and how surprising it is.

Each day is compared over windows of 1, 3 and 7 days with a negative-binomial expectation whose level, weekday
profile and dispersion come from the half year that ended ``GAP_DAYS`` before the longest window, following the
"improved Farrington" algorithm (Noufaily et al. 2013: gap, weekday terms, down-weighted past outbreaks, NB
quantiles) with two changes. Profiles and dispersions are shrunk towards those of all series of the rule (empirical
Bayes), because single series of one or two counts a day can't carry them, and everything is closed-form, so that
thousands of series are screened at once with plain array operations. Days of a spike that was found earlier count
little in later baselines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from improvement.mart import CLASSES, HOLIDAY, MAKEUP, Calendar, holidays_begin

Floats = npt.NDArray[np.float64]

WINDOWS = (1, 3, 7)
GAP_DAYS = 3
HISTORY_DAYS = 182
MINIMUM_HISTORY_DAYS = 56
# Weight of a baseline day halves with this age.
HALF_LIFE_DAYS = 35.0
# A trend counts by what exceeds this many times its own variance; no more than that log growth is extrapolated.
TREND_CAUTION = 4.0
MAXIMUM_GROWTH = 0.3
# Pseudo-counts behind the level shared by all series.
LEVEL_PSEUDO_COUNTS = 0.5
# Pseudo-counts behind the profile shared by all series, and the least behind the prior of the shared holiday factors.
PROFILE_PSEUDO_COUNTS = 30.0
HOLIDAY_PSEUDO_COUNTS = 60.0
# What the estimates of dispersion and profile don't know about themselves, set so that stated and simulated
# false-alarm rates agree (benchmarks/alert_quality.py).
ESTIMATION_INFLATION = 1.12
# Pseudo-observations behind the shared dispersion.
DISPERSION_PSEUDO_WINDOWS = 10.0
# Residuals beyond this many standard deviations lose weight quadratically.
OUTLIER_SD = 3.5
# A series may take part in a campaign's planned lift more or less than the whole does: 1 ± 0.7 times as much
# before anything is known, and never surer than this.
CAMPAIGN_RESPONSE_SD = 0.7
CAMPAIGN_LEAST_SD = 0.3
CAMPAIGN_HIGHEST_RESPONSE = 6.0
# Windows overlap, so that the smallest of three p-values is worth about this many independent tests.
INDEPENDENT_WINDOWS = 2.4
# After so many days in alarm the new level is taken as it is and the baseline may learn it.
LONGEST_SPELL_DAYS = 90
SPELL_WEIGHT = 0.02


@dataclass(frozen=True)
class Screening:
    """One row per series, one column per day.

    ``observed``, ``expected`` and ``window`` belong to the most surprising window that ends on that day, ``p_value``
    is its upper-tail mid-p-value adjusted for the three windows; ``daily_expected`` is the expectation of the single
    day; ``recent_p`` is the unadjusted p-value of the 3-day window, which tells when a spell is over. Days without
    enough history have p 1 and NaN expectations.
    """

    p_value: Floats
    observed: Floats
    expected: Floats
    window: npt.NDArray[np.int64]
    daily_expected: Floats
    recent_p: Floats
    recent_ratio: Floats


def upper_tail_mid_p(observed: Floats, mean: Floats, variance: Floats) -> Floats:
    """P(N > observed) + ½ P(N = observed) of a negative binomial with that mean and variance (both > 0)."""
    variance = np.maximum(variance, mean * (1 + 1e-9))
    size = mean**2 / (variance - mean)
    success = mean / variance
    # sf(k) = I_{1-p}(k + 1, size); the mid-p is the mean of sf(k) and sf(k − 1), with sf(−1) = 1.
    above = special.betainc(observed + 1.0, size, 1.0 - success)
    from_here = np.where(observed > 0, special.betainc(np.maximum(observed, 1e-12), size, 1.0 - success), 1.0)
    mid: Floats = 0.5 * (above + from_here)
    return mid


def _moving_sum(values: Floats, window: int) -> Floats:
    """Sums over the last ``window`` columns; the first ``window − 1`` columns are left out."""
    total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    return total[:, window:] - total[:, :-window]


@dataclass
class _Fit:
    """A baseline: level and profile by class of day, dispersion by window, relative variance of the level."""

    level: Floats
    profile: Floats
    dispersion: Floats
    level_variance: Floats


def _profile(counts: Floats, expected: Floats, weights: Floats, day_class: npt.NDArray[np.int64]) -> Floats:
    """Shrunken factors by class of day, relative to ``expected`` (which knows no classes)."""
    onehot = np.zeros((counts.shape[1], CLASSES))
    onehot[np.arange(counts.shape[1]), day_class] = 1.0
    observed, base = (weights * counts) @ onehot, (weights * expected) @ onehot
    shared = np.ones(CLASSES)
    total_observed, total_base = observed.sum(axis=0), base.sum(axis=0)
    seen = total_base > 0
    shared[seen] = (total_observed[seen] + 1e-9) / total_base[seen]
    # Rare classes lean on what they resemble: a holiday on a Sunday, a make-up workday on an ordinary one. That prior
    # counts as one occasion more, however many records a single New Year may hold.
    holidays, makeups = holidays_begin(day_class).sum(), (day_class == MAKEUP).sum()
    for rare, like, occasions in ((HOLIDAY, shared[6], holidays), (MAKEUP, shared[:5].mean(), makeups)):
        pseudo = max(HOLIDAY_PSEUDO_COUNTS, total_base[rare] / max(occasions, 1))
        shared[rare] = (total_observed[rare] + pseudo * like) / (total_base[rare] + pseudo)
    pseudo = PROFILE_PSEUDO_COUNTS
    return (observed + pseudo * shared) / (base + pseudo)


def _dispersion(counts: Floats, mean: Floats, weights: Floats) -> Floats:
    """Excess variance ÷ mean² of moving sums, by window (S × 3), shrunk towards all series."""
    found = np.zeros((counts.shape[0], len(WINDOWS)))
    for column, window in enumerate(WINDOWS):
        observed, expected = _moving_sum(counts, window), _moving_sum(mean, window)
        weight = _moving_sum(weights, window) / window
        excess = (weight * ((observed - expected) ** 2 - expected)).sum(axis=1)
        scale = (weight * expected**2).sum(axis=1)
        # Windows weigh by their share of information on the dispersion: small means say little.
        shared = max(excess.sum() / max(scale.sum(), 1e-9), 0.0)
        windows = counts.shape[1] / window
        information = windows * np.minimum(scale / np.maximum((weight * expected).sum(axis=1), 1e-9), 1.0)
        own = np.maximum(excess / np.maximum(scale, 1e-9), 0.0)
        found[:, column] = (information * own + DISPERSION_PSEUDO_WINDOWS * shared) / (
            information + DISPERSION_PSEUDO_WINDOWS
        )
    return found


def _campaign_response(counts: Floats, plain: Floats, lift: Floats, trust: Floats) -> tuple[Floats, Floats]:
    """How strongly each series followed earlier campaigns (S × 1), and the standard deviation of that.

    ``plain``: what was to be expected without campaigns. A normal prior around 1 is updated by the excess seen.
    """
    on = (lift > 1.0) & np.isfinite(plain).all(axis=0)
    base, weight = plain[:, on], trust[:, on]
    planned = (weight * base * (lift[on] - 1.0)).sum(axis=1)
    excess = (weight * (counts[:, on] - base)).sum(axis=1)
    total = (weight * base * lift[on]).sum(axis=1)
    # Campaigns differ by more than chance: a twentieth of the total.
    information = planned**2 / np.maximum(total + (0.05 * total) ** 2, 1e-9)
    prior = 1.0 / CAMPAIGN_RESPONSE_SD**2
    response = (prior + np.where(planned > 0, excess / np.maximum(planned, 1e-9), 0.0) * information) / (
        prior + information
    )
    sd = np.maximum(1.0 / np.sqrt(prior + information), CAMPAIGN_LEAST_SD)
    return np.clip(response, 0.0, CAMPAIGN_HIGHEST_RESPONSE)[:, None], sd


def _fit(counts: Floats, exposure: Floats, lift: Floats, day_class: npt.NDArray[np.int64], trust: Floats) -> _Fit:
    """Fit the baseline to S × H history, the newest day last. ``trust``: weights that earlier alarms leave."""
    age = np.arange(counts.shape[1], dtype=float)[::-1]
    weights = trust * 0.5 ** (age / HALF_LIFE_DAYS) * np.where(lift > 1.0, 0.3, 1.0)
    base = exposure * lift
    robust = np.ones_like(counts)
    profile = np.ones((counts.shape[0], CLASSES))
    level = np.zeros((counts.shape[0], 1))
    dispersion = np.zeros((counts.shape[0], len(WINDOWS)))
    for _ in range(3):
        weight = weights * robust
        shape = base * profile[:, day_class]
        seen, at_risk = (weight * counts).sum(axis=1, keepdims=True), (weight * shape).sum(axis=1, keepdims=True)
        # What is new, a topic or a band of agents, starts near the rate that is common among its like.
        common = seen.sum() / max(at_risk.sum(), 1e-9)
        level = (seen + LEVEL_PSEUDO_COUNTS) / (at_risk + LEVEL_PSEUDO_COUNTS / max(common, 1e-9))
        profile = _profile(counts, level * base, weight, day_class)
        mean = np.maximum(level * base * profile[:, day_class], 1e-6)
        dispersion = _dispersion(counts, mean, trust * robust)
        robust = _robust_weights(counts, mean, dispersion)
    weight = weights * robust
    mean = np.maximum(level * base * profile[:, day_class], 1e-6)
    spread = mean + dispersion[:, 2:3] * mean**2
    level_variance = (weight**2 * spread).sum(axis=1) / np.maximum((weight * mean).sum(axis=1) ** 2, 1e-9)
    growth, growth_variance = _growth(counts, mean, spread, trust * robust, age)
    return _Fit(level * np.exp(growth)[:, None], profile, dispersion, level_variance + growth_variance)


def _growth(counts: Floats, mean: Floats, spread: Floats, weight: Floats, age: Floats) -> tuple[Floats, Floats]:
    """Log growth from the baseline's centre of weight to the tested days, damped by its own noise, and its variance.

    The slope over the whole history is one Fisher-scoring step; only the part that noise doesn't explain is used.
    """
    decay = 0.5 ** (age / HALF_LIFE_DAYS)
    centre = (weight * decay * mean * age).sum(axis=1) / np.maximum((weight * decay * mean).sum(axis=1), 1e-9)
    middle = (weight * mean * age).sum(axis=1, keepdims=True) / np.maximum(
        (weight * mean).sum(axis=1, keepdims=True), 1e-9
    )
    time = middle - age
    information = np.maximum((weight * mean * time**2).sum(axis=1), 1e-9)
    slope = (weight * (counts - mean) * time).sum(axis=1) / information
    variance = (weight**2 * spread * time**2).sum(axis=1) / information**2
    damping = slope**2 / (slope**2 + TREND_CAUTION * variance)
    distance = centre + GAP_DAYS + 4.0
    growth: Floats = np.clip(slope * damping * distance, -MAXIMUM_GROWTH, MAXIMUM_GROWTH)
    return growth, (damping * distance) ** 2 * variance


def _robust_weights(counts: Floats, mean: Floats, dispersion: Floats) -> Floats:
    """1 for what fits, falling with the square of how far a day, or the week around it, stands out upwards."""
    day = (counts - mean) / np.sqrt(mean + dispersion[:, :1] * mean**2 + 0.25)
    worst = np.maximum(day, 0.0)
    if counts.shape[1] >= 7:
        observed, expected = _moving_sum(counts, 7), _moving_sum(mean, 7)
        week = (observed - expected) / np.sqrt(expected + dispersion[:, 2:] * expected**2 + 0.25)
        around = np.full_like(counts, -np.inf)
        for shift in range(7):
            stop = shift + week.shape[1]
            np.maximum(around[:, shift:stop], week, out=around[:, shift:stop])
        worst = np.maximum(worst, around)
    return np.where(worst > OUTLIER_SD, (OUTLIER_SD / np.maximum(worst, OUTLIER_SD)) ** 2, 1.0)


def screen(
    counts: Floats,
    calendar: Calendar,
    *,
    exposure: Floats | None = None,
    significance: float = 1e-4,
    minimum_over: float = 0.0,
    refit_every_days: int = 7,
) -> Screening:
    """Screen S × T daily counts day by day; each day sees only the days before it.

    ``exposure`` (S × T): what counts are counted from (ratings given, for example); default 1 a day.
    ``significance`` and ``minimum_over`` say what is a spike whose days later baselines shall forget.
    """
    series, length = counts.shape
    exposed = np.ones_like(counts) if exposure is None else exposure
    longest, shape = WINDOWS[-1], (series, length)
    result = Screening(
        np.ones(shape), np.full(shape, np.nan), np.full(shape, np.nan), np.ones(shape, dtype=np.int64),
        np.full(shape, np.nan), np.ones(shape), np.zeros(shape),
    )  # fmt: skip
    trust = np.ones(shape)
    in_alarm = np.zeros(series, dtype=np.int64)
    fit: _Fit | None = None
    plain = np.full(shape, np.nan)
    planned, response, response_sd = calendar.campaign_lift - 1.0, np.ones((series, 1)), np.ones(series)
    for today in range(MINIMUM_HISTORY_DAYS + GAP_DAYS + longest - 1, length):
        end = today - longest + 1 - GAP_DAYS
        begin = max(0, end - HISTORY_DAYS)
        if fit is None or today % refit_every_days == 0:
            past = slice(begin, end)
            response, response_sd = _campaign_response(
                counts[:, :end], plain[:, :end], calendar.campaign_lift[:end], trust[:, :end]
            )
            fit = _fit(
                counts[:, past],
                exposed[:, past],
                1.0 + response * planned[past],
                calendar.day_class[past],
                trust[:, past],
            )
            fresh = np.flatnonzero(np.isnan(plain[0, :end]))
            plain[:, fresh] = fit.level * exposed[:, fresh] * fit.profile[:, calendar.day_class[fresh]]
        window = slice(today - longest + 1, today + 1)
        usual = np.maximum(fit.level * exposed[:, window] * fit.profile[:, calendar.day_class[window]], 1e-6)
        extra = usual * planned[window]
        doubt = np.hypot(extra * response_sd[:, None], usual * calendar.doubt[window])
        _test(result, today, counts[:, window], usual + response * extra, doubt, fit)
        over = result.observed[:, today] / np.maximum(result.expected[:, today], 1e-9) - 1.0
        alarmed = (result.p_value[:, today] < significance) & (over >= minimum_over)
        in_alarm = np.where(alarmed, in_alarm + 1, np.where(result.recent_p[:, today] < 0.05, in_alarm, 0))
        forget = (in_alarm > 0) & (in_alarm <= LONGEST_SPELL_DAYS)
        for back in WINDOWS:
            days = slice(today - back + 1, today + 1)
            chosen = forget & alarmed & (result.window[:, today] == back)
            trust[chosen, days] = SPELL_WEIGHT
        trust[forget, today] = SPELL_WEIGHT
        trust[in_alarm > LONGEST_SPELL_DAYS] = 1.0
    return result


def _test(result: Screening, today: int, counts: Floats, mean: Floats, doubt: Floats, fit: _Fit) -> None:
    """Fill in one day: ``counts``, ``mean`` and what campaigns and holidays add to its doubt are S × 7, the day last.

    The doubts of one window add up: the days of a campaign or holiday go together.
    """
    result.daily_expected[:, today] = mean[:, -1]
    smallest = np.full(counts.shape[0], np.inf)
    for column, window in enumerate(WINDOWS):
        observed, expected = counts[:, -window:].sum(axis=1), mean[:, -window:].sum(axis=1)
        unusual = doubt[:, -window:].sum(axis=1)
        variance = (
            expected * ESTIMATION_INFLATION
            + fit.dispersion[:, column] * expected**2
            + fit.level_variance * expected**2
            + unusual**2
        )
        p_value = upper_tail_mid_p(observed, expected, variance)
        better = p_value < smallest
        smallest = np.where(better, p_value, smallest)
        result.observed[:, today] = np.where(better, observed, result.observed[:, today])
        result.expected[:, today] = np.where(better, expected, result.expected[:, today])
        result.window[:, today] = np.where(better, window, result.window[:, today])
        if window == 3:
            result.recent_p[:, today] = p_value
            result.recent_ratio[:, today] = observed / expected - 1.0
    result.p_value[:, today] = -np.expm1(INDEPENDENT_WINDOWS * np.log1p(-np.minimum(smallest, 1.0 - 1e-12)))
