"""What every section is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from improvement.report.captions import Captions, named
from improvement.report.copies import Copies
from improvement.report.evidence import Evidence
from improvement.report.mart import MartRows, Row
from improvement.report.numbers import Numbers
from improvement.report.periods import Periods

View = dict[str, Any]

INDICATOR_ORDER = (
    "ticket_count",
    "first_response_minutes",
    "resolution_hours",
    "first_response_sla_met_share",
    "resolution_sla_met_share",
    "first_contact_resolution_share",
    "csat_mean",
    "nps",
    "negative_share",
    "reopen_share",
    "repeat_contact_share",
    "csat_satisfied_share",
)


@dataclass(frozen=True)
class Context:
    """Rows, spans of days, and how to say things in the reader's language."""

    periods: Periods
    rows: MartRows
    evidence: dict[str, Evidence]
    text: Captions
    numbers: Numbers
    copies: Copies

    def say(self, key: str, **values: object) -> str:
        """A caption with its values filled in."""
        return self.text[key].format(**values)

    def name(self, kind: str, code: object) -> str:
        """The name of a code in the reader's language."""
        return named(self.text, kind, code)

    def indicator_name(self, row: Row) -> str:
        """An indicator's name: the company's own in Chinese, the catalogue's in English."""
        code = row["indicator_code"]
        own = row.get("indicator_zh")
        return str(own) if own and self.text["lang"].startswith("zh") else self.name("metric", code)

    def opinion_name(self, row: Row) -> str:
        """The name of an aspect or feeling: the lists' own in Chinese, else its code, which is an English word."""
        own = row.get("opinion_zh")
        return str(own) if own and self.text["lang"].startswith("zh") else str(row["opinion_code"]).replace("_", " ")

    def problem_type_name(self, row: Row) -> str:
        """A problem type's name: the rules' own in Chinese, the catalogue's in English."""
        own = row.get("problem_type_zh")
        return (
            str(own) if own and self.text["lang"].startswith("zh") else self.name("problem_type", row["problem_type"])
        )

    def bound(self, row: Row) -> str | None:
        """An indicator's target with its direction, ``≤ 24 小时``; None where it has none."""
        if row["target_value"] is None or row["target_direction"] is None:
            return None
        value = self.numbers.indicator(row["indicator_code"], row["target_value"], row["unit"])
        return self.say(f"bound_{row['target_direction']}", value=value)

    def days_overdue(self, due_on: date | None, ended_on: date | None) -> int:
        """Days past due on the report's day, 0 where it is ended, in time or has no date."""
        if due_on is None or ended_on is not None:
            return 0
        return max(0, (self.periods.as_of_on - due_on).days)


def in_order(rows: list[Row]) -> list[Row]:
    """Rows of indicators in the order in which committees read them; a company's own come last."""
    rank = {code: place for place, code in enumerate(INDICATOR_ORDER)}
    return sorted(rows, key=lambda row: (rank.get(row["indicator_code"], len(rank)), row["indicator_code"]))
