select
    _source || ':' || ticket_id as ticket_key,
    _source as source,
    ticket_id,
    nullif(trim(customer_ref), '') as customer_ref,
    channel,
    nullif(trim(subject), '') as subject,
    nullif(trim(body), '') as body,
    created_at,
    priority,
    problem_type,
    problem_subtype,
    nullif(trim(product), '') as product,
    nullif(trim(region), '') as region,
    schedule_id,
    coalesce(direction, 'inbound') as direction,
    parent_ticket_id,
    merged_into_ticket_id,
    coalesce(is_test, false) as is_test
from {{ source("raw", "tickets") }}
where _deleted_at is null
