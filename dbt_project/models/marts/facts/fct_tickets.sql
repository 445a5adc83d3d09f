{{ per_ticket() }}
with ratings as (
    select
        ticket_key,
        (array_agg(csat_score order by created_at desc, {{ bytewise("feedback_key") }} desc))[1] as csat_score
    from {{ ref("int_feedback") }}
    where csat_score is not null and ticket_key is not null and {{ only_touched("ticket_key") }}
    group by ticket_key
),

later_replies as (
    select
        ticket_key,
        cast(count(*) as integer) as reply_count,
        cast(sum(waited_seconds) as bigint) as reply_seconds,
        cast(sum(business_to - business_from) as bigint) as reply_business_seconds
    from {{ ref("int_ticket_replies") }}
    where ended_by = 'agent' and not is_first_response and {{ only_touched("ticket_key") }}
    group by ticket_key
)

select
    tickets.ticket_key,
    tickets.source,
    tickets.ticket_id,
    tickets.customer_ref,
    tickets.source_customer_ref,
    tickets.customer_tier,
    tickets.customer_segment,
    tickets.annual_revenue,
    tickets.channel,
    tickets.priority,
    tickets.problem_type,
    tickets.problem_subtype,
    tickets.problem_subtype_zh,
    tickets.stage,
    tickets.complexity,
    tickets.product,
    tickets.region,
    tickets.team,
    tickets.agent_ref,
    tickets.agent_tenure_days,
    tickets.tenure_band,
    tickets.subject,
    tickets.body,
    tickets.created_at,
    tickets.created_on,
    tickets.created_hour,
    tickets.daypart = 'peak' as is_peak_hour,
    tickets.daypart,
    tickets.status,
    tickets.is_solved,
    tickets.first_response_at,
    {{ seconds_between("tickets.created_at", "tickets.first_response_at") }} as first_response_seconds,
    tickets.first_response_business_seconds,
    tickets.first_bot_response_at,
    {{ seconds_between("tickets.created_at", "tickets.first_bot_response_at") }} as first_bot_response_seconds,
    tickets.first_bot_response_business_seconds,
    tickets.first_resolved_at,
    tickets.resolved_at,
    {{ seconds_between("tickets.created_at", "tickets.first_resolved_at") }} as first_resolution_seconds,
    tickets.first_resolution_business_seconds,
    {{ seconds_between("tickets.created_at", "tickets.resolved_at") }} as resolution_seconds,
    tickets.resolution_business_seconds,
    waits.requester_wait_seconds,
    waits.requester_wait_business_seconds,
    waits.agent_wait_seconds,
    waits.agent_wait_business_seconds,
    waits.on_hold_seconds,
    waits.on_hold_business_seconds,
    waits.agent_work_seconds,
    waits.agent_work_business_seconds,
    tickets.reopen_count,
    tickets.transfer_count,
    tickets.customer_message_count,
    tickets.agent_message_count,
    tickets.touch_count,
    coalesce(later_replies.reply_count, 0) as next_reply_count,
    coalesce(later_replies.reply_seconds, 0) as next_reply_seconds,
    coalesce(later_replies.reply_business_seconds, 0) as next_reply_business_seconds,
    tickets.customer_contact_count,
    tickets.is_passed_on,
    case
        when tickets.is_solved
            then tickets.reopen_count = 0
                -- A source without messages tells touches only.
                and coalesce(nullif(tickets.agent_message_count, 0), tickets.touch_count) <= 1
    end as is_one_touch,
    case
        when tickets.is_solved
            then tickets.reopen_count = 0
                and not tickets.is_passed_on
                and tickets.customer_contact_count <= 2
                and not coalesce(neighbours.is_contacted_again, false)
    end as is_first_contact_resolved,
    coalesce(neighbours.is_repeat_contact, false) as is_repeat_contact,
    ratings.csat_score
from {{ ref("int_tickets") }} as tickets
inner join {{ ref("int_ticket_waits") }} as waits on tickets.ticket_key = waits.ticket_key
left join {{ ref("int_ticket_neighbours") }} as neighbours on tickets.ticket_key = neighbours.ticket_key
left join later_replies on tickets.ticket_key = later_replies.ticket_key
left join ratings on tickets.ticket_key = ratings.ticket_key
where tickets.reason = 'reportable' and {{ only_touched("tickets.ticket_key") }}
