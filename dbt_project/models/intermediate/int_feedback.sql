{{ per_feedback() }}
-- Every rating and text with what is known of its ticket and customer. A survey often comes from another system than
-- its ticket: the ticket's number is looked up in the same source first, else where it is the only one of that number.
with known_tickets as (
    select
        ticket_id,
        min(ticket_key) as ticket_key
    from {{ ref("stg_tickets") }}
    where ticket_id in (
        select named.ticket_id
        from {{ ref("stg_feedback") }} as named
        where {{ only_touched_feedback("named.feedback_key") }}
    )
    group by ticket_id
    having count(*) = 1
),

linked as (
    select
        feedback.*,
        coalesce(identity.person_ref, feedback.customer_ref) as person_ref,
        coalesce(own.ticket_key, known_tickets.ticket_key) as ticket_key,
        case when feedback.kind in ('csat', 'survey') then
            {{ scaled("feedback.score", "coalesce(feedback.scale_min, 1)", "coalesce(feedback.scale_max, 5)", 1, 5) }}
        end as csat_score,
        case when feedback.kind = 'nps' then
            {{ scaled("feedback.score", "coalesce(feedback.scale_min, 0)", "coalesce(feedback.scale_max, 10)", 0, 10) }}
        end as nps_score
    from {{ ref("stg_feedback") }} as feedback
    left join {{ ref("stg_tickets") }} as own
        on feedback.source = own.source and feedback.ticket_id = own.ticket_id
    left join {{ ref("stg_identity") }} as identity on feedback.customer_ref = identity.ref
    left join known_tickets on feedback.ticket_id = known_tickets.ticket_id
    where {{ only_touched_feedback("feedback.feedback_key") }}
)

select
    linked.feedback_key,
    linked.source,
    linked.feedback_id,
    linked.kind,
    linked.ticket_key,
    linked.ticket_id,
    coalesce(linked.person_ref, tickets.customer_ref) as customer_ref,
    linked.customer_ref as source_customer_ref,
    customers.tier as customer_tier,
    customers.annual_revenue,
    coalesce(linked.channel, tickets.channel) as channel,
    coalesce(linked.product, tickets.product) as product,
    coalesce(linked.region, tickets.region, customers.region) as region,
    tickets.team,
    tickets.agent_ref,
    tickets.agent_tenure_days,
    coalesce(tickets.tenure_band, 'unknown') as tenure_band,
    tickets.problem_type,
    tickets.problem_subtype,
    tickets.complexity,
    tickets.daypart,
    linked.score,
    linked.csat_score,
    linked.csat_score >= 4 as is_satisfied,
    linked.nps_score,
    case
        when linked.nps_score >= 9 then 'promoter'
        when linked.nps_score >= 7 then 'passive'
        when linked.nps_score is not null then 'detractor'
    end as nps_group,
    linked.likes,
    linked.text,
    linked.created_at,
    {{ local_date("linked.created_at") }} as created_on
from linked
left join {{ ref("int_tickets") }} as tickets on linked.ticket_key = tickets.ticket_key
left join {{ ref("int_customer_versions") }} as customers
    on coalesce(linked.person_ref, tickets.customer_ref) = customers.customer_ref
    and linked.created_at >= customers.serves_from_at
    and linked.created_at < customers.serves_to_at
