"""Contacts out of the mart for what explains satisfaction and customers, and the results back in."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from huiyin.config import Settings
from warehouse.connection import open_warehouse
from warehouse.handover import create_nlp_tables, replace_results

WINDOW_DAYS = 365
RENEWED_AFTER_DAYS = 7
TABLES = ("drivers", "customer_insights")
# One row a ticket that was solved or rated: by the names that nlp.drivers and nlp.segments know.
_CONTACTS = """
    with voices as (
        select
            voice_id,
            string_agg(distinct case when polarity = 'negative' then opinion_zh end, '、') as negative_aspects,
            string_agg(distinct case when opinion_kind = 'emotion' then opinion_code end, '、') as emotions,
            string_agg(distinct case when opinion_kind = 'urgency' then opinion_code end, '、') as urgency
        from {schema}.fct_voice_opinions
        group by voice_id
    ),

    recommendations as (
        select
            source,
            ticket_id,
            avg(nps_score) as nps_score
        from {schema}.fct_feedback
        where nps_score is not null and ticket_id is not null
        group by source, ticket_id
    )

    select
        tickets.ticket_key,
        tickets.customer_ref,
        tickets.created_at,
        coalesce(topics.parent_label, topics.label, tickets.problem_subtype_zh) as topic_label,
        voices.negative_aspects,
        voices.emotions,
        voices.urgency,
        sentiment.sentiment_label,
        tickets.first_response_business_seconds / 60.0 as first_response_business_minutes,
        tickets.resolution_business_seconds / 3600.0 as resolution_business_hours,
        tickets.transfer_count,
        tickets.reopen_count,
        tickets.is_solved,
        tickets.is_repeat_contact,
        tickets.channel,
        tickets.customer_tier,
        tickets.team,
        tickets.region,
        tickets.product,
        tickets.priority,
        tickets.annual_revenue,
        tickets.csat_score,
        recommendations.nps_score,
        churn.churned_on
    from {schema}.fct_tickets as tickets
    left join {schema}.fct_sentiment as sentiment on sentiment.voice_id = 'ticket:' || tickets.ticket_key
    left join {schema}.dim_topic as topics on sentiment.topic_id = topics.topic_id and topics.topic_id >= 0
    left join voices on voices.voice_id = 'ticket:' || tickets.ticket_key
    left join recommendations
        on tickets.source = recommendations.source and tickets.ticket_id = recommendations.ticket_id
    left join intermediate.int_customer_churn as churn on tickets.customer_ref = churn.customer_ref
    where tickets.created_on > {from_on} and tickets.created_on <= {to_on}
    order by tickets.ticket_key
"""


def insights_are_due(settings: Settings, as_of_on: date) -> bool:
    """Whether the results are missing or a week old at ``as_of_on``; those of a later day stay."""
    with open_warehouse(settings) as warehouse:
        create_nlp_tables(warehouse)
        newest = [warehouse.rows(f"select max(computed_on) as newest from nlp.{name}")[0]["newest"] for name in TABLES]
    return any(day is None or day + timedelta(days=RENEWED_AFTER_DAYS) <= as_of_on for day in newest)


def export_contacts(settings: Settings, as_of_on: date, file: Path) -> int:
    """Write the reportable tickets of the year up to ``as_of_on`` as Parquet, from the mart; how many there are."""
    first = as_of_on - timedelta(days=WINDOW_DAYS)
    query = _CONTACTS.format(schema="mart", from_on=f"date '{first}'", to_on=f"date '{as_of_on}'")
    with open_warehouse(settings) as warehouse:
        rows = warehouse.query(query)
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, file)
    return int(rows.num_rows)


def load_insights(settings: Settings, drivers_file: Path, customers_file: Path) -> dict[str, int]:
    """Put new results in the place of the old ones, both at once; how many rows each has.

    Raises :class:`warehouse.handover.HandoverError`.
    """
    return replace_results(settings, dict(zip(TABLES, (drivers_file, customers_file), strict=True)))
