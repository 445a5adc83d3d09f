{{ per_ticket() }}
-- Who had the ticket and what was set on it. Team and agent are those of the solution: what a survey or a reporting
-- rule changes afterwards isn't their work.
with events as (
    select
        events.ticket_key,
        events.event_sequence,
        events.event_at,
        events.field,
        events.old_value,
        events.new_value,
        events.actor_role,
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

articles as (
    select
        ticket_key,
        cast(count(distinct new_value) as integer) as article_count
    from {{ ref("int_ticket_events") }}
    where field = 'knowledge_article' and {{ only_touched() }}
    group by ticket_key
),

tags as (
    select
        ticket_key,
        bool_or(tag in ('test', '测试')) as is_tagged_test,
        bool_or(tag in ('spam', '垃圾', '垃圾信息')) as is_tagged_spam,
        bool_or(tag in ('abandoned', '放弃', '客户放弃')) as is_tagged_abandoned,
        bool_or(tag in ('mis_operation', '误操作')) as is_tagged_mis_operation,
        bool_or(tag in ('duplicate', '重复')) as is_tagged_duplicate
    from (
        select
            ticket_key,
            lower(new_value) as tag
        from {{ ref("int_ticket_events") }}
        where field = 'tag' and {{ only_touched() }}
    ) as tagged
    group by ticket_key
),

handling as (
    select
        ticket_key,
        {{ last_of("new_value", "event_sequence", "field = 'team' and new_value is not null and is_before_solution") }}
            as team,
        {{ last_of(
            "new_value", "event_sequence", "field = 'assignee' and new_value is not null and is_before_solution"
        ) }} as agent_ref,
        max(event_at) filter (where field = 'assignee' and new_value is not null and is_before_solution)
            as assigned_at,
        -- What the first change replaced was there from the beginning.
        {{ first_of("old_value", "event_sequence", "field = 'team'") }} as first_team,
        {{ first_of("old_value", "event_sequence", "field = 'assignee'") }} as first_agent_ref,
        {{ first_of(
            "coalesce(old_value, new_value)", "event_sequence",
            "field = 'priority' and coalesce(old_value, new_value) is not null",
        ) }} as first_priority,
        {{ last_of("new_value", "event_sequence", "field = 'priority' and new_value is not null") }} as last_priority,
        {{ last_of("new_value", "event_sequence", "field = 'problem_subtype' and new_value is not null") }}
            as last_problem_subtype,
        min(event_at) filter (where actor_role = 'agent' and event_at >= created_at) as first_agent_event_at,
        min(event_at) filter (where actor_role = 'bot' and event_at >= created_at) as first_bot_event_at
    from events
    group by ticket_key
)

select
    handling.*,
    coalesce(articles.article_count, 0) as article_count,
    {%- for tag in ["test", "spam", "abandoned", "mis_operation", "duplicate"] %}
    coalesce(tags.is_tagged_{{ tag }}, false) as is_tagged_{{ tag }},
    {%- endfor %}
    coalesce(handovers.transfer_count, 0) as transfer_count
from handling
left join articles on handling.ticket_key = articles.ticket_key
left join tags on handling.ticket_key = tags.ticket_key
left join handovers on handling.ticket_key = handovers.ticket_key
