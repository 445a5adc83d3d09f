"""What the weights of the composite index must fulfil: never speed alone, and a floor on the adverse side."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

GROUPS = ("speed", "quality", "satisfaction")


def weight_problems(file: Path, rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """What is wrong with ``composite_weights.csv``, given its rows of readable values; ``indicators.csv`` lies beside.

    A set of weights (rows with one ``effective_from_on``) must weigh two groups of indicators at least, and each
    indicator once. The floor, where an indicator has no points, must lie on the adverse side of its targets.
    """
    targets = _targets(file.with_name("indicators.csv"))
    seen: set[tuple[str, str]] = set()
    groups: dict[str, set[str]] = {}
    for number, row in enumerate(rows, start=2):
        place = f"{file.name} row {number}"
        columns = ("indicator_code", "indicator_group", "effective_from_on")
        code, group, since = ((row[name] or "").strip() for name in columns)
        weight, floor, cap = (_number(row[name] or "") for name in ("weight", "floor_value", "cap_points"))
        if group not in GROUPS:
            yield f"{place}: indicator_group is {group!r}, which isn't one of {', '.join(GROUPS)}"
        if weight is not None and weight < 0:
            yield f"{place}: weight is {weight:g}; a weight is 0 or more"
        if cap is not None and cap < 100:
            yield f"{place}: cap_points is {cap:g}; on target are 100 points, so the cap is 100 or more"
        if (code, since) in seen:
            yield f"{place}: {code} is weighted twice"
        seen.add((code, since))
        if weight:
            groups.setdefault(since, set()).add(group)
        if code not in targets:
            yield f"{place}: indicator_code is {code!r}, which indicators.csv lacks or gives no target"
        for direction, target in targets.get(code, ()):
            if floor is not None and (floor >= target if direction == "at_least" else floor <= target):
                side = "below" if direction == "at_least" else "above"
                yield f"{place}: floor_value is {floor:g}; it must lie {side} the target {target:g} of {code}"
    for since, weighted in groups.items():
        if len(weighted) == 1:
            which = f" from {since} on" if since else ""
            yield (
                f"{file.name}: all the weight{which} is on {weighted.pop()}; an index of one group alone misleads,"
                f" weigh two of {', '.join(GROUPS)} at least"
            )
    if not groups:
        yield f"{file.name}: nothing has a weight above 0"


def _targets(file: Path) -> dict[str, list[tuple[str, float]]]:
    """Direction and target of each indicator that has one; none where the file is unusable, which is told elsewhere."""
    found: dict[str, list[tuple[str, float]]] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines):
                target = _number(row.get("target_value") or "")
                if target is not None:
                    found.setdefault((row.get("indicator_code") or "").strip(), []).append(
                        ((row.get("direction") or "").strip(), target)
                    )
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
