-- When each person left, by what the sources say now. Who has several records has left when the last one has; who is
-- a customer by one of them hasn't. Not in the history of versions: leaving ends a customer, it doesn't change one.
with newest as (
    select
        customer_ref,
        churned_on,
        row_number() over (partition by source, customer_ref order by valid_from_at desc) as newest_first
    from {{ ref("stg_customers") }}
)

select
    coalesce(identity.person_ref, newest.customer_ref) as customer_ref,
    max(newest.churned_on) as churned_on
from newest
left join {{ ref("stg_identity") }} as identity on newest.customer_ref = identity.ref
where newest.newest_first = 1
group by coalesce(identity.person_ref, newest.customer_ref)
having count(*) = count(newest.churned_on)
