{{ per_ticket() }}
-- Stretches of one status, from creation to the last solution or to now, with the ticket's business clock at both ends.
-- What a source dates before the creation holds from the creation on.
with changes as (
    select
        changes.ticket_key,
        changes.status,
        changes.previous_status,
        date_trunc('second', greatest(changes.event_at, tickets.created_at)) as from_at,
        changes.event_sequence
    from {{ ref("int_ticket_status_changes") }} as changes
    inner join {{ ref("stg_tickets") }} as tickets on changes.ticket_key = tickets.ticket_key
    where changes.status is not null and {{ only_touched("changes.ticket_key") }}
),

first_statuses as (
    select
        ticket_key,
        {{ first_of("previous_status", "event_sequence") }} as status
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

clocked as (
    select
        marks.*,
        -- A mart whose 'now' was set back has tickets from after it, which have no clock there.
        {{ ticket_clock("marks.from_at", "hours") }} as business_seconds
    from marks
    {{ join_ticket_clock("marks.ticket_key", "marks.from_at", "hours") }}
),

spans as (
    select
        ticket_key,
        status,
        from_at,
        lead(from_at) over in_order as to_at,
        business_seconds as business_from,
        lead(business_seconds) over in_order as business_to,
        event_sequence
    from clocked
    window in_order as (partition by ticket_key order by event_sequence)
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
