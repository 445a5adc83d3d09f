-- Where the business time of a ticket went: waiting for the first answer, then by status. A ticket's last stage ends
-- with its last change of status, or now while it is open.
with marks as (
    select
        events.ticket_key,
        date_trunc('second', events.event_at) as marked_at,
        case events.new_value
            when 'pending' then 'waiting_for_customer'
            when 'on_hold' then 'on_hold'
            when 'solved' then 'done'
            when 'closed' then 'done'
            else 'handling'
        end as stage,
        events.event_sequence
    from {{ ref("int_ticket_events") }} as events
    where events.field = 'status' and events.new_value is not null
    union all
    select
        ticket_key,
        date_trunc('second', created_at),
        'handling',
        0
    from {{ ref("stg_tickets") }}
    union all
    -- The first answer ends the first wait; the status in force goes on.
    select
        ticket_key,
        date_trunc('second', first_response_at),
        null,
        -1
    from {{ ref("int_ticket_responses") }}
    where first_response_at is not null
    union all
    select
        status.ticket_key,
        date_trunc('second', as_of.as_of_at),
        null,
        1000000
    from {{ ref("int_ticket_status") }} as status
    cross join {{ ref("int_as_of") }} as as_of
    where not status.is_solved
),

numbered as (
    select
        marks.*,
        count(marks.stage) over (
            partition by marks.ticket_key order by marks.marked_at, marks.event_sequence
        ) as status_number
    from marks
),

spans as (
    select
        numbered.ticket_key,
        max(numbered.stage) over (partition by numbered.ticket_key, numbered.status_number) as status_stage,
        numbered.marked_at < date_trunc('second', responses.first_response_at)
        or responses.first_response_at is null as is_unanswered,
        ticket_clock.business_seconds as from_second,
        lead(ticket_clock.business_seconds) over (
            partition by numbered.ticket_key order by numbered.marked_at, numbered.event_sequence
        ) as to_second
    from numbered
    inner join {{ ref("int_ticket_responses") }} as responses on numbered.ticket_key = responses.ticket_key
    inner join {{ ref("int_ticket_clock") }} as ticket_clock
        on numbered.ticket_key = ticket_clock.ticket_key and numbered.marked_at = ticket_clock.clock_at
)

select
    ticket_key,
    case when status_stage <> 'done' and is_unanswered then 'first_response' else status_stage end as stage,
    cast(sum(to_second - from_second) as bigint) as business_seconds
from spans
where to_second > from_second
group by 1, 2
