-- What became of every row that a source delivered. Tickets and feedback have rules of their own, the rest is kept.
{%- set instants = {
    "ticket_events": "event_at", "messages": "sent_at", "customers": "valid_from_at", "agents": "valid_from_at",
    "tickets": "created_at", "feedback": "created_at",
} %}
with outcomes as (
    select
        'tickets' as entity,
        source,
        created_on as date_day,
        reason as outcome,
        count(*) as row_count
    from {{ ref("int_tickets") }}
    group by 1, 2, 3, 4
    union all
    select
        'feedback' as entity,
        source,
        created_on as date_day,
        case
            when kind in ('csat', 'survey', 'nps') and score is not null and csat_score is null and nps_score is null
                then 'score_outside_scale'
            else 'reportable'
        end as outcome,
        count(*) as row_count
    from {{ ref("int_feedback") }}
    group by 1, 2, 3, 4
    {%- for entity, instant in instants.items() %}
    union all
    select
        '{{ entity }}' as entity,
        _source as source,
        {{ local_date(instant) }} as date_day,
        case when _deleted_at is null then 'kept' else 'deleted_upstream' end as outcome,
        count(*) as row_count
    from {{ source("raw", entity) }}
    {%- if entity in ["tickets", "feedback"] %}
    where _deleted_at is not null
    {%- endif %}
    group by 1, 2, 3, 4
    union all
    select
        '{{ entity }}' as entity,
        source,
        {{ local_date("coalesce(delivered_at, quarantined_at)") }} as date_day,
        'quarantined' as outcome,
        count(*) as row_count
    from {{ source("quarantine", entity) }}
    where replayed_at is null
    group by 1, 2, 3, 4
    {%- endfor %}
)

select
    entity,
    source,
    date_day,
    cast(date_trunc('month', date_day) as date) as month_start_on,
    outcome,
    row_count
from outcomes
