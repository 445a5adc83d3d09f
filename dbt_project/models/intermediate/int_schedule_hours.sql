-- One row per schedule and weekly opening, its hours in seconds of the local day. Closing at or before the opening
-- means the next day; 00:00 to 24:00 is the whole day. The rules file goes before what sources say of a schedule of the
-- same id, and of two sources the first by name: hours of different origin are never mixed.
with given as (
    select
        0 as place,
        cast(null as text) as source,
        schedule_id,
        is_default,
        timezone,
        iso_weekday,
        opens,
        closes,
        observes_holidays
    from {{ ref("service_schedules") }}
    union all
    select
        1 as place,
        source,
        schedule_id,
        false as is_default,
        timezone,
        iso_weekday,
        opens,
        closes,
        observes_holidays
    from {{ ref("stg_schedules") }}
),

ranked as (
    select
        *,
        dense_rank() over (partition by schedule_id order by place, {{ bytewise("source") }}) as origin_rank
    from given
),

hours as (
    select
        *,
        cast(split_part(opens, ':', 1) as integer) * 3600 + cast(split_part(opens, ':', 2) as integer) * 60
            as opens_second,
        cast(split_part(closes, ':', 1) as integer) * 3600 + cast(split_part(closes, ':', 2) as integer) * 60
            as closes_second
    from ranked
    where origin_rank = 1
)

select
    schedule_id,
    source,
    is_default,
    timezone,
    iso_weekday,
    observes_holidays,
    opens_second,
    case when closes_second <= opens_second then closes_second + 86400 else closes_second end as closes_second,
    min(iso_weekday) over (partition by schedule_id) as first_weekday,
    max(case when observes_holidays then 1 else 0 end) over (partition by schedule_id) = 1 as has_workdays
from hours
