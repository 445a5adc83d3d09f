{{ per_ticket() }}
-- A receiver who has had the ticket before: it went back.
with given as (
    select
        ticket_key,
        is_cross_team,
        case when is_cross_team then from_team else from_agent_ref end as giver,
        min(handover_sequence) as first_given_sequence
    from {{ ref("int_ticket_handovers") }}
    where {{ only_touched() }}
    group by 1, 2, 3
)

select
    handovers.ticket_key,
    tickets.source,
    tickets.ticket_id,
    handovers.handover_sequence,
    handovers.handed_over_at,
    handovers.from_team,
    handovers.to_team,
    handovers.from_agent_ref,
    handovers.to_agent_ref,
    handovers.is_cross_team,
    coalesce(given.first_given_sequence < handovers.handover_sequence, false) as is_return,
    handovers.first_acted_at,
    handovers.waited_until_at,
    case
        when handovers.waited_until_at is not null
            then {{ seconds_between("handovers.handed_over_at", "handovers.waited_until_at") }}
    end as waiting_seconds,
    cast(
        ({{ clock_seconds("date_trunc('second', handovers.waited_until_at)", "ends") }})
        - ({{ clock_seconds("date_trunc('second', handovers.handed_over_at)", "starts") }}) as bigint
    ) as waiting_business_seconds,
    tickets.created_on
from {{ ref("int_ticket_handovers") }} as handovers
inner join {{ ref("fct_tickets") }} as tickets on handovers.ticket_key = tickets.ticket_key
left join given
    on handovers.ticket_key = given.ticket_key
    and handovers.is_cross_team = given.is_cross_team
    and case when handovers.is_cross_team then handovers.to_team else handovers.to_agent_ref end = given.giver
{{ join_clock("handovers.ticket_key", "date_trunc('second', handovers.handed_over_at)", "starts") }}
{{ join_clock("handovers.ticket_key", "date_trunc('second', handovers.waited_until_at)", "ends") }}
where {{ only_touched("handovers.ticket_key") }}
