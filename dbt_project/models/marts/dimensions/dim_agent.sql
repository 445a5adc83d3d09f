select
    agent_key,
    agent_ref,
    valid_from_at,
    valid_to_at,
    valid_to_at is null as is_current,
    team,
    role,
    hired_on
from {{ ref("int_agent_versions") }}
