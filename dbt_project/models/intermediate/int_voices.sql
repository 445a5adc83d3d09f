{{ per_voice() }}
-- Everything a customer wrote that counts: reportable tickets, and feedback with a text.
select
    'ticket:' || ticket_key as voice_id,
    'ticket' as voice_kind,
    source,
    ticket_id,
    cast(null as text) as feedback_id,
    customer_ref,
    source_customer_ref,
    customer_tier,
    annual_revenue,
    channel,
    problem_type,
    problem_subtype,
    complexity,
    daypart,
    product,
    region,
    team,
    tenure_band,
    case when subject = body then body else concat_ws(chr(10), subject, body) end as text,
    created_at as occurred_at,
    created_on as occurred_on,
    cast(0 as bigint) as likes
from {{ ref("int_tickets") }}
where
    reason = 'reportable'
    and coalesce(subject, body) is not null
    and {{ only_touched_voices("'ticket:' || ticket_key") }}
union all
select
    'feedback:' || feedback_key,
    case when kind in ('review', 'post') then kind else 'survey' end,
    source,
    ticket_id,
    feedback_id,
    customer_ref,
    source_customer_ref,
    customer_tier,
    annual_revenue,
    channel,
    problem_type,
    problem_subtype,
    complexity,
    daypart,
    product,
    region,
    team,
    tenure_band,
    text,
    created_at,
    created_on,
    likes
from {{ ref("int_feedback") }}
where text is not null and {{ only_touched_voices("'feedback:' || feedback_key") }}
