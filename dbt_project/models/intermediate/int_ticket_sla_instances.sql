{{ per_ticket() }}
-- The clocks that a policy may put a target on, with the ticket's business clock at both ends: one per reportable
-- ticket and metric, for next_response one per later wait of the customer (numbered as in fct_replies), for
-- periodic_update one per silence between two public messages of agents. A clock without an end runs, measured at the
-- mart's 'now'.
-- Read by its index where it is joined: a common table has none.
with tickets as not materialized (
    select *
    from {{ ref("int_tickets") }}
    where reason = 'reportable' and {{ only_touched("ticket_key") }}
),

wanted as (
    select distinct sla_metric
    from {{ ref("sla_policies") }}
),

updates as (
    select
        ticket_key,
        point_at as started_at,
        lead(point_at) over in_order as ended_at,
        business_seconds as business_from,
        lead(business_seconds) over in_order as business_to,
        is_solved,
        point_number
    from {{ ref("int_ticket_conversation") }}
    where kind in ('agent', 'solved', 'reopened')
        and {{ only_touched("ticket_key") }}
        and 'periodic_update' in (select wanted.sla_metric from wanted)
    window in_order as (partition by ticket_key order by point_number)
),

instances as (
    select
        ticket_key,
        'first_response' as sla_metric,
        1 as instance,
        created_at as started_at,
        -- Solving a ticket ends its wait for an answer as well.
        case
            when first_resolved_at < first_response_at then first_resolved_at
            else coalesce(first_response_at, first_resolved_at)
        end as ended_at,
        cast(0 as bigint) as business_from,
        case
            when first_resolved_at < first_response_at then first_resolution_business_seconds
            when coalesce(first_response_at, first_resolved_at) is null then now_business_seconds
            else coalesce(first_response_business_seconds, first_resolution_business_seconds)
        end as business_to,
        created_on as started_on
    from tickets
    union all
    select
        tickets.ticket_key,
        wanted.sla_metric,
        1,
        tickets.created_at,
        tickets.resolved_at,
        0,
        case when tickets.is_solved then tickets.resolution_business_seconds else tickets.now_business_seconds end,
        tickets.created_on
    from tickets
    inner join wanted on wanted.sla_metric in ('resolution', 'requester_wait', 'agent_work')
    union all
    select
        replies.ticket_key,
        'next_response',
        replies.reply_sequence,
        replies.waiting_since_at,
        replies.ended_at,
        replies.business_from,
        replies.business_to,
        {{ local_date("replies.waiting_since_at") }}
    from {{ ref("int_ticket_replies") }} as replies
    inner join tickets on replies.ticket_key = tickets.ticket_key
    where not replies.is_first_response and {{ only_touched("replies.ticket_key") }}
    union all
    select
        updates.ticket_key,
        'periodic_update',
        cast(row_number() over (partition by updates.ticket_key order by updates.point_number) as integer),
        updates.started_at,
        updates.ended_at,
        updates.business_from,
        coalesce(updates.business_to, case when updates.ended_at is null then tickets.now_business_seconds end),
        {{ local_date("updates.started_at") }}
    from updates
    inner join tickets on updates.ticket_key = tickets.ticket_key
    where not updates.is_solved
        and (updates.ended_at is null or updates.ended_at > updates.started_at)
)

select
    instances.ticket_key,
    instances.sla_metric,
    instances.instance,
    instances.started_at,
    instances.ended_at,
    instances.business_from,
    -- An end before the start (a source's clock) and a clock that starts after 'now' have taken no time.
    greatest(coalesce(instances.business_to, instances.business_from), instances.business_from) as business_to,
    instances.started_on,
    tickets.customer_tier,
    tickets.priority_at_creation,
    -- As of the end, or of now: a ticket that becomes urgent has the urgent target from then on.
    case when priorities.ticket_key is null then tickets.priority_at_creation else priorities.priority end as priority,
    tickets.channel,
    tickets.problem_type
from instances
inner join tickets on instances.ticket_key = tickets.ticket_key
cross join {{ ref("int_as_of") }} as as_of
left join {{ ref("int_ticket_priorities") }} as priorities
    on instances.ticket_key = priorities.ticket_key
    and coalesce(instances.ended_at, as_of.as_of_at) >= priorities.from_at
    and (priorities.to_at is null or coalesce(instances.ended_at, as_of.as_of_at) < priorities.to_at)
