"""What the newest week said of the models, for those who read their figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlp.cards import Card, Line, counts, data, figures, limits
from nlp.watching.drift import CHANCE_BELOW, DRIFTED_FROM

_NAMES = {
    "unknown_words": ("未见过的字对占比", "share of character pairs never met"),
    "unknown_characters": ("含未见过字符的文字占比", "share of texts with a character never met"),
    "scores": ("情感分数均值", "mean sentiment score"),
    "uncertain": ("不确定的文字占比", "share of uncertain texts"),
    "noise": ("噪声占比", "share of noise"),
    "topics": ("主题分布(无主题占比)", "spread over topics (share without)"),
    "no_topic": ("无主题的文字占比", "share of texts without topic"),
}


def watch_card(rows: Sequence[dict[str, Any]]) -> Card:
    """``rows``: those of the newest week."""
    week = rows[0]["week_start_on"]
    lines = []
    for row in rows:
        before = "—" if row["reference_mean"] is None else f"{row['reference_mean']:.3f}"
        now = "—" if row["mean_value"] is None else f"{row['mean_value']:.3f}"
        if row["is_drift"] is None:
            zh, en = "文字太少,不作判断", "too few texts to say"
        else:
            index = f"PSI {row['drift_index']:.2f}"
            zh, en = (f"漂移,{index}", f"DRIFT, {index}") if row["is_drift"] else (f"稳定,{index}", f"stable, {index}")
        lines.append(Line(*_NAMES[row["measure"]], f"{before} → {now};{zh}", f"{before} → {now}; {en}"))
    return Card(
        "watch",
        "模型监测",
        "Watching the models",
        f"{week}",
        (
            data(
                Line("周", "week from", f"{week}"),
                *counts(
                    [
                        ("本周文字", "texts of the week", max(row["text_count"] for row in rows)),
                        ("此前文字", "texts before", max(row["reference_count"] for row in rows)),
                    ]
                ),
            ),
            figures(*lines),
            limits(
                (
                    f"漂移:稳定性指数(扣除样本大小的影响)至少 {DRIFTED_FROM},且偶然概率低于 {CHANCE_BELOW}。",
                    f"Drift: stability index of {DRIFTED_FROM} beyond what sizes make, chance under {CHANCE_BELOW}.",
                ),
                (
                    "漂移可能是公司的新闻,不一定是模型的错;先看哪个渠道、产品、来源变了。",
                    "A drift may be the company's news, no fault: look first which channel or source changed.",
                ),
            ),
        ),
    )
