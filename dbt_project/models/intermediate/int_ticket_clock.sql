{{ per_ticket() }}
-- Business seconds from a ticket's creation to each instant at which something happened to it: every instant is looked
-- up once, all durations are then differences. Steps of an agent at one second are one touch.
with instants as (
    select
        ticket_key,
        created_at as clock_at,
        false as is_agent_step
    from {{ ref("stg_tickets") }}
    where {{ only_touched("ticket_key") }}
    union all
    select
        ticket_key,
        event_at,
        coalesce(actor_role = 'agent', false)
    from {{ ref("int_ticket_events") }}
    where {{ only_touched("ticket_key") }}
    union all
    select
        ticket_key,
        sent_at,
        author_role = 'agent'
    from {{ ref("int_messages") }}
    where is_public and {{ only_touched("ticket_key") }}
    union all
    select
        status.ticket_key,
        as_of.as_of_at,
        false
    from {{ ref("int_ticket_status") }} as status
    cross join {{ ref("int_as_of") }} as as_of
    where not status.is_solved and {{ only_touched("status.ticket_key") }}
),

whole_seconds as (
    select
        ticket_key,
        date_trunc('second', clock_at) as clock_at,
        bool_or(is_agent_step) as is_agent_step
    from instants
    group by 1, 2
)

select
    instants.ticket_key,
    instants.clock_at,
    spans.business_seconds_before + {{ business_clock("instants.clock_at", "segments") }} - spans.clock_from
        as business_seconds,
    instants.is_agent_step
from whole_seconds as instants
inner join {{ ref("int_ticket_schedules") }} as spans
    on instants.ticket_key = spans.ticket_key
    and instants.clock_at >= spans.from_at
    and (spans.to_at is null or instants.clock_at < spans.to_at)
    and {{ only_touched("spans.ticket_key") }}
left join {{ ref("int_service_segments") }} as segments
    on {{ in_segment("instants.clock_at", "spans.schedule_id", "segments") }}
