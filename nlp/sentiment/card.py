"""The card of a learnt model: from what it was made, how good it is, and what it isn't fit for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nlp.files import replacing
from nlp.sentiment.model import SentimentModel

LIMITS = (
    "判断的是整段文字的褒贬，不判断事实真假；反话和隐晦的抱怨只认得常见说法。",
    "询问和陈述没有褒贬，分数接近 0.5 但不可靠；标为「不确定」的应由人看。",
    "校准依据本企业评分用户的文字；不打分的人说话可能不同。",
    "分数用于群体比较和排队，不用于考核个人。",
)
"""What a committee must know before it relies on the figures."""


def write_card(model: SentimentModel, folder: Path) -> None:
    """Write ``card.json`` and ``card.md`` beside the model. No text of a customer stands in them."""
    card = {
        "version": model.version,
        "calibration": {"slope": model.calibration.slope, "shift": model.calibration.shift},
        "facts": model.facts,
        "limits": list(LIMITS),
    }
    for name, content in (
        ("card.json", json.dumps(card, ensure_ascii=False, indent=1, sort_keys=True)),
        ("card.md", _markdown(card)),
    ):
        with replacing(folder / name) as beside:
            beside.write_text(content + "\n", "utf-8")


def _markdown(card: dict[str, Any]) -> str:
    facts = card["facts"]
    lines = [
        f"# 情感模型 {card['version']}",
        "",
        "## 数据",
        *(f"- {name}: {count:,}" for name, count in facts["data"].items()),
        f"- 本企业无标注文字（自适应）: {facts.get('adapted_to_texts', 0):,}",
        f"- 本企业评分: {facts.get('ratings', 0):,}，截至 {facts.get('learnt_until', '—')} (UTC)",
        f"- 训练数据指纹: {facts['fingerprint']}，随机种子 {facts['settings']['seed']}",
        "",
        f"## 效果（自 {facts.get('later_from', '—')} 起的 {facts.get('later_ratings', 0):,} 条评分，双方都未见过）",
        "",
        "| | macro-F1 | 准确率 | ECE | 弃权 20 % 后准确率 | 对数损失 |",
        "|---|---|---|---|---|---|",
        _row("本模型", facts.get("candidate", {})),
        _row(f"被替换的 {facts.get('replaced', {}).get('version', '—')}", facts.get("replaced", {})),
        "",
        "## 局限",
        *(f"- {limit}" for limit in card["limits"]),
    ]
    return "\n".join(lines)


def _row(name: str, figures: dict[str, Any]) -> str:
    keys = ("macro_f1", "accuracy", "ece", "accuracy_at_80", "log_loss")
    return f"| {name} | " + " | ".join(f"{figures[key]:.3f}" if key in figures else "—" for key in keys) + " |"
