-- What became of every row that a source delivered. Tickets and feedback have rules of their own, the rest is kept.
with outcomes as (
    select
        'tickets' as entity,
        source,
        created_on as date_day,
        reason as outcome,
        count(*) as row_count
    from {{ ref("int_tickets") }}
    group by source, created_on, reason
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
    union all
    select
        entity,
        source,
        date_day,
        outcome,
        row_count
    from {{ ref("stg_received_rows") }}
    where outcome <> 'kept' or entity not in ('tickets', 'feedback')
)

select
    entity,
    source,
    date_day,
    cast(date_trunc('month', date_day) as date) as month_start_on,
    outcome,
    row_count
from outcomes
