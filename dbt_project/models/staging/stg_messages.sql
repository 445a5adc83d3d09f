select
    _source || ':' || ticket_id as ticket_key,
    _source as source,
    message_id,
    ticket_id,
    author_ref,
    author_role,
    coalesce(is_public, true) as is_public,
    sent_at
from {{ source("raw", "messages") }}
where _deleted_at is null
