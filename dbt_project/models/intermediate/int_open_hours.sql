-- How long each schedule is open within each local hour. A window lies inside one UTC day, so it
-- meets 25 hours at most.
with windows as (
    select
        schedule_id,
        {{ to_local("window_start_at") }} as local_start_at,
        {{ to_local("window_end_at") }} as local_end_at
    from {{ ref("dim_service_window") }}
),

numbers as (
    select {{ integers_to(25) }} as hour_number
),

hours as (
    select
        windows.schedule_id,
        windows.local_start_at,
        windows.local_end_at,
        date_trunc('hour', windows.local_start_at) + (numbers.hour_number - 1) * interval '1 hour' as hour_start_at
    from windows
    inner join numbers
        on date_trunc('hour', windows.local_start_at) + (numbers.hour_number - 1) * interval '1 hour'
        < windows.local_end_at
)

select
    schedule_id,
    cast(hour_start_at as date) as date_day,
    cast(extract(hour from hour_start_at) as integer) as hour_of_day,
    cast(
        sum(
            {{ epoch("least(local_end_at, hour_start_at + interval '1 hour')") }}
            - {{ epoch("greatest(local_start_at, hour_start_at)") }}
        ) as bigint
    ) as open_seconds
from hours
group by 1, 2, 3
