{{ per_ticket() }}
-- Events in order. Sorted by a number that the ticket has only here, which is shorter than its key.
with tickets as materialized (
    select
        ticket_key,
        cast(row_number() over () as integer) as ticket_no
    from {{ ref("stg_tickets") }}
    where {{ only_touched("ticket_key") }}
)

select
    events.ticket_key,
    events.source,
    events.event_id,
    events.event_at,
    events.field,
    events.old_value,
    events.new_value,
    events.actor_ref,
    events.actor_role,
    cast(row_number() over in_ticket as integer) as event_sequence,
    {{ seconds_between("lag(events.event_at) over in_ticket", "events.event_at") }} as seconds_since_previous
from {{ ref("stg_ticket_events") }} as events
inner join tickets on events.ticket_key = tickets.ticket_key
where {{ only_touched("events.ticket_key") }}
window in_ticket as (partition by tickets.ticket_no order by events.event_at, {{ bytewise("events.event_id") }})
