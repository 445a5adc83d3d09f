-- Rostered time by local hour and team. The team is the agent's at the begin of the shift. Two sources may state the
-- same shift, and shifts may overlap: an agent counts once.
with shifts as (
    select distinct
        rosters.agent_ref,
        agents.team,
        {{ to_local("rosters.starts_at") }} as local_start_at,
        {{ to_local("rosters.ends_at") }} as local_end_at
    from {{ ref("stg_rosters") }} as rosters
    inner join {{ ref("int_agent_versions") }} as agents
        on rosters.agent_ref = agents.agent_ref
        and rosters.starts_at >= agents.serves_from_at
        and rosters.starts_at < agents.serves_to_at
    where agents.team is not null
),

numbers as (
    -- A shift of more than two days is a mistake; what is beyond isn't counted.
    select {{ integers_to(49) }} as hour_number
),

hours as (
    select
        shifts.agent_ref,
        shifts.team,
        shifts.local_start_at,
        shifts.local_end_at,
        date_trunc('hour', shifts.local_start_at) + (numbers.hour_number - 1) * interval '1 hour' as hour_start_at
    from shifts
    inner join numbers
        on date_trunc('hour', shifts.local_start_at) + (numbers.hour_number - 1) * interval '1 hour'
        < shifts.local_end_at
),

agent_hours as (
    select
        team,
        agent_ref,
        hour_start_at,
        least(
            sum(
                {{ epoch("least(local_end_at, hour_start_at + interval '1 hour')") }}
                - {{ epoch("greatest(local_start_at, hour_start_at)") }}
            ),
            3600
        ) as rostered_seconds
    from hours
    group by team, agent_ref, hour_start_at
)

select
    team,
    cast(hour_start_at as date) as date_day,
    cast(extract(hour from hour_start_at) as integer) as hour_of_day,
    cast(sum(rostered_seconds) as bigint) as rostered_seconds,
    count(*) as agent_count
from agent_hours
group by 1, 2, 3
