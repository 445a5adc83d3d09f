"""``models.html`` beside the report: the cards of the models in use, for whoever doubts their figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from huiyin.config import Settings

FILE = "models.html"
_ORDER = ("sentiment", "topics", "drivers", "risk", "watch")
_TEMPLATES = Path(__file__).parent / "templates"


def render_models(settings: Settings) -> str:
    """One page in both languages, the report's first; needs nothing else. Empty of cards before the first scoring."""
    cards: list[dict[str, Any]] = []
    for name in _ORDER:
        file = settings.models_dir / "cards" / f"{name}.json"
        if file.exists():
            cards.append(json.loads(file.read_text("utf-8")))
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("models.html.j2").render(
        cards=cards,
        languages=("zh", "en") if settings.locale == "zh" else ("en", "zh"),
        css=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
    )
