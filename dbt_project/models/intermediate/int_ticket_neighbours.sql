{{ per_ticket() }}
-- The contacts of the same person about the same problem, just before and after, as far as they count. Who the customer
-- or what the matter is must be known to call two contacts the same.
{%- set window = "interval '" ~ var("contact_window_days") ~ " days'" %}
with persons as (
    select customer_ref
    from {{ ref("int_tickets") }}
    where customer_ref is not null and {{ only_touched() }}
),

tickets as (
    select *
    from {{ ref("int_tickets") }}
    where reason = 'reportable'
        and problem_subtype is not null
        and customer_ref in (select persons.customer_ref from persons)
),

neighbours as (
    select
        ticket_key,
        created_at,
        first_resolved_at,
        lag(created_at) over same_matter as previous_contact_at,
        lead(created_at) over same_matter as next_contact_at
    from tickets
    window same_matter as (partition by customer_ref, problem_subtype order by created_at, {{ bytewise("ticket_key") }})
)

select
    ticket_key,
    coalesce(previous_contact_at >= created_at - {{ window }}, false) as is_repeat_contact,
    coalesce(next_contact_at <= first_resolved_at + {{ window }}, false) as is_contacted_again
from neighbours
where {{ only_touched() }}
