{{ per_day("period_start_on", "month") }}
-- Per ticket and stage: what the ticket spent there altogether.
with spent as (
    select
        ticket_key,
        stage,
        max(visit_number) as visit_count,
        sum(business_seconds) as business_seconds
    from {{ ref("fct_ticket_stages") }}
    where {{ in_touched_month() }}
    group by ticket_key, stage
),

tickets as (
    select
        ticket_key,
        sum(business_seconds) as business_seconds
    from spent
    group by ticket_key
),

-- The tenth of a month's tickets that took longest, of all channels and teams together.
ranked as (
    select
        facts.ticket_key,
        cast(date_trunc('month', facts.created_on) as date) as period_start_on,
        {{ dimensions_of("facts") }},
        row_number() over (
            partition by date_trunc('month', facts.created_on)
            order by tickets.business_seconds desc, {{ bytewise("tickets.ticket_key") }}
        ) <= ceil(count(*) over (partition by date_trunc('month', facts.created_on)) / 10.0) as is_slowest_decile
    from tickets
    inner join {{ ref("fct_tickets") }} as facts on tickets.ticket_key = facts.ticket_key
    where {{ in_touched_month("facts.created_on") }}
),

grouped as (
    select
        ranked.period_start_on,
        {{ dimension_columns() }},
        spent.stage,
        count(*) as ticket_count,
        cast(sum(spent.visit_count) as bigint) as visit_count,
        cast(sum(spent.business_seconds) as bigint) as total_business_seconds,
        cast(coalesce(sum(spent.business_seconds) filter (where ranked.is_slowest_decile), 0) as bigint)
            as slowest_decile_business_seconds,
        {{ minutes_spread("spent.business_seconds") }}
    from ranked
    inner join spent on ranked.ticket_key = spent.ticket_key
    {{ grouped_by_month(["spent.stage"]) }}
)

select
    grouped.period_start_on,
    grouped.dimension,
    grouped.dimension_value,
    grouped.stage,
    stages.name_zh as stage_zh,
    grouped.ticket_count,
    grouped.visit_count,
    grouped.mean_business_minutes,
    grouped.p50_business_minutes,
    grouped.p90_business_minutes,
    grouped.p95_business_minutes,
    grouped.total_business_seconds,
    cast(grouped.total_business_seconds as double precision)
    / nullif(sum(grouped.total_business_seconds) over in_group, 0) as time_share,
    grouped.slowest_decile_business_seconds,
    cast(grouped.slowest_decile_business_seconds as double precision)
    / nullif(sum(grouped.slowest_decile_business_seconds) over in_group, 0) as slowest_decile_time_share
from grouped
left join {{ ref("stages") }} as stages on grouped.stage = stages.stage
window in_group as (partition by grouped.period_start_on, grouped.dimension, grouped.dimension_value)
