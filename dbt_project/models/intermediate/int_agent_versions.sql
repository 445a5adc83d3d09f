-- Spans of validity without gaps, as the sources state them and as they were known before; the first one also serves
-- what happened before it.
with {{ known_spans(ref("stg_agents"), ref("agent_history"), "agent_ref") }}

select
    md5(agent_ref || '|' || cast(holds_from_at as text)) as agent_key,
    agent_ref,
    holds_from_at as valid_from_at,
    lead(holds_from_at) over (partition by agent_ref order by holds_from_at) as valid_to_at,
    case
        when row_number() over (partition by agent_ref order by holds_from_at) > 1 then holds_from_at
        else timestamp '1900-01-01 00:00:00'
    end as serves_from_at,
    coalesce(
        lead(holds_from_at) over (partition by agent_ref order by holds_from_at), timestamp '9999-12-31 00:00:00'
    ) as serves_to_at,
    team,
    role,
    hired_on
from known
