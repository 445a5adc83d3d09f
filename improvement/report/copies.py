"""What was folded into one voice or left out as noise, read from the published mart for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from improvement.report.mart import Row
from improvement.report.periods import TOPIC_DAYS, Periods
from warehouse.connection import Warehouse

SHOWN = 5


@dataclass(frozen=True)
class Copies:
    """Of the last 28 days: the texts most often copied (``top``), and texts, copies and noise of each source.

    ``sizes``: how many texts say what a quoted voice says, where they are more than one.
    """

    top: list[Row]
    sources: list[Row]
    sizes: dict[str, int]


def read_copies(mart: Warehouse, periods: Periods, quoted: Sequence[str]) -> Copies:
    """Read what the report says of copies and noise. ``quoted``: voices whose texts stand on cards."""
    inside = f"v.occurred_on between date '{periods.days_before(TOPIC_DAYS)}' and date '{periods.as_of_on}'"
    top = mart.rows(
        # A first that is older than the window still names its group.
        "select coalesce(v.duplicate_of, v.voice_id) as voice_id, max(f.text) as text,"
        " cast(max(f.group_size) as integer) as group_size, cast(max(f.account_count) as integer) as account_count,"
        " max(case when f.is_campaign then 1 else 0 end) as is_campaign, min(f.occurred_on) as first_on,"
        " cast(count(*) as integer) as texts"
        " from mart.fct_sentiment v join mart.fct_sentiment f on f.voice_id = coalesce(v.duplicate_of, v.voice_id)"
        f" where v.group_size > 1 and not v.is_noise and not f.is_noise and {inside}"
        f" group by 1 having count(*) > 1 order by texts desc, 1 limit {SHOWN}"
    )
    kinds = ", ".join(
        f"cast(count(*) filter (where noise_kind = '{kind}') as integer) as {kind}"
        for kind in ("advertising", "empty", "machine")
    )
    sources = mart.rows(
        "select source, cast(count(*) as integer) as texts, cast(count(*) filter (where is_counted) as integer)"
        " as voices, cast(count(*) filter (where not is_counted and not is_noise) as integer) as copies,"
        f" cast(count(*) filter (where is_noise) as integer) as noise, {kinds}"
        f" from mart.fct_sentiment v where {inside} group by source order by source"
    )
    voices = pa.table({"voice_id": pa.array(sorted(set(quoted)), pa.string())})
    found = mart.select_matching("mart", "fct_sentiment", voices).select(["voice_id", "group_size"]).to_pylist()
    return Copies(top, sources, {row["voice_id"]: row["group_size"] for row in found if row["group_size"] > 1})
