{{ per_ticket() }}
-- What customer and company publicly said to each other, with the solutions and reopenings in between, in order. An
-- answer of an agent or a solution ends the customer's wait, so `wait_number` counts them. At the same instant what the
-- customer wrote comes before the answer, and the answer before the change of status that goes with it.
with points as (
    select
        ticket_key,
        created_at as point_at,
        'created' as kind,
        0 as place,
        cast(null as integer) as event_sequence,
        cast(null as text) as author_ref,
        cast(null as text) as message_id
    from {{ ref("stg_tickets") }}
    where {{ only_touched("ticket_key") }}
    union all
    select
        messages.ticket_key,
        messages.sent_at,
        messages.author_role,
        case when messages.author_role = 'agent' then 2 else 1 end,
        null,
        messages.author_ref,
        messages.message_id
    from {{ ref("int_messages") }} as messages
    inner join {{ ref("stg_tickets") }} as tickets on messages.ticket_key = tickets.ticket_key
    where messages.is_public
        and messages.author_role in ('customer', 'agent', 'bot')
        -- A message from before the ticket answers something else.
        and messages.sent_at >= tickets.created_at
        and {{ only_touched("messages.ticket_key") }}
    union all
    -- A source without messages: the first act of an agent is the answer.
    select
        responses.ticket_key,
        responses.first_response_at,
        'agent',
        2,
        null,
        min(events.actor_ref),
        null
    from {{ ref("int_ticket_responses") }} as responses
    inner join {{ ref("int_ticket_events") }} as events
        on responses.ticket_key = events.ticket_key and responses.first_response_at = events.event_at
    left join {{ ref("int_ticket_messages") }} as messages on responses.ticket_key = messages.ticket_key
    where messages.ticket_key is null and events.actor_role = 'agent' and {{ only_touched("events.ticket_key") }}
    group by responses.ticket_key, responses.first_response_at
    union all
    select
        changes.ticket_key,
        greatest(changes.event_at, tickets.created_at),
        case when changes.status in ('solved', 'closed') then 'solved' else 'reopened' end,
        3,
        changes.event_sequence,
        changes.actor_ref,
        null
    from {{ ref("int_ticket_status_changes") }} as changes
    inner join {{ ref("stg_tickets") }} as tickets on changes.ticket_key = tickets.ticket_key
    inner join {{ ref("int_ticket_status") }} as status on changes.ticket_key = status.ticket_key
    where {{ only_touched("changes.ticket_key") }}
        and (
            (changes.status in ('solved', 'closed')) <> (changes.previous_status in ('solved', 'closed'))
            -- A log that begins after the solution.
            or (changes.status in ('solved', 'closed') and changes.event_at = status.first_resolved_at)
        )
),

ordered as (
    select
        ticket_key,
        cast(row_number() over in_ticket as integer) as point_number,
        point_at,
        kind,
        author_ref,
        cast(count(*) filter (where kind in ('agent', 'solved')) over in_ticket as integer) as wait_number,
        -- The last change so far decides; its sequence only grows.
        coalesce(
            max(
                case kind when 'solved' then event_sequence * 2 + 1 when 'reopened' then event_sequence * 2 end
            ) over in_ticket % 2 = 1,
            false
        ) as is_solved,
        case
            when kind in ('created', 'customer', 'agent', 'bot')
                then
                    {{ seconds_between(
                        "max(case when kind in ('created', 'customer', 'agent', 'bot') then point_at end) over before_it",
                        "point_at"
                    ) }}
        end as seconds_since_previous_message
    from points
    window
        in_ticket as (
            partition by ticket_key order by point_at, place, event_sequence, {{ bytewise("message_id") }}
            rows between unbounded preceding and current row
        ),
        before_it as (
            partition by ticket_key order by point_at, place, event_sequence, {{ bytewise("message_id") }}
            rows between unbounded preceding and 1 preceding
        )
)

select
    ordered.ticket_key,
    ordered.point_number,
    ordered.point_at,
    ordered.kind,
    ordered.author_ref,
    ordered.wait_number,
    ordered.is_solved,
    ordered.seconds_since_previous_message,
    {{ ticket_clock("ordered.point_at", "hours") }} as business_seconds
from ordered
{{ join_ticket_clock("ordered.ticket_key", "ordered.point_at", "hours") }}
