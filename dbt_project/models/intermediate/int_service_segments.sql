-- All time cut into segments in which a schedule is open or closed, each inside one UTC day, so that an instant finds
-- its segment by an equality join on the date. Hours that touch or overlap count once: openings add one, closings take
-- one away, and the schedule is open where the sum is above zero.
with openings as (
    select
        hours.schedule_id,
        hours.source,
        hours.timezone,
        days.date_day,
        days.date_day + hours.opens_second * interval '1 second' as local_opens_at,
        days.date_day + hours.closes_second * interval '1 second' as local_closes_at
    from {{ ref("int_days") }} as days
    inner join {{ ref("int_schedule_hours") }} as hours on days.iso_weekday = hours.iso_weekday
    where not (hours.observes_holidays and days.day_kind = 'holiday')
    union all
    -- A make-up workday (调休) falls on a weekend. A schedule without hours for it works as on its first weekday.
    select
        hours.schedule_id,
        hours.source,
        hours.timezone,
        days.date_day,
        days.date_day + hours.opens_second * interval '1 second',
        days.date_day + hours.closes_second * interval '1 second'
    from {{ ref("int_days") }} as days
    inner join {{ ref("int_schedule_hours") }} as hours
        on days.day_kind = 'makeup_workday' and hours.observes_holidays and hours.iso_weekday = hours.first_weekday
    where not exists (
        select 1
        from {{ ref("int_schedule_hours") }} as own
        where own.schedule_id = hours.schedule_id and own.iso_weekday = days.iso_weekday
    )
),

-- A source's schedule has holidays of its own, besides the statutory ones: nothing opens on them.
kept as (
    select openings.*
    from openings
    where not exists (
        select 1
        from {{ ref("stg_schedule_holidays") }} as holidays
        where holidays.source = openings.source
            and holidays.schedule_id = openings.schedule_id
            and openings.date_day between holidays.starts_on and holidays.ends_on
    )
),

changes as (
    select
        schedule_id,
        {{ to_utc("local_opens_at", "timezone") }} as changes_at,
        1 as opened
    from kept
    union all
    select
        schedule_id,
        {{ to_utc("local_closes_at", "timezone") }},
        -1
    from kept
    union all
    select
        schedules.schedule_id,
        cast(days.date_day as timestamp),
        0
    from {{ ref("int_days") }} as days
    cross join (select distinct schedule_id from {{ ref("int_schedule_hours") }}) as schedules
),

points as (
    select
        schedule_id,
        changes_at,
        sum(sum(opened)) over (partition by schedule_id order by changes_at) > 0 as is_open
    from changes
    group by schedule_id, changes_at
),

segments as (
    select
        schedule_id,
        cast(changes_at as date) as utc_date,
        changes_at as segment_start_at,
        lead(changes_at) over (partition by schedule_id order by changes_at) as segment_end_at,
        is_open
    from points
)

select
    schedule_id,
    utc_date,
    segment_start_at,
    segment_end_at,
    is_open,
    cast(
        coalesce(
            sum(
                case when is_open then {{ epoch("segment_end_at") }} - {{ epoch("segment_start_at") }} else 0 end
            ) over (
                partition by schedule_id order by segment_start_at
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as bigint
    ) as business_seconds_before
from segments
where segment_end_at is not null
