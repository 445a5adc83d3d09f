-- How many rows sources delivered of which day, and whether they are kept, were deleted upstream or are rejected.
-- The day is the record's own; of rejected rows, whose fields can't be trusted, the day they were delivered.
-- Local days begin at quarters of an hour: counting by these first spares millions of conversions to local time.
{%- set instants = {
    "tickets": "created_at", "feedback": "created_at", "ticket_events": "event_at", "messages": "sent_at",
    "customers": "valid_from_at", "agents": "valid_from_at",
} %}
{%- for entity, instant in instants.items() %}
{{ "union all" if not loop.first }}
select
    '{{ entity }}' as entity,
    source,
    {{ local_date("quarter_hour_at") }} as date_day,
    outcome,
    cast(sum(row_count) as bigint) as row_count
from (
    select
        _source as source,
        {{ quarter_hour(instant) }} as quarter_hour_at,
        case when _deleted_at is null then 'kept' else 'deleted_upstream' end as outcome,
        count(*) as row_count
    from {{ source("raw", entity) }}
    group by 1, 2, 3
) as counted
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
