"""The design matrix of a frame, and for each possible driver what its rows would look like without it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from nlp.drivers.roles import DriverDataError, Floats, Roles, read_flags, read_numbers

Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

REST = "其他"
"""Levels with too few answered rows, pooled."""
NONE = "(空)"
_KNOTS = (0.25, 0.5, 0.75, 0.9)
_WINSOR = 0.995
_MOST_STEPS = 3
_LIST_SEPARATORS = re.compile(r"[、;,;,|]")


@dataclass(frozen=True)
class Driver:
    """Something that could be changed: on which rows it is at work, and those rows without it."""

    kind: str
    """topic, aspect, wait or handover."""
    column: str
    level: str
    """Which topic or aspect; empty for waits and counts."""
    affected: Bools
    columns: tuple[int, ...]
    """Columns of the design that describe it."""
    alternatives: tuple[tuple[float, tuple[tuple[int, float], ...]], ...]
    """Counterfactuals: weight, and the values its columns take there (0 where none is said)."""
    goal: float | None = None
    """What a wait or count is brought to, in its own unit."""

    def counterfactuals(self, matrix: Floats, rows: Integers) -> Iterator[tuple[float, Floats]]:
        """Weight and design rows (rows × columns) of each alternative for these rows of a design's matrix."""
        bare = matrix[rows]
        bare[:, list(self.columns)] = 0.0
        for weight, values in self.alternatives:
            instead = bare.copy()
            for index, value in values:
                instead[:, index] = value
            yield weight, instead


@dataclass
class Design:
    """Columns of numbers with an intercept first, and the drivers among them."""

    matrix: Floats
    names: list[str]
    drivers: list[Driver]


@dataclass
class _Builder:
    blocks: list[Floats] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(self, name: str, values: Floats) -> int:
        """Append a column; returns its index (the intercept is 0)."""
        self.blocks.append(values)
        self.names.append(name)
        return len(self.names)


def build_design(
    frame: pd.DataFrame, roles: Roles, answered: Bools, goals: dict[str, float] | None = None, fewest: int = 20
) -> Design:
    """Design of all rows; levels and drivers need ``fewest`` answered rows.

    ``goals`` are what waits and counts could be brought to, in their unit; else the median wait, and no hand-over.
    Raises :class:`DriverDataError` for values that can't be read and for goals of columns that are no driver.
    """
    goals = goals or {}
    if unknown := sorted(set(goals) - {*roles.waits, *roles.counts}):
        raise DriverDataError(f"a goal for {', '.join(unknown)}, which is neither a wait nor a count here")
    builder = _Builder()
    drivers: list[Driver] = []
    for column in roles.topics:
        drivers += _topics(builder, column, frame[column], answered, fewest)
    for column in roles.lists:
        drivers += _list(builder, column, frame[column], answered, fewest)
    for column in roles.flags:
        marked = read_flags(frame[column]) == 1.0
        drivers += _flag(
            builder, "aspect", column, re.sub(r"^(aspect|emotion|has)_", "", column), marked, answered, fewest
        )
    for column in roles.waits:
        drivers += _wait(builder, column, read_numbers(frame[column]), answered, goals.get(column), fewest)
    for column in roles.counts:
        drivers += _count(builder, column, read_numbers(frame[column]), answered, goals.get(column, 0.0), fewest)
    for column in roles.mix:
        _mix(builder, column, _levels(frame[column]), answered, fewest)
    if roles.month_of:
        months = pd.to_datetime(frame[roles.month_of], errors="coerce").dt.strftime("%Y-%m")
        _mix(builder, "month", _levels(months), answered, fewest)
    matrix = np.column_stack([np.ones(len(frame)), *builder.blocks])
    return Design(matrix, ["intercept", *builder.names], drivers)


def _levels(column: pd.Series) -> pd.Series:
    words = column.astype(object).where(column.notna(), "").map(lambda value: str(value).strip())
    return words.where(words != "", NONE)


def _pooled(levels: pd.Series, answered: Bools, fewest: int) -> tuple[pd.Series, list[str]]:
    """Levels with rare ones pooled, and those that were frequent enough."""
    counts = levels[answered].value_counts()
    frequent = sorted(counts.index[counts >= fewest])
    return levels.where(levels.isin(frequent), REST), frequent


