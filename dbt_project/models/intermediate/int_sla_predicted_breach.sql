-- When a running clock will reach its target if nobody ends it: the way back from business time to an instant. Open
-- segments and targets are put in one order by the schedule's clock; the last segment before a target holds it, and
-- because both clock and start only grow, a running maximum finds it.
with running as (
    select
        clocks.ticket_key,
        clocks.sla_metric,
        spans.schedule_id,
        spans.clock_from + clocks.target_business_seconds - spans.business_seconds_before as target_clock
    from {{ ref("int_ticket_sla_clock") }} as clocks
    -- The schedule of today: nobody knows a later change.
    inner join {{ ref("int_ticket_schedules") }} as spans
        on clocks.ticket_key = spans.ticket_key and spans.to_at is null
    where clocks.ended_at is null and clocks.elapsed_business_seconds <= clocks.target_business_seconds
),

ordered as (
    select
        schedule_id,
        business_seconds_before as clock,
        1 as is_segment,
        segment_start_at,
        business_seconds_before,
        cast(null as text) as ticket_key,
        cast(null as text) as sla_metric
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
        sla_metric
    from running
),

located as (
    select
        ticket_key,
        sla_metric,
        clock,
        max(segment_start_at) over in_order as segment_start_at,
        max(business_seconds_before) over in_order as business_seconds_before
    from ordered
    -- At equal clocks the target comes first: time is up when hours end, not when they begin again.
    window in_order as (
        partition by schedule_id order by clock, is_segment rows between unbounded preceding and current row
    )
)

select
    ticket_key,
    sla_metric,
    segment_start_at + (clock - business_seconds_before) * interval '1 second' as predicted_breach_at
from located
where ticket_key is not null
