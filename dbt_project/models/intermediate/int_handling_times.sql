{{ config(materialized="view") }}
-- How long agents of a team work at the tickets of a medium, from their traces of the last eight weeks: each action of
-- an agent took from the later of his own action before it and of what last happened to the ticket. Spans longer than
-- `handling_gap_minutes` are waiting, not work. (Nakatumba and van der Aalst, "Analyzing resource behavior using
-- process mining", BPM 2009 workshops.) A view, as it is read once a day at most.
with bounds as (
    select as_of_at - interval '56 days' as from_at from {{ ref("int_as_of") }}
),

happenings as (
    select
        ticket_key,
        event_at as happened_at,
        case when actor_role = 'agent' then actor_ref end as agent_ref
    from {{ ref("int_ticket_events") }}
    where event_at >= (select from_at from bounds)
    union
    select
        ticket_key,
        sent_at,
        case when author_role = 'agent' then author_ref end
    from {{ ref("int_messages") }}
    where sent_at >= (select from_at from bounds)
    union
    select
        ticket_key,
        created_at,
        cast(null as text)
    from {{ ref("int_tickets") }}
    where created_at >= (select from_at from bounds)
),

by_ticket as (
    select
        ticket_key,
        happened_at,
        agent_ref,
        max(happened_at) over (
            partition by ticket_key order by happened_at
            range between unbounded preceding and interval '1 microsecond' preceding
        ) as ticket_before_at
    from happenings
),

actions as (
    select
        *,
        lag(happened_at) over (partition by agent_ref order by happened_at, {{ bytewise("ticket_key") }})
            as agent_before_at
    from by_ticket
    where agent_ref is not null
),

spans as (
    select
        actions.ticket_key,
        agents.team,
        {{ seconds_between("greatest(actions.ticket_before_at, actions.agent_before_at)", "actions.happened_at") }}
            as seconds
    from actions
    inner join {{ ref("int_agent_versions") }} as agents
        on actions.agent_ref = agents.agent_ref
        and actions.happened_at >= agents.serves_from_at
        and actions.happened_at < agents.serves_to_at
    -- greatest() of PostgreSQL leaves NULL out, DuckDB's too; what neither knows a begin of is left out.
    where actions.ticket_before_at is not null or actions.agent_before_at is not null
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
    where spans.seconds <= {{ var("handling_gap_minutes") }} * 60 and spans.team is not null
    group by spans.team, channels.medium
)

select
    worked.team,
    worked.medium,
    cast(worked.worked_seconds as double precision) as worked_seconds,
    arrivals.arrival_count
from worked
inner join arrivals on worked.medium = arrivals.medium
