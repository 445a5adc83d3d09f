"""``huiyin identity``: look at who is who, decide the doubtful, take a decision back."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from huiyin.config import load_settings

app = typer.Typer(no_args_is_help=True)
console = Console()

Ref = Annotated[
    str,
    typer.Argument(metavar="REF", help="A pseudonym (p_…), or a number, phone, address or account as systems know it."),
]
Limit = Annotated[int, typer.Option(min=1, help="How many to show.")]
By = Annotated[str, typer.Option("--by", help="Who says so.")]
Reason = Annotated[str, typer.Option(help="Why; kept for ever.")]
_METHODS = {
    "itself": "—", "person": "人工", "scored": "评分", "same_wechat": "同一微信", "same_handle": "同一社交账号",
    "same_app_account": "同一账号", "same_email": "同一邮箱", "same_other": "同一绑定账号", "same_phone": "同一手机号",
    "same_device": "同一设备",
}  # fmt: skip
_STATES = {"linked": "同一人", "separate": "不同人", "review": "待定"}
_VERDICTS = {"link": "合并", "separate": "分开", "withdraw": "撤回"}


@app.command("list")
def list_(limit: Limit = 20) -> None:
    """How many refs make how many persons, and who is known by most."""
    from ingest.identity.look import counts, people

    settings = load_settings()
    total = counts(settings)
    console.print(
        f"{total['refs']:,} 个标识 → {total['persons']:,} 位客户；"
        f"待定 {total['review']:,} 对；人工裁定 {total['verdicts']:,} 次"
    )
    table = Table("客户", "标识数", "依据", "最近变动 (UTC)")
    for row in people(settings, limit):
        methods = "、".join(_METHODS.get(method, method) for method in sorted((row["methods"] or "").split("、")))
        table.add_row(row["person_ref"], str(row["refs"]), methods, f"{row['since']:%Y-%m-%d %H:%M}")
    console.print(table)


@app.command()
def show(ref: Ref) -> None:
    """One person: all refs, what ties them together, what people decided."""
    from ingest.identity.look import person

    settings = load_settings()
    found = person(settings, _pseudonym(settings, ref))
    table = Table("标识", "依据", "把握", "自 (UTC)", title=f"客户 {found.person_ref}")
    for row in found.refs:
        table.add_row(
            row["ref"],
            _METHODS.get(row["method"], row["method"]),
            f"{row['score']:.3f}",
            f"{row['since']:%Y-%m-%d %H:%M}",
        )
    console.print(table)
    if found.edges:
        console.print(_pairs(found.edges, with_state=True))
    for row in found.decisions:
        console.print(
            f"{row['decided_at']:%Y-%m-%d %H:%M} {row['actor']} {_VERDICTS[row['verdict']]}"
            f" {row['ref_a']} {row['ref_b']}：{row['reason']}"
        )


@app.command()
def review(limit: Limit = 20) -> None:
    """Pairs that the system doesn't dare to decide, the likeliest first. Decide them by `link` or `separate`."""
    from ingest.identity.look import waiting

    rows = waiting(load_settings(), limit)
    if not rows:
        console.print("没有待定的客户")
        return
    console.print(_pairs(rows, with_state=False))


@app.command()
def link(first: Ref, second: Ref, by: By, reason: Reason) -> None:
    """Both are one person, whatever the evidence says."""
    _decide(first, second, "link", by, reason)


@app.command()
def separate(first: Ref, second: Ref, by: By, reason: Reason) -> None:
    """They are two persons, whatever evidence may come; undone by `withdraw`."""
    _decide(first, second, "separate", by, reason)


@app.command()
def withdraw(first: Ref, second: Ref, by: By, reason: Reason) -> None:
    """Take back the verdict on a pair: the evidence decides again."""
    _decide(first, second, "withdraw", by, reason)


def _decide(first: str, second: str, verdict: Any, by: str, reason: str) -> None:
    from ingest.identity import resolve
    from ingest.identity.decisions import decide

    settings = load_settings()
    decide(settings, _pseudonym(settings, first), _pseudonym(settings, second), verdict, by, reason)
    report = resolve(settings)
    console.print(
        f"已记录：{_VERDICTS[verdict]}。{report.changed} 个标识的客户归属有变；报表在下次 service_mart 运行后更新"
    )


def _pseudonym(settings: Any, ref: str) -> str:
    from ingest.masking import load_masker

    return load_masker(settings).pseudonym(ref)


def _pairs(rows: list[dict[str, Any]], with_state: bool) -> Table:
    table = Table("标识", "标识", "把握", "理由", *(("状态",) if with_state else ()))
    for row in rows:
        state = (_STATES[row["state"]],) if with_state else ()
        table.add_row(row["ref_a"], row["ref_b"], f"{row['score']:.2f}", "；".join(row["reasons"]), *state)
    return table
