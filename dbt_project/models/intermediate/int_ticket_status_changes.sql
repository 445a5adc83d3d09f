{{ per_ticket() }}
-- Every event that sets a status, with the status before it: by the event before it, else as the source says, else new.
select
    ticket_key,
    event_sequence,
    event_at,
    new_value as status,
    coalesce(lag(new_value) over (partition by ticket_key order by event_sequence), old_value, 'new')
        as previous_status,
    actor_ref
from {{ ref("int_ticket_events") }}
where field = 'status' and {{ only_touched() }}
