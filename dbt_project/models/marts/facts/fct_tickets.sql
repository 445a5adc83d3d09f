with ratings as (
    select
        ticket_key,
        (array_agg(csat_score order by created_at desc, {{ bytewise("feedback_key") }} desc))[1] as csat_score
    from {{ ref("int_feedback") }}
    where csat_score is not null and ticket_key is not null
    group by ticket_key
),

neighbours as (
    select
        *,
        lag(created_at) over same_matter as previous_contact_at,
        lead(created_at) over same_matter as next_contact_at
    from {{ ref("int_tickets") }}
    where reason = 'reportable'
    window same_matter as (
        partition by customer_ref, problem_subtype order by created_at, {{ bytewise("ticket_key") }}
    )
),

contacts as (
    select
        *,
        -- Who the customer or what the matter is must be known to call two contacts the same.
        customer_ref is not null and problem_subtype is not null as has_known_matter
    from neighbours
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
    tickets.first_resolved_at,
    tickets.resolved_at,
    {{ seconds_between("tickets.created_at", "tickets.first_resolved_at") }} as first_resolution_seconds,
    {{ seconds_between("tickets.created_at", "tickets.resolved_at") }} as resolution_seconds,
    tickets.resolution_business_seconds,
    tickets.reopen_count,
    tickets.transfer_count,
    tickets.customer_message_count,
    tickets.agent_message_count,
    case
        when tickets.is_solved
            then tickets.reopen_count = 0
                and not coalesce(
                    tickets.has_known_matter
                    and tickets.next_contact_at
                    <= tickets.first_resolved_at + interval '{{ var("contact_window_days") }} days',
                    false
                )
    end as is_first_contact_resolved,
    coalesce(
        tickets.has_known_matter
        and tickets.previous_contact_at >= tickets.created_at - interval '{{ var("contact_window_days") }} days',
        false
    ) as is_repeat_contact,
    ratings.csat_score
from contacts as tickets
left join ratings on tickets.ticket_key = ratings.ticket_key
