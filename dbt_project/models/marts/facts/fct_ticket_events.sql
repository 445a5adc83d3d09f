{{ config(materialized="view") }}
-- A view: who publishes copies it, nobody else reads it, and a second copy of all events would cost as much as making
-- the first one.
select
    events.event_id,
    events.source,
    {{ ticket_id_of("events") }} as ticket_id,
    events.event_at,
    events.field,
    events.old_value,
    events.new_value,
    events.actor_ref,
    events.actor_role,
    events.event_sequence,
    events.seconds_since_previous
from {{ ref("int_ticket_events") }} as events
inner join {{ ref("int_ticket_cleaning") }} as cleaning on events.ticket_key = cleaning.ticket_key
where cleaning.reason = 'reportable'
