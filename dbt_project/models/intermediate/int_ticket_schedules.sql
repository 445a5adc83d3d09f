{{ per_ticket() }}
-- Which service hours applied to a ticket when; a schedule that neither rules nor sources know is the default one. Each
-- span knows the ticket's business seconds before it, so that time counts by the hours that applied when it passed.
with default_schedule as (
    select min(schedule_id) as schedule_id
    from {{ ref("service_schedules") }}
    where is_default
),

known as (
    select distinct schedule_id
    from {{ ref("int_schedule_hours") }}
),

changes as (
    select
        events.ticket_key,
        events.new_value as schedule_id,
        events.old_value,
        date_trunc('second', events.event_at) as from_at,
        events.event_sequence
    from {{ ref("int_ticket_events") }} as events
    inner join {{ ref("stg_tickets") }} as tickets on events.ticket_key = tickets.ticket_key
    where events.field = 'schedule'
        and events.event_at > tickets.created_at
        and {{ only_touched("events.ticket_key") }}
),

first_changes as (
    select
        ticket_key,
        (array_agg(old_value order by event_sequence))[1] as schedule_id
    from changes
    group by ticket_key
),

spans as (
    select
        tickets.ticket_key,
        -- What the ticket says is its schedule of today; before the first change it had that event's old one.
        case when first_changes.ticket_key is null then tickets.schedule_id else first_changes.schedule_id end
            as schedule_id,
        date_trunc('second', tickets.created_at) as from_at,
        0 as event_sequence
    from {{ ref("stg_tickets") }} as tickets
    left join first_changes on tickets.ticket_key = first_changes.ticket_key
    where {{ only_touched("tickets.ticket_key") }}
    union all
    select
        ticket_key,
        schedule_id,
        from_at,
        event_sequence
    from changes
),

dated as (
    select
        spans.ticket_key,
        coalesce(known.schedule_id, default_schedule.schedule_id) as schedule_id,
        spans.from_at,
        lead(spans.from_at) over (
            partition by spans.ticket_key order by spans.from_at, spans.event_sequence
        ) as to_at,
        spans.event_sequence
    from spans
    cross join default_schedule
    left join known on spans.schedule_id = known.schedule_id
),

clocked as (
    select
        dated.*,
        {{ business_clock("dated.from_at", "starts") }} as clock_from,
        {{ business_clock("dated.to_at", "ends") }} as clock_to
    from dated
    left join {{ ref("int_service_clock") }} as starts
        on {{ in_segment("dated.from_at", "dated.schedule_id", "starts") }}
    left join {{ ref("int_service_clock") }} as ends
        on {{ in_segment("dated.to_at", "dated.schedule_id", "ends") }}
)

select
    ticket_key,
    schedule_id,
    from_at,
    to_at,
    clock_from,
    cast(
        coalesce(
            sum(clock_to - clock_from) over (
                partition by ticket_key order by from_at, event_sequence
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as bigint
    ) as business_seconds_before
from clocked
where to_at is null or to_at > from_at
