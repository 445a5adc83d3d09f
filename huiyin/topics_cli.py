"""``huiyin topics``: find the topics of a file, look at the company's topics, name, merge and split them."""

from __future__ import annotations

import getpass
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from huiyin.config import load_settings

if TYPE_CHECKING:
    from nlp.topics.store import TopicStore

app = typer.Typer(no_args_is_help=True)
console = Console()

Csv = Annotated[Path, typer.Argument(metavar="IN.csv", help="CSV file, UTF-8 or GB18030.", exists=True, dir_okay=False)]
Out = Annotated[Path, typer.Option(help="Where the CSV with topics goes (UTF-8).", dir_okay=False)]
Column = Annotated[str, typer.Option(help="Column of the texts.", metavar="NAME")]
ModelDir = Annotated[
    Path | None,
    typer.Option("--model", help="Folder of the topics; default: var/models/topics_of_files.", file_okay=False),
]
LevelOption = Annotated[
    Literal["group", "topic"],
    typer.Option(help="group: broad subjects, as one would file them; topic: the 20 to 60 finer ones inside."),
]
Outliers = Annotated[bool, typer.Option(help="Give −1 to texts that fit no topic, instead of the nearest one.")]
By = Annotated[str, typer.Option("--by", help="操作人姓名 Who decides it.", default_factory=getpass.getuser)]
OwnDir = Annotated[
    Path | None, typer.Option("--model", help="Folder of the topics; default: those of the marts.", file_okay=False)
]


@app.command()
def fit(
    file: Csv,
    out: Out,
    column: Column = "text",
    model: ModelDir = None,
    level: LevelOption = "group",
    keep_outliers: Outliers = False,
    onwards: Annotated[
        bool, typer.Option("--continue", help="Go on from the folder's topics: their ids stay; else it starts anew.")
    ] = False,
) -> None:
    """Find the topics of a CSV file and write it with topic_id, topic_label, topic_fits and noise added."""
    from nlp.topics.csv_files import assign_csv, fit_csv

    store = _file_store(model)
    learnt = fit_csv(store, file, column, onwards=onwards)
    report = assign_csv(store, file, out, column, level=level, keep_outliers=keep_outliers)
    console.print(f"{learnt}", soft_wrap=True)
    _tell(report.rows, report.topics, report.unfit, out)


@app.command()
def assign(
    file: Csv,
    out: Out,
    column: Column = "text",
    model: ModelDir = None,
    level: LevelOption = "group",
    keep_outliers: Outliers = False,
) -> None:
    """Give each text of a CSV file the nearest topic of an earlier fit."""
    from nlp.topics.csv_files import assign_csv

    report = assign_csv(_file_store(model), file, out, column, level=level, keep_outliers=keep_outliers)
    _tell(report.rows, report.topics, report.unfit, out)


@app.command("list")
def list_(
    model: OwnDir = None,
    retired: Annotated[bool, typer.Option("--retired", help="Also the topics that have ended.")] = False,
) -> None:
    """The topics, their group and their place among the problem types."""
    registry = _own_store(model).registry()
    groups = registry.group_labels()
    table = Table("编号", "主题", "大类", "关键词", "文本数", "问题类型", "环节", "根因", "把握", "状态", "始于")
    for topic in sorted(registry.topics, key=lambda topic: (topic.state, -topic.text_count)):
        if topic.state == "retired" and not retired:
            continue
        found = topic.problem_class
        table.add_row(
            str(topic.topic_id),
            topic.shown,
            groups.get(topic.parent_id or 0, "—"),
            "、".join(topic.keywords[:5]),
            f"{topic.text_count:,}",
            found.problem_subtype if found else "—",
            found.stage if found else "—",
            found.root_cause_class if found else "—",
            f"{found.confidence:.0%}" if found else "—",
            "在用" if topic.state == "active" else f"已停用 → {topic.merged_into or '—'}",
            topic.born_on,
        )
    console.print(table)


@app.command()
def lineage(model: OwnDir = None) -> None:
    """What happened to the topics: births, splits, merges, ends, returns, names; when and by whom."""
    table = Table("时间 (UTC)", "事件", "主题", "另一主题", "何人", "备注")
    for line in _own_store(model).registry().lineage:
        other = "" if line.other_id is None else str(line.other_id)
        table.add_row(line.at, line.event, str(line.topic_id), other, line.by or "模型", line.note)
    console.print(table)


@app.command()
def rename(
    topic_id: Annotated[int, typer.Argument(metavar="ID")],
    name: Annotated[str, typer.Argument(metavar="NAME")],
    by: By,
    model: OwnDir = None,
) -> None:
    """Give a topic a name that stays."""
    from nlp.topics import people

    topic = people.rename(_own_store(model), topic_id, name, by)
    console.print(f"[green]✓[/] {topic.topic_id}: {topic.shown}", highlight=False)


@app.command()
def merge(
    into_id: Annotated[int, typer.Argument(metavar="ID", help="The topic that stays.")],
    ended_id: Annotated[int, typer.Argument(metavar="OTHER", help="The topic that goes into it.")],
    by: By,
    model: OwnDir = None,
) -> None:
    """Make two topics one, for good. The next run assigns the texts anew."""
    from nlp.topics import people

    topic = people.merge(_own_store(model), into_id, ended_id, by)
    console.print(f"[green]✓[/] {ended_id} → {topic.topic_id}: {topic.shown}", highlight=False)


@app.command()
def split(
    topic_id: Annotated[int, typer.Argument(metavar="ID")],
    by: By,
    file: Annotated[
        Path | None,
        typer.Option(help="CSV file with the topic's texts; default: all texts of the warehouse.", exists=True),
    ] = None,
    column: Column = "text",
    model: OwnDir = None,
) -> None:
    """Divide a topic into its two main parts; the larger keeps the id. The next run assigns the texts anew."""
    from nlp.handover import read_voices
    from nlp.topics import people
    from nlp.topics.csv_files import read_csv
    from warehouse.handover import export_texts

    settings = load_settings()
    if file is not None:
        texts = read_csv(file, column)[column].tolist()
    else:
        folder = settings.handover_dir / "split"
        texts = [text for chunk in export_texts(settings, folder) for text in read_voices(chunk)[1]]
        shutil.rmtree(folder, ignore_errors=True)
    store = _own_store(model)
    new = people.split(store, topic_id, texts, by)
    console.print(f"[green]✓[/] {topic_id} → {topic_id}, {new.topic_id}: {new.shown}", highlight=False)


def _file_store(folder: Path | None) -> TopicStore:
    from nlp.topics.store import TopicStore

    settings = load_settings()
    return TopicStore(settings, folder or settings.models_dir / "topics_of_files")


def _own_store(folder: Path | None) -> TopicStore:
    from nlp.topics.store import TopicStore

    return TopicStore(load_settings(), folder)


def _tell(rows: int, topics: int, unfit: int, out: Path) -> None:
    console.print(
        f"[green]✓[/] {rows:,} rows in {topics} topics, {unfit:,} fit none well: {out}", soft_wrap=True, highlight=False
    )
