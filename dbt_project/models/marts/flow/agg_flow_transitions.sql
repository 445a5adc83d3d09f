{{ per_day("period_start_on", "month") }}
with visits as (
    select
        cast(date_trunc('month', tickets.created_on) as date) as period_start_on,
        {{ dimensions_of("tickets") }},
        stages.stage as from_stage,
        stages.next_stage as to_stage,
        stages.business_seconds
    from {{ ref("fct_ticket_stages") }} as stages
    inner join {{ ref("fct_tickets") }} as tickets on stages.ticket_key = tickets.ticket_key
    where stages.next_stage is not null
        and {{ in_touched_month("tickets.created_on") }}
),

grouped as (
    select
        period_start_on,
        {{ dimension_columns() }},
        from_stage,
        to_stage,
        count(*) as transition_count,
        {{ minutes_spread("business_seconds") }}
    from visits
    {{ grouped_by_month(["from_stage", "to_stage"]) }}
)

select
    grouped.period_start_on,
    grouped.dimension,
    grouped.dimension_value,
    grouped.from_stage,
    origins.name_zh as from_stage_zh,
    grouped.to_stage,
    -- A stage that a ticket ends in is the solution itself.
    coalesce(targets.name_zh, grouped.to_stage) as to_stage_zh,
    grouped.transition_count,
    cast(grouped.transition_count as double precision)
    / sum(grouped.transition_count) over (
        partition by grouped.period_start_on, grouped.dimension, grouped.dimension_value, grouped.from_stage
    ) as transition_share,
    grouped.mean_business_minutes,
    grouped.p50_business_minutes,
    grouped.p90_business_minutes,
    grouped.p95_business_minutes
from grouped
left join {{ ref("stages") }} as origins on grouped.from_stage = origins.stage
left join {{ ref("stages") }} as targets on grouped.to_stage = targets.stage
