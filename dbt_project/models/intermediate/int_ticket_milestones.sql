{{ per_ticket() }}
-- The business clock of each ticket at the instants that all metrics are made of, and the touches of agents, in one
-- pass over the clock.
with instants as (
    select
        status.ticket_key,
        date_trunc('second', responses.first_response_at) as first_response_at,
        date_trunc('second', responses.first_bot_response_at) as first_bot_response_at,
        date_trunc('second', status.first_resolved_at) as first_resolved_at,
        date_trunc('second', status.resolved_at) as resolved_at,
        case when not status.is_solved then date_trunc('second', as_of.as_of_at) end as as_of_at
    from {{ ref("int_ticket_status") }} as status
    inner join {{ ref("int_ticket_responses") }} as responses on status.ticket_key = responses.ticket_key
    cross join {{ ref("int_as_of") }} as as_of
    where {{ only_touched("status.ticket_key") }}
)

select
    clocks.ticket_key,
    {%- for milestone in ["first_response", "first_bot_response"] %}
    max(clocks.business_seconds) filter (where clocks.clock_at = instants.{{ milestone }}_at)
        as {{ milestone }}_business_seconds,
    {%- endfor %}
    max(clocks.business_seconds) filter (where clocks.clock_at = instants.first_resolved_at)
        as first_resolution_business_seconds,
    max(clocks.business_seconds) filter (where clocks.clock_at = instants.resolved_at) as resolution_business_seconds,
    max(clocks.business_seconds) filter (where clocks.clock_at = instants.as_of_at) as now_business_seconds,
    cast(count(*) filter (where clocks.is_agent_step) as integer) as touch_count
from {{ ref("int_ticket_clock") }} as clocks
inner join instants on clocks.ticket_key = instants.ticket_key
where {{ only_touched("clocks.ticket_key") }}
group by clocks.ticket_key
