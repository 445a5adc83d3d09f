{{ config(post_hook="{{ begin_increment() }}") }}
{{ looked_up_by("ticket_key") }}
-- depends_on: {{ ref("int_touched_persons") }}, {{ ref("int_as_of") }}
-- depends_on: {{ ref("stg_tickets") }}, {{ ref("stg_identity") }}
{%- set removed = source("build", "removed") -%}
{%- for entity in ["tickets", "ticket_events", "messages", "feedback", "agents"] -%}
    {%- set read = loaded_since(entity) -%}
{%- endfor %}
{%- if is_first_build() %}
-- Everything is written anew.
select
    ticket_key,
    source,
    ticket_id
from {{ ref("stg_tickets") }}
{%- else %}
{%- set window_hours = var("contact_window_days") | int * 24 + var("duplicate_window_hours") | int -%}
-- Tickets that this build must write anew: whatever of them or around them may have changed since the last one.
with new_tickets as (
    select
        _source as source,
        ticket_id
    from ({{ loaded_since("tickets") }}) as loaded
    union
    select
        source,
        ticket_id
    from {{ source("build", "removed") }}
    where entity = 'tickets'
),

new_events as (
    select
        _source as source,
        ticket_id,
        event_id
    from ({{ loaded_since("ticket_events") }}) as loaded
),

new_messages as (
    select
        _source as source,
        ticket_id,
        message_id
    from ({{ loaded_since("messages") }}) as loaded
),

new_feedback as (
    select
        _source as source,
        feedback_id,
        ticket_id
    from ({{ loaded_since("feedback") }}) as loaded
    union
    select
        source,
        feedback_id,
        ticket_id
    from {{ source("build", "removed") }}
    where entity = 'feedback'
),

-- A survey finds its ticket by its number: a new ticket of the same number may take it over.
numbers as (
    select ticket_id
    from new_feedback
    where ticket_id is not null
    union
    select feedback.ticket_id
    from {{ built("int_feedback") }} as feedback
    where feedback.ticket_id in (select new_tickets.ticket_id from new_tickets)
),

-- What may move its neighbours as well.
changed as (
    select
        source,
        ticket_id
    from new_tickets
    union
    select
        source,
        ticket_id
    from new_events
    union
    select
        source,
        ticket_id
    from new_messages
    union
    select
        source,
        ticket_id
    from {{ source("build", "removed") }}
    where entity in ('ticket_events', 'messages')
    union
    -- An event or a message may have gone to another ticket.
    select
        events.source,
        {{ ticket_id_of("events") }} as ticket_id
    from {{ built("int_ticket_events") }} as events
    inner join new_events on events.source = new_events.source and events.event_id = new_events.event_id
    union
    select
        messages.source,
        {{ ticket_id_of("messages") }} as ticket_id
    from {{ built("int_messages") }} as messages
    inner join new_messages on messages.source = new_messages.source and messages.message_id = new_messages.message_id
    union
    select
        tickets.source,
        tickets.ticket_id
    from {{ built("int_tickets") }} as tickets
    inner join {{ ref("int_touched_persons") }} as persons
        on tickets.customer_ref = persons.person_ref and tickets.created_at >= persons.from_at
),

-- Where the changed ones were and are, by person and day.
moments as (
    select
        customer_ref,
        min(created_at) as from_at,
        max(created_at) as to_at
    from (
        select
            tickets.customer_ref,
            tickets.created_at
        from {{ built("int_tickets") }} as tickets
        inner join changed on tickets.source = changed.source and tickets.ticket_id = changed.ticket_id
        union all
        select
            coalesce(identity.person_ref, tickets.customer_ref),
            tickets.created_at
        from {{ ref("stg_tickets") }} as tickets
        inner join changed on tickets.source = changed.source and tickets.ticket_id = changed.ticket_id
        left join {{ ref("stg_identity") }} as identity on tickets.customer_ref = identity.ref
    ) as places
    where customer_ref is not null
    group by customer_ref, cast(created_at as date)
),