def _topics(builder: _Builder, column: str, values: pd.Series, answered: Bools, fewest: int) -> list[Driver]:
    """One column a level. Without its topic a row is about the other subjects, in their proportions."""
    levels, frequent = _pooled(_levels(values), answered, fewest)
    shares = levels[answered].value_counts()
    if len(shares) < 2:
        return []
    where = {level: builder.add(f"{column}={level}", (levels == level).to_numpy(np.float64)) for level in shares.index}
    drivers = []
    for level in frequent:
        # Not assigned (−1) is no subject that anybody could work on.
        if level in (NONE, "-1", "-1.0", "未归类", REST):
            continue
        others = shares.drop(level)
        drivers.append(
            Driver(
                "topic",
                column,
                level,
                (levels == level).to_numpy(bool),
                (where[level],),
                tuple((float(n / others.sum()), ((where[str(other)], 1.0),)) for other, n in others.items()),
            )
        )
    return drivers


def _list(builder: _Builder, column: str, values: pd.Series, answered: Bools, fewest: int) -> list[Driver]:
    words = _levels(values).map(lambda joined: {part.strip() for part in _LIST_SEPARATORS.split(joined)} - {"", NONE})
    drivers: list[Driver] = []
    for word in sorted(set().union(*words)):
        marked = np.array([word in parts for parts in words])
        drivers += _flag(builder, "aspect", column, word, marked, answered, fewest)
    return drivers


def _flag(
    builder: _Builder, kind: str, column: str, level: str, marked: Bools, answered: Bools, fewest: int
) -> list[Driver]:
    if min((marked & answered).sum(), (~marked & answered).sum()) < fewest:
        return []
    index = builder.add(f"{column}={level}", marked.astype(np.float64))
    return [Driver(kind, column, level, marked, (index,), ((1.0, ()),))]


def _wait(
    builder: _Builder, column: str, values: Floats, answered: Bools, goal: float | None, fewest: int
) -> list[Driver]:
    """A broken line in the logarithm of the wait, so that no shape is imposed; unknown waits have their own column."""
    known = ~np.isnan(values) & (values >= 0)
    if (known & answered).sum() < 2 * fewest or len(np.unique(values[known & answered])) < 3:
        return []
    middle = float(np.median(values[known & answered]))
    # Beyond the last half percent a wait says more about forgotten records than about patience.
    top = float(np.quantile(values[known & answered], _WINSOR))
    filled = np.minimum(np.where(known, values, middle), top)
    unit = middle or float(filled[filled > 0].mean())
    goal = middle if goal is None else goal

    scale = float(np.std(np.log1p(filled / unit))) or 1.0
    knots = np.unique(np.log1p(np.quantile(filled[known & answered], _KNOTS) / unit))

    def basis(waits: Floats) -> Floats:
        line = np.log1p(waits / unit)[:, None]
        return np.hstack([line, np.maximum(line - knots, 0.0)]) / scale

    columns = [builder.add(f"{column}~{n}", part) for n, part in enumerate(basis(filled).T)]
    if (~known & answered).any():
        builder.add(f"{column} unknown", (~known).astype(np.float64))
    affected = known & (values > goal)
    if (affected & answered).sum() < fewest:
        return []
    at_goal = basis(np.array([goal]))[0]
    values_there = tuple((index, float(value)) for index, value in zip(columns, at_goal, strict=True))
    return [Driver("wait", column, "", affected, tuple(columns), ((1.0, values_there),), goal)]


def _count(builder: _Builder, column: str, values: Floats, answered: Bools, goal: float, fewest: int) -> list[Driver]:
    """One column for each step up to three: nobody knows that the second hand-over hurts as much as the first."""
    filled = np.where(np.isnan(values), 0.0, values)
    lowest = int(max(goal, 0.0))
    columns: list[tuple[int, int]] = []
    for step in range(1, lowest + _MOST_STEPS + 1):
        reached = filled >= step
        if min((reached & answered).sum(), (~reached & answered).sum()) >= fewest:
            columns.append((step, builder.add(f"{column}>={step}", reached.astype(np.float64))))
    affected = filled > goal
    avoidable = [index for step, index in columns if step > goal]
    if not avoidable or (affected & answered).sum() < fewest:
        return []
    return [Driver("handover", column, "", affected, tuple(avoidable), ((1.0, ()),), goal)]


def _mix(builder: _Builder, column: str, levels: pd.Series, answered: Bools, fewest: int) -> None:
    pooled, _ = _pooled(levels, answered, fewest)
    kinds = sorted(pooled.unique())
    for level in kinds if len(kinds) > 1 else []:
        builder.add(f"{column}={level}", (pooled == level).to_numpy(np.float64))
