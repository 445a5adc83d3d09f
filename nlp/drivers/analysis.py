"""The whole analysis of one outcome: effects and gains, thresholds of waits, a Chinese sentence for each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nlp.drivers.bootstrap import clusters_of
from nlp.drivers.design import build_design
from nlp.drivers.effects import driver_effects
from nlp.drivers.roles import Outcome, Roles, guess_roles, read_numbers, read_outcome
from nlp.drivers.thresholds import Threshold, find_threshold
from nlp.drivers.wording import sentence


def analyse(
    frame: pd.DataFrame,
    target: str,
    roles: Roles | None = None,
    goals: Mapping[str, float] | None = None,
    *,
    scale: tuple[float, float] | None = None,
    fewest: int = 20,
    seed: int = 20250101,
) -> pd.DataFrame:
    """Drivers of ``target`` (csat, nps, repeat, churn or a column), one row each, the largest gain first.

    ``roles`` default to what the columns' names say, ``goals`` (wait or count column → value) to the threshold where
    one is found, else the median wait, and no hand-over. Columns: those of :func:`nlp.drivers.effects.driver_effects`,
    then threshold_verdict, threshold, threshold_low, threshold_high, threshold_p_value (waits only) and sentence
    (Chinese). Raises :class:`DriverDataError` where the data doesn't suffice.
    """
    outcome = read_outcome(frame, target, scale)
    roles = roles or guess_roles(frame, outcome.column)
    thresholds = _thresholds(frame, outcome, roles, fewest, seed)
    found = {column: t.at for column, t in thresholds.items() if t.verdict == "threshold"}
    table = driver_effects(frame, outcome, roles, found | dict(goals or {}), fewest=fewest, seed=seed)
    mine = [thresholds.get(column) for column in table["column"]]
    table["threshold_verdict"] = [t.verdict if t else "" for t in mine]
    for name, part in (("", "at"), ("_low", "low"), ("_high", "high"), ("_p_value", "p_value")):
        table[f"threshold{name}"] = [getattr(t, part) if t else np.nan for t in mine]
    table["sentence"] = [sentence(outcome, row, t) for row, t in zip(table.to_dict("records"), mine, strict=True)]
    return table


def _thresholds(frame: pd.DataFrame, outcome: Outcome, roles: Roles, fewest: int, seed: int) -> dict[str, Threshold]:
    """Threshold of each wait with enough different values, everything else held constant."""
    answered = ~np.isnan(outcome.values)
    found = {}
    for column in roles.waits:
        waits = read_numbers(frame[column])
        known = answered & ~np.isnan(waits) & (waits >= 0)
        if known.sum() < 10 * fewest or len(np.unique(waits[known])) < 10:
            continue
        part = frame[known]
        rest = Roles(**(vars(roles) | {"waits": tuple(name for name in roles.waits if name != column)}))
        others = build_design(part, rest, np.ones(len(part), bool), None, fewest).matrix
        customers = clusters_of(part[roles.cluster] if roles.cluster else None, len(part))
        found[column] = find_threshold(
            waits[known],
            outcome.values[known],
            others,
            customers,
            higher_is_better=outcome.higher_is_better,
            seed=seed,
        )
    return found
