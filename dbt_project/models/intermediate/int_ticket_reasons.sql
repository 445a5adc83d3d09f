{{ per_ticket() }}
-- Why a ticket by itself doesn't count, the first reason that holds; NULL when none does. Whether it is another one's
-- double is seen afterwards, in int_ticket_links.
with facts as (
    select
        tickets.ticket_key,
        tickets.source,
        tickets.ticket_id,
        coalesce(identity.person_ref, tickets.customer_ref) as customer_ref,
        tickets.region,
        tickets.product,
        tickets.channel,
        tickets.created_at,
        tickets.direction,
        tickets.merged_into_ticket_id,
        tickets.is_test,
        coalesce(handling.last_problem_subtype, tickets.problem_subtype) as problem_subtype,
        lower(regexp_replace(coalesce(tickets.body, tickets.subject), '[[:space:]]', '', 'g')) as bare_text,
        tickets.subject,
        tickets.body,
        responses.first_response_at,
        responses.first_bot_response_at,
        handling.agent_ref,
        handling.first_agent_event_at,
        status.status,
        status.first_resolved_at,
        coalesce(handling.is_tagged_test, false) as is_tagged_test,
        coalesce(handling.is_tagged_spam, false) as is_tagged_spam,
        coalesce(handling.is_tagged_abandoned, false) as is_tagged_abandoned,
        coalesce(handling.is_tagged_mis_operation, false) as is_tagged_mis_operation,
        coalesce(handling.is_tagged_duplicate, false) as is_tagged_duplicate
    from {{ ref("stg_tickets") }} as tickets
    inner join {{ ref("int_ticket_status") }} as status on tickets.ticket_key = status.ticket_key
    inner join {{ ref("int_ticket_responses") }} as responses on tickets.ticket_key = responses.ticket_key
    left join {{ ref("int_ticket_handling") }} as handling on tickets.ticket_key = handling.ticket_key
    left join {{ ref("stg_identity") }} as identity on tickets.customer_ref = identity.ref
    where {{ only_touched("tickets.ticket_key") }}
)

select
    ticket_key,
    source,
    ticket_id,
    customer_ref,
    channel,
    created_at,
    region,
    product,
    problem_subtype,
    bare_text,
    merged_into_ticket_id,
    case
        -- A text about testing ("测试过吗") is a customer's; one that says it is a test begins with the word.
        when is_test or is_tagged_test
            or {{ matches("subject", "^[[:space:]【(（\\[]*(测试|test([^a-z]|$))") }}
            or {{ matches("body", "^[[:space:]【(（\\[]*(测试|test([^a-z]|$))") }} then 'test'
        when is_tagged_spam then 'spam'
        when direction = 'outbound' then 'outbound'
        when merged_into_ticket_id is not null then 'merged'
        when is_tagged_duplicate then 'duplicate'
        -- Short: a long text that mentions a slip of the finger is about what happened next.
        when is_tagged_mis_operation
            or (
                length(bare_text) <= 20
                and {{ matches("bare_text", "误操作|误触|误点|误建|点错|按错了|建错|手滑") }}
            )
            then 'mis_operation'
        -- The customer left before anybody, bot or human, took the ticket, and it was closed at once. Closed
        -- later it was left lying, which is a failure of service and counts.
        when is_tagged_abandoned
            or (
                first_response_at is null and first_bot_response_at is null
                and agent_ref is null and first_agent_event_at is null
                and status in ('solved', 'closed')
                and first_resolved_at <= created_at + interval '{{ var("abandoned_within_minutes") }} minutes'
            )
            then 'abandoned'
    end as reason
from facts
