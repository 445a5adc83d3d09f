"""What an alert, a card or an action is about: dimension values as ``k=v`` pairs joined by ``|``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from huiyin.errors import HuiyinError
from improvement.rules import DIMENSIONS, Rules

TIER_ZH = {"vip": "VIP 客户", "regular": "普通客户"}
TENURE_ZH = {
    "under_90d": "入职不满 90 天的客服",
    "90d_to_1y": "入职 90 天到 1 年的客服",
    "1y_to_3y": "入职 1 到 3 年的客服",
    "over_3y": "入职 3 年以上的客服",
}


class ScopeError(HuiyinError):
    """A scope key can't be understood."""


@dataclass(frozen=True)
class Scope:
    """Pairs of dimension and value; no pairs: everything."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, dimensions: tuple[str, ...], values: tuple[str, ...]) -> Scope:
        """The scope of one series of a rule."""
        pairs = {d: v for d, v in zip(dimensions, values, strict=True) if d != "all"}
        return cls(tuple((d, pairs[d]) for d in DIMENSIONS if d in pairs))

    @classmethod
    def parse(cls, key: str) -> Scope:
        """Read a scope key, in any order. Raises :class:`ScopeError`."""
        pairs: dict[str, str] = {}
        for part in key.split("|"):
            dimension, separator, value = part.partition("=")
            dimension = "topic" if dimension.strip() == "topic_id" else dimension.strip()
            if not separator or dimension not in DIMENSIONS or not value.strip():
                raise ScopeError(
                    f"scope {key!r} can't be understood at {part!r};"
                    f" write k=v pairs joined by '|', with k one of {', '.join(DIMENSIONS)}"
                )
            if dimension != "all":
                pairs[dimension] = value.strip()
        return cls(tuple((d, pairs[d]) for d in DIMENSIONS if d in pairs))

    @property
    def key(self) -> str:
        """Canonical text, such as ``region=华东|problem_subtype=logistics_delay``."""
        return "|".join(f"{d}={v}" for d, v in self.pairs) or "all=all"

    def get(self, dimension: str) -> str | None:
        """The value of that dimension."""
        return dict(self.pairs).get(dimension)

    def contains(self, other: Scope) -> bool:
        """Whether everything in ``other`` is in this scope by its definition."""
        return set(self.pairs) <= set(other.pairs)

    def mask(self, frame: pd.DataFrame) -> pd.Series:
        """Which rows are in scope. Raises :class:`ScopeError` where the frame lacks a dimension."""
        inside = pd.Series(True, index=frame.index)
        for dimension, value in self.pairs:
            if dimension not in frame.columns:
                raise ScopeError(f"{dimension} isn't known of these rows")
            inside &= (frame[dimension] == value).fillna(False).astype(bool)
        return inside

    def label(self, rules: Rules, topics: Mapping[str, str]) -> str:
        """Chinese, for people: 「华东 物流延误」."""
        words = []
        for dimension, value in self.pairs:
            if dimension == "problem_subtype" and value in rules.problems:
                words.append(rules.problems[value].subtype_zh)
            elif dimension == "problem_type":
                names = [name.type_zh for name in rules.problems.values() if name.problem_type == value]
                words.append(names[0] if names else value)
            elif dimension == "channel":
                words.append(f"{rules.channels.get(value, value)}渠道")
            elif dimension == "customer_tier":
                words.append(TIER_ZH.get(value, value))
            elif dimension == "topic":
                words.append(f"「{topics.get(value, value)}」")
            elif dimension == "tenure_band":
                words.append(TENURE_ZH.get(value, f"工龄 {value} 的客服"))
            else:
                words.append(value)
        # The problem last: region and product read as its attributes.
        last = [w for w, (d, _) in zip(words, self.pairs, strict=True) if d.startswith("problem")]
        first = [w for w, (d, _) in zip(words, self.pairs, strict=True) if not d.startswith("problem")]
        return " ".join(first + last) or "全部"
