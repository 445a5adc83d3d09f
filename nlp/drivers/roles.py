"""Which column of a frame is the outcome, which may be a driver, and which only describes the mix."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from huiyin.errors import HuiyinError

Floats = npt.NDArray[np.float64]


class DriverDataError(HuiyinError, ValueError):
    """The frame can't be analysed; the message says what is missing."""


OUTCOMES = {
    "csat": ("csat_score", "csat", "满意度"),
    "nps": ("nps_score", "nps"),
    "repeat": ("is_repeat_contact", "repeat_contact", "repeat"),
    "churn": ("churned", "churn", "is_churned"),
}
"""Name of an outcome → the columns that may hold it, the first that exists wins."""

_TOPICS = ("topic_label", "topic_id", "topic", "problem_subtype_zh", "problem_subtype", "category")
_LISTS = ("aspects", "negative_aspects", "emotions")
_FLAG = re.compile(r"^(aspect|emotion|has)_")
_WAIT = re.compile(r"(_(business_)?(seconds|minutes|hours|days)|等待|时长)$|^wait|_wait$")
_NOT_A_WAIT = re.compile(r"tenure|^first_bot_|^first_resolution|since")
_COUNTS = re.compile(r"^(transfer|reopen|hand_?over)s?(_count)?$")
_MIX = ("channel", "customer_tier", "tier", "team", "region", "product", "customer_segment", "priority", "month")
_INSTANTS = ("created_at", "created_on", "occurred_at", "occurred_on")
_CLUSTERS = ("customer_ref", "source_customer_ref", "customer_id")
_YES, _NO = {"1", "1.0", "true", "t", "yes", "是"}, {"0", "0.0", "false", "f", "no", "否"}


@dataclass(frozen=True)
class Roles:
    """Columns by what they mean to the analysis."""

    topics: tuple[str, ...] = ()
    """One subject a row, as text or id."""
    lists: tuple[str, ...] = ()
    """Several marks a row, joined by 、 ; | or a comma."""
    flags: tuple[str, ...] = ()
    """0 or 1, empty is 0."""
    waits: tuple[str, ...] = ()
    """Durations in any unit."""
    counts: tuple[str, ...] = ()
    """Small whole numbers such as hand-overs."""
    mix: tuple[str, ...] = ()
    """What is held constant and never blamed."""
    month_of: str = ""
    """Column of instants or dates whose month belongs to the mix."""
    cluster: str = ""
    """Column of customers: several rows of one are no independent evidence."""

    @property
    def columns(self) -> set[str]:
        """Every column named."""
        single = {self.month_of, self.cluster} - {""}
        return {*self.topics, *self.lists, *self.flags, *self.waits, *self.counts, *self.mix} | single


@dataclass(frozen=True)
class Outcome:
    """The outcome as shares of its range, so that one model serves all."""

    name: str
    column: str
    values: Floats
    """0…1, NaN where not answered; one for each row."""
    low: float
    high: float
    higher_is_better: bool

    @property
    def span(self) -> float:
        """How many units of the outcome 1.0 is."""
        return self.high - self.low


def guess_roles(frame: pd.DataFrame, outcome: str) -> Roles:
    """Roles from the names that the marts and the other commands use; ``outcome`` is the column explained.

    Of subject columns the most specific is taken, of a wait measured twice the one in business time.
    """
    names = [name for name in map(str, frame.columns) if name != outcome]
    of_others = {alias for aliases in OUTCOMES.values() for alias in aliases}
    free = [name for name in names if name not in of_others]
    waits = [name for name in free if _WAIT.search(name) and not _NOT_A_WAIT.search(name)]
    waits = [n for n in waits if "business" in n or not _business_twin(n) & set(waits)]
    mix = [name for name in _MIX if name in free]
    return Roles(
        topics=tuple([name for name in _TOPICS if name in free][:1]),
        lists=tuple(name for name in _LISTS if name in free),
        flags=tuple(name for name in free if _FLAG.search(name)),
        waits=tuple(waits),
        counts=tuple(name for name in free if _COUNTS.search(name)),
        mix=tuple(mix),
        month_of="" if "month" in mix else next((name for name in _INSTANTS if name in free), ""),
        cluster=next((name for name in _CLUSTERS if name in free), ""),
    )


