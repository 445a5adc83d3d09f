-- Spans of validity without gaps; the first one also serves what happened before it.
with ranked as (
    select
        *,
        row_number() over (partition by agent_ref, valid_from_at order by {{ bytewise("source") }}) as source_rank
    from {{ ref("stg_agents") }}
)

select
    md5(agent_ref || '|' || cast(valid_from_at as text)) as agent_key,
    agent_ref,
    valid_from_at,
    lead(valid_from_at) over (partition by agent_ref order by valid_from_at) as valid_to_at,
    case
        when row_number() over (partition by agent_ref order by valid_from_at) > 1 then valid_from_at
        else timestamp '1900-01-01 00:00:00'
    end as serves_from_at,
    coalesce(
        lead(valid_from_at) over (partition by agent_ref order by valid_from_at), timestamp '9999-12-31 00:00:00'
    ) as serves_to_at,
    team,
    role,
    hired_on
from ranked
where source_rank = 1
