{{ per_ticket() }}
select
    replies.ticket_key,
    tickets.source,
    tickets.ticket_id,
    replies.reply_sequence,
    replies.is_first_response,
    replies.waiting_since_at,
    {{ local_date("replies.waiting_since_at") }} as waiting_since_on,
    replies.ended_at,
    replies.ended_by,
    replies.agent_ref,
    agents.team as agent_team,
    replies.waited_seconds,
    replies.business_to - replies.business_from as waited_business_seconds,
    case when replies.ended_by = 'agent' then replies.waited_seconds end as reply_seconds,
    case when replies.ended_by = 'agent' then replies.business_to - replies.business_from end
        as reply_business_seconds,
    tickets.created_on,
    tickets.customer_tier,
    tickets.priority,
    tickets.channel,
    tickets.problem_type,
    tickets.problem_subtype,
    tickets.product,
    tickets.region,
    tickets.team
from {{ ref("int_ticket_replies") }} as replies
inner join {{ ref("int_tickets") }} as tickets on replies.ticket_key = tickets.ticket_key
left join {{ ref("int_agent_versions") }} as agents
    on replies.agent_ref = agents.agent_ref
    and replies.ended_at >= agents.serves_from_at
    and replies.ended_at < agents.serves_to_at
where tickets.reason = 'reportable' and {{ only_touched("replies.ticket_key") }}
