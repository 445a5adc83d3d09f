{{ per_ticket() }}
-- Messages of known tickets, without their text.
select
    messages.ticket_key,
    messages.source,
    messages.message_id,
    messages.author_ref,
    messages.author_role,
    messages.is_public,
    messages.sent_at
from {{ ref("stg_messages") }} as messages
inner join {{ ref("stg_tickets") }} as tickets on messages.ticket_key = tickets.ticket_key
where {{ only_touched("messages.ticket_key") }}
