select
    _source || ':' || ticket_id as ticket_key,
    _source as source,
    event_id,
    ticket_id,
    event_at,
    field,
    nullif(trim(old_value), '') as old_value,
    nullif(trim(new_value), '') as new_value,
    actor_ref,
    actor_role
from {{ source("raw", "ticket_events") }}
where _deleted_at is null
