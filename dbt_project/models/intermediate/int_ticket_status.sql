{{ per_ticket() }}
-- How far a ticket has come. Solved and closed are one state here: a ticket that is closed without having been solved
-- is resolved then, one that is closed after it was solved isn't resolved again.
with changes as (
    select
        ticket_key,
        event_at,
        event_sequence,
        status,
        status in ('solved', 'closed') as is_done,
        previous_status in ('solved', 'closed') as was_done
    from {{ ref("int_ticket_status_changes") }}
    where status is not null and {{ only_touched() }}
),

summed as (
    select
        ticket_key,
        {{ last_of("status", "event_sequence") }} as status,
        -- A log that begins after the solution knows of it by its first event.
        coalesce(min(event_at) filter (where is_done and not was_done), min(event_at) filter (where is_done))
            as first_resolved_at,
        coalesce(max(event_at) filter (where is_done and not was_done), min(event_at) filter (where is_done))
            as last_resolved_at,
        cast(count(*) filter (where was_done and not is_done) as integer) as reopen_count
    from changes
    group by ticket_key
)

select
    tickets.ticket_key,
    coalesce(summed.status, 'new') as status,
    coalesce(summed.status in ('solved', 'closed'), false) as is_solved,
    summed.first_resolved_at,
    case when summed.status in ('solved', 'closed') then summed.last_resolved_at end as resolved_at,
    coalesce(summed.reopen_count, 0) as reopen_count
from {{ ref("stg_tickets") }} as tickets
left join summed on tickets.ticket_key = summed.ticket_key
where {{ only_touched("tickets.ticket_key") }}
