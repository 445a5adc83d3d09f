-- What the business clock is read from: open time of a schedule and the closed time after it, up to the next opening or
-- midnight UTC. A day of one opening has one or two such rows, so an instant is soon found among those of its day.
with stretches as (
    select
        *,
        sum(case when is_open or segment_start_at = cast(utc_date as timestamp) then 1 else 0 end) over (
            partition by schedule_id order by segment_start_at
            rows between unbounded preceding and current row
        ) as stretch
    from {{ ref("int_service_segments") }}
)

select
    schedule_id,
    utc_date,
    min(segment_start_at) as segment_start_at,
    max(segment_end_at) as segment_end_at,
    -- Closed from the beginning: no time is open.
    coalesce(max(segment_end_at) filter (where is_open), min(segment_start_at)) as closes_at,
    min(business_seconds_before) as business_seconds_before
from stretches
group by schedule_id, utc_date, stretch
