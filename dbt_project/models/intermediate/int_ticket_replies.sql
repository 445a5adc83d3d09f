{{ per_ticket() }}
-- One row per wait of a customer: from what nobody has answered yet to the next public message of an agent, or to the
-- solution if that comes first. The creation opens the first wait. What a customer writes to a solved ticket (thanks)
-- waits only if the ticket is reopened, and from then on.
with waits as (
    select
        ticket_key,
        wait_number,
        bool_or(kind = 'created') as is_first_response,
        min(point_at) filter (where kind in ('created', 'customer') and not is_solved) as asked_at,
        min(point_at) filter (where kind in ('created', 'customer') and is_solved) as asked_when_solved_at,
        min(point_at) filter (where kind = 'reopened') as reopened_at,
        -- The answer or solution that ended the wait before: of each number there is one.
        min(point_at) filter (where kind in ('agent', 'solved')) as opened_at,
        min(kind) filter (where kind in ('agent', 'solved')) as opened_by,
        min(author_ref) filter (where kind = 'agent') as agent_ref
    from {{ ref("int_ticket_conversation") }}
    where {{ only_touched("ticket_key") }}
    group by ticket_key, wait_number
),

ended as (
    select
        ticket_key,
        wait_number,
        is_first_response,
        case
            when asked_when_solved_at is not null and reopened_at is not null then reopened_at
            else asked_at
        end as waiting_since_at,
        lead(opened_at) over in_order as ended_at,
        lead(opened_by) over in_order as ended_by,
        lead(agent_ref) over in_order as agent_ref
    from waits
    window in_order as (partition by ticket_key order by wait_number)
)

select
    ended.ticket_key,
    cast(row_number() over (partition by ended.ticket_key order by ended.wait_number) as integer) as reply_sequence,
    ended.is_first_response,
    ended.waiting_since_at,
    ended.ended_at,
    case ended.ended_by when 'solved' then 'solution' else ended.ended_by end as ended_by,
    ended.agent_ref,
    -- Still waiting: until now.
    {{ seconds_between("ended.waiting_since_at", "coalesce(ended.ended_at, as_of.as_of_at)") }} as waited_seconds,
    starts.business_seconds as business_from,
    -- 'Now' lies before the wait where it was set back.
    greatest(starts.business_seconds, coalesce(ends.business_seconds, starts.business_seconds)) as business_to
from ended
cross join {{ ref("int_as_of") }} as as_of
inner join {{ ref("int_ticket_clock") }} as starts
    on ended.ticket_key = starts.ticket_key and date_trunc('second', ended.waiting_since_at) = starts.clock_at
    and {{ only_touched("starts.ticket_key") }}
left join {{ ref("int_ticket_clock") }} as ends
    on ended.ticket_key = ends.ticket_key
    and date_trunc('second', coalesce(ended.ended_at, as_of.as_of_at)) = ends.clock_at
    and {{ only_touched("ends.ticket_key") }}
where ended.waiting_since_at is not null
