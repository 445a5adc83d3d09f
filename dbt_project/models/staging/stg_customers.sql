select
    _source as source,
    customer_ref,
    valid_from_at,
    tier,
    nullif(trim(segment), '') as segment,
    nullif(trim(region), '') as region,
    annual_revenue,
    since_on,
    churned_on,
    coalesce(_delivered_at, _loaded_at) as delivered_at
from {{ source("raw", "customers") }}
where _deleted_at is null
