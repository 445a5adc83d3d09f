"""Operators' alerts about the models: texts or judgements of the newest week or scoring run are another population.

By ``nlp.model_watch``. A drift may be the company's news rather than the models' fault, so each alert says what to look
at first and what to do then.
"""

from __future__ import annotations

from typing import Any

from huiyin.config import Settings
from ingest.operator_alerts import Condition, Settled, settle
from ingest.tables import ensure_tables
from warehouse.connection import open_warehouse
from warehouse.handover import create_nlp_tables

_KEY = "model/"
# The newest window of each kind about which something can be said of the measure.
_NEWEST = """
    select * from (
        select *, row_number() over (
            partition by measure, watch_kind
            order by coalesce(week_start_on, cast(watched_at as date)) desc, watched_at desc
        ) as newest_first
        from nlp.model_watch
        where is_drift is not null
    ) ranked
    where newest_first = 1 and is_drift
    order by measure, watch_kind desc
"""
_TOLD = {
    "unknown_words": (
        "share of character pairs that the sentiment model never met",
        "look at new texts for products, slang or another language; name products in user_words.txt of the rules"
        " folder, rate 100 of these texts and compare with `huiyin evaluate`",
    ),
    "unknown_characters": (
        "share of texts with characters that the sentiment model never met",
        "look for broken encodings in the newest deliveries (`huiyin status`), or a source in another language",
    ),
    "scores": (
        "mean sentiment score",
        "compare by channel, product and source in mart.fct_sentiment: news of the company, or a source that changed;"
        " if neither, rate 100 of these texts and compare with `huiyin evaluate`",
    ),
    "uncertain": (
        "share of texts that the sentiment model is unsure of",
        "rate 100 of these texts; the weekly DAG `learning` learns from ratings with a text by itself",
    ),
    "noise": (
        "share of texts that are noise",
        "look at which source delivers advertising or machine text; stop it there, or edit noise.csv in the rules",
    ),
    "topics": (
        "share of texts without topic, and their spread over the topics,",
        "see in the report which topics grow: news of the company, or a campaign; else run the DAG `learning`",
    ),
    "no_topic": (
        "share of texts that fit no topic",
        "a new subject is arriving: run the DAG `learning`, which gives birth to new topics",
    ),
}


def settle_models(settings: Settings) -> Settled:
    """Open and close one alert a measure, by the newest week and the newest scoring run."""
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        create_nlp_tables(warehouse)
        found: dict[str, dict[str, Any]] = {}
        for row in warehouse.rows(_NEWEST):  # a week before a run
            found.setdefault(row["measure"], row)
        conditions = [_condition(row) for row in found.values()]
        return settle(warehouse, conditions, lambda key: key.startswith(_KEY))


def _condition(row: dict[str, Any]) -> Condition:
    what, remedy = _TOLD[row["measure"]]
    window = f"the week of {row['week_start_on']}" if row["watch_kind"] == "week" else "the newest scoring run"
    return Condition(
        f"{_KEY}{row['measure']}",
        "drift",
        f"{what} is {row['mean_value']:.3f} in {window} ({row['text_count']:,} texts), {row['reference_mean']:.3f} in"
        f" the {row['reference_count']:,} before: another population (stability index {row['drift_index']:.2f})",
        remedy,
    )
