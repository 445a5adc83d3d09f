"""The incidents planted in the demo company's year, and what the system is expected to make of them.

This is the ground truth: tests and benchmarks read it (``ground_truth/stories.json``), the pipeline never does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Expect = Literal["card", "alert", "nothing", "effect_improved", "effect_not_improved"]


@dataclass(frozen=True)
class Story:
    """One planted incident.

    ``factor`` multiplies the tickets of ``scope`` between the dates (both inclusive); ``metric`` names what moves;
    ``share_of_region`` tilts the extra tickets to regions.
    """

    story_id: str
    title: str
    expect: Expect
    starts_on: date
    ends_on: date
    scope: dict[str, str] = field(default_factory=dict)
    metric: str = "ticket_count"
    factor: float = 1.0
    action_id: str | None = None
    share_of_region: dict[str, float] = field(default_factory=dict)
    channel: str | None = None

    def as_truth(self) -> dict[str, object]:
        """The story as ``stories.json`` holds it."""
        return {
            "story_id": self.story_id,
            "title": self.title,
            "expect": self.expect,
            "starts_on": self.starts_on.isoformat(),
            "ends_on": self.ends_on.isoformat(),
            "scope": self.scope,
            "metric": self.metric,
            "factor": self.factor,
            "action_id": self.action_id,
        }


YEAR_END = date(2025, 12, 31)

STORIES = (
    Story(
        "logistics_stall", "双11 后物流停滞", "card", date(2025, 11, 13), date(2025, 11, 28),
        {"problem_subtype": "logistics_delay"}, factor=4.0,
        share_of_region={"华东": 0.40, "华中": 0.30, "华南": 0.10, "华北": 0.10,
                         "西南": 0.05, "东北": 0.03, "西北": 0.02},
    ),
    Story(
        "login_release", "App 新版本登录失败", "card", date(2025, 8, 18), date(2025, 8, 25),
        {"problem_subtype": "login_failure"}, factor=8.0, channel="app",
    ),
    Story(
        "southwest_installers", "西南安装迟到", "card", date(2025, 5, 10), date(2025, 9, 30),
        {"problem_subtype": "installation_late", "region": "西南"}, factor=3.5,
    ),
    Story(
        "new_agents", "新入职客服态度差", "card", date(2025, 8, 1), date(2025, 10, 31),
        {"problem_subtype": "agent_attitude"}, factor=3.0,
    ),
    Story(
        "refund_creep", "退款越来越慢", "alert", date(2025, 1, 1), YEAR_END,
        {"problem_subtype": "refund_slow"}, metric="resolution_hours", factor=1.07,
    ),
    Story(
        "leaking_batch", "净饮机 HF-W3 批次漏水", "card", date(2025, 9, 20), date(2025, 11, 14),
        {"problem_subtype": "product_leak", "product": "净饮机 HF-W3"}, factor=6.0,
    ),
    Story(
        "competitor_meme", "竞品网络梗", "nothing", date(2025, 6, 20), date(2025, 6, 27),
        {"feedback_kind": "post"}, metric="post_count", factor=6.0,
    ),
    Story(
        "copied_complaint", "同一段投诉被多账号转贴", "nothing", date(2025, 10, 10), date(2025, 10, 12),
        {"feedback_kind": "post"}, metric="post_count", factor=1.0,
    ),
    Story(
        "invoice_spike", "发票短时激增后自行回落", "alert", date(2025, 4, 8), date(2025, 4, 11),
        {"problem_subtype": "invoice"}, factor=5.0,
    ),
    Story(
        "network_fix", "配网引导改版见效", "effect_improved", date(2025, 6, 16), YEAR_END,
        {"problem_subtype": "network_setup"}, factor=0.45, action_id="A-2025-004",
    ),
    Story(
        "inconsistent_no_fix", "统一口径培训无效", "effect_not_improved", date(2025, 5, 12), YEAR_END,
        {"problem_subtype": "information_inconsistent"}, factor=1.0, action_id="A-2025-003",
    ),
    Story(
        "packaging_fix", "包装加固见效", "effect_improved", date(2025, 4, 14), YEAR_END,
        {"problem_subtype": "delivery_damage"}, factor=0.55, action_id="A-2025-002",
    ),
    Story(
        "noise_no_fix", "减震脚垫寄送无效", "effect_not_improved", date(2025, 3, 31), YEAR_END,
        {"problem_subtype": "product_noise"}, factor=1.0, action_id="A-2025-001",
    ),
    Story(
        "spare_parts_fix", "备件前置缩短维修时长", "effect_improved", date(2025, 8, 4), YEAR_END,
        {"problem_subtype": "repair_slow"}, metric="resolution_hours", factor=0.6, action_id="A-2025-006",
    ),
)  # fmt: skip
BY_ID = {story.story_id: story for story in STORIES}

# Their level shrinks less with the scale, so that an effect can be told from chance in a small demo.
STEADY = frozenset(
    story.scope["problem_subtype"]
    for story in STORIES
    if "region" not in story.scope and (story.expect.startswith("effect") or story.metric == "resolution_hours")
)


def story_scale(scale: float) -> float:
    """How story volumes follow the scale: linear above 1, its square root below."""
    return float(scale if scale >= 1 else scale**0.5)
