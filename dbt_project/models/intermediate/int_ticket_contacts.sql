{{ per_ticket() }}
-- What true first-contact resolution asks of a ticket by itself: how often its customer had to contact the company
-- until the first solution, and whether the first person who acted on it passed it on.
with until_solution as (
    select
        conversation.ticket_key,
        -- A message within a conversation that is going on is no further contact.
        count(*) filter (
            where conversation.kind = 'customer'
                and conversation.seconds_since_previous_message > {{ var("contact_gap_minutes") }} * 60
        ) as further_contacts
    from {{ ref("int_ticket_conversation") }} as conversation
    inner join {{ ref("int_ticket_status") }} as status on conversation.ticket_key = status.ticket_key
    where (status.first_resolved_at is null or conversation.point_at < status.first_resolved_at)
        and {{ only_touched("conversation.ticket_key") }}
    group by conversation.ticket_key
),

first_acts as (
    select
        tickets.ticket_key,
        coalesce(
            least(min(handling.first_agent_event_at), min(messages.sent_at)),
            min(handling.first_agent_event_at),
            min(messages.sent_at)
        ) as taken_at
    from {{ ref("stg_tickets") }} as tickets
    left join {{ ref("int_ticket_handling") }} as handling on tickets.ticket_key = handling.ticket_key
    left join {{ ref("int_messages") }} as messages
        on tickets.ticket_key = messages.ticket_key
        and messages.author_role = 'agent'
        and tickets.created_at <= messages.sent_at
        and {{ only_touched("messages.ticket_key") }}
    where {{ only_touched("tickets.ticket_key") }}
    group by tickets.ticket_key
),

changes as (
    select
        ticket_key,
        event_at,
        field,
        new_value,
        actor_ref,
        actor_role,
        coalesce(lag(new_value) over (partition by ticket_key, field order by event_sequence), old_value)
            as previous_value
    from {{ ref("int_ticket_events") }}
    where field in ('team', 'assignee') and {{ only_touched() }}
),

moves as (
    select
        changes.ticket_key,
        changes.event_at > first_acts.taken_at as is_after_the_first_act,
        changes.actor_role = 'agent' as is_by_agent,
        changes.previous_value <> changes.new_value as is_change,
        -- Who takes a ticket for himself takes it: his team comes with him.
        bool_or(changes.field = 'assignee' and changes.new_value = changes.actor_ref) over (
            partition by changes.ticket_key, changes.event_at
        ) as is_taken_by_actor
    from changes
    inner join first_acts on changes.ticket_key = first_acts.ticket_key and changes.event_at >= first_acts.taken_at
    inner join {{ ref("int_ticket_status") }} as status on changes.ticket_key = status.ticket_key
    where status.first_resolved_at is null or changes.event_at <= status.first_resolved_at
),

passed_on as (
    select
        ticket_key,
        bool_or(
            is_change and (is_after_the_first_act or (is_by_agent and not coalesce(is_taken_by_actor, false)))
        ) as is_passed_on
    from moves
    group by ticket_key
)

select
    until_solution.ticket_key,
    cast(1 + until_solution.further_contacts as integer) as customer_contact_count,
    coalesce(passed_on.is_passed_on, false) as is_passed_on
from until_solution
left join passed_on on until_solution.ticket_key = passed_on.ticket_key
