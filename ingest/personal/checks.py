"""Check characters of numbers, and the regions and dates inside them."""

from __future__ import annotations

import re
from datetime import date

_SEPARATORS = re.compile(r"[\s.·•—–\-/]+")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def plain(value: str) -> str:
    """A number without the separators people write into it, in capitals."""
    return _SEPARATORS.sub("", value).upper()


def is_luhn(digits: str) -> bool:
    """Whether the last digit of a card number is right (ISO/IEC 7812: every second digit from the right doubled)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_id_card(value: str) -> bool:
    """Whether the last character of a resident identity number is right (GB 11643, ISO 7064 mod 11-2)."""
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", value) or not is_day(value[6:14]):
        return False
    remainder = sum(int(digit) * weight for digit, weight in zip(value[:17], _ID_WEIGHTS, strict=True)) % 11
    return "10X98765432"[remainder] == value[17]


def is_credit_code(value: str) -> bool:
    """Whether the last character of a unified social credit code is right (GB 32100, ISO 7064 mod 31-3)."""
    if len(value) != 18 or any(character not in _CREDIT_ALPHABET for character in value):
        return False
    total = sum(_CREDIT_ALPHABET.index(character) * pow(3, place, 31) for place, character in enumerate(value[:17]))
    return _CREDIT_ALPHABET[-total % 31] == value[17]


def is_day(digits: str) -> bool:
    """Whether eight digits are a day (YYYYMMDD) between 1900 and 2099."""
    if not re.fullmatch(r"(?:19|20)\d{6}", digits):
        return False
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True
