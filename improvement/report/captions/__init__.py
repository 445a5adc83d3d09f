"""Every string that the report says, one module a locale with the same keys."""

from __future__ import annotations

from typing import Literal

from improvement.report.captions import en, zh

Captions = dict[str, str]


def captions_of(locale: Literal["zh", "en"]) -> Captions:
    """The strings of a locale."""
    return {"zh": zh.TEXT, "en": en.TEXT}[locale]


def named(captions: Captions, kind: str, code: object) -> str:
    """The name of a code, such as ``named(t, "severity", "red")``; codes that companies add stand for themselves."""
    return "" if code is None else captions.get(f"{kind}.{code}", str(code))
