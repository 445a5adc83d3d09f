"""The page views that GX's site builder uses in place of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from great_expectations.render.view.view import DefaultJinjaIndexPageView, DefaultJinjaPageView
from jinja2 import ChoiceLoader, FileSystemLoader

TEMPLATES = Path(__file__).resolve().parent / "templates"


class _OwnTemplatesFirst:
    """Prefers the templates of this folder; GX's ``custom_views_directory`` only adds to its own."""

    env: Any

    def _prefer_own_templates(self) -> None:
        self.env.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), self.env.loader])


class PageView(_OwnTemplatesFirst, DefaultJinjaPageView):
    """A page of a suite or of a validation."""

    def __init__(self, **directories: Any) -> None:
        super().__init__(**directories)
        self._prefer_own_templates()


class IndexPageView(_OwnTemplatesFirst, DefaultJinjaIndexPageView):
    """The list of all validations and suites."""

    def __init__(self, **directories: Any) -> None:
        super().__init__(**directories)
        self._prefer_own_templates()
