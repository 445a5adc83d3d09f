{{ per_ticket() }}
with holders as (
    select
        ticket_key,
        event_sequence,
        field,
        new_value
    from {{ ref("int_ticket_events") }}
    where field in ('team', 'assignee') and new_value is not null and {{ only_touched() }}
)

select
    visits.ticket_key,
    tickets.source,
    tickets.ticket_id,
    visits.stage_sequence,
    visits.stage,
    stages.name_zh as stage_zh,
    coalesce(teams.new_value, handling.first_team, agents.team) as team,
    coalesce(persons.new_value, handling.first_agent_ref) as agent_ref,
    visits.status,
    visits.started_at,
    case when visits.next_stage is not null or tickets.is_solved then visits.ended_at end as ended_at,
    {{ seconds_between("visits.started_at", "visits.ended_at") }} as seconds,
    cast(
        ({{ clock_seconds("visits.ended_at", "ends") }})
        - ({{ clock_seconds("visits.started_at", "starts") }}) as bigint
    ) as business_seconds,
    stages.is_waiting,
    stages.is_value_added,
    visits.visit_number,
    visits.is_entry and visits.visit_number > 1 as is_loop,
    coalesce(visits.next_stage, case when tickets.is_solved then 'solved' end) as next_stage,
    tickets.created_on
from {{ ref("int_ticket_stages") }} as visits
inner join {{ ref("fct_tickets") }} as tickets on visits.ticket_key = tickets.ticket_key
left join {{ ref("stages") }} as stages on visits.stage = stages.stage
left join {{ ref("int_ticket_handling") }} as handling on visits.ticket_key = handling.ticket_key
left join holders as teams on visits.ticket_key = teams.ticket_key and visits.team_sequence = teams.event_sequence
left join holders as persons
    on visits.ticket_key = persons.ticket_key and visits.agent_sequence = persons.event_sequence
left join {{ ref("int_agent_versions") }} as agents
    on coalesce(persons.new_value, handling.first_agent_ref) = agents.agent_ref
    and visits.started_at >= agents.serves_from_at
    and visits.started_at < agents.serves_to_at
{{ join_clock("visits.ticket_key", "visits.started_at", "starts") }}
{{ join_clock("visits.ticket_key", "visits.ended_at", "ends") }}
where {{ only_touched("visits.ticket_key") }}
