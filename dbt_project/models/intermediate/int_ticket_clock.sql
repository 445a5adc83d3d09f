-- Business seconds from a ticket's creation to each instant that matters: every instant is looked up once, all
-- durations are then differences.
with instants as (
    select
        ticket_key,
        created_at as clock_at
    from {{ ref("stg_tickets") }}
    union
    select
        ticket_key,
        first_response_at
    from {{ ref("int_ticket_responses") }}
    where first_response_at is not null
    union
    select
        ticket_key,
        event_at
    from {{ ref("int_ticket_events") }}
    where field = 'status'
    union
    select
        status.ticket_key,
        as_of.as_of_at
    from {{ ref("int_ticket_status") }} as status
    cross join {{ ref("int_as_of") }} as as_of
    where not status.is_solved
),

whole_seconds as (
    select distinct
        ticket_key,
        date_trunc('second', clock_at) as clock_at
    from instants
)

select
    instants.ticket_key,
    instants.clock_at,
    spans.business_seconds_before + {{ business_clock("instants.clock_at", "segments") }} - spans.clock_from
        as business_seconds
from whole_seconds as instants
inner join {{ ref("int_ticket_schedules") }} as spans
    on instants.ticket_key = spans.ticket_key
    and instants.clock_at >= spans.from_at
    and (spans.to_at is null or instants.clock_at < spans.to_at)
left join {{ ref("int_service_segments") }} as segments
    on {{ in_segment("instants.clock_at", "spans.schedule_id", "segments") }}
