"""Model cards (Mitchell et al. 2019) in Chinese and English: made when a model is made, never by hand.

``models/cards/<model>.json`` and ``.md`` are those of the models in use; a learnt model keeps its own beside it. No
text of a customer stands in them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from huiyin.config import Settings
from nlp.files import replacing

Model = Literal["sentiment", "topics", "drivers", "risk", "watch"]


@dataclass(frozen=True)
class Line:
    """One fact: what it is called in both languages, and what it is; ``value_en`` empty: the same."""

    name_zh: str
    name_en: str
    value_zh: str
    value_en: str = ""


@dataclass(frozen=True)
class Section:
    """Facts of one kind: data, figures, limits, use, privacy."""

    title_zh: str
    title_en: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Card:
    """What must be known of a model before its figures are relied on."""

    model: Model
    title_zh: str
    title_en: str
    version: str
    sections: tuple[Section, ...]


def data(*lines: Line) -> Section:
    """What the model was made from."""
    return Section("数据", "Data", lines)


def figures(*lines: Line) -> Section:
    """How good it is."""
    return Section("效果(括号内为 95 % 区间)", "Figures (95 % intervals in brackets)", lines)


def limits(*pairs: tuple[str, str]) -> Section:
    """What it isn't fit for."""
    return Section("局限", "Limits", tuple(Line("", "", zh, en) for zh, en in pairs))


def use(*pairs: tuple[str, str]) -> Section:
    """What it is meant for."""
    return Section("用途", "Intended use", tuple(Line("", "", zh, en) for zh, en in pairs))


PRIVACY = Section(
    "隐私",
    "Privacy",
    (
        Line(
            "",
            "",
            "只使用入库时已脱敏的文字和假名;本说明和模型文件不含客户原文;客户被删除后,其文字在下次学习时不再使用。",
            "Made from texts masked on ingest and from pseudonyms only; neither card nor model holds a customer's text;"
            " the texts of somebody forgotten are not used from the next learning on.",
        ),
    ),
)


def interval(value: float, low: float, high: float) -> str:
    """A figure with its interval."""
    return f"{value:.3f} ({low:.3f}–{high:.3f})"


def write_card(settings: Settings, card: Card, folder: Path | None = None) -> None:
    """Make it the card of the model in use, and keep it in ``folder``, too."""
    content = asdict(card) | {"made_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}"}
    places = [settings.models_dir / "cards" / card.model, *([folder / "card"] if folder else [])]
    for place in places:
        for suffix, text in (
            (".json", json.dumps(content, ensure_ascii=False, indent=1)),
            (".md", _markdown(card, content["made_at"])),
        ):
            with replacing(place.with_suffix(suffix)) as beside:
                beside.write_text(text + "\n", "utf-8")


def _markdown(card: Card, made_at: str) -> str:
    return "\n".join([*_in_one_language(card, made_at, "zh"), "", *_in_one_language(card, made_at, "en")])


def _in_one_language(card: Card, made_at: str, language: Literal["zh", "en"]) -> list[str]:
    is_zh = language == "zh"
    lines = [f"# {card.title_zh if is_zh else card.title_en}", "", f"{card.version} · {made_at}"]
    for section in card.sections:
        lines += ["", f"## {section.title_zh if is_zh else section.title_en}", ""]
        lines += [_said(line, is_zh) for line in section.lines]
    return lines


def _said(line: Line, is_zh: bool) -> str:
    name, value = (line.name_zh, line.value_zh) if is_zh else (line.name_en, line.value_en or line.value_zh)
    return f"- {name}: {value}" if name else f"- {value}"


def counts(names: Sequence[tuple[str, str, int]]) -> tuple[Line, ...]:
    """Lines of numbers."""
    return tuple(Line(zh, en, f"{count:,}") for zh, en, count in names)
