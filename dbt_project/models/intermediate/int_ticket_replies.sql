{{ per_ticket() }}
-- One row per wait of a customer: from what nobody has answered yet to the next public message of an agent, or to the
-- solution if that comes first. The creation opens the first wait. What a customer writes to a solved ticket (thanks)
-- waits only if the ticket is reopened, and from then on.
with waits as (
    select
        ticket_key,
        wait_number,
        bool_or(kind = 'created') as is_first_response,
        -- The business clock only grows, as the instants do: each minimum is the reading at its instant.
        {%- for name, condition in {
            "asked": "kind in ('created', 'customer') and not is_solved",
            "asked_when_solved": "kind in ('created', 'customer') and is_solved",
            "reopened": "kind = 'reopened'",
            "opened": "kind in ('agent', 'solved')",
        }.items() %}
        min(point_at) filter (where {{ condition }}) as {{ name }}_at,
        min(business_seconds) filter (where {{ condition }}) as {{ name }}_clock,
        {%- endfor %}
        -- The answer or solution that ended the wait before: of each number there is one.
        min(kind) filter (where kind in ('agent', 'solved')) as opened_by,
        min(author_ref) filter (where kind = 'agent') as agent_ref
    from {{ ref("int_ticket_conversation") }}
    where {{ only_touched("ticket_key") }}
    group by ticket_key, wait_number
),

begun as (
    select
        *,
        asked_when_solved_at is not null and reopened_at is not null as is_from_reopening
    from waits
),

ended as (
    select
        ticket_key,
        wait_number,
        is_first_response,
        case when is_from_reopening then reopened_at else asked_at end as waiting_since_at,
        case when is_from_reopening then reopened_clock else asked_clock end as business_from,
        lead(opened_at) over in_order as ended_at,
        lead(opened_clock) over in_order as business_to,
        lead(opened_by) over in_order as ended_by,
        lead(agent_ref) over in_order as agent_ref,
        count(*) filter (where is_from_reopening or asked_at is not null) over (
            partition by ticket_key order by wait_number rows between unbounded preceding and current row
        ) as reply_sequence
    from begun
    window in_order as (partition by ticket_key order by wait_number)
)

select
    ended.ticket_key,
    cast(ended.reply_sequence as integer) as reply_sequence,
    ended.is_first_response,
    ended.waiting_since_at,
    ended.ended_at,
    case ended.ended_by when 'solved' then 'solution' else ended.ended_by end as ended_by,
    ended.agent_ref,
    -- Still waiting: until now.
    {{ seconds_between("ended.waiting_since_at", "coalesce(ended.ended_at, as_of.as_of_at)") }} as waited_seconds,
    ended.business_from,
    -- 'Now' lies before the wait where it was set back.
    greatest(
        ended.business_from,
        coalesce(
            case when ended.ended_at is null then milestones.now_business_seconds else ended.business_to end,
            ended.business_from
        )
    ) as business_to
from ended
cross join {{ ref("int_as_of") }} as as_of
left join {{ ref("int_ticket_milestones") }} as milestones on ended.ticket_key = milestones.ticket_key
where ended.waiting_since_at is not null
