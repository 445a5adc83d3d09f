-- Elapsed business time of each clock. Solving a ticket ends its wait for an answer as well. What still runs is
-- measured at the mart's 'now'.
with clocks as (
    select
        targets.ticket_key,
        targets.sla_metric,
        targets.policy_id,
        targets.target_business_seconds,
        tickets.created_at as started_at,
        case
            when targets.sla_metric = 'resolution' then tickets.resolved_at
            when tickets.first_resolved_at < tickets.first_response_at then tickets.first_resolved_at
            else coalesce(tickets.first_response_at, tickets.first_resolved_at)
        end as ended_at,
        as_of.as_of_at
    from {{ ref("int_ticket_sla_targets") }} as targets
    inner join {{ ref("int_tickets") }} as tickets on targets.ticket_key = tickets.ticket_key
    cross join {{ ref("int_as_of") }} as as_of
)

select
    clocks.ticket_key,
    clocks.sla_metric,
    clocks.policy_id,
    clocks.target_business_seconds,
    clocks.started_at,
    clocks.ended_at,
    -- An end before the start (a source's clock) and a ticket younger than 'now' have taken no time.
    coalesce(ticket_clock.business_seconds, 0) as elapsed_business_seconds
from clocks
left join {{ ref("int_ticket_clock") }} as ticket_clock
    on clocks.ticket_key = ticket_clock.ticket_key
    and date_trunc('second', coalesce(clocks.ended_at, clocks.as_of_at)) = ticket_clock.clock_at
