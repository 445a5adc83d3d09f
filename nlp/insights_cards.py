"""The cards of what is learnt weekly from contacts: drivers of satisfaction, customers at risk."""

from __future__ import annotations

from datetime import date

import pandas as pd

from nlp.cards import PRIVACY, Card, Line, counts, data, figures, interval, limits, use
from nlp.segments.risk import RiskReport


def drivers_card(frame: pd.DataFrame, drivers: pd.DataFrame, targets: dict[str, str], as_of_on: date) -> Card:
    """``targets``: what became of each target, in Chinese; ``drivers``: rows of all of them."""
    lines = [Line(f"目标 {target}", f"target {target}", said) for target, said in targets.items()]
    if len(drivers):
        certain = drivers[drivers["is_certain"] & drivers["is_harmful"]]
        strongest = certain.sort_values("effect", key=abs, ascending=False).head(5)
        for row in strongest.to_dict("records"):
            shown = interval(float(row["effect"]), float(row["effect_low"]), float(row["effect_high"]))
            lines.append(Line(f"{row['target']}:{row['driver']}", f"{row['target']}: {row['driver']}", shown))
        lines += counts([("显著且不利的因素", "certain and harmful drivers", len(certain))])
    return Card(
        "drivers",
        "满意度驱动因素模型",
        "Model of what drives satisfaction",
        f"{as_of_on}",
        (
            use(
                (
                    "看哪些主题、等待和转派与满意度、推荐和重复联系相关,用于选择改进方向,不用于预测个人。",
                    "What topics, waits, hand-overs have to do with satisfaction, to choose what to improve.",
                )
            ),
            data(
                *counts([("一年的工单", "tickets of a year", len(frame))]),
                Line("截至", "until", f"{as_of_on}"),
                Line(
                    "方法",
                    "method",
                    "岭惩罚的分数 logit,去偏;按客户重抽样 999 次的区间",
                    "ridge-penalised fractional logit, debiased; intervals by 999 resamples of customers",
                ),
            ),
            figures(*lines),
            limits(
                (
                    "是控制了渠道、团队、产品、月份之后的关联,不是实验;数据里没有的原因不受控制。",
                    "Connections controlled for channel, team, product, month; no experiment.",
                ),
                (
                    "生气的人更常作答的倾向无法校正;作答少时等待的区间偏窄。",
                    "That angry people answer more can't be mended; with few answers intervals of waits are too short.",
                ),
                (
                    "模拟公司中 95 % 区间的覆盖率为 92.7–95.7 %(benchmarks/drivers_coverage.py)。",
                    "In simulated companies 92.7–95.7 % of the intervals hold the truth.",
                ),
            ),
            PRIVACY,
        ),
    )


def risk_card(frame: pd.DataFrame, report: RiskReport | None, as_of_on: date) -> Card:
    """``report`` None: too few customers."""
    lines = []
    if report is None:
        lines.append(Line("状态", "state", "客户太少,未计算", "too few customers, not computed"))
    else:
        method = "calibrated probability" if report.method == "calibrated" else "uncalibrated score that only orders"
        lines.append(Line("方法", "method", report.note_zh, method))
        lines += counts([("名单上的客户", "customers on the list", len(report.customers))])
    if report is not None and (judged := report.reliability) is not None:
        lines += [
            Line("AUC", "area under the curve", interval(judged.auc, judged.auc_low, judged.auc_high)),
            Line("校准误差", "calibration error", f"{judged.calibration_error:.3f}"),
            *counts([("检验的客户", "customers judged", judged.customers), ("其中流失", "of them left", judged.left)]),
        ]
        for number, row in enumerate(judged.groups.itertuples(), 1):
            shown = f"{row.said:.1%} → {row.was:.1%} (n = {row.customers})"
            lines.append(Line(f"第 {number} 组 预计 → 实际", f"group {number}, said → left", shown))
    return Card(
        "risk",
        "流失风险模型",
        "Model of customers at risk",
        f"{as_of_on}",
        (
            use(
                (
                    "排出应优先挽留的客户并说明理由;由人决定做什么,不自动影响任何客户。",
                    "Whom to call first, and why; people decide what is done, nothing happens to a customer by itself.",
                )
            ),
            data(
                *counts([("一年的工单", "tickets of a year", len(frame))]),
                Line("截至", "until", f"{as_of_on}"),
            ),
            figures(*lines),
            limits(
                (
                    "只看联系过客服的客户;悄悄离开的人不在其中。",
                    "Only customers who contacted the company; who leaves silently isn't there.",
                ),
                (
                    "更多的不满迹象不会降低风险;系数非负,因果未证明。",
                    "More signs never lower the risk; coefficients can't be negative, causes aren't proven.",
                ),
                (
                    "回看过去时,工单的解决、重开、评分是今天的状态。",
                    "Looking back, a ticket's state (solved, reopened, rated) is today's.",
                ),
            ),
            PRIVACY,
        ),
    )
