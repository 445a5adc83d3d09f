{{ per_ticket() }}
with measured as (
    select
        *,
        case when clock = 'business' then elapsed_business_seconds else elapsed_calendar_seconds end as elapsed_seconds
    from {{ ref("int_ticket_sla_clock") }}
    where {{ only_touched("ticket_key") }}
)

select
    clocks.ticket_key,
    tickets.source,
    tickets.ticket_id,
    clocks.sla_metric,
    clocks.instance,
    clocks.policy_id,
    clocks.clock,
    clocks.target_seconds,
    case when clocks.clock = 'business' then clocks.target_seconds end as target_business_seconds,
    clocks.started_at,
    clocks.ended_at,
    clocks.elapsed_seconds,
    clocks.elapsed_business_seconds,
    clocks.elapsed_calendar_seconds,
    clocks.is_paused,
    breaches.predicted_breach_at,
    case
        when clocks.elapsed_seconds > clocks.target_seconds then 'breached'
        when clocks.ended_at is not null then 'met'
        when clocks.elapsed_seconds >= {{ var("at_risk_ratio") }} * clocks.target_seconds then 'at_risk'
        else 'on_track'
    end as sla_state,
    cast(clocks.elapsed_seconds as double precision) / clocks.target_seconds - 1 as over_target_ratio,
    -- Compared as products of whole numbers: exactly 10 % over is yellow, whatever a quotient rounds to.
    case
        when clocks.elapsed_seconds * 10 >= clocks.target_seconds * 15 then 'red'
        when clocks.elapsed_seconds * 10 >= clocks.target_seconds * 13 then 'orange'
        when clocks.elapsed_seconds * 10 >= clocks.target_seconds * 11 then 'yellow'
    end as severity,
    tickets.created_on,
    tickets.customer_tier,
    clocks.priority,
    clocks.priority_at_creation,
    tickets.channel,
    tickets.problem_type,
    tickets.problem_subtype,
    tickets.complexity,
    tickets.product,
    tickets.region,
    tickets.team,
    tickets.tenure_band,
    tickets.daypart
from measured as clocks
inner join {{ ref("int_tickets") }} as tickets on clocks.ticket_key = tickets.ticket_key
left join {{ ref("int_sla_predicted_breach") }} as breaches
    on clocks.ticket_key = breaches.ticket_key
    and clocks.sla_metric = breaches.sla_metric
    and clocks.instance = breaches.instance
