{{ config(materialized="view") }}
-- How long agents of a team worked at the tickets of a medium in the last eight weeks.
with bounds as (
    select as_of_at - interval '56 days' as from_at from {{ ref("int_as_of") }}
),

spans as (
    select
        spans.ticket_key,
        agents.team,
        spans.seconds
    from {{ ref("int_handling_spans") }} as spans
    inner join {{ ref("int_agent_versions") }} as agents
        on spans.agent_ref = agents.agent_ref
        and spans.happened_at >= agents.serves_from_at
        and spans.happened_at < agents.serves_to_at
    where spans.happened_at >= (select from_at from bounds)
),

arrivals as (
    select
        channels.medium,
        count(*) as arrival_count
    from {{ ref("int_tickets") }} as tickets
    inner join {{ ref("channels") }} as channels on tickets.channel = channels.channel
    where
        tickets.reason not in ('test', 'spam', 'outbound')
        and tickets.created_at >= (select from_at from bounds)
    group by channels.medium
),

worked as (
    select
        spans.team,
        channels.medium,
        sum(spans.seconds) as worked_seconds
    from spans
    inner join {{ ref("int_tickets") }} as tickets on spans.ticket_key = tickets.ticket_key
    inner join {{ ref("channels") }} as channels on tickets.channel = channels.channel
    where spans.team is not null
    group by spans.team, channels.medium
)

select
    worked.team,
    worked.medium,
    cast(worked.worked_seconds as double precision) as worked_seconds,
    arrivals.arrival_count
from worked
inner join arrivals on worked.medium = arrivals.medium
