select
    _source as source,
    schedule_id,
    starts_on,
    ends_on,
    name
from {{ source("raw", "schedule_holidays") }}
where _deleted_at is null
