{{ per_ticket() }}
-- When a running clock will reach its target if nobody ends or stops it: for business time the way back from the
-- schedule's clock to an instant. Open segments and targets are put in one order by that clock; the last segment before
-- a target holds it, and because both clock and start only grow, a running maximum finds it. A target beyond the days
-- of the calendar has no prediction.
with running as (
    select
        clocks.*,
        as_of.as_of_at
    from {{ ref("int_ticket_sla_clock") }} as clocks
    cross join {{ ref("int_as_of") }} as as_of
    where clocks.ended_at is null and not clocks.is_paused and {{ only_touched("clocks.ticket_key") }}
),

business as (
    select
        running.ticket_key,
        running.sla_metric,
        running.instance,
        spans.schedule_id,
        -- The schedule's clock now and what is left of the target.
        spans.clock_from - spans.business_seconds_before + running.business_to
        + running.target_seconds - running.elapsed_business_seconds as target_clock
    from running
    -- The schedule of today: nobody knows a later change.
    inner join {{ ref("int_ticket_schedules") }} as spans
        on running.ticket_key = spans.ticket_key and spans.to_at is null and {{ only_touched("spans.ticket_key") }}
    where running.clock = 'business' and running.elapsed_business_seconds <= running.target_seconds
),

ordered as (
    select
        schedule_id,
        business_seconds_before as clock,
        1 as is_segment,
        segment_start_at,
        business_seconds_before,
        cast(null as text) as ticket_key,
        cast(null as text) as sla_metric,
        cast(null as integer) as instance
    from {{ ref("int_service_segments") }}
    where is_open
    union all
    select
        schedule_id,
        target_clock,
        0,
        null,
        null,
        ticket_key,
        sla_metric,
        instance
    from business
),

located as (
    select
        ticket_key,
        sla_metric,
        instance,
        schedule_id,
        clock,
        max(segment_start_at) over in_order as segment_start_at,
        max(business_seconds_before) over in_order as business_seconds_before
    from ordered
    -- At equal clocks the target comes first: time is up when hours end, not when they begin again.
    window in_order as (
        partition by schedule_id order by clock, is_segment rows between unbounded preceding and current row
    )
),

dated as (
    select
        located.ticket_key,
        located.sla_metric,
        located.instance,
        located.segment_start_at
        + (located.clock - located.business_seconds_before) * interval '1 second' as predicted_breach_at,
        segments.segment_end_at
    from located
    inner join {{ ref("int_service_segments") }} as segments
        on located.schedule_id = segments.schedule_id and located.segment_start_at = segments.segment_start_at
    where located.ticket_key is not null
)

select
    ticket_key,
    sla_metric,
    instance,
    predicted_breach_at
from dated
where predicted_breach_at <= segment_end_at
union all
select
    ticket_key,
    sla_metric,
    instance,
    date_trunc('second', greatest(as_of_at, started_at))
    + (target_seconds - elapsed_calendar_seconds) * interval '1 second'
from running
where clock = 'calendar' and elapsed_calendar_seconds <= target_seconds
