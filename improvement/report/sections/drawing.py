"""Geometry of small drawings that are part of the page itself: sparklines."""

from __future__ import annotations

from collections.abc import Sequence

from improvement.report.sections.context import View

WIDTH, HEIGHT, MARGIN = 132, 34, 3


def sparkline(values: Sequence[float | None], target: float | None = None) -> View | None:
    """Polylines (a gap where a value is missing), the last point and the height of the target line.

    None where fewer than two values are known: a trend needs two.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    span = [*known, target] if target is not None else known
    low, high = min(span), max(span)
    scale = (HEIGHT - 2 * MARGIN) / (high - low) if high > low else 0.0
    step = (WIDTH - 2 * MARGIN) / (len(values) - 1)

    def height(value: float) -> float:
        return round(HEIGHT - MARGIN - (value - low) * scale if scale else HEIGHT / 2, 1)

    lines: list[list[str]] = [[]]
    last = (0.0, 0.0)
    for place, value in enumerate(values):
        if value is None:
            lines.append([])
            continue
        last = (round(MARGIN + place * step, 1), height(value))
        lines[-1].append(f"{last[0]},{last[1]}")
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "lines": [" ".join(line) for line in lines if line],
        "last_x": last[0],
        "last_y": last[1],
        "target_y": None if target is None else height(target),
    }