new_agents as (
    select
        agent_ref,
        min(valid_from_at) as from_at
    from ({{ loaded_since("agents") }}) as loaded
    group by agent_ref
),

agents as (
    select
        new_agents.agent_ref,
        case when count(versions.agent_ref) > 0 then new_agents.from_at else timestamp '1900-01-01 00:00:00' end
            as from_at
    from new_agents
    left join {{ source("raw", "agents") }} as versions
        on new_agents.agent_ref = versions.agent_ref
        and new_agents.from_at > versions.valid_from_at
        and versions._deleted_at is null
    group by new_agents.agent_ref, new_agents.from_at
),

-- Records dated after the last build's 'now' or this one's.
future as (
    select least(min(as_of_at), max(as_of_at)) as from_at
    from (
        select as_of_at from {{ ref("int_as_of") }}
        union all
        select as_of_at from {{ source("build", "state") }}
    ) as instants
),

found as (
    select
        source,
        ticket_id
    from changed
    union
    -- The same person's contacts around a changed one: doubles, repeated contacts, a solution that held or didn't.
    select
        tickets.source,
        tickets.ticket_id
    from {{ built("int_tickets") }} as tickets
    inner join moments
        on tickets.customer_ref = moments.customer_ref
        and (
            (
                tickets.created_at >= moments.from_at - interval '{{ window_hours }} hours'
                and tickets.created_at <= moments.to_at + interval '{{ window_hours }} hours'
            )
            or (
                tickets.created_at <= moments.to_at
                and tickets.first_resolved_at >= moments.from_at - interval '{{ window_hours }} hours'
            )
        )
    union
    select
        tickets.source,
        tickets.ticket_id
    from {{ ref("stg_tickets") }} as tickets
    inner join changed on tickets.source = changed.source and tickets.merged_into_ticket_id = changed.ticket_id
    union
    select
        source,
        ticket_id
    from {{ built("int_tickets") }}
    where not is_solved
    union
    select
        tickets.source,
        tickets.ticket_id
    from {{ built("int_tickets") }} as tickets
    inner join agents on tickets.agent_ref = agents.agent_ref
    where coalesce(tickets.resolved_at, agents.from_at) >= agents.from_at
    union
    select
        events.source,
        {{ ticket_id_of("events") }} as ticket_id
    from {{ built("int_ticket_events") }} as events
    inner join agents
        on events.event_at >= agents.from_at
        and (
            events.actor_ref = agents.agent_ref
            or (events.field = 'assignee' and agents.agent_ref in (events.old_value, events.new_value))
        )
    union
    select
        messages.source,
        {{ ticket_id_of("messages") }} as ticket_id
    from {{ built("int_messages") }} as messages
    inner join agents on messages.author_ref = agents.agent_ref and messages.sent_at >= agents.from_at
    union
    select
        events.source,
        {{ ticket_id_of("events") }} as ticket_id
    from {{ built("int_ticket_events") }} as events
    inner join future on events.event_at > future.from_at
    union
    select
        messages.source,
        {{ ticket_id_of("messages") }} as ticket_id
    from {{ built("int_messages") }} as messages
    inner join future on messages.sent_at > future.from_at
    union
    select
        tickets.source,
        tickets.ticket_id
    from {{ ref("stg_tickets") }} as tickets
    inner join numbers on tickets.ticket_id = numbers.ticket_id
    union
    select
        tickets.source,
        tickets.ticket_id
    from {{ built("int_tickets") }} as tickets
    inner join {{ built("int_feedback") }} as feedback on tickets.ticket_key = feedback.ticket_key
    left join new_feedback on feedback.source = new_feedback.source and feedback.feedback_id = new_feedback.feedback_id
    left join numbers on feedback.ticket_id = numbers.ticket_id
    where new_feedback.feedback_id is not null or numbers.ticket_id is not null
)

select
    source || ':' || ticket_id as ticket_key,
    source,
    ticket_id
from found
{{ carried_over("ticket_key, source, ticket_id") }}
{%- endif %}
