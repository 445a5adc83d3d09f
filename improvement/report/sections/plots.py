"""What all charts of the page share: colours, fonts, axes and lines of ECharts options."""

from __future__ import annotations

from typing import Any

INK, MUTED, GRID_LINE = "#374151", "#6b7280", "#e5e7eb"
BLUE, PALE_BLUE, AMBER, RED = "#1f5f8b", "#a9c3d6", "#b9722a", "#b3261e"
CHART_HEIGHT = 300
# As in report.css; measured by the chart itself, so it must be named.
FONTS = "-apple-system, Segoe UI, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif"


def base(**option: Any) -> dict[str, Any]:
    """An option with the page's font, legend and tooltip."""
    return {
        "animation": False,
        "textStyle": {"fontFamily": FONTS, "color": INK},
        "grid": {"left": 8, "right": 8, "top": 40, "bottom": 8, "containLabel": True},
        "legend": {"top": 0, "left": 0, "itemWidth": 14, "itemHeight": 8, "textStyle": {"color": INK}},
        "tooltip": {"trigger": "axis", "confine": True},
        **option,
    }


def categories(values: list[str]) -> dict[str, Any]:
    """An axis of names."""
    return {
        "type": "category",
        "data": values,
        "axisTick": {"show": False},
        "axisLine": {"onZero": False, "lineStyle": {"color": GRID_LINE}},
        "axisLabel": {"color": MUTED, "hideOverlap": True},
    }


def scale(suffix: str = "", right: bool = False, **more: Any) -> dict[str, Any]:
    """An axis of numbers."""
    return {
        "type": "value",
        "position": "right" if right else "left",
        "axisLabel": {"color": MUTED, "formatter": "{value}" + suffix},
        "splitLine": {"show": not right, "lineStyle": {"color": GRID_LINE}},
        **more,
    }


def line(name: str, color: str, values: list[float | None], **more: Any) -> dict[str, Any]:
    """A line; None leaves a gap."""
    return {
        "type": "line",
        "name": name,
        "data": values,
        "symbol": "circle",
        "symbolSize": 5,
        "lineStyle": {"width": 2, "color": color},
        "itemStyle": {"color": color},
        **more,
    }


def rounded(value: float | None, digits: int = 1) -> float | None:
    """A figure as short as a chart needs it."""
    return None if value is None else round(value, digits)
