select
    _source as source,
    agent_ref,
    valid_from_at,
    team,
    role,
    hired_on,
    coalesce(_delivered_at, _loaded_at) as delivered_at
from {{ source("raw", "agents") }}
where _deleted_at is null
