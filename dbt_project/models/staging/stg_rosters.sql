select
    _source as source,
    agent_ref,
    starts_at,
    ends_at
from {{ source("raw", "rosters") }}
where _deleted_at is null and ends_at > starts_at
