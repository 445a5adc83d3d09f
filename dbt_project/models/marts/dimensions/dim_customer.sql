{{ per_person() }}
select
    customer_key,
    customer_ref,
    valid_from_at,
    valid_to_at,
    valid_to_at is null as is_current,
    tier,
    segment,
    region,
    annual_revenue,
    since_on as customer_since_on
from {{ ref("int_customer_versions") }}
where {{ only_touched_persons() }}
