-- One row per schedule and weekly opening, its hours in seconds of the local day. Closing at or before the opening
-- means the next day; 00:00 to 24:00 is the whole day.
with hours as (
    select
        schedule_id,
        is_default,
        timezone,
        iso_weekday,
        observes_holidays,
        cast(split_part(opens, ':', 1) as integer) * 3600 + cast(split_part(opens, ':', 2) as integer) * 60
            as opens_second,
        cast(split_part(closes, ':', 1) as integer) * 3600 + cast(split_part(closes, ':', 2) as integer) * 60
            as closes_second
    from {{ ref("service_schedules") }}
)

select
    schedule_id,
    is_default,
    timezone,
    iso_weekday,
    observes_holidays,
    opens_second,
    case when closes_second <= opens_second then closes_second + 86400 else closes_second end as closes_second,
    min(iso_weekday) over (partition by schedule_id) as first_weekday,
    max(case when observes_holidays then 1 else 0 end) over (partition by schedule_id) = 1 as has_workdays
from hours