def read_outcome(frame: pd.DataFrame, target: str, scale: tuple[float, float] | None = None) -> Outcome:
    """The outcome ``target``: csat (1…5), nps (0…10, read as −100/0/100), repeat, churn, or a column's name.

    ``scale`` is the range of any other rating. Raises :class:`DriverDataError` where the column is missing, its values
    lie outside their range, or it doesn't vary.
    """
    column = next((name for name in OUTCOMES.get(target, ()) if name in frame), target)
    if column not in frame:
        known = ", ".join(OUTCOMES.get(target, (target,)))
        raise DriverDataError(f"no column for {target}: looked for {known}; there are {', '.join(map(str, frame))}")
    name = next((key for key, aliases in OUTCOMES.items() if column in aliases), column)
    raw = frame[column]
    low, high = scale or {"csat": (1.0, 5.0), "nps": (0.0, 10.0)}.get(name, (0.0, 1.0))
    if not high > low:
        raise DriverDataError(f"the range of {column} must ascend, not {low:g}…{high:g}")
    numbers = read_flags(raw) if (low, high) == (0.0, 1.0) else read_numbers(raw)
    outside = (numbers < low) | (numbers > high)
    if outside.any():
        raise DriverDataError(
            f"{int(outside.sum())} values of {column} lie outside {low:g}…{high:g}; state its range (--scale 1:10)"
        )
    if np.isnan(numbers).all() or np.nanmin(numbers) == np.nanmax(numbers):
        raise DriverDataError(f"{column} has no two different values: nothing to explain")
    better = name not in ("repeat", "churn")
    if name == "nps":
        groups = np.where(numbers >= 9, 1.0, np.where(numbers <= 6, 0.0, 0.5))
        return Outcome(name, column, np.where(np.isnan(numbers), np.nan, groups), -100.0, 100.0, better)
    return Outcome(name, column, (numbers - low) / (high - low), low, high, better)


def read_numbers(column: pd.Series) -> Floats:
    """Numbers of a column, NaN for what is empty; raises :class:`DriverDataError` for anything else."""
    numbers = pd.to_numeric(column.replace("", np.nan), errors="coerce")
    if bool((numbers.isna() & column.replace("", np.nan).notna()).any()):
        raise DriverDataError(f"{column.name} holds something that is no number")
    result: Floats = numbers.to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(result), result, np.nan)


def read_flags(column: pd.Series) -> Floats:
    """1, 0 or NaN (empty) from 0/1, true/false, 是/否; raises :class:`DriverDataError` for anything else."""
    words = column.astype(object).where(column.notna(), "").map(lambda value: str(value).strip().lower())
    unknown = set(words) - _YES - _NO - {""}
    if unknown:
        raise DriverDataError(f"{column.name} should hold 0/1, true/false or 是/否")
    return words.map(lambda word: 1.0 if word in _YES else 0.0 if word in _NO else np.nan).to_numpy(np.float64)


def check_roles(frame: pd.DataFrame, roles: Roles) -> None:
    """Raise :class:`DriverDataError` for columns that are not there or a frame without any driver."""
    _all_there(frame, roles.columns)
    if not (roles.topics or roles.lists or roles.flags or roles.waits or roles.counts):
        raise DriverDataError("no column that could be a driver: name a topic, flag, wait or count column")


def _all_there(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    if missing := sorted(set(columns) - set(map(str, frame.columns))):
        raise DriverDataError(f"no column {', '.join(missing)}; there are {', '.join(map(str, frame.columns))}")


def _business_twin(name: str) -> set[str]:
    """What the same wait is called when measured in business time."""
    return {re.sub(r"_(seconds|minutes|hours|days)$", r"_business_\1", name)} - {name}
