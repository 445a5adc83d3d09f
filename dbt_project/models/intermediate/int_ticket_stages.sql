{{ per_ticket() }}
-- The way of a reportable ticket from its creation to the solution that holds, or to now, cut wherever its stage
-- changes or it is handed over. Who has to move follows from the status and from who acted last: an agent by a message
-- or a change, a customer likewise. What shares a second counts as one step, of which the last state stands.
with tickets as (
    select
        tickets.ticket_key,
        date_trunc('second', tickets.created_at) as created_at,
        date_trunc('second', coalesce(status.resolved_at, as_of.as_of_at)) as ends_at,
        date_trunc('second', responses.first_response_at) as first_response_at
    from {{ ref("stg_tickets") }} as tickets
    inner join {{ ref("int_ticket_cleaning") }} as cleaning on tickets.ticket_key = cleaning.ticket_key
    inner join {{ ref("int_ticket_status") }} as status on tickets.ticket_key = status.ticket_key
    inner join {{ ref("int_ticket_responses") }} as responses on tickets.ticket_key = responses.ticket_key
    cross join {{ ref("int_as_of") }} as as_of
    where cleaning.reason = 'reportable' and {{ only_touched("tickets.ticket_key") }}
),

marks as (
    select
        ticket_key,
        event_at as marked_at,
        case
            when field = 'status' and new_value is not null
                then event_sequence * 8
                    + case new_value
                        when 'pending' then 1
                        when 'on_hold' then 2
                        when 'solved' then 3
                        when 'closed' then 4
                        when 'open' then 5
                        else 0
                    end
        end as status_mark,
        case when field = 'team' and new_value is not null then event_sequence end as team_sequence,
        case when field = 'assignee' and new_value is not null then event_sequence end as agent_sequence,
        case when field = 'status' and new_value = 'pending' then event_at end as asked_at,
        case when actor_role = 'agent' then event_at end as agent_at,
        case when actor_role = 'customer' then event_at end as customer_at,
        cast(null as timestamp) as handover_waits_until
    from {{ ref("int_ticket_events") }}
    where (field in ('status', 'team', 'assignee') or actor_role in ('agent', 'customer')) and {{ only_touched() }}
    union all
    select
        ticket_key,
        sent_at,
        null,
        null,
        null,
        case when author_role = 'agent' and is_public then sent_at end,
        case when author_role = 'agent' then sent_at end,
        case when author_role = 'customer' then sent_at end,
        null
    from {{ ref("int_messages") }}
    where author_role in ('agent', 'customer') and {{ only_touched() }}
    union all
    select
        ticket_key,
        handed_over_at,
        null,
        null,
        null,
        null,
        null,
        null,
        coalesce(waited_until_at, handed_over_at)
    from {{ ref("int_ticket_handovers") }}
    where {{ only_touched() }}
    union all
    select
        ticket_key,
        created_at,
        0,
        null,
        null,
        null,
        null,
        null,
        null
    from tickets
    union all
    select
        ticket_key,
        first_response_at,
        null,
        null,
        null,
        null,
        null,
        null,
        null
    from tickets
    where first_response_at is not null
),

-- What a source's clock puts before the ticket belongs to its beginning.
steps as (
    select
        marks.ticket_key,
        greatest(date_trunc('second', marks.marked_at), tickets.created_at) as stepped_at,
        max(marks.status_mark) as status_mark,
        max(marks.team_sequence) as team_sequence,
        max(marks.agent_sequence) as agent_sequence,
        max(marks.asked_at) as asked_at,
        max(marks.agent_at) as agent_at,
        max(marks.customer_at) as customer_at,
        max(marks.handover_waits_until) as handover_waits_until,
        max(tickets.first_response_at) as first_response_at,
        max(tickets.ends_at) as ends_at
    from marks
    inner join tickets on marks.ticket_key = tickets.ticket_key
    where tickets.created_at < tickets.ends_at and date_trunc('second', marks.marked_at) < tickets.ends_at
    group by 1, 2
),

-- What was last known at each step.
known as (
    select
        ticket_key,
        stepped_at,
        first_response_at,
        ends_at,
        handover_waits_until is not null as is_handover,
        max(status_mark) over so_far as status_mark,
        max(team_sequence) over so_far as team_sequence,
        max(agent_sequence) over so_far as agent_sequence,
        max(asked_at) over so_far as asked_at,
        max(agent_at) over so_far as agent_at,
        max(customer_at) over so_far as customer_at,
        max(handover_waits_until) over so_far as handover_waits_until
    from steps
    window so_far as (partition by ticket_key order by stepped_at)
),

staged as (
    select
        *,
        case
            when status_mark % 8 in (3, 4) then 'solved'
            when first_response_at is null or stepped_at < first_response_at then 'first_response'
            when status_mark % 8 = 2 then 'on_hold'
            when status_mark % 8 = 1 and not coalesce(customer_at > asked_at, false) then 'waiting_for_customer'
            when date_trunc('second', handover_waits_until) > stepped_at then 'after_handover'
            when customer_at > coalesce(agent_at, timestamp '1900-01-01 00:00:00') then 'waiting_for_company'
            else 'handling'
        end as stage
    from known
),

compared as (
    select
        *,
        lag(stage) over (partition by ticket_key order by stepped_at) as stage_before
    from staged
),

cut as (
    select
        *,
        count(*) filter (where is_handover or stage <> coalesce(stage_before, '')) over (
            partition by ticket_key order by stepped_at
        ) as stage_sequence
    from compared
),

visits as (
    select
        ticket_key,
        cast(stage_sequence as integer) as stage_sequence,
        min(stage) as stage,
        min(stepped_at) as started_at,
        max(ends_at) as ends_at,
        min(status_mark) % 8 as status_code,
        max(team_sequence) as team_sequence,
        max(agent_sequence) as agent_sequence
    from cut
    group by ticket_key, stage_sequence
)

select
    ticket_key,
    stage_sequence,
    stage,
    started_at,
    coalesce(lead(started_at) over in_ticket, ends_at) as ended_at,
    lead(stage) over in_ticket as next_stage,
    stage <> coalesce(lag(stage) over in_ticket, '') as is_entry,
    case status_code
        when 1 then 'pending'
        when 2 then 'on_hold'
        when 3 then 'solved'
        when 4 then 'closed'
        when 5 then 'open'
        else 'new'
    end as status,
    team_sequence,
    agent_sequence
from visits
window in_ticket as (partition by ticket_key order by stage_sequence)
