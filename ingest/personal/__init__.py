"""Find personal data in Chinese free text and put numbered placeholders in its place.

What tells nothing about a person survives: product models, prices, dates, hotlines, cities. Where context decides
(names, addresses), a placeholder too many is preferred to a value too few.
"""

from __future__ import annotations

import re

from ingest.personal import handles, names, numbers, places
from ingest.personal.draft import KINDS, PLACEHOLDER, WIDE_SIGN, Draft, Found, Rule

__all__ = ["KINDS", "PLACEHOLDER", "RULES_VERSION", "SUSPICION", "Found", "find", "mask_text"]

# Raise this when the rules change: files are then read again and their texts masked by the new rules.
RULES_VERSION = "2"

# Rules in their order, each group behind the sign without which none of them finds anything.
_STRUCTURED: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    (handles.MAIL_SIGN, handles.MAIL_RULES),
    (numbers.DIGITS_SIGN, (*numbers.ID_RULES, *numbers.ORDER_RULES)),
    (handles.WECHAT_SIGN, handles.WECHAT_RULES),
    (handles.QQ_SIGN, handles.QQ_RULES),
    (numbers.DIGITS_SIGN, (*numbers.CARD_RULES, *numbers.PHONE_RULES, *numbers.LONG_RULES)),
    (numbers.SPOKEN_SIGN, numbers.SPOKEN_RULES),
    (numbers.PLATE_SIGN, numbers.PLATE_RULES),
)
_Signed = tuple[tuple[re.Pattern[str], tuple[Rule, ...]], ...]


def _signed(groups: tuple[tuple[str, tuple[Rule, ...]], ...]) -> _Signed:
    return tuple((re.compile(sign), rules) for sign, rules in groups)


_NUMBERS_AND_HANDLES = _signed(_STRUCTURED)
_NAMES = _signed(names.GROUPS)
_PLACE_SIGN = re.compile(f"{places.SIGN}|{places.LEAD_SIGN}")

# A text in which this finds nothing holds nothing to mask (RE2 syntax: Arrow searches whole columns with it).
SUSPICION = "|".join(
    dict.fromkeys((WIDE_SIGN, *(sign for sign, _ in (*_STRUCTURED, *names.GROUPS)), places.SIGN, places.LEAD_SIGN))
)


def mask_text(text: str) -> str:
    """``text`` with placeholders such as ``[手机号1]``, the same value the same number.

    Masking it again changes nothing; values added to a masked text get the next numbers.
    """
    return _searched(text).masked()


def find(text: str) -> list[Found]:
    """What :func:`mask_text` hides, in the order of the text (full-width digits and letters count as narrow ones)."""
    return list(_searched(text).found())


def _searched(text: str) -> Draft:
    draft = Draft(text)
    count = -1
    while draft.count != count:  # what a rule hides can open the way for one before it
        count = draft.count
        _search(draft)
    return draft


def _search(draft: Draft) -> None:
    _apply(draft, _NUMBERS_AND_HANDLES)
    if _PLACE_SIGN.search(draft.text):
        places.hide_addresses(draft)
    _apply(draft, _NAMES)
    if draft.count:
        for rule in names.BESIDE_HIDDEN:
            draft.apply(rule)
        draft.hide_again("姓名")


def _apply(draft: Draft, signed: _Signed) -> None:
    for sign, rules in signed:
        if sign.search(draft.text):
            for rule in rules:
                draft.apply(rule)
