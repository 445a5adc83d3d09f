{{ per_ticket() }}
-- Who wrote when. A message from before the ticket answers something else.
select
    messages.ticket_key,
    min(messages.sent_at) filter (
        where messages.author_role = 'agent' and messages.is_public and messages.sent_at >= tickets.created_at
    ) as first_agent_message_at,
    min(messages.sent_at) filter (
        where messages.author_role = 'bot' and messages.is_public and messages.sent_at >= tickets.created_at
    ) as first_bot_message_at,
    cast(count(*) filter (where messages.author_role = 'customer') as integer) as customer_message_count,
    cast(count(*) filter (where messages.author_role = 'agent' and messages.is_public) as integer)
        as agent_message_count,
    (array_agg(messages.author_ref order by messages.sent_at desc, {{ bytewise("messages.message_id") }} desc) filter (
        where messages.author_role = 'agent' and messages.author_ref is not null
    ))[1] as last_agent_ref
from {{ ref("int_messages") }} as messages
inner join {{ ref("stg_tickets") }} as tickets on messages.ticket_key = tickets.ticket_key
where {{ only_touched("messages.ticket_key") }}
group by messages.ticket_key
