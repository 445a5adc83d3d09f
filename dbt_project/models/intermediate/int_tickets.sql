{{ per_ticket() }}
-- Every raw ticket with all that is known of it, whether it is reportable or not. Attributes are as of the event:
-- the customer's tier when the ticket was created, the agent's team and tenure when it was solved.
with subtypes as (
    select
        tickets.ticket_key,
        coalesce(handling.last_problem_subtype, tickets.problem_subtype) as problem_subtype,
        coalesce(handling.agent_ref, messages.last_agent_ref) as agent_ref,
        coalesce(status.resolved_at, handling.assigned_at, tickets.created_at) as handled_at
    from {{ ref("stg_tickets") }} as tickets
    inner join {{ ref("int_ticket_status") }} as status on tickets.ticket_key = status.ticket_key
    left join {{ ref("int_ticket_handling") }} as handling on tickets.ticket_key = handling.ticket_key
    left join {{ ref("int_ticket_messages") }} as messages on tickets.ticket_key = messages.ticket_key
    where {{ only_touched("tickets.ticket_key") }}
)

select
    tickets.ticket_key,
    tickets.source,
    tickets.ticket_id,
    cleaning.reason,
    coalesce(identity.person_ref, tickets.customer_ref) as customer_ref,
    tickets.customer_ref as source_customer_ref,
    customers.tier as customer_tier,
    customers.segment as customer_segment,
    customers.annual_revenue,
    tickets.channel,
    coalesce(handling.first_priority, tickets.priority) as priority_at_creation,
    coalesce(handling.last_priority, tickets.priority) as priority,
    coalesce(types.problem_type, tickets.problem_type) as problem_type,
    subtypes.problem_subtype,
    types.subtype_zh as problem_subtype_zh,
    types.stage,
    types.complexity,
    tickets.product,
    coalesce(tickets.region, customers.region) as region,
    coalesce(handling.team, agents.team) as team,
    subtypes.agent_ref,
    cast({{ local_date("subtypes.handled_at") }} - agents.hired_on as integer) as agent_tenure_days,
    {{ tenure_band(local_date("subtypes.handled_at") ~ " - agents.hired_on") }} as tenure_band,
    tickets.subject,
    tickets.body,
    tickets.created_at,
    {{ local_date("tickets.created_at") }} as created_on,
    cast(extract(hour from {{ to_local("tickets.created_at") }}) as integer) as created_hour,
    {{ daypart(to_local("tickets.created_at")) }} as daypart,
    status.status,
    status.is_solved,
    responses.first_response_at,
    milestones.first_response_business_seconds,
    responses.first_bot_response_at,
    milestones.first_bot_response_business_seconds,
    status.first_resolved_at,
    status.resolved_at,
    milestones.first_resolution_business_seconds,
    milestones.resolution_business_seconds,
    status.reopen_count,
    coalesce(handling.transfer_count, 0) as transfer_count,
    responses.customer_message_count,
    responses.agent_message_count,
    coalesce(milestones.touch_count, 0) as touch_count,
    milestones.now_business_seconds,
    coalesce(contacts.customer_contact_count, 1) as customer_contact_count,
    coalesce(contacts.is_passed_on, false) as is_passed_on
from {{ ref("stg_tickets") }} as tickets
inner join subtypes on tickets.ticket_key = subtypes.ticket_key
inner join {{ ref("int_ticket_cleaning") }} as cleaning on tickets.ticket_key = cleaning.ticket_key
inner join {{ ref("int_ticket_status") }} as status on tickets.ticket_key = status.ticket_key
inner join {{ ref("int_ticket_responses") }} as responses on tickets.ticket_key = responses.ticket_key
left join {{ ref("int_ticket_handling") }} as handling on tickets.ticket_key = handling.ticket_key
left join {{ ref("problem_types") }} as types on subtypes.problem_subtype = types.problem_subtype
left join {{ ref("stg_identity") }} as identity on tickets.customer_ref = identity.ref
left join {{ ref("int_customer_versions") }} as customers
    on coalesce(identity.person_ref, tickets.customer_ref) = customers.customer_ref
    and tickets.created_at >= customers.serves_from_at
    and tickets.created_at < customers.serves_to_at
left join {{ ref("int_agent_versions") }} as agents
    on subtypes.agent_ref = agents.agent_ref
    and subtypes.handled_at >= agents.serves_from_at
    and subtypes.handled_at < agents.serves_to_at
left join {{ ref("int_ticket_milestones") }} as milestones on tickets.ticket_key = milestones.ticket_key
left join {{ ref("int_ticket_contacts") }} as contacts on tickets.ticket_key = contacts.ticket_key
where {{ only_touched("tickets.ticket_key") }}
