-- The contacts of the same person about the same problem just before and after. Who the customer or what the matter is
-- must be known to call two contacts the same.
select
    ticket_key,
    lag(created_at) over same_matter as previous_contact_at,
    lead(created_at) over same_matter as next_contact_at
from {{ ref("int_tickets") }}
where reason = 'reportable' and customer_ref is not null and problem_subtype is not null
window same_matter as (partition by customer_ref, problem_subtype order by created_at, {{ bytewise("ticket_key") }})
