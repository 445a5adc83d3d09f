select
    links.ticket_key,
    tickets.source,
    tickets.ticket_id,
    tickets.channel,
    tickets.created_at,
    tickets.customer_ref,
    links.duplicate_of_ticket_key,
    earlier.ticket_id as duplicate_of_ticket_id,
    earlier.channel as duplicate_of_channel,
    earlier.created_at as duplicate_of_created_at,
    links.link_kind,
    links.link_reason,
    cast(links.text_similarity as double precision) as text_similarity,
    tickets.reason = 'reportable' as is_counted
from {{ ref("int_ticket_links") }} as links
inner join {{ ref("int_tickets") }} as tickets on links.ticket_key = tickets.ticket_key
inner join {{ ref("int_tickets") }} as earlier on links.duplicate_of_ticket_key = earlier.ticket_key
