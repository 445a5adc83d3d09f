{{ per_ticket() }}
-- The first answer of a human. A source that delivers no messages still tells when an agent first touched the ticket.
select
    tickets.ticket_key,
    case
        when messages.ticket_key is not null then messages.first_agent_message_at
        else handling.first_agent_event_at
    end as first_response_at,
    messages.first_bot_message_at as first_bot_response_at,
    coalesce(messages.customer_message_count, 0) as customer_message_count,
    coalesce(messages.agent_message_count, 0) as agent_message_count
from {{ ref("stg_tickets") }} as tickets
left join {{ ref("int_ticket_messages") }} as messages on tickets.ticket_key = messages.ticket_key
left join {{ ref("int_ticket_handling") }} as handling on tickets.ticket_key = handling.ticket_key
where {{ only_touched("tickets.ticket_key") }}
