{{ per_day("period_start_on", "month") }}
with stages as (
    select
        ticket_key,
        sum(business_seconds) as business_seconds,
        sum(case when is_waiting then business_seconds else 0 end) as waiting_seconds,
        sum(case when is_value_added then 0 else business_seconds end) as non_value_added_seconds,
        count(*) filter (where is_loop) as loop_count
    from {{ ref("fct_ticket_stages") }}
    where {{ in_touched_month() }}
    group by ticket_key
),

handovers as (
    select
        ticket_key,
        count(*) as handover_count,
        count(*) filter (where is_cross_team) as cross_team_count,
        count(*) filter (where is_return) as return_count
    from {{ ref("fct_handovers") }}
    where {{ in_touched_month() }}
    group by ticket_key
),

tickets as (
    select
        cast(date_trunc('month', tickets.created_on) as date) as period_start_on,
        {{ dimensions_of("tickets") }},
        stages.business_seconds,
        stages.waiting_seconds,
        stages.non_value_added_seconds,
        stages.loop_count,
        handovers.handover_count,
        handovers.cross_team_count,
        handovers.return_count
    from {{ ref("fct_tickets") }} as tickets
    left join stages on tickets.ticket_key = stages.ticket_key
    left join handovers on tickets.ticket_key = handovers.ticket_key
    where {{ in_touched_month("tickets.created_on") }}
),

grouped as (
    select
        period_start_on,
        {{ dimension_columns() }},
        count(*) as ticket_count,
        cast(coalesce(sum(business_seconds), 0) as bigint) as total_business_seconds,
        cast(sum(waiting_seconds) as double precision) / nullif(sum(business_seconds), 0) as waiting_share,
        cast(sum(non_value_added_seconds) as double precision) / nullif(sum(business_seconds), 0)
            as non_value_added_share,
        cast(coalesce(sum(loop_count), 0) as bigint) as loop_count,
        cast(coalesce(sum(handover_count), 0) as bigint) as handover_count,
        cast(coalesce(sum(cross_team_count), 0) as bigint) as cross_team_handover_count,
        cast(coalesce(sum(return_count), 0) as bigint) as return_count,
        cast(count(*) filter (where handover_count > 0) as double precision) / count(*) as handed_over_ticket_share
    from tickets
    {{ grouped_by_month() }}
),

transfers as (
    select
        cast(date_trunc('month', tickets.created_on) as date) as period_start_on,
        {{ dimensions_of("tickets") }},
        handovers.waiting_seconds,
        handovers.waiting_business_seconds
    from {{ ref("fct_handovers") }} as handovers
    inner join {{ ref("fct_tickets") }} as tickets on handovers.ticket_key = tickets.ticket_key
    where handovers.is_cross_team and {{ in_touched_month("tickets.created_on") }}
),

transferred as (
    select
        period_start_on,
        {{ dimension_columns() }},
        {{ minutes_spread("waiting_seconds", "transfer_", "minutes") }},
        {{ minutes_spread("waiting_business_seconds", "transfer_") }}
    from transfers
    {{ grouped_by_month() }}
)

select
    grouped.period_start_on,
    grouped.dimension,
    grouped.dimension_value,
    grouped.ticket_count,
    grouped.total_business_seconds,
    grouped.waiting_share,
    grouped.non_value_added_share,
    grouped.loop_count,
    cast(grouped.loop_count as double precision) / grouped.ticket_count as loops_per_ticket,
    grouped.handover_count,
    cast(grouped.handover_count as double precision) / grouped.ticket_count as handovers_per_ticket,
    grouped.handed_over_ticket_share,
    grouped.cross_team_handover_count,
    grouped.return_count,
    {%- for unit in ["minutes", "business_minutes"] %}
    {%- for figure in ["mean", "p50", "p90", "p95"] %}
    transferred.{{ figure }}_transfer_{{ unit }} {{- "," if not (loop.last and unit == "business_minutes") }}
    {%- endfor %}
    {%- endfor %}
from grouped
left join transferred
    on grouped.period_start_on = transferred.period_start_on
    and grouped.dimension = transferred.dimension
    and grouped.dimension_value = transferred.dimension_value
