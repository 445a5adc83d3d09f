{{ per_ticket() }}
-- Why a ticket doesn't count, the first reason that holds; 'reportable' when none does. Nothing is deleted.
select
    reasons.ticket_key,
    reasons.source,
    coalesce(reasons.reason, case when doubles.ticket_key is not null then 'duplicate' end, 'reportable') as reason
from {{ ref("int_ticket_reasons") }} as reasons
left join {{ ref("int_ticket_doubles") }} as doubles
    on reasons.ticket_key = doubles.ticket_key and doubles.link_kind = 'duplicate'
where {{ only_touched("reasons.ticket_key") }}
