{{ per_ticket() }}
-- Each hand-over of a ticket to another team, or to another person of the same team: the new team's own person, named
-- at once or later, belongs to the team's hand-over. The receiver waits with it until somebody other than the giver
-- acts; the wait also ends when the ticket goes on to others or is solved. Nobody waits for a solved ticket.
with changes as (
    select
        ticket_key,
        event_sequence,
        event_at,
        field,
        new_value,
        actor_ref,
        actor_role,
        lag(event_at) over in_field as previous_at,
        -- Who had it last, whether or not it lay with nobody in between: what A puts back into the queue and B takes is
        -- handed over from A to B. The number before a name makes the latest the greatest.
        coalesce(
            lag(new_value) over in_field,
            old_value,
            substr(
                max(lpad(cast(event_sequence as text), 9, '0') || new_value) over (
                    partition by ticket_key, field order by event_sequence
                    rows between unbounded preceding and 1 preceding
                ),
                10
            ),
            first_value(old_value) over in_field
        ) as previous_value
    from {{ ref("int_ticket_events") }}
    where field in ('team', 'assignee') and {{ only_touched() }}
    window in_field as (partition by ticket_key, field order by event_sequence)
),

-- Changes that share an instant count together: the order inside one step is an accident.
numbered as (
    select
        *,
        max(case when field = 'team' and previous_value <> new_value then event_at end) over (
            partition by ticket_key order by event_at groups between unbounded preceding and current row
        ) as team_changed_at,
        max(case when field = 'team' and new_value is not null then event_sequence end) over (
            partition by ticket_key order by event_at groups between unbounded preceding and current row
        ) as team_sequence,
        max(case when field = 'assignee' and new_value is not null then event_sequence end) over (
            partition by ticket_key order by event_at groups between unbounded preceding and 1 preceding
        ) as giver_sequence,
        min(case when field = 'assignee' and new_value is not null then event_sequence end) over (
            partition by ticket_key order by event_at groups between current row and unbounded following
        ) as taker_sequence
    from changes
    where ticket_key in (
        select moved.ticket_key
        from changes as moved
        where moved.previous_value <> moved.new_value
    )
),

moves as (
    select
        *,
        cast(row_number() over in_ticket as integer) as handover_sequence,
        lead(event_at) over in_ticket as next_at,
        lead(event_sequence) over in_ticket as next_sequence
    from numbered
    where previous_value <> new_value
        and (field = 'team' or team_changed_at is null or coalesce(team_changed_at <= previous_at, false))
    window in_ticket as (partition by ticket_key order by event_sequence)
),

named as (
    select
        moves.ticket_key,
        moves.handover_sequence,
        moves.event_sequence,
        moves.event_at,
        moves.field,
        moves.next_at,
        case when moves.field = 'assignee' then moves.previous_value else givers.new_value end as from_agent_ref,
        case
            when moves.field = 'assignee' then moves.new_value
            when moves.taker_sequence < coalesce(moves.next_sequence, moves.taker_sequence + 1) then takers.new_value
        end as to_agent_ref,
        case when moves.field = 'team' then moves.previous_value else teams.new_value end as from_team,
        case when moves.field = 'team' then moves.new_value else teams.new_value end as to_team,
        case when moves.actor_role = 'agent' then moves.actor_ref end as actor_ref
    from moves
    left join changes as givers
        on moves.ticket_key = givers.ticket_key and moves.giver_sequence = givers.event_sequence
    left join changes as takers
        on moves.ticket_key = takers.ticket_key and moves.taker_sequence = takers.event_sequence
    left join changes as teams
        on moves.ticket_key = teams.ticket_key and moves.team_sequence = teams.event_sequence
),

events as (
    select
        named.ticket_key,
        named.handover_sequence,
        min(events.event_at) filter (
            where events.event_sequence > named.event_sequence
                and events.actor_role = 'agent'
                and coalesce(events.actor_ref <> coalesce(named.actor_ref, named.from_agent_ref), true)
        ) as acted_at,
        min(events.event_at) filter (
            where events.event_sequence > named.event_sequence
                and events.field = 'status'
                and events.new_value in ('solved', 'closed')
        ) as done_at,
        {{ last_of(
            "events.new_value", "events.event_sequence",
            "events.event_sequence < named.event_sequence and events.field = 'status' and events.new_value is not null",
        ) }} as status
    from named
    inner join {{ ref("int_ticket_events") }} as events on named.ticket_key = events.ticket_key
    where {{ only_touched("events.ticket_key") }}
    group by named.ticket_key, named.handover_sequence
),

messages as (
    select
        named.ticket_key,
        named.handover_sequence,
        min(messages.sent_at) as acted_at
    from named
    inner join {{ ref("int_messages") }} as messages
        on named.ticket_key = messages.ticket_key
        and messages.author_role = 'agent'
        and named.event_at < messages.sent_at
        and coalesce(messages.author_ref <> coalesce(named.actor_ref, named.from_agent_ref), true)
    where {{ only_touched("messages.ticket_key") }}
    group by named.ticket_key, named.handover_sequence
),

received as (
    select
        named.*,
        coalesce(events.status in ('solved', 'closed'), false) as is_after_solution,
        coalesce(events.done_at, as_of.as_of_at) as done_at,
        coalesce(named.next_at, as_of.as_of_at) as passed_on_at,
        case
            -- Who takes it over himself acts by that.
            when named.field = 'assignee' and named.actor_ref = named.to_agent_ref then named.event_at
            else least(coalesce(events.acted_at, messages.acted_at), coalesce(messages.acted_at, events.acted_at))
        end as acted_at,
        as_of.as_of_at
    from named
    cross join {{ ref("int_as_of") }} as as_of
    left join events
        on named.ticket_key = events.ticket_key and named.handover_sequence = events.handover_sequence
    left join messages
        on named.ticket_key = messages.ticket_key and named.handover_sequence = messages.handover_sequence
),

waited as (
    select
        received.*,
        case
            when not is_after_solution
                then greatest(event_at, least(coalesce(acted_at, as_of_at), done_at, passed_on_at))
        end as waited_until_at
    from received
),

-- A source without teams on its tickets knows them by its people.
placed as (
    select
        waited.ticket_key,
        waited.handover_sequence,
        waited.event_sequence,
        waited.event_at,
        waited.from_agent_ref,
        waited.to_agent_ref,
        coalesce(waited.from_team, givers.team) as from_team,
        coalesce(waited.to_team, takers.team) as to_team,
        case when waited.acted_at <= waited.waited_until_at then waited.acted_at end as first_acted_at,
        waited.waited_until_at
    from waited
    left join {{ ref("int_agent_versions") }} as givers
        on waited.from_agent_ref = givers.agent_ref
        and waited.event_at >= givers.serves_from_at
        and waited.event_at < givers.serves_to_at
    left join {{ ref("int_agent_versions") }} as takers
        on waited.to_agent_ref = takers.agent_ref
        and waited.event_at >= takers.serves_from_at
        and waited.event_at < takers.serves_to_at
)

select
    ticket_key,
    handover_sequence,
    event_sequence,
    event_at as handed_over_at,
    from_team,
    to_team,
    from_agent_ref,
    to_agent_ref,
    coalesce(from_team <> to_team, false) as is_cross_team,
    first_acted_at,
    waited_until_at
from placed
