{{ per_ticket() }}
{#- The stages by number while rows are sorted; 0 is the ticket's end. -#}
{%- set stages = [
    "solved", "first_response", "on_hold", "waiting_for_customer", "after_handover", "waiting_for_company", "handling",
] -%}
{%- set statuses = ["pending", "on_hold", "solved", "closed", "open"] -%}
-- The way of a reportable ticket from its creation to the solution that holds, or to now, cut wherever its stage
-- changes or it is handed over. Who has to move follows from the status and from who acted last: an agent by a message
-- or a change, a customer likewise. What shares a second counts as one step, of which the last state stands.
with tickets as materialized (
    select
        tickets.ticket_key,
        -- Rows sort by a number in half the time; it means nothing outside this query.
        row_number() over () as ticket_number,
        tickets.created_at,
        tickets.first_response_at,
        tickets.ends_at
    from (
        select
            tickets.ticket_key,
            date_trunc('second', tickets.created_at) as created_at,
            date_trunc('second', responses.first_response_at) as first_response_at,
            date_trunc('second', coalesce(status.resolved_at, as_of.as_of_at)) as ends_at
        from {{ ref("stg_tickets") }} as tickets
        inner join {{ ref("int_ticket_cleaning") }} as cleaning on tickets.ticket_key = cleaning.ticket_key
        inner join {{ ref("int_ticket_status") }} as status on tickets.ticket_key = status.ticket_key
        inner join {{ ref("int_ticket_responses") }} as responses on tickets.ticket_key = responses.ticket_key
        cross join {{ ref("int_as_of") }} as as_of
        where cleaning.reason = 'reportable' and {{ only_touched("tickets.ticket_key") }}
    ) as tickets
    where tickets.created_at < tickets.ends_at
),

-- Marks are whole numbers that rise with time, so that the greatest so far is the last; the lowest digits tell what it
-- was. Who asked or acted at the same instant as the customer did so after him: 1 against 0.
marks as (
    select
        ticket_key,
        event_at as marked_at,
        case
            when field = 'status' and new_value is not null
                then event_sequence * 8
                    + case new_value
                        {%- for status in statuses %}
                        when '{{ status }}' then {{ loop.index }}
                        {%- endfor %}
                        else 0
                    end
        end as status_mark,
        case when field = 'team' and new_value is not null then event_sequence end as team_sequence,
        case when field = 'assignee' and new_value is not null then event_sequence end as agent_sequence,
        case
            when field = 'status' and new_value = 'pending' then {{ microseconds("event_at") }} * 2 + 1
            when actor_role = 'customer' then {{ microseconds("event_at") }} * 2
        end as asked_mark,
        case actor_role
            when 'agent' then {{ microseconds("event_at") }} * 2 + 1
            when 'customer' then {{ microseconds("event_at") }} * 2
        end as acted_mark,
        cast(null as bigint) as handover_mark
    from {{ ref("int_ticket_events") }}
    where (field in ('status', 'team', 'assignee') or actor_role in ('agent', 'customer')) and {{ only_touched() }}
    union all
    select
        ticket_key,
        sent_at,
        null,
        null,
        null,
        case
            when author_role = 'customer' then {{ microseconds("sent_at") }} * 2
            when is_public then {{ microseconds("sent_at") }} * 2 + 1
        end,
        {{ microseconds("sent_at") }} * 2 + case author_role when 'agent' then 1 else 0 end,
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
        -- A hand-over's wait ends before the next one's.
        {{ epoch("coalesce(waited_until_at, handed_over_at)") }} * 1000000 + handover_sequence
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
        null
    from tickets
    union all
    select
        ticket_key,
        ends_at,
        null,
        null,
        null,
        null,
        null,
        null
    from tickets
),

-- What a source's clock puts before the ticket belongs to its beginning. The first response is itself a mark.
placed as (
    select
        tickets.ticket_number,
        greatest(date_trunc('second', marks.marked_at), tickets.created_at) as stepped_at,
        greatest(date_trunc('second', marks.marked_at), tickets.created_at)
        < coalesce(tickets.first_response_at, tickets.ends_at) as is_unanswered,
        date_trunc('second', marks.marked_at) = tickets.ends_at as is_end,
        marks.status_mark,
        marks.team_sequence,
        marks.agent_sequence,
        marks.asked_mark,
        marks.acted_mark,
        marks.handover_mark
    from marks
    inner join tickets
        on marks.ticket_key = tickets.ticket_key
        and date_trunc('second', marks.marked_at) <= tickets.ends_at
),

-- What was last known at each mark.
known as (
    select
        ticket_number,
        stepped_at,
        is_unanswered,
        is_end,
        lead(stepped_at) over so_far as next_step_at,
        max(status_mark) over so_far as status_mark,
        max(team_sequence) over so_far as team_sequence,
        max(agent_sequence) over so_far as agent_sequence,
        max(asked_mark) over so_far as asked_mark,
        max(acted_mark) over so_far as acted_mark,
        max(handover_mark) over so_far as handover_mark
    from placed
    window so_far as (partition by ticket_number order by stepped_at rows unbounded preceding)
),

-- A step is the last mark of its second.
staged as (
    select
        ticket_number,
        stepped_at,
        is_end,
        team_sequence,
        agent_sequence,
        handover_mark,
        cast(status_mark % 8 as integer) as status_code,
        case
            when is_end then 0
            when status_mark % 8 in (3, 4) then 1
            when is_unanswered then 2
            when status_mark % 8 = 2 then 3
            when status_mark % 8 = 1 and asked_mark % 2 = 1 then 4
            when handover_mark >= ({{ epoch("stepped_at") }} + 1) * 1000000 then 5
            when acted_mark % 2 = 0 then 6
            else 7
        end as stage_code
    from known
    where next_step_at is null or next_step_at > stepped_at
),

compared as (
    select
        ticket_number,
        stepped_at,
        is_end,
        status_code,
        stage_code,
        stage_code <> coalesce(lag(stage_code) over in_ticket, 0) as is_entry,
        handover_mark <> coalesce(lag(handover_mark) over in_ticket, 0) as is_handover,
        lag(team_sequence) over in_ticket as team_sequence_before,
        lag(agent_sequence) over in_ticket as agent_sequence_before
    from staged
    window in_ticket as (partition by ticket_number order by stepped_at)
),

-- What was known before a visit begins is what the visit before ended with.
visits as (
    select
        ticket_number,
        stepped_at as started_at,
        is_end,
        status_code,
        stage_code,
        is_entry,
        row_number() over in_ticket as stage_sequence,
        -- A hand-over inside a stage goes on with the same visit.
        count(*) filter (where is_entry) over (
            partition by ticket_number, stage_code order by stepped_at rows unbounded preceding
        ) as visit_number,
        lead(stepped_at) over in_ticket as ended_at,
        lead(stage_code) over in_ticket as next_stage_code,
        lead(team_sequence_before) over in_ticket as team_sequence,
        lead(agent_sequence_before) over in_ticket as agent_sequence
    from compared
    where is_end or is_entry or is_handover
    window in_ticket as (partition by ticket_number order by stepped_at)
)

select
    tickets.ticket_key,
    cast(visits.stage_sequence as integer) as stage_sequence,
    case visits.stage_code
        {%- for stage in stages %}
        when {{ loop.index }} then '{{ stage }}'
        {%- endfor %}
    end as stage,
    visits.started_at,
    visits.ended_at,
    case visits.next_stage_code
        {%- for stage in stages %}
        when {{ loop.index }} then '{{ stage }}'
        {%- endfor %}
    end as next_stage,
    visits.is_entry,
    cast(visits.visit_number as integer) as visit_number,
    case visits.status_code
        {%- for status in statuses %}
        when {{ loop.index }} then '{{ status }}'
        {%- endfor %}
        else 'new'
    end as status,
    visits.team_sequence,
    visits.agent_sequence
from visits
inner join tickets on visits.ticket_number = tickets.ticket_number
where not visits.is_end
