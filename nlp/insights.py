"""What moves satisfaction, and which customers are at risk: Parquet of contacts in, Parquet of results out."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from huiyin.config import Settings
from nlp.cards import write_card
from nlp.drivers import analyse
from nlp.drivers.roles import DriverDataError
from nlp.drivers.wording import column_name
from nlp.handover import write_results
from nlp.insights_cards import drivers_card, risk_card
from nlp.segments import customers_at_risk, segment_customers
from nlp.segments.customers import CustomerDataError
from nlp.segments.risk import RiskReport

logger = logging.getLogger(__name__)

TARGETS = ("csat", "nps", "repeat")
_NUMBERS = (
    "goal", "affected_share", "mean_there", "effect", "effect_low", "effect_high", "gain", "gain_low", "gain_high",
    "threshold", "threshold_low", "threshold_high",
)  # fmt: skip
DRIVER_SCHEMA = pa.schema(
    [
        pa.field("target", pa.string(), nullable=False),
        pa.field("driver_kind", pa.string(), nullable=False),
        pa.field("driver_column", pa.string(), nullable=False),
        pa.field("driver", pa.string(), nullable=False),
        pa.field("affected_count", pa.int64()),
        *(pa.field(name, pa.float64()) for name in _NUMBERS),
        pa.field("threshold_verdict", pa.string()),
        pa.field("is_harmful", pa.bool_()),
        pa.field("is_certain", pa.bool_()),
        pa.field("sentence_zh", pa.string()),
        pa.field("computed_on", pa.date32(), nullable=False),
    ]
)
"""One row a target and driver, see :func:`nlp.drivers.analyse`; ``driver`` is the topic or aspect, else the
Chinese name of the column."""
CUSTOMER_SCHEMA = pa.schema(
    [
        pa.field("customer_ref", pa.string(), nullable=False),
        pa.field("segment_id", pa.int64()),
        pa.field("segment_zh", pa.string()),
        pa.field("risk", pa.float64()),
        pa.field("risk_method", pa.string()),
        pa.field("priority", pa.float64()),
        pa.field("reasons_zh", pa.string()),
        pa.field("revenue_at_risk", pa.float64()),
        pa.field("contact_count", pa.int64()),
        pa.field("main_topic", pa.string()),
        pa.field("computed_on", pa.date32(), nullable=False),
    ]
)
"""One row a customer of the year. Risk only of those who wrote in the last 90 days; a score where churn isn't known."""


def explain(settings: Settings, contacts_file: Path, as_of_on: date, drivers_file: Path, customers_file: Path) -> None:
    """Drivers of every target that has answers enough, segments and risks, and the cards of both models.

    Each file appears when complete. What the data don't suffice for is left out, logged, and said in the card.
    """
    frame = pq.read_table(contacts_file).to_pandas()
    drivers, said = _drivers(frame)
    write_results(_table(drivers, DRIVER_SCHEMA, as_of_on), drivers_file)
    write_card(settings, drivers_card(frame, drivers, said, as_of_on))
    customers, report = _customers(frame, as_of_on)
    write_results(_table(customers, CUSTOMER_SCHEMA, as_of_on), customers_file)
    write_card(settings, risk_card(frame, report, as_of_on))


def _table(frame: pd.DataFrame, schema: pa.Schema, as_of_on: date) -> pa.Table:
    frame = frame.assign(computed_on=as_of_on).reindex(columns=schema.names)
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)


def _drivers(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Drivers of all targets, and what became of each target in words."""
    found = []
    said = {}
    for target in TARGETS:
        try:
            table = analyse(frame, target)
        except DriverDataError as error:
            logger.warning("no drivers of %s: %s", target, error)
            said[target] = f"未计算 / not computed: {error}"
            continue
        said[target] = f"{len(table):,}"
        table["driver"] = [level or column_name(column) for level, column in table[["level", "column"]].to_numpy()]
        found.append(
            table.rename(columns={"kind": "driver_kind", "column": "driver_column", "sentence": "sentence_zh"}).assign(
                target=target
            )
        )
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(), said


def _customers(frame: pd.DataFrame, as_of_on: date) -> tuple[pd.DataFrame, RiskReport | None]:
    known = frame[frame["customer_ref"].notna()]
    try:
        segments = segment_customers(known)
        report = customers_at_risk(known, today=as_of_on)
    except CustomerDataError as error:
        logger.warning("no segments of customers: %s", error)
        return pd.DataFrame(), None
    table = segments[["segment_id", "segment", "contacts", "main_topic"]].join(
        report.customers.reindex(columns=["risk", "priority", "reasons", "revenue_at_risk"])
    )
    table["risk_method"] = report.method
    names = {"segment": "segment_zh", "reasons": "reasons_zh", "contacts": "contact_count"}
    return table.reset_index().rename(columns=names), report
