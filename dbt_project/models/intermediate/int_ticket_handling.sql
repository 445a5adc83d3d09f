{{ per_ticket() }}
-- Who had the ticket and what was set on it. Team and agent are those of the solution: what a survey or a reporting
-- rule changes afterwards isn't their work.
with events as (
    select
        events.*,
        tickets.created_at,
        status.resolved_at is null or events.event_at <= status.resolved_at as is_before_solution
    from {{ ref("int_ticket_events") }} as events
    inner join {{ ref("stg_tickets") }} as tickets on events.ticket_key = tickets.ticket_key
    inner join {{ ref("int_ticket_status") }} as status on events.ticket_key = status.ticket_key
    where (events.field <> 'status' or events.actor_role in ('agent', 'bot'))
        and {{ only_touched("events.ticket_key") }}
),

handovers as (
    select
        ticket_key,
        cast(count(*) as integer) as transfer_count
    from {{ ref("int_ticket_handovers") }}
    where {{ only_touched() }}
    group by ticket_key
),

handling as (
    select
        ticket_key,
        (array_agg(new_value order by event_sequence desc) filter (
            where field = 'team' and new_value is not null and is_before_solution
        ))[1] as team,
        (array_agg(new_value order by event_sequence desc) filter (
            where field = 'assignee' and new_value is not null and is_before_solution
        ))[1] as agent_ref,
        max(event_at) filter (where field = 'assignee' and new_value is not null and is_before_solution)
            as assigned_at,
        -- What the first change replaced was there from the beginning.
        (array_agg(old_value order by event_sequence) filter (where field = 'team'))[1] as first_team,
        (array_agg(old_value order by event_sequence) filter (where field = 'assignee'))[1] as first_agent_ref,
        (array_agg(coalesce(old_value, new_value) order by event_sequence) filter (
            where field = 'priority' and coalesce(old_value, new_value) is not null
        ))[1] as first_priority,
        (array_agg(new_value order by event_sequence desc) filter (
            where field = 'priority' and new_value is not null
        ))[1] as last_priority,
        (array_agg(new_value order by event_sequence desc) filter (
            where field = 'problem_subtype' and new_value is not null
        ))[1] as last_problem_subtype,
        cast(count(distinct new_value) filter (where field = 'knowledge_article') as integer) as article_count,
        min(event_at) filter (where actor_role = 'agent' and event_at >= created_at) as first_agent_event_at,
        min(event_at) filter (where actor_role = 'bot' and event_at >= created_at) as first_bot_event_at,
        coalesce(bool_or(field = 'tag' and lower(new_value) in ('test', '测试')), false) as is_tagged_test,
        coalesce(bool_or(field = 'tag' and lower(new_value) in ('spam', '垃圾', '垃圾信息')), false) as is_tagged_spam,
        coalesce(bool_or(field = 'tag' and lower(new_value) in ('abandoned', '放弃', '客户放弃')), false)
            as is_tagged_abandoned,
        coalesce(bool_or(field = 'tag' and lower(new_value) in ('mis_operation', '误操作')), false)
            as is_tagged_mis_operation,
        coalesce(bool_or(field = 'tag' and lower(new_value) in ('duplicate', '重复')), false) as is_tagged_duplicate
    from events
    group by ticket_key
)

select
    handling.*,
    coalesce(handovers.transfer_count, 0) as transfer_count
from handling
left join handovers on handling.ticket_key = handovers.ticket_key
