-- Why a ticket doesn't count, the first reason that holds; 'reportable' when none does. Nothing is deleted.
select
    reasons.ticket_key,
    reasons.source,
    coalesce(reasons.reason, case when links.ticket_key is not null then 'duplicate' end, 'reportable') as reason
from {{ ref("int_ticket_reasons") }} as reasons
left join {{ ref("int_ticket_links") }} as links
    on reasons.ticket_key = links.ticket_key and links.link_kind = 'duplicate'
