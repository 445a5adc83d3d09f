{{ per_ticket() }}
-- Stretches of one status, from creation to the last solution or to now, with the ticket's business clock at both ends.
-- What a source dates before the creation holds from the creation on.
with changes as (
    select
        events.ticket_key,
        events.new_value as status,
        coalesce(events.previous_value, 'new') as previous_status,
        date_trunc('second', greatest(events.event_at, tickets.created_at)) as from_at,
        events.event_sequence
    from {{ ref("int_ticket_events") }} as events
    inner join {{ ref("stg_tickets") }} as tickets on events.ticket_key = tickets.ticket_key
    where events.field = 'status' and events.new_value is not null and {{ only_touched("events.ticket_key") }}
),

first_statuses as (
    select
        ticket_key,
        (array_agg(previous_status order by event_sequence))[1] as status
    from changes
    group by ticket_key
),

marks as (
    select
        ticket_key,
        status,
        from_at,
        event_sequence
    from changes
    union all
    select
        tickets.ticket_key,
        coalesce(first_statuses.status, 'new'),
        date_trunc('second', tickets.created_at),
        0
    from {{ ref("stg_tickets") }} as tickets
    left join first_statuses on tickets.ticket_key = first_statuses.ticket_key
    where {{ only_touched("tickets.ticket_key") }}
    union all
    select
        status.ticket_key,
        null,
        date_trunc('second', as_of.as_of_at),
        2147483647
    from {{ ref("int_ticket_status") }} as status
    cross join {{ ref("int_as_of") }} as as_of
    where not status.is_solved and {{ only_touched("status.ticket_key") }}
),

spans as (
    select
        marks.ticket_key,
        marks.status,
        marks.from_at,
        lead(marks.from_at) over in_order as to_at,
        clocks.business_seconds as business_from,
        lead(clocks.business_seconds) over in_order as business_to,
        marks.event_sequence
    from marks
    -- A mart whose 'now' was set back has tickets from after it, which have no clock there.
    left join {{ ref("int_ticket_clock") }} as clocks
        on marks.ticket_key = clocks.ticket_key and marks.from_at = clocks.clock_at
        and {{ only_touched("clocks.ticket_key") }}
    window in_order as (partition by marks.ticket_key order by marks.event_sequence)
)

select
    ticket_key,
    cast(event_sequence as integer) as event_sequence,
    status,
    from_at,
    to_at,
    business_from,
    business_to
from spans
where to_at > from_at
