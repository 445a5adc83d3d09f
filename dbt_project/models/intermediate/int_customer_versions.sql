-- Spans of validity without gaps. The first one also serves what happened before it: a CRM seldom knows the past, and
-- a customer's earliest known tier is the best guess there.
with ranked as (
    select
        *,
        row_number() over (partition by customer_ref, valid_from_at order by {{ bytewise("source") }}) as source_rank
    from {{ ref("stg_customers") }}
)

select
    md5(customer_ref || '|' || cast(valid_from_at as text)) as customer_key,
    customer_ref,
    valid_from_at,
    lead(valid_from_at) over (partition by customer_ref order by valid_from_at) as valid_to_at,
    case
        when row_number() over (partition by customer_ref order by valid_from_at) > 1 then valid_from_at
        else timestamp '1900-01-01 00:00:00'
    end as serves_from_at,
    coalesce(
        lead(valid_from_at) over (partition by customer_ref order by valid_from_at), timestamp '9999-12-31 00:00:00'
    ) as serves_to_at,
    tier,
    segment,
    region,
    annual_revenue,
    since_on
from ranked
where source_rank = 1
