select
    _source || ':' || feedback_id as feedback_key,
    _source as source,
    feedback_id,
    kind,
    ticket_id,
    nullif(trim(customer_ref), '') as customer_ref,
    score,
    scale_min,
    scale_max,
    nullif(trim(text), '') as text,
    channel,
    nullif(trim(product), '') as product,
    nullif(trim(region), '') as region,
    coalesce(likes, 0) as likes,
    created_at
from {{ source("raw", "feedback") }}
where _deleted_at is null
