{{ per_ticket() }}
-- The business clock of each ticket at the instants that all metrics are made of, and the touches of agents: what an
-- agent does within one second is one touch.
with instants as (
    select
        tickets.ticket_key,
        date_trunc('second', tickets.created_at) as created_at,
        responses.first_response_at,
        responses.first_bot_response_at,
        status.first_resolved_at,
        status.resolved_at,
        case when not status.is_solved then as_of.as_of_at end as as_of_at
    from {{ ref("stg_tickets") }} as tickets
    inner join {{ ref("int_ticket_status") }} as status on tickets.ticket_key = status.ticket_key
    inner join {{ ref("int_ticket_responses") }} as responses on tickets.ticket_key = responses.ticket_key
    cross join {{ ref("int_as_of") }} as as_of
    where {{ only_touched("tickets.ticket_key") }}
),

readings as (
    select
        points.ticket_key,
        {%- for milestone in ["first_response", "first_bot_response"] %}
        max(points.business_seconds) filter (where points.point_at = instants.{{ milestone }}_at)
            as {{ milestone }}_business_seconds,
        {%- endfor %}
        max(points.business_seconds) filter (where points.point_at = instants.first_resolved_at)
            as first_resolution_business_seconds,
        max(points.business_seconds) filter (where points.point_at = instants.resolved_at)
            as resolution_business_seconds
    from {{ ref("int_ticket_conversation") }} as points
    inner join instants on points.ticket_key = instants.ticket_key
    where {{ only_touched("points.ticket_key") }}
    group by points.ticket_key
),

steps as (
    select
        ticket_key,
        date_trunc('second', event_at) as touched_at
    from {{ ref("int_ticket_events") }}
    where actor_role = 'agent' and {{ only_touched("ticket_key") }}
    union
    select
        ticket_key,
        date_trunc('second', sent_at)
    from {{ ref("int_messages") }}
    where is_public and author_role = 'agent' and {{ only_touched("ticket_key") }}
),

touches as (
    select
        steps.ticket_key,
        cast(count(*) as integer) as touch_count
    from steps
    inner join instants on steps.ticket_key = instants.ticket_key and steps.touched_at >= instants.created_at
    group by steps.ticket_key
)

select
    instants.ticket_key,
    readings.first_response_business_seconds,
    readings.first_bot_response_business_seconds,
    readings.first_resolution_business_seconds,
    readings.resolution_business_seconds,
    {{ ticket_clock("instants.as_of_at", "hours") }} as now_business_seconds,
    coalesce(touches.touch_count, 0) as touch_count
from instants
left join readings on instants.ticket_key = readings.ticket_key
left join touches on instants.ticket_key = touches.ticket_key
{{ join_ticket_clock("instants.ticket_key", "instants.as_of_at", "hours") }}
