"""From expected arrivals to agents required by hour, for each group of channels that is staffed together.

Calls and chats wait for an agent at once: Erlang C. A chat agent holds several sessions, so each agent is that many
positions and the handling time is that of a session. Mails and forms can wait: their work is spread evenly over the
open hours of their target, which finishes every one of them in time (deferred work as a fluid; the load is then
volume × handling time ÷ occupancy). What comes while a group is closed is lost (calls) or waits for the opening.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from demand.arrivals import DemandError, Floats
from demand.erlang import agents_to_roster, positions_required

METHODS = ("erlang_c", "workload")
COLUMNS = (
    "date_day", "hour_of_day", "staffing_group", "made_on", "expected_count", "handling_seconds", "load_erlangs",
    "required_positions", "required_agents", "service_level", "occupancy",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """One row of staffing_targets.csv: what a group of channels promises and what an agent can bear."""

    staffing_group: str
    method: str
    service_level: float
    target_seconds: float
    handling_seconds: float
    concurrency: float
    shrinkage: float
    max_occupancy: float
    carries_over: bool

    def __post_init__(self) -> None:
        rules = {
            f"method is one of {', '.join(METHODS)}": self.method in METHODS,
            "handling_seconds is above 0": self.handling_seconds > 0,
            "target_seconds is 0 or more": self.target_seconds >= 0,
            "service_level lies between 0 and 1": self.method != "erlang_c" or 0 < self.service_level < 1,
            "concurrency is 1 or more": self.concurrency >= 1,
            "shrinkage lies from 0 up to 1": 0 <= self.shrinkage < 1,
            "max_occupancy lies above 0 and at most at 1": 0 < self.max_occupancy <= 1,
        }
        broken = [rule for rule, is_kept in rules.items() if not is_kept]
        if broken:
            raise DemandError(f"staffing_targets.csv, group {self.staffing_group}: {'; '.join(broken)}; mend the row")


def read_targets(frame: pd.DataFrame) -> list[Target]:
    """The rows of staffing_targets.csv. Raises :class:`DemandError` naming the group whose figures can't be used."""
    return [
        Target(
            staffing_group=str(row["staffing_group"]),
            method=str(row["method"]),
            service_level=_number(row, "service_level"),
            target_seconds=_number(row, "target_seconds"),
            handling_seconds=_number(row, "handling_seconds"),
            concurrency=_number(row, "concurrency"),
            shrinkage=_number(row, "shrinkage"),
            max_occupancy=_number(row, "max_occupancy"),
            carries_over=bool(row["carries_over"]),
        )
        for row in frame.to_dict("records")
    ]


def _number(row: dict[Any, Any], name: str) -> float:
    return math.nan if pd.isna(row[name]) else float(row[name])


def requirements(forecast: pd.DataFrame, targets: list[Target], opening: pd.DataFrame) -> pd.DataFrame:
    """Agents required by day, hour and group; columns :data:`COLUMNS`.

    ``forecast``: made_on, date_day, hour_of_day, staffing_group, expected_count (a row for every hour of the days).
    ``opening``: staffing_group, date_day, hour_of_day, open_seconds; hours without a row are closed.
    """
    parts = []
    for target in targets:
        own = forecast[forecast["staffing_group"] == target.staffing_group]
        if own.empty:
            continue
        own = (
            own.groupby(["made_on", "date_day", "hour_of_day"])
            .agg(expected_count=("expected_count", "sum"))
            .reset_index()
        )
        own = own.sort_values(["date_day", "hour_of_day"], ignore_index=True)
        hours = opening[opening["staffing_group"] == target.staffing_group]
        own = own.merge(hours[["date_day", "hour_of_day", "open_seconds"]], on=["date_day", "hour_of_day"], how="left")
        open_share = np.clip(own["open_seconds"].fillna(0).to_numpy(dtype=float) / 3600, 0, 1)
        work = _when_open(own["expected_count"].to_numpy(dtype=float), open_share, target.carries_over)
        own["staffing_group"] = target.staffing_group
        own["handling_seconds"] = target.handling_seconds
        if target.method == "erlang_c":
            _by_queue(own, work, open_share, target)
        else:
            _by_workload(own, work, open_share, target)
        own["required_agents"] = [
            agents_to_roster(positions * share, target.shrinkage)
            for positions, share in zip(own["required_positions"], open_share, strict=True)
        ]
        parts.append(own[list(COLUMNS)])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _when_open(count: Floats, open_share: Floats, carries_over: bool) -> Floats:
    """Counts moved into open hours: what came before an opening waits for it, or is lost."""
    moved = np.zeros_like(count)
    waiting = 0.0
    for hour, (came, is_open) in enumerate(zip(count, open_share > 0, strict=True)):
        if is_open:
            moved[hour] = came + waiting
            waiting = 0.0
        elif carries_over:
            waiting += came
    return moved


def _by_queue(own: pd.DataFrame, work: Floats, open_share: Floats, target: Target) -> None:
    concurrency = target.concurrency
    rate = np.divide(work, open_share, out=np.zeros_like(work), where=open_share > 0)
    queues = [
        positions_required(
            arrivals,
            target.handling_seconds,
            target.service_level,
            target.target_seconds,
            target.max_occupancy,
        )
        for arrivals in rate
    ]
    own["load_erlangs"] = [one.load_erlangs for one in queues]
    own["required_positions"] = [float(math.ceil(one.positions / concurrency)) for one in queues]
    own["service_level"] = [one.service_level for one in queues]
    own["occupancy"] = [one.occupancy for one in queues]


def _by_workload(own: pd.DataFrame, work: Floats, open_share: Floats, target: Target) -> None:
    """Each hour's work is spread over the open time of its target that follows, so that all of it is done in time."""
    seconds = work * target.handling_seconds / target.concurrency
    opened = np.concatenate([[0.0], np.cumsum(open_share * 3600)])
    window = max(target.target_seconds, 3600.0)
    done = np.zeros_like(seconds)
    for hour in np.flatnonzero(seconds > 0):
        overlap = np.clip(
            np.minimum(opened[1:], opened[hour] + window) - np.maximum(opened[:-1], opened[hour]), 0, None
        )
        # At the end of the forecast the window is cut: what would lie beyond is not this plan's.
        done += seconds[hour] * overlap / window
    busy = np.divide(done, open_share * 3600, out=np.zeros_like(done), where=open_share > 0)
    own["load_erlangs"] = busy
    own["required_positions"] = busy / target.max_occupancy
    own["service_level"] = 1.0
    own["occupancy"] = np.where(busy > 0, target.max_occupancy, 0.0)
