select
    _source as source,
    agent_ref,
    valid_from_at,
    team,
    role,
    hired_on
from {{ source("raw", "agents") }}
where _deleted_at is null
