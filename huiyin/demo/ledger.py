"""The company's own ledger of improvement measures, an Excel file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Font

from huiyin.demo.vocabulary import ACTION_STATUS_ZH, METRIC_ZH

LEDGER_HEADER = [
    "措施编号", "改进措施", "针对范围", "评价指标", "责任人", "责任部门", "开始日期", "计划完成", "实际完成", "状态",
    "进度(%)", "目标变化", "备注",
]  # fmt: skip


@dataclass(frozen=True)
class Action:
    """One measure; ``target`` −0.4 means forty per cent fewer."""

    action_id: str
    measure: str
    scope_key: str
    metric: str
    owner: str
    team: str
    started_on: date
    due_on: date
    done_on: date | None
    status: str
    progress: int
    target: float
    note: str = ""


def _day(month: int, day: int, year: int = 2025) -> date:
    return date(year, month, day)


ACTIONS = (
    Action(
        "A-2025-001",
        "向噪音投诉客户寄送减震脚垫",
        "problem_subtype=product_noise",
        "ticket_count",
        "品质经理",
        "品质组",
        _day(3, 31),
        _day(4, 10),
        _day(4, 4),
        "done",
        100,
        -0.3,
        "脚垫由供应商免费提供",
    ),
    Action(
        "A-2025-002",
        "大件外箱加护角并增加缓冲泡沫",
        "problem_subtype=delivery_damage",
        "ticket_count",
        "物流主管",
        "物流组",
        _day(4, 14),
        _day(4, 25),
        _day(4, 18),
        "done",
        100,
        -0.4,
    ),
    Action(
        "A-2025-003",
        "客服与门店统一口径培训",
        "problem_subtype=information_inconsistent",
        "ticket_count",
        "知识库主管",
        "一线客服",
        _day(5, 12),
        _day(5, 30),
        _day(5, 16),
        "done",
        100,
        -0.4,
        "线上课程两小时，完成率九成",
    ),
    Action(
        "A-2025-004",
        "配网引导改版：自动识别 2.4G 并分步提示",
        "problem_subtype=network_setup",
        "ticket_count",
        "智能互联产品经理",
        "技术支持组",
        _day(6, 16),
        _day(6, 30),
        _day(6, 20),
        "done",
        100,
        -0.5,
    ),
    Action(
        "A-2025-005",
        "App 发版改为分批灰度并监测登录成功率",
        "problem_subtype=login_failure",
        "ticket_count",
        "App 产品经理",
        "技术支持组",
        _day(8, 26),
        _day(9, 15),
        _day(9, 10),
        "done",
        100,
        -0.5,
    ),
    Action(
        "A-2025-006",
        "常用备件前置到区域仓",
        "problem_subtype=repair_slow",
        "resolution_hours",
        "维修主管",
        "维修组",
        _day(8, 4),
        _day(8, 15),
        _day(8, 8),
        "done",
        100,
        -0.3,
    ),
    Action(
        "A-2025-007",
        "新人一对一带教，前三个月质检加倍",
        "problem_subtype=agent_attitude",
        "csat_mean",
        "客服培训主管",
        "一线客服",
        _day(11, 3),
        _day(11, 28),
        _day(11, 21),
        "done",
        100,
        0.15,
    ),
    Action(
        "A-2025-008",
        "更换西南安装服务商，迟到按单扣罚",
        "problem_subtype=installation_late|region=西南",
        "ticket_count",
        "安装服务主管",
        "安装组",
        _day(10, 1),
        _day(10, 20),
        _day(10, 9),
        "done",
        100,
        -0.5,
    ),
    Action(
        "A-2025-009",
        "华东、华中启用备用承运商",
        "problem_subtype=logistics_delay",
        "ticket_count",
        "物流主管",
        "物流组",
        _day(11, 24),
        _day(12, 5),
        _day(11, 29),
        "done",
        100,
        -0.5,
    ),
    Action(
        "A-2025-010",
        "HF-W3 问题批次召回更换密封圈",
        "problem_subtype=product_leak|product=净饮机 HF-W3",
        "ticket_count",
        "品质经理",
        "品质组",
        _day(11, 3),
        _day(11, 30),
        _day(11, 14),
        "done",
        100,
        -0.6,
    ),
    Action(
        "A-2025-011",
        "自助开票与抬头校验",
        "problem_subtype=invoice",
        "ticket_count",
        "财务对接主管",
        "退款组",
        _day(12, 8),
        _day(2, 28, 2026),
        None,
        "in_progress",
        35,
        -0.3,
    ),
    Action(
        "A-2025-012",
        "合并退款的质检与财务复核",
        "problem_subtype=refund_slow",
        "resolution_hours",
        "退款流程主管",
        "退款组",
        _day(12, 15),
        _day(1, 31, 2026),
        None,
        "in_progress",
        20,
        -0.3,
    ),
    Action(
        "A-2025-013",
        "会员积分到账实时提醒",
        "problem_subtype=membership",
        "ticket_count",
        "会员运营主管",
        "一线客服",
        _day(7, 7),
        _day(8, 31),
        None,
        "cancelled",
        40,
        -0.2,
        "接口改造预算未批",
    ),
)


def write_ledger(file: Path) -> None:
    """Write ``actions.xlsx`` anew."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "改进措施台账"
    sheet.append(LEDGER_HEADER)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for action in ACTIONS:
        sheet.append(
            [
                action.action_id,
                action.measure,
                action.scope_key,
                METRIC_ZH[action.metric],
                action.owner,
                action.team,
                action.started_on,
                action.due_on,
                action.done_on,
                ACTION_STATUS_ZH[action.status],
                action.progress,
                action.target,
                action.note or None,
            ]
        )
    sheet.column_dimensions["B"].width = 40
    book.properties.created = book.properties.modified = datetime(2025, 12, 31, 18, 0)  # noqa: DTZ001 - a fixed stamp
    book.save(file)
