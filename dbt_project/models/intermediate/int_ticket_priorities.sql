{{ per_ticket() }}
-- Spans of the priority of tickets whose priority was changed; the others have the one they were created with.
select
    events.ticket_key,
    events.new_value as priority,
    events.event_at as from_at,
    lead(events.event_at) over (partition by events.ticket_key order by events.event_sequence) as to_at
from {{ ref("int_ticket_events") }} as events
where events.field = 'priority' and {{ only_touched("events.ticket_key") }}
