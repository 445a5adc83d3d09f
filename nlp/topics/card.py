"""The card of the topic model in use."""

from __future__ import annotations

from typing import Any

from nlp.cards import PRIVACY, Card, Line, counts, data, figures, interval, limits, use


def topics_card(manifest: dict[str, Any], continued: int, born: int, retired: int) -> Card:
    """What a fit's manifest says, and what it did to the topics there were."""
    metrics = manifest["metrics"]
    texts, topics = int(metrics["texts"]), int(metrics["topics"])
    shares = []
    for key, zh, en in (
        ("outlier_share", "不属于任何主题的文字占比", "share of texts that fit no topic"),
        ("largest_share", "最大主题占比", "share of the largest topic"),
    ):
        if key in metrics:
            shares.append(Line(zh, en, interval(metrics[key], *_wilson(metrics[key], texts))))
    return Card(
        "topics",
        "主题模型",
        "Topic model",
        manifest["version"],
        (
            use(
                (
                    "发现客户在谈什么、哪些话题在增长;主题名可由人更改、合并、拆分,编号永久不变。",
                    "What customers speak of, which subjects grow; people rename, merge and split, ids never change.",
                )
            ),
            data(
                *counts([("不同文字(抽样)", "different texts (sample)", texts)]),
                Line("向量", "embedder", str(manifest["embedder_version"])),
                Line("数据指纹", "fingerprint of the data", str(manifest["data_fingerprint"])),
                Line("随机种子", "seed", str(manifest["seed"])),
                Line("方法", "method", str(manifest["method"])),
            ),
            figures(
                *counts(
                    [
                        ("主题", "topics", topics),
                        ("延续", "continued", continued),
                        ("新生", "born", born),
                        ("退役", "retired", retired),
                    ]
                ),
                *shares,
            ),
            limits(
                (
                    "一条文字只归一个主题;同时谈几件事的文字归最近的一个。",
                    "A text has one topic; one that speaks of several things gets the nearest.",
                ),
                (
                    "主题是相近文字的集合,不是原因;问题类型由关键词推断,附置信度。",
                    "Topics gather like texts, they are no causes; problem types are guessed by words.",
                ),
                (
                    "新话题约需十条不同的文字才会出现,通常在出现两三周后命名。",
                    "A new subject needs about ten different texts, and is usually named after two or three weeks.",
                ),
            ),
            PRIVACY,
        ),
    )


def _wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z = 1.96
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * ((share * (1 - share) + z**2 / (4 * count)) / count) ** 0.5
    return middle - reach, middle + reach
