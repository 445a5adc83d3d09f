{{ config(materialized="view") }}
-- How long agents worked at tickets in the last ten weeks, from their traces: each action of an agent took from the
-- later of his own action before it and of what last happened to the ticket. Spans longer than `handling_gap_minutes`
-- are waiting, not work. (Nakatumba and van der Aalst, "Analyzing resource behavior using process mining", BPM 2009
-- workshops.) A view, as it is read once a day at most.
with bounds as (
    select as_of_at - interval '70 days' as from_at from {{ ref("int_as_of") }}
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
        ticket_key,
        agent_ref,
        happened_at,
        {{ seconds_between("greatest(ticket_before_at, agent_before_at)", "happened_at") }} as seconds
    from actions
    -- greatest() of PostgreSQL leaves NULL out, DuckDB's too; what neither knows a begin of is left out.
    where ticket_before_at is not null or agent_before_at is not null
)

select *
from spans
where seconds <= {{ var("handling_gap_minutes") }} * 60
