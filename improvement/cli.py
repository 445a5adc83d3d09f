"""``huiyin cards``: work with the improvement backlog."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from huiyin.config import load_settings
from improvement.cards import states, work
from improvement.ops.audit import verify_audit
from improvement.ops.models import ActionEffect, Card

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
action_app = typer.Typer(no_args_is_help=True)
app.add_typer(action_app, name="action", help="整改措施：add 新增、update 报进度。Plan measures and report progress.")
console = Console()

WIDE_TERMINAL = 120

SEVERITY_STYLE = {"red": "red", "orange": "dark_orange", "yellow": "yellow"}
SEVERITY_ZH = {"red": "红", "orange": "橙", "yellow": "黄"}
VERDICT_ZH = {
    "improved": "有改善",
    "not_improved": "未见改善",
    "worse": "变差",
    "not_yet_knowable": "尚不可知",
}
FACTOR_ZH = {
    "severity": "严重程度",
    "volume": "声量",
    "growth": "超出预期",
    "vip_share": "VIP 占比",
    "revenue_at_risk": "受影响年收入",
    "negative_share": "负面占比",
    "sla_damage": "SLA 违约",
    "recurrence": "复发",
}
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
Actor = Annotated[str, typer.Option("--actor", help="操作人姓名 Who does it.", default_factory=getpass.getuser)]
CardId = Annotated[str, typer.Argument(help="卡片编号，例如 HY-0001")]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _money(value: float | None) -> str:
    if not value:
        return "–"
    return f"{value / 1e4:,.1f} 万元" if value >= 1e4 else f"{value:,.0f} 元"


def _severity(value: str | None) -> str:
    return f"[{SEVERITY_STYLE[value]}]●{SEVERITY_ZH[value]}[/]" if value in SEVERITY_STYLE else "–"


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="只看某一状态 Only this state: " + " ".join(states.STATES))] = None,
) -> None:
    """改进卡片清单，最紧急的在前。The backlog, most urgent first."""
    cards = work.list_cards(load_settings(), state)
    if not cards:
        console.print(
            "没有卡片。运行 `huiyin run` 之后，有证据的问题会自动成卡。" if state is None else f"没有{state}的卡片。"
        )
        return
    table = Table(title=f"改进卡片（{len(cards)} 张）", title_justify="left", header_style="bold")
    columns: dict[str, Callable[[Card], str]] = {
        "编号": lambda card: card.card_id,
        "级别": lambda card: _severity(card.severity),
        "优先分": lambda card: f"{card.priority_score or 0:.0f}",
        "标题": lambda card: escape(card.title),
        "状态": lambda card: card.state + (f"（复发 {card.recurrence_count} 次）" if card.recurrence_count else ""),
        "责任人": lambda card: escape(card.owner or "–"),
    }
    # A narrow terminal leaves the title the room; `show` has the rest.
    if console.width >= WIDE_TERMINAL:
        columns |= {
            "立卡": lambda card: f"{card.opened_on:%m-%d}",
            "期限": lambda card: f"{card.due_on:%m-%d}" if card.due_on else "–",
            "声音": lambda card: f"{card.voice_count or 0:,}",
            "客户": lambda card: f"{card.customer_count or 0:,}",
            "年收入": lambda card: _money(card.revenue_at_risk),
        }
    for heading in columns:
        table.add_column(
            heading,
            justify="right" if heading in ("优先分", "声音", "客户", "年收入") else "left",
            no_wrap=heading in ("编号", "级别", "立卡", "期限"),
            overflow="fold",
        )
    for card in cards:
        table.add_row(*(shown(card) for shown in columns.values()))
    console.print(table)


@app.command()
def show(card_id: CardId) -> None:
    """一张卡片的全部：证据、优先分、措施、效果、轨迹。Everything about one card."""
    detail = work.show_card(load_settings(), card_id)
    card = detail.card
    facts = (
        f"[bold]{escape(card.title)}[/]\n"
        f"{_severity(card.severity)}  状态 [bold]{card.state}[/]"
        f"  责任人 {escape(card.owner or '–')}({escape(card.team or '–')})"
        f"  立卡 {card.opened_on}  期限 {card.due_on or '–'}\n"
        f"范围 {escape(card.scope_label)}  可能根因 {card.root_cause_class or '–'}"
        f"  复发 {card.recurrence_count or 0} 次\n"
        f"声音 {card.voice_count or 0:,}  客户 {card.customer_count or 0:,}  VIP {_share(card.vip_share)}"
        f"  负面 {_share(card.negative_share)}  SLA 违约 {_share(card.sla_breached_share)}"
        f"  受影响年收入 {_money(card.revenue_at_risk)}"
    )
    console.print(Panel(facts, title=card.card_id, title_align="left"))
    if card.priority_factors:
        table = Table(title=f"优先分 {card.priority_score:.1f}(公式 {card.priority_version})", title_justify="left")
        for heading in ("因素", "取值", "权重", "得分"):
            table.add_column(heading, justify="left" if heading == "因素" else "right")
        for factor in json.loads(card.priority_factors):
            table.add_row(
                FACTOR_ZH.get(factor["factor"], factor["factor"]),
                f"{factor['value']:.2f}",
                f"{factor['weight']:.2f}",
                f"{factor['contribution']:.1f}",
            )
        console.print(table)
    if detail.evidence:
        console.print("\n[bold]客户原声[/]（已脱敏，立卡时冻结）")
        for row in detail.evidence:
            console.print(f"  [dim]{row.occurred_at:%Y-%m-%d}[/] {escape(row.text.strip())}", soft_wrap=True)
        console.print(f"  [dim]取数：{escape(detail.evidence[0].query)}；数据版本 {detail.evidence[0].data_version}[/]")
    if detail.alerts:
        console.print("\n[bold]预警[/]")
        for alert in detail.alerts:
            over = "" if alert.expected is None else f" 实际 {alert.observed or 0:,.1f} / 预期 {alert.expected:,.1f}"
            console.print(
                f"  {_severity(alert.severity)} {alert.fired_on} {escape(alert.scope_label)}{over}"
                f" {alert.state}{f'({alert.resolved_on})' if alert.resolved_on else ''}"
            )
    verdicts = {effect.action_id: effect for effect in detail.effects}
    if detail.actions or verdicts:
        table = Table(title="措施与效果", title_justify="left")
        for heading in ("编号", "措施", "责任人", "状态", "进度", "效果"):
            table.add_column(heading, overflow="fold")
        for action in detail.actions:
            table.add_row(
                action.action_id,
                escape(action.measure),
                escape(action.owner or "–"),
                action.status,
                f"{action.progress_percent or 0:.0f}%",
                _verdict(verdicts.pop(action.action_id, None)),
            )
        for effect in verdicts.values():
            table.add_row(effect.action_id, "(台账措施)", "–", "–", "–", _verdict(effect))
        console.print(table)
    console.print("\n[bold]轨迹[/]")
    for entry in detail.transitions:
        arrow = f"{entry.from_value} → {entry.to_value}" if entry.from_value else (entry.to_value or "")
        console.print(
            f"  {entry.sequence:>2} {entry.occurred_at:%Y-%m-%d %H:%M} {entry.kind} {escape(arrow)}"
            f" [dim]{escape(entry.actor)}[/] {escape(entry.reason or '')}"
        )


def _verdict(effect: ActionEffect | None) -> str:
    if effect is None:
        return "未评估"
    text = VERDICT_ZH[effect.verdict]
    if effect.change_ratio is not None:
        text += f" {effect.change_ratio:+.0%}"
        if effect.change_ratio_low is not None and effect.change_ratio_high is not None:
            text += f"({effect.change_ratio_low:+.0%} 至 {effect.change_ratio_high:+.0%})"
    if effect.verdict == "not_yet_knowable" and effect.knowable_on:
        text += f",{effect.knowable_on} 可知"
    return text


@app.command()
def move(
    card_id: CardId,
    to_state: Annotated[str, typer.Argument(help="目标状态：" + " ".join(states.STATES))],
    actor: Actor,
    reason: Annotated[str | None, typer.Option(help="理由 Why.")] = None,
    override: Annotated[bool, typer.Option("--override", help="无改善结论时由本人核准关闭，须写理由")] = False,
) -> None:
    """流转卡片。Move a card to another state."""
    card = work.move_card(load_settings(), card_id, to_state, actor, reason, override=override)
    console.print(f"{card.card_id} 现在是 [bold]{card.state}[/]；之后可到 {'、'.join(states.MOVES[card.state])}")


@app.command()
def assign(card_id: CardId, owner: Annotated[str, typer.Argument(help="责任人或岗位")], actor: Actor) -> None:
    """指派责任人。Make somebody responsible."""
    card = work.assign_card(load_settings(), card_id, owner, actor)
    console.print(f"{card.card_id} 的责任人现在是 [bold]{escape(owner)}[/]")


@action_app.command("add")
def action_add(
    card_id: CardId,
    measure: Annotated[str, typer.Argument(help="做什么 What is done.")],
    actor: Actor,
    metric: Annotated[str, typer.Option(help="用什么衡量：" + " ".join(work.METRICS))] = "ticket_count",
    owner: Annotated[str | None, typer.Option(help="负责人，默认同卡片")] = None,
    start: Day = None,
    due: Day = None,
    done: Day = None,
    target: Annotated[float | None, typer.Option(help="目标变化，-0.4 即减少四成")] = None,
    note: Annotated[str | None, typer.Option(help="备注")] = None,
) -> None:
    """给卡片加一条措施，衡量办法此时定下。Plan a measure; what it is measured by is fixed now."""
    action = work.add_action(
        load_settings(),
        card_id,
        measure,
        actor,
        metric=metric,
        owner=owner,
        started_on=start.date() if start else None,
        due_on=due.date() if due else None,
        done_on=done.date() if done else None,
        target_change_ratio=target,
        note=note,
    )
    console.print(f"已记录措施 [bold]{action.action_id}[/]，以 {action.metric} 衡量，{action.started_on} 开始")


@action_app.command("update")
def action_update(
    action_id: Annotated[str, typer.Argument(help="措施编号，例如 HY-0001-A1")],
    actor: Actor,
    status: Annotated[str | None, typer.Option(help=" ".join(work.ACTION_STATUSES))] = None,
    progress: Annotated[float | None, typer.Option(help="进度 0 到 100")] = None,
    done: Day = None,
    note: Annotated[str | None, typer.Option(help="备注")] = None,
) -> None:
    """报告措施进度。Report the progress of a measure."""
    action = work.update_action(
        load_settings(),
        action_id,
        actor,
        status=status,
        progress_percent=progress,
        done_on=done.date() if done else None,
        note=note,
    )
    console.print(f"{action.action_id}:{action.status} {action.progress_percent or 0:.0f}%")


@app.command()
def verify() -> None:
    """核验审计轨迹未被改动。Check that nobody altered the audit trail."""
    report = verify_audit(load_settings())
    if report.is_whole:
        console.print(f"[green]轨迹完整[/]：{report.entries} 条记录，哈希链一致。")
        return
    for problem in report.problems:
        console.print(f"[red]![/] {escape(problem)}")
    console.print(f"[red]轨迹有 {len(report.problems)} 处不符[/]；请与备份核对。")
    raise typer.Exit(1)
